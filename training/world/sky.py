"""The sky: from the horizon's colour to the zenith's, with sun or moon, and stars."""

import torch
from torch import Tensor

from training.world.lights import Lights
from training.world.noise import speckle
from training.world.shapes import Vector, unit


def sky(lights: Lights, scene: Tensor, ways: Vector) -> Vector:
    """The colour of the sky along ways (rows, n) of the scenes (rows,), as a screen takes it."""
    x, y, z = unit(ways)
    up = (torch.relu(y) * 1.5).clamp(max=1.0)
    up = up * (2.0 - up)
    up = up + ((up * 5.0 + 0.5).floor() * 0.2 - up) * lights.one("steps", scene)
    sun = unit(lights.three("sun", scene))
    near = torch.relu(x * sun[0] + y * sun[1] + z * sun[2])
    wide = near * near * near * near
    around = wide * 0.35 + wide * wide * wide * wide * 0.65
    size = lights.one("disc", scene) * (3.14159 / 360)
    disc = ((near - 1.0 + 0.5 * size * size) * 6000.0).clamp(0.0, 1.0) * (size > 0)
    stars = _stars(x, y, z) * lights.one("stars", scene) * 0.9
    names = ("horizon", "zenith", "flare", "disc_colour")
    red, green, blue = (
        _over((low + (high - low) * up + flare * around + stars).clamp(max=1.0), own, disc)
        for low, high, flare, own in zip(*(lights.three(name, scene) for name in names), strict=True)
    )
    return red, green, blue


def _over(under: Tensor, colour: Tensor, share: Tensor) -> Tensor:
    return under + (colour - under) * share


def _stars(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """How bright the stars are along ways of length 1: one in some of the cells of a grid."""
    across, up = x / (1.0 + z.abs()) * 34.0, y / (1.0 + z.abs()) * 34.0
    column, row = across.floor(), up.floor()
    there = speckle(column, row)
    off_x = across - column - 0.5 - 0.5 * there
    off_y = up - row - 0.5 + 0.5 * speckle(row, column)
    size = 0.012 + 0.02 * torch.relu(there)
    spot = ((size - off_x * off_x - off_y * off_y) * 200.0).clamp(0.0, 1.0)
    return spot * (there > 0.12) * (y > 0.06)
