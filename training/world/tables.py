"""The scenes of a batch as numbers: one table of all surfaces, and which rows of it each shape has."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from annotators import ade20k
from training.world.shapes import SHAPES, Shape, Vector
from training.world.solids import Paint, Solid

Array = NDArray[np.float64]
COLUMNS = (
    *("kind red green blue red2 green2 blue2 across down line stagger checker".split()),
    *("uneven mottle glow gloss mirror casts snows".split()),
)
NUMBERS = {name: number for number, name in reversed(list(enumerate(ade20k.NAMES)))}
ORDER = {name: number for number, name in enumerate(SHAPES)}
HEAVEN = Paint("sky", (1.0, 1.0, 1.0), casts=False, snows=False)
EXTRAS = max(shape.extras for shape in SHAPES.values())


@dataclass(frozen=True, slots=True, eq=False)
class Matter:
    """What a scene is made of, as arrays: N solids, sorted by their shapes.

    `shapes` (N,) are the numbers of their shapes, `frames` (N, 4, 3), `extras` (N, EXTRAS) and `low` and
    `high` (N, 3) as in Solid. `paints` (2 + N, len(COLUMNS)) and `things` (2 + N,) begin with those of the
    sky and of the ground.
    """

    shapes: NDArray[np.int64]
    frames: Array
    extras: Array
    low: Array
    high: Array
    paints: Array
    things: NDArray[np.int64]

    @classmethod
    def of(cls, ground: Paint, ground_thing: int, solids: Sequence[Solid]) -> "Matter":
        """The solids on a ground, which is the thing of this number."""
        solids = sorted(solids, key=lambda solid: ORDER[solid.shape])
        rows: dict[Paint, tuple[float, ...]] = {}
        paints = (HEAVEN, ground, *(solid.paint for solid in solids))
        return cls(
            shapes=np.array([ORDER[solid.shape] for solid in solids], np.int64),
            frames=np.array([solid.frame for solid in solids], float).reshape(-1, 4, 3),
            extras=np.array([(*s.extras, *(0.0,) * (EXTRAS - len(s.extras))) for s in solids], float).reshape(
                -1, EXTRAS
            ),
            low=np.array([solid.low for solid in solids], float).reshape(-1, 3),
            high=np.array([solid.high for solid in solids], float).reshape(-1, 3),
            paints=np.array(
                [rows.get(paint) or rows.setdefault(paint, paint_row(paint)) for paint in paints]
            ),
            things=np.array([0, ground_thing, *(solid.thing for solid in solids)], np.int64),
        )


@dataclass(frozen=True, slots=True)
class Tables:
    """All solids of a batch of B scenes, and their surfaces.

    Each scene has `stride` rows: first its sky, then its ground, then the places of its solids, P of them, of
    which `there` (B, P) says which are taken; `groups` are the shapes with their first place and the one
    after their last. `corners`, x, y and z (B, P, 8) each, are those of boxes around the solids; `casts` (B,
    P) says which throw shadows.

    For all rows, B * stride: `paints` (len(COLUMNS), rows) has what each surface looks like, `inverse` (12,
    rows) takes a point of the scene into its frame, three numbers and a shift for each axis, `extras`
    (EXTRAS, rows) and `sizes` (3, rows) are those of its shape and frame, `shape` (rows,) is the number of
    its shape, -1 for sky and ground, `things` (rows,) what it belongs to.
    """

    stride: int
    groups: tuple[tuple[Shape, int, int], ...]
    there: Tensor
    casts: Tensor
    corners: Vector
    paints: Tensor
    inverse: Tensor
    extras: Tensor
    sizes: Tensor
    shape: Tensor
    things: Tensor


def paint_row(paint: Paint) -> tuple[float, ...]:
    """The paint as numbers, in the order of COLUMNS."""
    return (
        *(NUMBERS[paint.kind], *paint.colour, *paint.second, *paint.cell, paint.line, paint.stagger),
        *(paint.checker, paint.uneven, paint.mottle, paint.glow, paint.gloss, paint.mirror),
        *(paint.casts, paint.snows),
    )


def tables(matters: Sequence[Matter], device: torch.device) -> Tables:
    """The tables of a batch of scenes. Each shape has as many places as it needs in the fullest scene."""
    rows = _Rows(matters)
    frames, low, high = (rows.joined(name) for name in ("frames", "low", "high"))
    paints, shape = rows.surfaces("paints"), rows.spread(rows.joined("shapes")[:, None], -1.0)[0]

    def tensor(values: Array) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(device)

    x, y, z = (tensor(part) for part in rows.placed(_corners(frames, low, high)))
    return Tables(
        stride=rows.stride,
        groups=rows.groups,
        there=tensor(shape.reshape(-1, rows.stride)[:, 2:]) >= 0,
        casts=tensor(paints[COLUMNS.index("casts")].reshape(-1, rows.stride)[:, 2:]) > 0,
        corners=(x, y, z),
        paints=tensor(paints),
        inverse=tensor(rows.spread(_inverses(frames).T)),
        extras=tensor(rows.spread(rows.joined("extras"))),
        sizes=tensor(rows.spread(np.sqrt((frames[:, :3] ** 2).sum(axis=2)), 1.0)),
        shape=tensor(shape).long(),
        things=tensor(rows.surfaces("things")[0]).long(),
    )


class _Rows:
    """Which rows of the tables belong to which solids."""

    def __init__(self, matters: Sequence[Matter]) -> None:
        counts = np.array([np.bincount(matter.shapes, minlength=len(SHAPES)) for matter in matters])
        first = np.concatenate([[0], np.cumsum(counts.max(axis=0))])
        self._matters = matters
        self.stride = 2 + int(first[-1])
        self.groups = tuple(
            (shape, int(start), int(end))
            for shape, (start, end) in zip(SHAPES.values(), pairwise(first), strict=True)
        )
        # A solid's place is its number among those of its shape in its scene, after other shapes' places.
        among = np.concatenate([np.arange(count) for own in counts for count in own])
        self._place = first[self.joined("shapes")] + among
        self._scene = np.repeat(np.arange(len(matters)), counts.sum(axis=1))

    def joined(self, name: str) -> NDArray[Any]:
        """The arrays of this name of all scenes, one after the other."""
        return np.concatenate([getattr(matter, name) for matter in self._matters])

    def spread(self, values: NDArray[Any], filling: float = 0.0) -> Array:
        """Values (solids, n) in the rows of the solids, (n, rows); what is in no place gets the filling."""
        whole = np.full((values.shape[1], len(self._matters) * self.stride), filling)
        whole[:, self._scene * self.stride + 2 + self._place] = values.T
        return whole

    def surfaces(self, name: str) -> Array:
        """As `spread`, for an array that begins with sky and ground."""
        parts = [getattr(matter, name).reshape(2 + len(matter.shapes), -1) for matter in self._matters]
        whole = self.spread(np.concatenate([part[2:] for part in parts]))
        for number in (0, 1):
            whole[:, number :: self.stride] = np.stack([part[number] for part in parts], axis=1)
        return whole

    def placed(self, values: Array) -> Array:
        """Values (3, solids, n) in the places of the scenes, (3, B, P, n)."""
        whole = np.zeros((3, len(self._matters), self.stride - 2, values.shape[2]))
        whole[:, self._scene, self._place] = values
        return whole


def _inverses(frames: Array) -> Array:
    """The way back (12, N) into frames (N, 4, 3), by elements, so that no solid minds its neighbours."""
    (a, b, c), (d, e, f), (g, h, i) = (tuple(frames[:, axis].T) for axis in range(3))
    first = (e * i - f * h, f * g - d * i, d * h - e * g)
    second = (c * h - b * i, a * i - c * g, b * g - a * h)
    third = (b * f - c * e, c * d - a * f, a * e - b * d)
    whole = a * first[0] + b * first[1] + c * first[2]
    x, y, z = frames[:, 3].T
    lines = [tuple(part / whole for part in line) for line in (first, second, third)]
    return np.array([value for r, s, t in lines for value in (r, s, t, -(r * x + s * y + t * z))])


def _corners(frames: Array, low: Array, high: Array) -> Array:
    """The corners (3, N, 8) of the boxes from low to high (N, 3) in frames (N, 4, 3)."""
    corners = []
    for number in range(8):
        x, y, z = (np.where(number >> axis & 1, high[:, axis], low[:, axis])[:, None] for axis in range(3))
        corners.append(frames[:, 3] + x * frames[:, 0] + y * frames[:, 1] + z * frames[:, 2])
    return np.stack(corners, axis=1).transpose(2, 0, 1)
