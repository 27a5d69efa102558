"""What line maps have in common: thinning, strokes, steps of grey, and the three channels of a map."""

import cv2
import numpy as np
from numpy.typing import NDArray

from annotators.base import Pixels

# Three pixels in a row, for each of the four ways that a line may cross: -, |, \ and /.
CROSSINGS = (
    np.array([[0, 0, 0], [1, 1, 1], [0, 0, 0]], np.uint8),
    np.array([[0, 1, 0], [0, 1, 0], [0, 1, 0]], np.uint8),
    np.eye(3, dtype=np.uint8),
    np.eye(3, dtype=np.uint8)[::-1].copy(),
)


def rgb(grey: NDArray[np.generic]) -> Pixels:
    """A map of RGB uint8 (H, W, 3) from one channel (H, W) of 0 to 255, cut off to whole numbers."""
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def thinned(soft: NDArray[np.generic], *, threshold: float = 127, sigma: float = 3.0) -> NDArray[np.uint8]:
    """The ridges of a soft line map (H, W) as thin lines of 255 on 0.

    The map is blurred by `sigma`; a pixel stays where it is the highest of three in any of the four
    directions, and higher than `threshold`.
    """
    blurred = cv2.GaussianBlur(soft.astype(np.float32), (0, 0), sigma)
    ridge = np.zeros(blurred.shape, bool)
    for crossing in CROSSINGS:
        ridge |= cv2.dilate(blurred, crossing) == blurred
    return np.where(ridge & (blurred > threshold), 255, 0).astype(np.uint8)


def thickened(thin: NDArray[np.uint8], *, sigma: float = 3.0) -> NDArray[np.uint8]:
    """Thin lines (H, W) of 255 on 0 as strokes of a pen, about four times `sigma` wide."""
    return np.where(cv2.GaussianBlur(thin, (0, 0), sigma) > 4, 255, 0).astype(np.uint8)


def scribbled(soft: NDArray[np.generic], *, sigma: float = 3.0) -> NDArray[np.uint8]:
    """A soft line map (H, W) of 0 to 255 as the scribble that the original makes of it: thin, then thick."""
    return thickened(thinned(soft), sigma=sigma)


def safe_steps(soft: NDArray[np.generic], *, steps: int = 2) -> NDArray[np.float32]:
    """Values of 0 to 1 (H, W) in `steps` + 1 levels of grey, so that nothing can hide in the fine ones."""
    levels = (soft.astype(np.float32) * (steps + 1)).astype(np.int32)
    return np.minimum(levels, steps).astype(np.float32) / np.float32(steps)
