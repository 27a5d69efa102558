"""What rays meet first, and whether light reaches a point: rows of rays against the solids that may be near.

A row is WIDTH rays of one scene that lie close together. Which solids it may meet is decided for the whole
row by a rough and generous test; so what a ray meets never depends on the other rays of its row.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from training.world.camera import NEAR, Eyes
from training.world.shapes import Extras, Shape, Vector, dot, each, unit
from training.world.tables import Tables

WIDTH = 256
FAR = 900.0  # metres: there the ground ends and the sky begins
# Pairs of a row and a solid worked on at a time: what the caches of a processor hold, and what a GPU likes.
PAIRS, MANY_PAIRS = 192, 1 << 16
SLACK = 0.01  # metres: more than any rounding
MARGIN = 0.02  # half pictures: more than any rounding


@dataclass(frozen=True, slots=True)
class Rays:
    """Rays (rows, WIDTH) of the scenes (rows,): where they set out, which broadcasts with their ways, and
    where in the picture they are, -1 to 1 across and down."""

    scene: Tensor
    start: Vector
    ways: Vector
    places: tuple[Tensor, Tensor]

    def only(self, rows: Tensor | slice) -> "Rays":
        """Some of the rows."""
        start, ways = (each(lambda part: part[rows], vector) for vector in (self.start, self.ways))
        return Rays(self.scene[rows], start, ways, (self.places[0][rows], self.places[1][rows]))


@dataclass(frozen=True, slots=True)
class Key:
    """The keys of B scenes: `way` is where each comes from, or where it is if it is `near` (B,)."""

    way: Vector
    near: Tensor

    @property
    def across(self) -> tuple[Vector, Vector]:
        """Two ways across that to the key, each (B,)."""
        x, y, z = self.way
        nothing = torch.zeros_like(x)
        first = unit((z, nothing, -x))
        return first, (y * first[2], z * first[0] - x * first[2], -y * first[0])


def into(inverse: Tensor, point: Vector) -> Vector:
    """Points in the frames of solids: inverse (12, ...) as in Tables, and what broadcasts with it."""
    x, y, z = (
        inverse[k] * point[0] + inverse[k + 1] * point[1] + inverse[k + 2] * point[2] + inverse[k + 3]
        for k in (0, 4, 8)
    )
    return x, y, z


def turned_into(inverse: Tensor, way: Vector) -> Vector:
    """Ways in the frames of solids, as `into` has points."""
    x, y, z = (inverse[k] * way[0] + inverse[k + 1] * way[1] + inverse[k + 2] * way[2] for k in (0, 4, 8))
    return x, y, z


def nearest(tables: Tables, eyes: Eyes, rays: Rays) -> tuple[Tensor, Tensor]:
    """How far rays get, and the rows of the surfaces that they meet: both (rows, WIDTH)."""
    depth, row = _ground(rays.start[1], rays.ways[1], rays.scene * tables.stride)
    met = []
    for shape, ray, own in _pairs(tables, rays.scene, _seen(tables, eyes, rays)):
        inverse, extras = _frames(tables, own, shape)
        t = shape.enter(
            into(inverse, _taken(rays.start, ray)), turned_into(inverse, _taken(rays.ways, ray)), extras
        )
        depth.scatter_reduce_(0, ray[:, None].expand_as(t), t, "amin")
        met.append((ray, t, own))
    for ray, t, own in met:
        # A row as a float is exact: no batch has as many as 2^24.
        mine = (t == depth.index_select(0, ray)).float() * own[:, None]
        row.scatter_reduce_(0, ray[:, None].expand_as(t), mine, "amax")
    return depth, row.long()


def reached(tables: Tables, key: Key, scene: Tensor, point: Vector, wanted: Tensor) -> Tensor:
    """Whether the key reaches points (rows, WIDTH) of scenes (rows,): 1.0, or 0.0 behind what throws shadows.

    The answer is good where it is `wanted`.
    """
    free = torch.ones_like(point[0])
    x, y, z = (part[:, None] for part in key.way)
    near = key.near[:, None]
    for shape, ray, own in _pairs(tables, scene, _between(tables, key, scene, point, wanted)):
        inverse, extras = _frames(tables, own, shape)
        at = scene[ray]
        o = into(inverse, _taken(point, ray))
        lamp = near[at]
        # To a place the way is that place less the point.
        d = turned_into(inverse, (x[at], y[at], z[at]))
        to_x, to_y, to_z = (w + lamp * (inverse[k] - p) for w, p, k in zip(d, o, (3, 7, 11), strict=True))
        t = shape.enter(o, (to_x, to_y, to_z), extras)
        beyond = ((t - 1.0 - (1.0 - lamp) * 1e8) * 1e12).clamp(0.0, 1.0)
        free.scatter_reduce_(0, ray[:, None].expand_as(t), beyond, "amin")
    return free


def _pairs(tables: Tables, scene: Tensor, touch: Tensor) -> Iterator[tuple[Shape, Tensor, Tensor]]:
    """The pairs that are True in `touch` (rows, P): shape, rows of rays and rows of surfaces, as the caches
    hold."""
    size = PAIRS if scene.is_cpu else MANY_PAIRS
    for shape, first, last in tables.groups:
        ray, place = touch[:, first:last].nonzero(as_tuple=True)
        own = scene[ray] * tables.stride + (2 + first) + place
        for start in range(0, len(ray), size):
            yield shape, ray[start : start + size], own[start : start + size]


def _frames(tables: Tables, own: Tensor, shape: Shape) -> tuple[Tensor, Extras]:
    inverse = tables.inverse.index_select(1, own)[..., None]
    return inverse, tuple(tables.extras[: shape.extras].index_select(1, own)[..., None])


def _taken(vector: Vector, rows: Tensor) -> Vector:
    return each(lambda part: part.index_select(0, rows), vector)


def _ground(height: Tensor, fall: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
    """How far it is to the ground at height 0 or to the sky, and their rows as floats."""
    t = -height / (fall - 1e-20)
    ground = ((t > 0) & (t < FAR)).float()
    return ground * t.clamp(0.0, FAR) + (1.0 - ground) * FAR, first[:, None] + ground


def _seen(tables: Tables, eyes: Eyes, rays: Rays) -> Tensor:
    """Which solids may be in the part of the picture that a row covers: (rows, P)."""
    x, y, ahead = (
        part.view(*tables.there.shape, 8)
        for part in eyes.seen(each(lambda part: part.flatten(1), tables.corners))
    )
    near = 1e9 * (ahead.amin(dim=2) < NEAR)
    touch = (tables.there & (ahead.amax(dim=2) > NEAR))[rays.scene]
    for bounds, place in ((x, rays.places[0]), (y, rays.places[1])):
        low, high = bounds.amin(dim=2) - near - MARGIN, bounds.amax(dim=2) + near + MARGIN
        touch = touch & (low[rays.scene] <= place.amax(dim=1)[:, None])
        touch = touch & (high[rays.scene] >= place.amin(dim=1)[:, None])
    return touch


def _between(tables: Tables, key: Key, scene: Tensor, point: Vector, wanted: Tensor) -> Tensor:
    """Which solids may be between the wanted points of a row and the key: (rows, P).

    Seen along the way to the key they cover each other. To a lamp there is no one such way, so that only
    their distance from the way counts, which is looked at for all.
    """
    off = (1.0 - wanted.float()) * 1e9
    touch = tables.casts[scene] & wanted.any(dim=1, keepdim=True)
    lamp = key.near[scene][:, None] > 0
    for axis in key.across:
        part = _along(axis, point, scene)
        least, most = (part + off).amin(dim=1, keepdim=True), (part - off).amax(dim=1, keepdim=True)
        solid = _along(axis, tables.corners)
        low, high = solid.amin(dim=2) - SLACK, solid.amax(dim=2) + SLACK
        touch = touch & ((low[scene] <= most) & (high[scene] >= least) | lamp)
    return touch & _near_way(tables, key, scene, point, off)


def _along(axis: Vector, points: Vector, scene: Tensor | None = None) -> Tensor:
    """How far points (B or rows, ...) are along an axis of their scenes."""
    x, y, z = (part if scene is None else part[scene] for part in axis)
    shape = (-1, *(1,) * (points[0].dim() - 1))
    return dot((x.view(shape), y.view(shape), z.view(shape)), points)


def _near_way(tables: Tables, key: Key, scene: Tensor, point: Vector, off: Tensor) -> Tensor:
    """Whether the ball around a solid touches what the ball around wanted points sweeps on its way to the
    key."""
    ends = [((part + off).amin(dim=1), (part - off).amax(dim=1)) for part in point]
    middle = [0.5 * (low + high) for low, high in ends]
    reach = 0.5 * _length([high - low for low, high in ends])
    centre = [part.mean(dim=2) for part in tables.corners]
    size = _length([part - at[..., None] for part, at in zip(tables.corners, centre, strict=True)]).amax(
        dim=2
    )
    near = key.near[scene]
    x, y, z = (k[scene] - near * m for k, m in zip(key.way, middle, strict=True))
    way = (x[:, None], y[:, None], z[:, None])
    to_x, to_y, to_z = (c[scene] - m[:, None] for c, m in zip(centre, middle, strict=True))
    along = torch.relu(dot((to_x, to_y, to_z), way) / dot(way, way))
    along = torch.minimum(along, (1.0 + (1.0 - near) * 1e9)[:, None])
    gap = _length([o - along * w for o, w in zip((to_x, to_y, to_z), way, strict=True)])
    return gap <= reach[:, None] + size[scene] + SLACK


def _length(parts: list[Tensor]) -> Tensor:
    return (parts[0] * parts[0] + parts[1] * parts[1] + parts[2] * parts[2]).sqrt()
