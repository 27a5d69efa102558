"""Straight lines by M-LSD (Gu et al. 2021): the large network, decoded as its authors do."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.lines import rgb
from annotators.networks import ANNOTATORS_REPO, signed, through
from models.catalogue import Weight
from params import Param

MOST_LINES = 200  # only the surest so many centres are looked at


def load(files: tuple[Path, ...]) -> Network:
    """MobileNetV2 with the line decoder, filled from mlsd_large_512_fp32.pth."""
    from models.checkpoints import building, filled, read

    with building():
        from controlnet_aux.mlsd.models.mbv2_mlsd_large import MobileV2_MLSD_Large

        return filled(MobileV2_MLSD_Large(), read(files[0]))


def segments(answer: NDArray[np.float32], score: float, distance: float) -> NDArray[np.float32]:
    """The lines (N, 4) as x and y of start and end, in pixels of the picture, from the network's answer.

    The answer (9, h, w) has half the picture's size: the logit of being a line's centre, then the way from
    there to its start and to its end, in x and y. A centre counts where it is the highest of 3x3.
    """
    heat = (1 + np.tanh(answer[0] / 2)) / 2  # the sigmoid, without its overflow
    heat[heat < cv2.dilate(heat, np.ones((3, 3), np.uint8))] = 0
    surest = np.argsort(-heat, axis=None, kind="stable")[:MOST_LINES]
    y, x = np.unravel_index(surest, heat.shape)
    ways = answer[1:5, y, x].T  # (N, 4)
    lengths = np.hypot(ways[:, 0] - ways[:, 2], ways[:, 1] - ways[:, 3])
    kept = (heat[y, x] > score) & (lengths > distance)
    centres = np.stack((x, y, x, y), axis=1)[kept]
    return np.asarray(2 * (centres + ways[kept]), np.float32)


def run(picture: Pixels, network: Network, *, score: float, distance: float) -> Annotation:
    """Straight lines, one pixel wide, of an RGB uint8 (H, W, 3) picture; RGB is what the network takes."""
    with_ones = np.concatenate((picture, np.ones_like(picture[:, :, :1])), axis=2)
    lines = segments(through(network, signed(with_ones), stride=16), score, distance)
    canvas = np.zeros(picture.shape[:2], np.uint8)
    for x_start, y_start, x_end, y_end in lines.astype(int).tolist():
        cv2.line(canvas, (x_start, y_start), (x_end, y_end), 255, 1)
    nothing = "No straight lines were found: lower the thresholds, or choose a picture of something built."
    return Annotation(map=rgb(canvas), notices=() if len(lines) else (nothing,))


MLSD = Annotator(
    name="mlsd",
    label="Straight lines, M-LSD",
    help="Only straight lines, as in rooms, buildings and furniture.",
    params=(
        Param(
            name="score",
            label="Score threshold",
            kind="number",
            default=0.1,
            minimum=0.01,
            maximum=1,
            step=0.01,
            help="How sure the network has to be of a line.",
        ),
        Param(
            name="distance",
            label="Length threshold",
            kind="number",
            default=0.1,
            minimum=0.01,
            maximum=20,
            step=0.01,
            help="Lines shorter than twice as many pixels of the working picture are dropped.",
        ),
    ),
    weights=(
        Weight(repo=ANNOTATORS_REPO, file="mlsd_large_512_fp32.pth", licence="Apache-2.0", size=6_200_000),
    ),
    load=load,
    run=run,
    resample="nearest",
    mended="The original swallows whatever goes wrong and shows a black map; here it is told.",
)
