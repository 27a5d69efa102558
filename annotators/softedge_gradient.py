"""Soft edges without a network: how steeply the picture changes, on three scales at once."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.lines import rgb
from params import Param

OCTAVES = (1.0, 2.0, 4.0)
# A blurred step of height 1 is at its steepest 1 / (sigma sqrt(2 pi)): times this it answers 1 on any scale.
UNIT = math.sqrt(2 * math.pi)


def soft_edges(picture: Pixels, *, scale: float) -> NDArray[np.float32]:
    """The height of the step at each pixel of an RGB uint8 (H, W, 3) picture: float32 (H, W), 0 to about 255.

    Each octave answers with the steepest of the three channels. Their geometric mean keeps what is an edge on
    every scale: texture, which only the finest sees, and slow shading, which only the coarsest sees, fade.
    """
    colours = picture.astype(np.float32)
    answers = np.ones(picture.shape[:2], np.float32)
    for octave in OCTAVES:
        sigma = scale * octave
        blurred = cv2.GaussianBlur(colours, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        across = cv2.Scharr(blurred, cv2.CV_32F, 1, 0, scale=1 / 32)
        down = cv2.Scharr(blurred, cv2.CV_32F, 0, 1, scale=1 / 32)
        answers *= (UNIT * sigma * np.sqrt(across**2 + down**2)).max(axis=2)
    return np.cbrt(answers)


def run(picture: Pixels, network: Network, *, scale: float, contrast: float) -> Annotation:
    """Bright where an RGB uint8 (H, W, 3) picture has an edge, by how strong and how clear it is."""
    return Annotation(map=rgb(soft_edges(picture, scale=scale) * contrast + 0.5))


SOFTEDGE_GRADIENT = Annotator(
    name="softedge_gradient",
    label="Soft edges by gradient",
    help="Soft outlines from how steeply the picture changes, with nothing to download.",
    params=(
        Param(
            name="scale",
            label="Scale",
            kind="number",
            default=1.0,
            minimum=0.5,
            maximum=8.0,
            step=0.1,
            help="How coarse an edge has to be: more leaves fine texture out and makes lines softer.",
        ),
        Param(
            name="contrast",
            label="Contrast",
            kind="number",
            default=2.5,
            minimum=0.5,
            maximum=10.0,
            step=0.1,
            help="How bright a faint edge becomes.",
        ),
    ),
    run=run,
)
