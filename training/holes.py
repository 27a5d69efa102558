"""Holes for inpainting: where a hint says nothing, so that a control learns to fill it.

The original learnt from random masks and from what the moving things of a film cover
(Zhang 2023, https://arxiv.org/abs/2302.05543); ours are brush strokes, boxes and clouds.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from annotators.noise import smooth_noise

LEAST, MOST = 0.05, 0.6  # the share of the picture that a hole takes
THINNEST, THICKEST = 1 / 16, 1 / 5  # of a brush, in short sides
BENDS = 6  # of one stroke, at most

Draw = Callable[[np.random.Generator, int, int], NDArray[np.bool_]]


def hole(generator: np.random.Generator, height: int, width: int) -> NDArray[np.bool_]:
    """A random hole (height, width), True where nothing is known: a twentieth to three fifths of it all."""
    draw = KINDS[generator.integers(len(KINDS))]
    mask = np.zeros((height, width), bool)
    while mask.mean() < LEAST:
        more = mask | draw(generator, height, width)
        mask = more if more.mean() <= MOST else mask
    return mask


def _stroke(generator: np.random.Generator, height: int, width: int) -> NDArray[np.bool_]:
    """A bent line of a broad brush."""
    side = min(height, width)
    canvas = np.zeros((height, width), np.uint8)
    points = generator.uniform((0, 0), (width, height), (generator.integers(2, BENDS + 1), 2))
    thickness = max(1, round(side * generator.uniform(THINNEST, THICKEST)))
    cv2.polylines(canvas, [np.rint(points).astype(np.int32)], False, (1,), thickness)
    return canvas > 0


def _box(generator: np.random.Generator, height: int, width: int) -> NDArray[np.bool_]:
    """An upright box, which may reach over the border."""
    sides = generator.uniform(0.2, 0.8, 2) * (height, width)
    corner = generator.uniform(-0.1, 1.0, 2) * (height, width)
    (top, left), (bottom, right) = np.rint(corner).astype(int), np.rint(corner + sides).astype(int)
    mask = np.zeros((height, width), bool)
    mask[max(0, top) : bottom, max(0, left) : right] = True
    return mask


def _cloud(generator: np.random.Generator, height: int, width: int) -> NDArray[np.bool_]:
    """What lies highest in smooth noise: shapes as things have them that cover others."""
    grain = max(2, round(min(height, width) / generator.integers(2, 6)))
    noise = smooth_noise(generator, height, width, grain)
    return np.asarray(noise > np.quantile(noise, 1 - generator.uniform(LEAST, MOST)))


KINDS: tuple[Draw, ...] = (_stroke, _box, _cloud)
