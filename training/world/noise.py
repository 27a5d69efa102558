"""Unevenness that is the same everywhere and always: a tile of smooth noise, and a number for every cell."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from training.world.shapes import Vector

TILE = 256
CELL = 0.05  # metres of a scene for each place in the tile


@lru_cache(maxsize=8)
def _tile(device: torch.device) -> Tensor:
    """Smooth noise that repeats, (TILE * TILE,), from -1 to 1: blurred chance in three sizes."""
    draw = np.random.Generator(np.random.PCG64(20240)).random((3, TILE, TILE))
    total = np.zeros((TILE, TILE))
    for number, (reach, share) in enumerate(((24, 1.0), (10, 0.7), (4, 0.45))):
        smooth = draw[number] - 0.5
        for axis in (0, 1):
            for _ in range(2):  # twice a running mean is nearly a bell
                sums = np.cumsum(np.concatenate([smooth, smooth.take(range(reach), axis)], axis), axis)
                smooth = (sums.take(range(reach, TILE + reach), axis) - sums.take(range(TILE), axis)) / reach
        total += share * smooth / np.abs(smooth).max()
    return torch.from_numpy((total / np.abs(total).max()).astype(np.float32).ravel()).to(device)


def at(across: Tensor, up: Tensor) -> Tensor:
    """The noise at places of the tile, -1 to 1; it goes on for ever in both ways."""
    x, y = across.floor().long() & (TILE - 1), up.floor().long() & (TILE - 1)
    return _tile(across.device)[y * TILE + x]


def noise(point: Vector) -> Tensor:
    """The noise at points of a scene, -1 to 1."""
    x, y, z = point
    return at((x + 0.6 * z) * (1 / CELL), (y + 0.8 * z - 0.3 * x) * (1 / CELL))


def speckle(column: Tensor, row: Tensor) -> Tensor:
    """A number from -0.5 to 0.5 for each cell of a grid, unlike those of its neighbours."""
    mixed = column * 0.754877666 + row * 0.569840296
    mixed = (mixed - mixed.floor()) * 157.31
    return mixed - mixed.floor() - 0.5
