"""Scribbles without a network: an extended difference of Gaussians (Winnemöller 2012)."""

import cv2
import numpy as np

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.lines import rgb
from params import Param

FINE, COARSE = 0.5, 5.0


def run(picture: Pixels, network: Network, *, threshold: int) -> Annotation:
    """Strokes where an RGB uint8 (H, W, 3) picture is darker than its surroundings in every channel."""
    colours = picture.astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(colours, (0, 0), sigma) for sigma in (FINE, COARSE))
    darker = (coarse - fine).min(axis=2)
    return Annotation(map=rgb(np.where(2 * darker > threshold, 255, 0)))


SCRIBBLE_XDOG = Annotator(
    name="scribble_xdog",
    label="Scribble by XDoG",
    help="Bold strokes wherever the picture is darker than its surroundings.",
    params=(
        Param(
            name="threshold",
            label="Threshold",
            kind="integer",
            default=32,
            minimum=1,
            maximum=64,
            step=1,
            help="More leaves only the darkest strokes.",
        ),
    ),
    run=run,
    resample="nearest",
)
