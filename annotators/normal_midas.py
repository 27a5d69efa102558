"""Normals from the depth of MiDaS, by the formula of the first ControlNet."""

import cv2
import numpy as np
from numpy.typing import NDArray

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.depth import stretched
from annotators.depth_midas import DPT_HYBRID, inverse_depth, load
from annotators.normal_from_depth import coloured
from params import Param

VIEWER = np.float32(2 * np.pi)  # how strongly a surface faces the viewer where its depth does not change


def normals(near: NDArray[np.float32], background_threshold: float) -> NDArray[np.float32]:
    """Unit normals (H, W, 3), x to the left, y up, z to the viewer, of inverse depth (H, W) in MiDaS's units.

    Where the depth from 0 to 1 is below the threshold there is only background, which faces the viewer.
    """
    x = cv2.Sobel(near, cv2.CV_32F, 1, 0, ksize=3)
    y = cv2.Sobel(near, cv2.CV_32F, 0, 1, ksize=3)
    facing = np.stack((x, y, np.full_like(near, VIEWER)), axis=2)
    facing[stretched(near, near.min(), near.max()) < background_threshold, :2] = 0
    return np.asarray(facing / np.linalg.norm(facing, axis=2, keepdims=True), np.float32)


def run(picture: Pixels, network: Network, *, background_threshold: float) -> Annotation:
    """How the surfaces of an RGB uint8 (H, W, 3) picture face, in the colours of Normal BAE: RGB, not BGR."""
    return Annotation(map=coloured(normals(inverse_depth(picture, network), background_threshold)))


NORMAL_MIDAS = Annotator(
    name="normal_midas",
    label="Normals, MiDaS",
    help="Normals of the foreground on a flat background, from how the depth changes.",
    params=(
        Param(
            name="background_threshold",
            label="Background threshold",
            kind="number",
            default=0.4,
            minimum=0,
            maximum=1,
            step=0.01,
            help="What is further than this part of the depth becomes flat background.",
        ),
    ),
    weights=(DPT_HYBRID,),
    load=load,
    run=run,
    mended=(
        "The original gives red and blue in each other's place, and no numbers where everything is "
        "equally far; here the colours are those of Normal BAE, and a flat picture faces the viewer."
    ),
)
