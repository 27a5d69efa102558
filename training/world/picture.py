"""Pictures out of looks: one look through every pixel, and four more where neighbours differ."""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from training.world.look import Stage
from training.world.shapes import Vector, each
from training.world.surface import painted
from training.world.tables import NUMBERS
from training.world.trace import WIDTH

BLOCK = 16  # pixels: the rays of a block of so many by so many make up a row
# Where the four looks go, in pixels off the middle: all in different rows and columns.
AROUND = ((-0.125, -0.375), (0.375, -0.125), (-0.375, 0.125), (0.125, 0.375))
CONTRAST = 0.05  # of white: neighbours that differ by more are looked at more closely


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffers:
    """What is seen through the middle of every pixel, each (B, size, size), and the smooth colours that it
    has with all light.

    `sky` is where nothing but the sky and its clouds is seen, `light` and `white` are red, green and blue as
    a screen takes them, 0 to 1, with all light and under white light. Otherwise as Sights.
    """

    depth: Tensor
    row: Tensor
    face: Tensor
    normal: Vector
    white: Vector
    light: Vector
    falling: Tensor
    sky: Tensor

    def only(self, chosen: Tensor) -> "Buffers":
        """Those of the chosen pictures."""
        some: dict[str, Any] = {
            field.name: _chosen(getattr(self, field.name), chosen) for field in fields(self)
        }
        return Buffers(**some)

    def lit(self, light: Vector) -> "Buffers":
        """The same in other light."""
        return replace(self, light=light)


def _chosen(value: Tensor | Vector, chosen: Tensor) -> Tensor | Vector:
    return value[chosen] if isinstance(value, Tensor) else each(lambda part: part[chosen], value)


def draw(stage: Stage, size: int) -> Buffers:
    """The pictures of a batch, size by size pixels; the size is a multiple of BLOCK."""
    across, down = _middles(size, stage.eyes.reach.device)
    every = (stage.count, -1)
    sights = stage.look(across.expand(*every), down.expand(*every))

    def square(values: Tensor) -> Tensor:
        return _square(values, size)

    flat = Buffers(
        depth=square(sights.depth),
        row=square(sights.row),
        face=square(sights.face),
        normal=each(square, sights.normal),
        white=each(square, sights.white),
        light=each(square, _shown(sights.light)),
        falling=square(sights.falling),
        sky=square(painted(stage.tables, sights.row)("kind") == NUMBERS["sky"]),
    )
    return _smoothed(stage, flat, size)


def _middles(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The middles of all pixels from left to right and top to bottom, (size * size,), block after block."""
    middle = (2 * torch.arange(size, device=device) + 1).float() / size - 1
    return _blocks(middle[None].expand(size, size)), _blocks(middle[:, None].expand(size, size))


def _blocks(values: Tensor) -> Tensor:
    """Pictures (..., size, size) as rows of blocks (..., size * size)."""
    count = values.shape[-1] // BLOCK
    blocks = values.reshape(*values.shape[:-2], count, BLOCK, count, BLOCK)
    return blocks.transpose(-2, -3).flatten(-4)


def _square(values: Tensor, size: int) -> Tensor:
    """Rows of blocks (B, size * size) as pictures (B, size, size)."""
    count = size // BLOCK
    return values.view(-1, count, count, BLOCK, BLOCK).transpose(2, 3).reshape(-1, size, size)


def _shown(light: Vector) -> Vector:
    """Light as a screen takes it: what is too bright is white."""
    return each(lambda part: part.clamp(0.0, 1.0).sqrt(), light)


def _rough(flat: Buffers) -> Tensor:
    """The pixels (B, size, size) beside, above or below one with another face or colour."""
    rough = torch.zeros_like(flat.face, dtype=torch.bool)
    for axis in (1, 2):
        length = flat.face.shape[axis] - 1
        differs = _before(flat.face, axis) != _after(flat.face, axis)
        for part in flat.light:
            differs = differs | ((_before(part, axis) - _after(part, axis)).abs() > CONTRAST)
        for start in (0, 1):
            rough.narrow(axis, start, length).logical_or_(differs)
    return rough


def _before(values: Tensor, axis: int) -> Tensor:
    """All but the last along an axis."""
    return values.narrow(axis, 0, values.shape[axis] - 1)


def _after(values: Tensor, axis: int) -> Tensor:
    """All but the first along an axis."""
    return values.narrow(axis, 1, values.shape[axis] - 1)


def _smoothed(stage: Stage, flat: Buffers, size: int) -> Buffers:
    """The buffers with their colours averaged over five looks where it matters."""
    rough = _blocks(_rough(flat))
    most = int(rough.sum(dim=1).max())
    if not most:
        return flat
    most = -(-most * len(AROUND) // WIDTH) * WIDTH // len(AROUND)
    # The rough pixels of each picture in order, and after them some of the others, which stay as they are.
    chosen = (~rough).byte().argsort(dim=1, stable=True)[:, :most]
    across, down = (middle[chosen] for middle in _middles(size, chosen.device))
    offsets = torch.tensor(AROUND, device=chosen.device) * (2 / size)
    looks = [
        (place[..., None] + offset).reshape(stage.count, -1)
        for place, offset in zip((across, down), offsets.T, strict=True)
    ]
    sights = stage.look(*looks)
    counts = torch.gather(rough, 1, chosen)
    light = each(lambda old, new: _averaged(old, new, chosen, counts, size), flat.light, _shown(sights.light))
    return flat.lit(light)


def _averaged(old: Tensor, new: Tensor, chosen: Tensor, counts: Tensor, size: int) -> Tensor:
    """Pictures (B, size, size) with the four new values (B, n * 4) taken in at the chosen places (B, n)."""
    rows = _blocks(old)
    before = torch.gather(rows, 1, chosen)
    one, two, three, four = new.view(*chosen.shape, len(AROUND)).unbind(dim=2)
    mean = (before + one + two + three + four) * 0.2
    return _square(rows.scatter(1, chosen, torch.where(counts, mean, before)), size)
