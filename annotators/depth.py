"""Depth as a map: near is white, far is black, and a picture without depth is black instead of a crash."""

import numpy as np
from numpy.typing import NDArray

from annotators.base import Annotation
from annotators.lines import rgb

FLAT = "No depth was found: everything is equally far, so the map is black and there is nothing to follow."


def stretched(depth: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """Values (H, W) with `low` at 0 and `high` at 1; all 0 where the two are equal."""
    span = high - low
    if span == 0:
        return np.zeros_like(depth)
    return ((depth - np.float32(low)) / np.float32(span)).astype(np.float32)


def annotation(nearness: NDArray[np.float32], depth: NDArray[np.float32], unit: str) -> Annotation:
    """The map of nearness (H, W), 0 to 1, with the range of the depth that it was made from."""
    return Annotation(
        map=rgb(nearness * 255),
        data={"depth_range": [float(depth.min()), float(depth.max())], "unit": unit},
        notices=() if nearness.any() else (FLAT,),
    )
