"""Canny's edges (Canny 1986), from OpenCV."""

import cv2
import numpy as np

from annotators.base import Annotation, Annotator, Network, Pixels
from params import Param


def run(picture: Pixels, network: Network, *, low_threshold: int, high_threshold: int) -> Annotation:
    """Edges of an RGB uint8 (H, W, 3) picture, one pixel wide.

    OpenCV takes, at each pixel, the channel with the strongest gradient: the colours matter, not their order.
    """
    notices: list[str] = []
    if low_threshold > high_threshold:
        low_threshold, high_threshold = high_threshold, low_threshold
        notices.append(
            "The low threshold was above the high one: "
            f"they were swapped to {low_threshold} and {high_threshold}."
        )
    edges = cv2.Canny(np.ascontiguousarray(picture), low_threshold, high_threshold)
    if not edges.any():
        notices.append("No edges were found: lower the thresholds, or choose a picture with more contrast.")
    return Annotation(map=np.repeat(edges[:, :, None].astype(np.uint8), 3, axis=2), notices=tuple(notices))


def _threshold(name: str, label: str, default: int, help: str) -> Param:
    return Param(
        name=name,
        label=label,
        kind="integer",
        default=default,
        minimum=0,
        maximum=255,
        step=1,
        help=help,
    )


CANNY = Annotator(
    name="canny",
    label="Canny",
    help="Crisp one-pixel edges wherever brightness or colour changes sharply.",
    params=(
        _threshold("low_threshold", "Low threshold", 100, "Edges weaker than this are dropped."),
        _threshold("high_threshold", "High threshold", 200, "Edges stronger than this are always kept."),
    ),
    run=run,
    resample="nearest",
)
