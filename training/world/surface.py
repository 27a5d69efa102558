"""What a ray has met, looked at closely: where, how it faces, and its colour under white light."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from training.world.lights import Lights
from training.world.noise import noise, speckle
from training.world.shapes import SHAPES, Shape, Vector, each, unit
from training.world.tables import COLUMNS, Tables
from training.world.trace import into

FACES = 8  # no shape has more faces
FRESH_SNOW = 0.965  # of white
SNOW_HOLDS = 0.35  # where the normal points up by less snow slides off
INSIDE = 1e-3  # cells: a cell without end begins a little before the middle, where no line is to be


@dataclass(frozen=True, slots=True)
class Surface:
    """The surfaces that rays (rows, WIDTH) have met.

    `point` in metres and `normal` with length 1 are vectors of the scene, `face` numbers the faces of all
    surfaces, `colour` is red, green and blue, 0 to 1, as a screen takes them, under white light,
    with the snow that lies on them.
    """

    point: Vector
    normal: Vector
    face: Tensor
    colour: Vector


def painted(tables: Tables, row: Tensor) -> Callable[[str], Tensor]:
    """What looks up a column of the paints for each of these rows."""
    flat = row.reshape(-1)
    return lambda column: tables.paints[COLUMNS.index(column)].index_select(0, flat).view(row.shape)


def surface(tables: Tables, lights: Lights, scene: Tensor, row: Tensor, point: Vector) -> Surface:
    """The surfaces at points (rows, WIDTH) of scenes (rows,).

    Their rows in the tables are (rows, WIDTH) or, where a row of points has one surface only, (rows, 1). Sky
    and ground are level.
    """
    normal = (torch.zeros_like(point[0]), torch.ones_like(point[0]), torch.zeros_like(point[0]))
    parts = [*normal, point[0].clone(), point[2].clone(), torch.zeros_like(point[0])]
    shapes = tables.shape[row]
    for number, shape in enumerate(SHAPES.values()):
        mask = shapes == number
        rays = mask.any(dim=1).nonzero()[:, 0]
        mask = mask[rays]
        found = _faced(tables, shape, row[rays] * mask, _only(point, rays))
        for part, new in zip(parts, found, strict=True):
            part[rays] = torch.where(mask, new, part[rays])
    x, y, z, across, up, face = parts
    paint = painted(tables, row)
    colour = _patterned(paint, point, across, up, lights.one("detail", scene))
    snow = lights.one("snow", scene) * paint("snows") * ((y - SNOW_HOLDS) * 5.0).clamp(0.0, 1.0)
    red, green, blue = (part + (FRESH_SNOW - part) * snow for part in colour)
    return Surface(point, (x, y, z), row * FACES + face.long(), (red, green, blue))


def _only(vector: Vector, rays: Tensor) -> Vector:
    return each(lambda part: part[rays], vector)


def _faced(tables: Tables, shape: Shape, row: Tensor, point: Vector) -> tuple[Tensor, ...]:
    """Normals x, y and z, metres across and up the face, and its number, for surfaces of one shape."""
    inverse = _looked_up(tables.inverse, row)
    q = into(inverse, point)
    local, face = shape.normal(q, tuple(_looked_up(tables.extras[: shape.extras], row)))
    x, y, z = (
        local[0] * inverse[axis] + local[1] * inverse[4 + axis] + local[2] * inverse[8 + axis]
        for axis in range(3)
    )
    normal = unit((x, y, z))
    x, y, z = (part * size for part, size in zip(q, _looked_up(tables.sizes, row), strict=True))
    if not all(shape.straight):
        return (*normal, x, y, face)
    on_x, on_y = (face < 2).float(), ((face >= 2) & (face < 4)).float()
    return (*normal, x + (z - x) * on_x, y + (z - y) * on_y, face)


def _looked_up(table: Tensor, row: Tensor) -> Tensor:
    """The columns (n, ...) of a table (n, surfaces)."""
    return table.index_select(1, row.reshape(-1)).view(len(table), *row.shape)


def _patterned(
    paint: Callable[[str], Tensor], point: Vector, across: Tensor, up: Tensor, detail: Tensor
) -> Vector:
    """The colour at points: the grid of the paint's pattern, and how uneven it is."""
    second, shade = _grid(paint, across, up)
    bright = 1.0 + detail * (shade + paint("mottle") * noise(point))
    red, green, blue = (
        ((paint(name) + (paint(f"{name}2") - paint(name)) * second) * bright).clamp(0.0, 1.0)
        for name in ("red", "green", "blue")
    )
    return red, green, blue


def _grid(paint: Callable[[str], Tensor], across: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """How much of the second colour there is, and how much brighter a cell is than others."""
    wide, high = paint("across"), paint("down")
    rows = up / high + INSIDE
    level = rows.floor()
    columns = across / wide + paint("stagger") * level + INSIDE
    place = columns.floor()
    off_x, off_y = columns - place, rows - level
    near = torch.minimum(torch.minimum(off_x, 1.0 - off_x) * wide, torch.minimum(off_y, 1.0 - off_y) * high)
    lines = (near < 0.5 * paint("line")).float()
    even = 0.5 * (place + level)
    checks = paint("checker") * 2.0 * (even - even.floor())
    return torch.maximum(lines, checks), paint("uneven") * speckle(place, level)
