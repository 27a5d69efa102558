"""Outlines and straight edges, from the exact buffers."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.world.camera import Eyes
from training.world.picture import Buffers
from training.world.shapes import SHAPES, Vector, dot, each
from training.world.surface import FACES
from training.world.tables import COLUMNS, NUMBERS, Tables

JUMP = 0.03  # of the depth: a larger step off the plane of a neighbour is an outline
CREASE = 0.86  # cosine: surfaces that differ by more than this meet in a crease
PAINTED = 0.10  # of white: a larger change of the colour under white light is a line
BETWEEN = 0.93  # of half the height: further up or down a cylinder ends, and its outline is round
EDGEWISE = 1e-4  # no plane is seen more from its edge than this


@dataclass(frozen=True, slots=True)
class Edges:
    """Lines one pixel wide (B, size, size): `all` there are, and those that are `straight`."""

    all: Tensor
    straight: Tensor


@dataclass(frozen=True, slots=True)
class _Pixels:
    """What is known of pixels (B, height, width).

    `way` is the ray through each, `flat` whether it shows a flat face with straight edges, `ends` whether
    what it shows has a straight outline there.
    """

    depth: Tensor
    face: Tensor
    normal: Vector
    white: Vector
    way: Vector
    flat: Tensor
    ends: Tensor

    def cut(self, axis: int, start: int, length: int) -> "_Pixels":
        """So many of them along an axis."""

        def some(values: Tensor) -> Tensor:
            return values.narrow(axis, start, length)

        normal, white, way = (each(some, vector) for vector in (self.normal, self.white, self.way))
        return _Pixels(
            some(self.depth), some(self.face), normal, white, way, some(self.flat), some(self.ends)
        )


def edges(tables: Tables, eyes: Eyes, seen: Buffers) -> Edges:
    """The edges of what is seen. Each lies on the nearer side."""
    pixels = _pixels(tables, eyes, seen)
    size = seen.depth.shape[1]
    outline, lines = (torch.zeros_like(seen.face, dtype=torch.bool) for _ in range(2))
    for axis in (1, 2):
        first, second = (pixels.cut(axis, start, size - 1) for start in (0, 1))
        level = _reaches(first, second) | _reaches(second, first)
        bent = dot(first.normal, second.normal) < CREASE
        change = each(lambda a, b: (a - b).abs(), first.white, second.white)
        painted = torch.maximum(torch.maximum(*change[:2]), change[2]) > PAINTED
        there = (first.face != second.face) & (~level | bent | painted)
        near = first.depth <= second.depth
        own = torch.where(near, first.ends, second.ends)
        ruled = there & torch.where(level, first.flat & second.flat, own)
        for mask, out in ((there, outline), (ruled, lines)):
            out.narrow(axis, 0, size - 1).logical_or_(mask & near)
            out.narrow(axis, 1, size - 1).logical_or_(mask & ~near)
    return Edges(outline, lines)


def _reaches(first: _Pixels, second: _Pixels) -> Tensor:
    """Whether the plane that one pixel shows, continued, meets what the other shows."""
    across = dot(first.normal, second.way)
    sign = 1.0 - 2.0 * (across < 0).float()
    expected = first.depth * dot(first.normal, first.way) / (sign * across.abs().clamp(min=EDGEWISE))
    return (expected - second.depth).abs() < JUMP * torch.minimum(first.depth, second.depth)


def _pixels(tables: Tables, eyes: Eyes, seen: Buffers) -> _Pixels:
    """What edges are found from. Not only flat faces, also sides of cylinders and cones end straight."""
    count, size, _ = seen.depth.shape
    middle = (2 * torch.arange(size, device=seen.depth.device) + 1).float() / size - 1
    scene = torch.arange(count, device=seen.depth.device).repeat_interleave(size)
    ways = eyes.ways(scene, middle[None].expand(len(scene), -1), middle.repeat(count)[:, None])
    way = each(lambda part: part.view_as(seen.depth), ways)
    shape = tables.shape[seen.row]
    flat = shape < 0
    for number, form in enumerate(SHAPES.values()):
        if all(form.straight):
            flat = flat | (shape == number)
    cloud = (shape >= 0) & (tables.paints[COLUMNS.index("kind")][seen.row] == NUMBERS["sky"])
    round_ = (shape == list(SHAPES).index("turned")) & (tables.extras[2][seen.row] >= 0)
    side = round_ & (seen.face % FACES == 0) & (_height(tables, eyes, seen, way).abs() < BETWEEN)
    return _Pixels(seen.depth, seen.face, seen.normal, seen.white, way, flat & ~cloud, (flat | side) & ~cloud)


def _height(tables: Tables, eyes: Eyes, seen: Buffers, way: Vector) -> Tensor:
    """How high on its solid each pixel is, from -1 to 1 (B, size, size)."""
    x, y, z = each(lambda start, own: start[:, None, None] + seen.depth * own, eyes.eye, way)
    up = tables.inverse[4:8, seen.row]
    return up[0] * x + up[1] * y + up[2] * z + up[3]
