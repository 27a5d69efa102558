"""Scribbles as a hand would draw them: boundaries, dropped here and there, warped, and of uneven thickness.

The original control learnt from scribbles that were synthesised from boundaries with strong augmentations
(Zhang 2023, https://arxiv.org/abs/2302.05543, supplement); these are of the same kind.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.lines import rgb, thickened, thinned
from annotators.noise import smooth_noise
from annotators.softedge_gradient import soft_edges
from params import Param

PENS = (1.5, 2.5, 4.0)  # sigmas of a light, an ordinary and a firm stroke
FURTHEST = 0.04  # how far the roughest hand strays, in short sides
MOST_LEFT_OUT = 0.5  # the share of the picture in which it draws nothing
PIECES = 1 / 24  # the shortest line, and the size of what counts as texture, in short sides


def run(picture: Pixels, network: Network, *, seed: int, roughness: float) -> Annotation:
    """Strokes along the boundaries of an RGB uint8 (H, W, 3) picture; the same seed draws the same ones."""
    return Annotation(map=rgb(by_hand(boundaries(picture), seed=seed, roughness=roughness)))


def boundaries(picture: Pixels) -> NDArray[np.uint8]:
    """Thin lines (H, W) of 255 on 0 where an edge stands out from the edges around it; no short pieces."""
    pieces = max(1.0, min(picture.shape[:2]) * PIECES)
    around = (2 * round(1.2 * pieces) + 1,) * 2
    edges = soft_edges(picture, scale=2.0)
    clear = np.maximum(edges - 1.5 * cv2.blur(cv2.blur(edges, around), around), 0)
    lines = thinned(clear, threshold=max(8.0, float(np.quantile(clear, 0.9))), sigma=1.5)
    _, numbers, sizes, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
    long_enough = sizes[:, cv2.CC_STAT_AREA] >= pieces
    return np.where(long_enough[numbers] & (lines > 0), 255, 0).astype(np.uint8)


def by_hand(thin: NDArray[np.uint8], *, seed: int, roughness: float) -> NDArray[np.uint8]:
    """Thin lines (H, W) of 255 on 0 as a hand follows them: exactly at `roughness` 0, hardly at 1."""
    height, width = thin.shape
    side = min(height, width)
    generator = np.random.default_rng(seed)
    leaving, pressing, across, down = (
        smooth_noise(generator, height, width, max(2, round(side / parts))) for parts in (12, 8, 6, 6)
    )
    thin = np.where(leaving < np.quantile(leaving, MOST_LEFT_OUT * roughness), 0, thin).astype(np.uint8)
    light, firm = np.quantile(pressing, [roughness / 3, 1 - roughness / 3])
    fine, medium, broad = (thickened(thin, sigma=sigma) for sigma in PENS)
    strokes = np.where(pressing < light, fine, np.where(pressing > firm, broad, medium))
    stray = np.float32(2 * FURTHEST * side * roughness)
    columns = np.arange(width, dtype=np.float32) + stray * (across - np.float32(0.5))
    rows = np.arange(height, dtype=np.float32)[:, None] + stray * (down - np.float32(0.5))
    return np.asarray(cv2.remap(strokes, columns, rows, cv2.INTER_NEAREST), np.uint8)


SCRIBBLE_SYNTHETIC = Annotator(
    name="scribble_synthetic",
    label="Scribble by an imitated hand",
    help="Strokes along the boundaries, as rough as a quick sketch, with nothing to download.",
    params=(
        Param(
            name="seed",
            label="Hand seed",
            kind="integer",
            default=0,
            minimum=0,
            maximum=2**31 - 1,
            step=1,
            help="The same seed draws the same strokes.",
        ),
        Param(
            name="roughness",
            label="Roughness",
            kind="number",
            default=0.3,
            minimum=0.0,
            maximum=1.0,
            step=0.05,
            help="How far strokes stray, how many are missing, and how uneven the pen is.",
        ),
    ),
    run=run,
    resample="nearest",
)
