"""The picture without its detail: what the tile control was taught to fill in again."""

import cv2

from annotators.base import Annotation, Annotator, Network, Pixels
from params import Param


def run(picture: Pixels, network: Network, *, factor: float) -> Annotation:
    """An RGB uint8 (H, W, 3) picture with as much detail as a `factor` times smaller one has."""
    height, width = picture.shape[:2]
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    if small == (width, height):
        return Annotation(map=picture)
    shrunk = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    map = cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_CUBIC)
    return Annotation(map=map)  # type: ignore[arg-type]


TILE = Annotator(
    name="tile",
    label="Blurred",
    help="The picture shrunk and enlarged again, so that new detail takes the place of the old.",
    params=(
        Param(
            name="factor",
            label="Factor",
            kind="number",
            default=4.0,
            minimum=1.0,
            maximum=16.0,
            step=0.5,
            help="How many times smaller the picture becomes before it is enlarged; 1 leaves it as it is.",
        ),
    ),
    run=run,
    rescales=False,
)
