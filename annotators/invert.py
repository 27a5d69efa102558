"""Black becomes white: for line drawings on paper."""

import numpy as np

from annotators.base import Annotation, Annotator, Network, Pixels


def run(picture: Pixels, network: Network) -> Annotation:
    """The negative of an RGB uint8 (H, W, 3) picture."""
    return Annotation(map=np.subtract(255, picture, dtype=np.uint8))


INVERT = Annotator(
    name="invert",
    label="Inverted",
    help="The negative of the picture: for black lines on white paper, or depth in which far is white.",
    run=run,
    rescales=False,
    of_maps=True,
)
