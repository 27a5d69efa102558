"""Line art without a network: what is darker than its surroundings, evened out over the picture."""

import cv2
import numpy as np

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.lines import rgb
from params import Param

FAINTEST = 16.0  # lines fainter than this are not taken for the picture's ordinary ones
ORDINARY = 127.0  # the grey that a line of ordinary darkness gets


def run(picture: Pixels, network: Network, *, sigma: float, threshold: float) -> Annotation:
    """Lines by how much darker than its surroundings an RGB uint8 (H, W, 3) picture is, in every channel."""
    colours = picture.astype(np.float32)
    surroundings = cv2.GaussianBlur(colours, (0, 0), sigma)
    darker = (surroundings - colours).min(axis=2).clip(0, 255)
    lines = darker[darker > threshold]
    if not lines.size:
        return Annotation(
            map=rgb(np.zeros_like(darker)),
            notices=("No lines were found: lower the threshold, or choose a picture with dark lines.",),
        )
    return Annotation(map=rgb(darker / max(FAINTEST, np.median(lines)) * ORDINARY))


LINEART_STANDARD = Annotator(
    name="lineart_standard",
    label="Standard line art",
    help="Dark lines on a light ground, made white on black: best for drawings.",
    params=(
        Param(
            name="sigma",
            label="Sigma",
            kind="number",
            default=6.0,
            minimum=0.5,
            maximum=20.0,
            step=0.5,
            help="How far around each pixel its surroundings reach, in pixels.",
        ),
        Param(
            name="threshold",
            label="Threshold",
            kind="number",
            default=8.0,
            minimum=0.0,
            maximum=64.0,
            step=0.5,
            help="Only what is darker than its surroundings by more than this tells how dark a line is.",
        ),
    ),
    run=run,
)
