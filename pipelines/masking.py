"""Masks: from what was painted to what is made anew, in pixels and in latents. 1 is new, 0 is kept."""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from annotators.base import Pixels

Mask: TypeAlias = NDArray[np.float32]  # (H, W), from 0 to 1

HOLE = 0.5  # beyond this a pixel is one that the inpaint control does not know


def final_mask(painted: Pixels, blur: float) -> Mask:
    """The mask (H, W) that a grey picture, RGB uint8 (H, W, 3), means: white is new.

    `blur` is the deviation, in pixels, of the Gaussian that softens its edge, to both sides.
    """
    mask = painted[..., 0].astype(np.float32) / 255
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), blur) if blur else mask, np.float32)


def latent_mask(mask: Mask, side: int) -> Mask:
    """The mask (h, w) of latents, each the mean of its `side` times `side` pixels."""
    height, width = mask.shape
    blocks = mask.reshape(height // side, side, width // side, side)
    return np.asarray(blocks.mean((1, 3)), np.float32)


def paste(made: Pixels, original: Pixels, mask: Mask) -> Pixels:
    """What was made, RGB uint8 (H, W, 3), over the original, which stays as it is where the mask is 0."""
    share = mask[..., None]
    mixed: Pixels = np.rint(made * share + original * (1 - share)).astype(np.uint8)
    return mixed


def filled_from_around(pixels: Pixels, mask: Mask) -> Pixels:
    """RGB uint8 (H, W, 3) with the colours around the hole spread into it, the softer the further in."""
    known = 1 - mask[..., None]
    colours = _spread(np.concatenate((pixels * known, known), axis=-1, dtype=np.float32))
    return np.rint(colours).clip(0, 255).astype(np.uint8)


def _spread(weighted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours (H, W, 3), of which (H, W, 4) has each times how well it is known, and that: pulled together
    from coarser and coarser copies until all are known.
    """
    height, width = weighted.shape[:2]
    colours, known = weighted[..., :3], weighted[..., 3:]
    if max(height, width) == 1:
        return np.asarray(colours / np.maximum(known, 1e-6), np.float32)
    half = (max(1, width // 2), max(1, height // 2))
    coarse = _spread(cv2.resize(weighted, half, interpolation=cv2.INTER_AREA).astype(np.float32))
    return np.asarray(colours + (1 - known) * cv2.resize(coarse, (width, height)), np.float32)
