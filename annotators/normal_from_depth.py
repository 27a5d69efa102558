"""Normals from a depth map: how the surface tilts, from how its depth changes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from annotators.base import Annotation, Annotator, Network, Pixels
from params import Param

SMOOTH = 2.0  # the sigma that takes out the steps of a depth map of 256 greys, in pixels
MARGIN = 8


def unit_normals(
    depth: NDArray[np.float32], *, strength: float, background_threshold: float
) -> NDArray[np.float32]:
    """Unit normals (H, W, 3), x to the left, y up, z to the viewer, of a depth map (H, W) of 0 far to 1 near.

    `strength` is how deep that space is, in short sides. What is further than `background_threshold` faces
    the viewer. The map goes on straight beyond its borders, so that a plane is a plane up to them.
    """
    height, width = depth.shape
    wide = np.pad(depth, MARGIN, mode="reflect", reflect_type="odd")
    smooth = cv2.GaussianBlur(wide, (0, 0), SMOOTH)
    reach = strength * min(height, width) / 8  # a 3x3 Sobel answers eight times the slope
    inside = np.s_[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
    left, up = (cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx, scale=reach)[inside] for dx in (1, 0))
    slopes = np.stack([left, up], axis=2)
    slopes[depth < background_threshold] = 0
    normals = np.concatenate([slopes, np.ones((height, width, 1), np.float32)], axis=2)
    return np.asarray(normals / np.linalg.norm(normals, axis=2, keepdims=True), np.float32)


def coloured(normals: NDArray[np.float32]) -> Pixels:
    """Unit normals (H, W, 3) as RGB uint8: red to the left, green up, blue to the viewer."""
    return np.asarray(normals * 127.5 + 127.5).clip(0, 255).astype(np.uint8)


def run(picture: Pixels, network: Network, *, strength: float, background_threshold: float) -> Annotation:
    """The normals of a depth map, RGB uint8 (H, W, 3) with near = white, in the colours of Normal BAE."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    normals = unit_normals(
        (grey / np.float32(255)).astype(np.float32),
        strength=strength,
        background_threshold=background_threshold,
    )
    return Annotation(map=coloured(normals), data={"depth_range": [int(grey.min()), int(grey.max())]})


NORMAL_FROM_DEPTH = Annotator(
    name="normal_from_depth",
    label="Normals of a depth map",
    help="How surfaces face, from a depth map in which near is white.",
    params=(
        Param(
            name="strength",
            label="Strength",
            kind="number",
            default=0.5,
            minimum=0.05,
            maximum=5.0,
            step=0.05,
            help="How deep the space from black to white is, in short sides of the picture.",
        ),
        Param(
            name="background_threshold",
            label="Background threshold",
            kind="number",
            default=0.0,
            minimum=0.0,
            maximum=1.0,
            step=0.01,
            help="What is darker than this share of white faces the viewer, as a flat background.",
        ),
    ),
    run=run,
)
