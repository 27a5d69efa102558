"""What falls through the air before everything else: rain and snow."""

import torch
from torch import Tensor

from training.world.noise import speckle
from training.world.shapes import Vector

FLAKE, DROP = (0.98, 0.985, 1.0), (0.86, 0.90, 0.96)


def fallen(light: Vector, snow: Tensor, rain: Tensor) -> Vector:
    """The colours (B, size, size) with flakes and drops where `snow` and `rain` (B,) are 1."""
    if not bool((snow + rain).any()):
        return light
    size = light[0].shape[1]
    share = snow[:, None, None] * _flakes(size, light[0]) + rain[:, None, None] * _drops(size, light[0])
    bright = 0.35 + 0.65 * torch.maximum(torch.maximum(light[0], light[1]), light[2])
    red, green, blue = (
        part + ((drop + (flake - drop) * snow[:, None, None]) * bright - part) * share
        for part, flake, drop in zip(light, FLAKE, DROP, strict=True)
    )
    return red, green, blue


def _places(size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Where pixels are, x and y from 0 to 256."""
    place = (torch.arange(size, device=like.device).float() + 0.5) * (256 / size)
    return place[None].expand(size, -1), place[:, None].expand(-1, size)


def _flakes(size: int, like: Tensor) -> Tensor:
    """How white the flakes make each pixel, in two sizes."""
    x, y = _places(size, like)
    total = torch.zeros(size, size, device=like.device)
    for cell, radius, shift in ((23.0, 2.3, 0.0), (15.0, 1.35, 50.0)):
        across, down = (x + shift) / cell, (y + shift * 3) / cell
        column, row = across.floor(), down.floor()
        off_x = (across - column - 0.5 - 0.6 * speckle(column, row)) * cell
        off_y = (down - row - 0.5 - 0.6 * speckle(row + 7, column)) * cell
        there = (speckle(column + 3, row + 11) > -0.2).float()
        spot = ((radius * radius - off_x * off_x - off_y * off_y) * 0.5 + 0.5).clamp(0.0, 1.0)
        total = torch.maximum(total, 0.9 * there * spot)
    return total


def _drops(size: int, like: Tensor) -> Tensor:
    """How bright the streaks of rain make each pixel."""
    x, y = _places(size, like)
    slanted = x + 0.28 * y
    column = (slanted / 9.0).floor()
    down = y / 46.0 + 3.0 * speckle(column, column * 0.5 + 1.0)
    row = down.floor()
    off = ((slanted / 9.0 - column) - 0.5 - 0.5 * speckle(column, row)).abs() * 9.0
    along = down - row
    streak = (1.1 - off).clamp(0.0, 1.0) * (along > 0.2).float() * (along < 0.72).float()
    return 0.42 * streak
