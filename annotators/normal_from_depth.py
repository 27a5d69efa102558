"""Normals from a depth map: how the surface tilts, from how its depth changes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from annotators.base import Annotation, Annotator, Network, Pixels
from params import Param

# The sigma of the window in which a plane is fitted, in pixels: wider than the steps of 256 greys.
REACH = 2.5


def unit_normals(
    depth: NDArray[np.floating], *, strength: float, background_threshold: float
) -> NDArray[np.float64]:
    """Unit normals (H, W, 3), x to the left, y up, z to the viewer, of a depth map (H, W) of 0 far to 1 near.

    `strength` is how deep that space is, in short sides. What is further than `background_threshold` faces
    the viewer.
    """
    deep = depth.astype(np.float64) * strength * min(depth.shape)
    slopes = np.stack([_rise(deep), _rise(deep.T.copy()).T], axis=2)
    slopes[depth < background_threshold] = 0
    normals = np.concatenate([slopes, np.ones((*depth.shape, 1))], axis=2)
    return np.asarray(normals / np.linalg.norm(normals, axis=2, keepdims=True))


def _rise(heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """How heights (H, W) rise to the right: the slope of the plane that fits best around each pixel.

    Nothing is assumed beyond the borders, so a plane is a plane up to them.
    """
    across = np.arange(heights.shape[1], dtype=np.float64)[None]
    middle = _around(across)
    spread = np.maximum(_around(across**2) - middle**2, 1e-6)
    return (_around(heights * across) - middle * _around(heights)) / spread


def _around(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean around each place, near ones first, of what lies inside the borders."""
    sums, weights = (
        cv2.GaussianBlur(array, (0, 0), REACH, borderType=cv2.BORDER_CONSTANT)
        for array in (values, np.ones_like(values))
    )
    return np.asarray(sums / weights)


def coloured(normals: NDArray[np.floating]) -> Pixels:
    """Unit normals (H, W, 3) as RGB uint8: red to the left, green up, blue to the viewer."""
    return np.asarray(normals * 127.5 + 127.5).clip(0, 255).astype(np.uint8)


def run(picture: Pixels, network: Network, *, strength: float, background_threshold: float) -> Annotation:
    """The normals of a depth map, RGB uint8 (H, W, 3) with near = white, in the colours of Normal BAE."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    normals = unit_normals(
        grey / np.float64(255), strength=strength, background_threshold=background_threshold
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
    of_maps=True,
)
