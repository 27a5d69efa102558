"""One look at places in the pictures of a batch: what is there, and the light that comes from it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.world.camera import Camera, Eyes
from training.world.light import Light
from training.world.lights import Lights
from training.world.shade import lit, shade, squared
from training.world.shapes import Vector, each
from training.world.sky import sky
from training.world.surface import FACES, Surface, surface
from training.world.tables import Matter, tables
from training.world.trace import WIDTH, Rays, nearest
from training.world.water import mirrored


@dataclass(frozen=True, slots=True)
class Sights:
    """What one has met at places (B, n) of the pictures.

    `depth` is in metres ahead, `row` the surface in the tables, `face` the number of its face. `normal` is in
    the scene, `white` the colour under white light, `light` the colour with all light and shadow, linear.
    `falling` is how much of the key falls on it.
    """

    depth: Tensor
    row: Tensor
    face: Tensor
    normal: Vector
    white: Vector
    light: Vector
    falling: Tensor


class Stage:
    """The scenes of a batch, ready to be looked at."""

    def __init__(
        self,
        matters: Sequence[Matter],
        cameras: Sequence[Camera],
        lights: Sequence[Light],
        device: torch.device,
    ) -> None:
        self.count = len(matters)
        self.tables = tables(matters, device)
        self.eyes = Eyes.of(cameras, device)
        self.lights = Lights(lights, device)

    def look(self, across: Tensor, down: Tensor) -> Sights:
        """Look at places (B, n), each -1 to 1; n is a multiple of WIDTH and neighbours are close."""
        rays = self._rays(across.reshape(-1, WIDTH), down.reshape(-1, WIDTH))
        depth, row = nearest(self.tables, self.eyes, rays)
        # From here on those with the same surface stand together, which is quicker and changes nothing else.
        order = row.view(across.shape).argsort(dim=1, stable=True)
        order = (order + torch.arange(self.count, device=order.device)[:, None] * order.shape[1]).view(
            -1, WIDTH
        )
        kinds = self._sorted_out(row.view(-1)[order])
        order = order[torch.cat(kinds)].view(-1)

        def taken(values: Tensor) -> Tensor:
            return values.reshape(-1).index_select(0, order).view(-1, WIDTH)

        rays = self._rays(taken(across), taken(down), rays.scene[torch.cat(kinds)])
        depth, row = taken(depth), taken(row)
        found = self._shone(rays, depth, row, [len(kind) for kind in kinds])
        place = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))

        def back(values: Tensor) -> Tensor:
            return values.reshape(-1).index_select(0, place).view(across.shape)

        depth, row, face, falling = (back(part) for part in (depth, row, found.face, found.falling))
        normal, white, light = (each(back, part) for part in (found.normal, found.white, found.light))
        return Sights(depth, row, face, normal, white, light, falling)

    def _rays(self, across: Tensor, down: Tensor, scene: Tensor | None = None) -> Rays:
        if scene is None:
            scene = torch.arange(self.count, device=across.device).repeat_interleave(
                len(across) // self.count
            )
        x, y, z = (part[scene][:, None] for part in self.eyes.eye)
        return Rays(scene, (x, y, z), self.eyes.ways(scene, across, down), (across, down))

    def _sorted_out(self, row: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Which of the sorted rows meet nothing but the sky, which one surface only, and which several."""
        single = row[:, 0] == row[:, -1]
        clear = single & (row[:, 0] % self.tables.stride == 0)
        return clear.nonzero()[:, 0], (single & ~clear).nonzero()[:, 0], (~single).nonzero()[:, 0]

    def _shone(self, rays: Rays, depth: Tensor, row: Tensor, counts: Sequence[int]) -> "_Found":
        """What is seen along rays, of which the first meet the sky only, then some one surface, the last
        several."""
        clear, plain, mixed = (_Some(rays.only(part), depth[part], row[part]) for part in _slices(counts))
        plain = _Some(plain.rays, plain.depth, plain.row[:, :1])
        solid = _Some(rays.only(slice(counts[0], None)), depth[counts[0] :], row[counts[0] :])
        surfaces = [
            surface(self.tables, self.lights, some.rays.scene, some.row, some.point)
            for some in (plain, mixed)
        ]
        met = _joined(surfaces)
        falling = lit(self.tables, self.lights, solid.rays.scene, solid.row, met, solid.depth)
        lights = [
            shade(self.tables, self.lights, some.rays, some.row, own, some.depth, falls)
            for some, own, falls in zip((plain, mixed), surfaces, falling.split(counts[1:]), strict=True)
        ]
        light = mirrored(
            self.tables, self.eyes, self.lights, solid.rays, solid.row, met, _cat(lights), solid.depth
        )
        nothing = torch.zeros_like(clear.depth)
        one = torch.ones_like(nothing)
        above = squared(sky(self.lights, clear.rays.scene, clear.rays.ways))
        return _Found(
            face=torch.cat([clear.row * FACES, met.face]),
            normal=_cat([(nothing, one, nothing), met.normal]),
            white=_cat([(one, one, one), met.colour]),
            light=_cat([above, light]),
            falling=torch.cat([nothing, falling]),
        )


@dataclass(frozen=True, slots=True)
class _Some:
    """Some rays with what they meet."""

    rays: Rays
    depth: Tensor
    row: Tensor

    @property
    def point(self) -> Vector:
        """Where they meet it."""
        return each(lambda start, way: start + self.depth * way, self.rays.start, self.rays.ways)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    face: Tensor
    normal: Vector
    white: Vector
    light: Vector
    falling: Tensor


def _slices(counts: Sequence[int]) -> list[slice]:
    ends = [sum(counts[: number + 1]) for number in range(len(counts))]
    return [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]


def _cat(vectors: Sequence[Vector]) -> Vector:
    return each(lambda *parts: torch.cat(parts), *vectors)


def _joined(surfaces: Sequence[Surface]) -> Surface:
    point, normal, colour = (
        _cat([getattr(s, name) for s in surfaces]) for name in ("point", "normal", "colour")
    )
    return Surface(point, normal, torch.cat([s.face for s in surfaces]), colour)
