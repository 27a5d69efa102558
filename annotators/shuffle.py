"""The picture's colours stirred: what the shuffle control was taught to put in order again."""

import cv2
import numpy as np

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.noise import smooth_noise
from params import Param


def run(picture: Pixels, network: Network, *, seed: int, grain: int) -> Annotation:
    """An RGB uint8 (H, W, 3) picture whose pixels come from where two smooth noises say."""
    height, width = picture.shape[:2]
    generator = np.random.default_rng(seed)
    across, down = (smooth_noise(generator, height, width, grain) for _ in range(2))
    map = cv2.remap(picture, across * (width - 1), down * (height - 1), cv2.INTER_LINEAR)
    return Annotation(map=map)  # type: ignore[arg-type]


SHUFFLE = Annotator(
    name="shuffle",
    label="Shuffled",
    help="The colours of the picture, stirred until its composition is gone.",
    params=(
        Param(
            name="seed",
            label="Stirring seed",
            kind="integer",
            default=0,
            minimum=0,
            maximum=2**31 - 1,
            step=1,
            help="The same seed stirs the same way.",
        ),
        Param(
            name="grain",
            label="Grain",
            kind="integer",
            default=256,
            minimum=16,
            maximum=1024,
            step=16,
            help="How large the stirred areas are, in pixels.",
        ),
    ),
    run=run,
    mended=(
        "The original stirs by a generator that the whole program shares, so that nobody could stir the "
        "same way again; here each map has a generator and a seed of its own."
    ),
)
