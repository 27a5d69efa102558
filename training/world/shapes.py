"""The closed forms: where rays enter a solid, and how its surface stands there.

Every solid is one of four shapes in a frame of its own, so that each shape is one formula for all its solids.
Only operations that IEEE arithmetic rounds exactly are used, and no branches: a ray has the same answer alone
and among millions, and a processor without good branches is no slower than one with.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import torch
from torch import Tensor

Vector: TypeAlias = tuple[Tensor, Tensor, Tensor]  # x, y, z; any shapes that broadcast together
Extras: TypeAlias = tuple[Tensor, ...]

MISS = 1e9  # what is further than this was not met
_STEEP = 1e30  # turns the least violation of a bound into a miss
_TINY = 1e-20  # keeps a direction from being exactly along a face
_START = 1e-6  # nearer than this a ray does not meet anything


def each(change: Callable[..., Tensor], *vectors: Vector) -> Vector:
    """The change of every part of the vectors."""
    x, y, z = (change(*parts) for parts in zip(*vectors, strict=True))
    return x, y, z


def dot(first: Vector, second: Vector) -> Tensor:
    """The inner product."""
    return first[0] * second[0] + first[1] * second[1] + first[2] * second[2]


def unit(vector: Vector) -> Vector:
    """The vector with length 1."""
    length = (dot(vector, vector) + _TINY).sqrt()
    return vector[0] / length, vector[1] / length, vector[2] / length


def _entered(enter: Tensor, leave: Tensor) -> Tensor:
    """Where a ray enters what it is inside of from `enter` to `leave`; beyond MISS if that is never or
    behind."""
    late = torch.relu(enter - leave) * _STEEP
    behind = torch.relu(_START - enter) * _STEEP
    return enter + late + behind


def _between(o: Tensor, d: Tensor, half: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
    """Where a coordinate o + t d comes to be between -half and half, and where it leaves."""
    inverse = (d + _TINY).reciprocal()
    middle, reach = o * inverse, inverse.abs() * half
    return -middle - reach, reach - middle


def box(o: Vector, d: Vector, extras: Extras) -> Tensor:
    """The cube from -1 to 1."""
    x, y, z = (_between(o[axis], d[axis]) for axis in range(3))
    enter = torch.maximum(torch.maximum(x[0], y[0]), z[0])
    leave = torch.minimum(torch.minimum(x[1], y[1]), z[1])
    return _entered(enter, leave)


def box_normal(q: Vector, extras: Extras) -> tuple[Vector, Tensor]:
    """The outward normal at q on the cube, and the number of the face, 0 to 5."""
    return wedge_normal(q, (torch.zeros_like(q[0]), torch.zeros_like(q[0])))


def wedge(o: Vector, d: Vector, extras: Extras) -> Tensor:
    """The cube with its sides leaning in: |x| <= 1 - kx (y + 1) / 2, the same for z with kz.

    Extras are kx and kz: 1 and 0 make a gable roof, 1 and 1 a pyramid, 0 and 0 the cube.
    """
    enter, leave = _between(o[1], d[1])
    for axis, lean in ((0, extras[0]), (2, extras[1])):
        lean_o, lean_d = lean * (0.5 * (o[1] + 1.0)), lean * (0.5 * d[1])
        for side in (1.0, -1.0):
            rate = d[axis] * side + lean_d + _TINY
            bound = (1.0 - lean_o - o[axis] * side) / rate
            # Against the plane it bounds the entry, along with it the exit; the other is put out of the way.
            outward = (rate * _STEEP).clamp(-1.0, 1.0) * (2.0 * MISS)
            enter = torch.maximum(enter, torch.minimum(bound, -outward))
            leave = torch.minimum(leave, torch.maximum(bound, -outward))
    return _entered(enter, leave)


def wedge_normal(q: Vector, extras: Extras) -> tuple[Vector, Tensor]:
    """The outward normal at q on the wedge, and the number of the face, 0 to 5."""
    up = 0.5 * (q[1] + 1.0)
    reach = (q[0].abs() + extras[0] * up, q[1].abs(), q[2].abs() + extras[1] * up)
    most = torch.maximum(torch.maximum(reach[0], reach[1]), reach[2])
    on_x = (reach[0] == most).float()
    on_y = (reach[1] == most).float() * (1.0 - on_x)
    on_z = 1.0 - on_x - on_y
    sign = tuple(1.0 - 2.0 * (coordinate < 0).float() for coordinate in q)
    lean = 0.5 * (extras[0] * on_x + extras[1] * on_z)
    face = on_y * 2.0 + on_z * 4.0 + 0.5 * (1.0 + sign[0] * on_x + sign[1] * on_y + sign[2] * on_z)
    return (sign[0] * on_x, sign[1] * on_y + lean, sign[2] * on_z), face


def ball(o: Vector, d: Vector, extras: Extras) -> Tensor:
    """The ball of radius 1."""
    return _ball(dot(d, d), dot(o, d), dot(o, o) - 1.0)


def _ball(square: Tensor, across: Tensor, rest: Tensor) -> Tensor:
    """Where square t² + 2 across t + rest first gets down to 0."""
    below = across * across - square * rest
    t = (-across - torch.relu(below).sqrt()) / square
    return t + (torch.relu(-below) + torch.relu(_START - t)) * _STEEP


def ball_normal(q: Vector, extras: Extras) -> tuple[Vector, Tensor]:
    """The outward normal at q on the ball; it has one face only."""
    return q, torch.zeros_like(q[0])


def turned(o: Vector, d: Vector, extras: Extras) -> Tensor:
    """A solid of revolution about y: x² + z² <= a + b y + c y² between y = low and y = high.

    Extras are a, b, c, low and high: 1, 0, -1, 0, 1 make half a ball, 1, 0, 0, -1, 1 a cylinder.
    """
    a, b, c, low, high = extras
    lean = 0.5 * b + c * o[1]
    square = d[0] * d[0] + d[2] * d[2] - c * (d[1] * d[1])
    across = o[0] * d[0] + o[2] * d[2] - lean * d[1]
    rest = o[0] * o[0] + o[2] * o[2] - a - (lean + 0.5 * b) * o[1]
    enter, leave = _between(o[1] - 0.5 * (low + high), d[1], 0.5 * (high - low))
    return _entered(*_inside(square, across, rest, enter, leave))


def _inside(
    square: Tensor, across: Tensor, rest: Tensor, enter: Tensor, leave: Tensor
) -> tuple[Tensor, Tensor]:
    """The part of enter..leave in which square t² + 2 across t + rest <= 0, if that part is one piece."""
    square = square + _TINY
    below = across * across - square * rest
    root = torch.relu(below).sqrt()
    first, second = (-across - root) / square, (root - across) / square
    # A ray within a cone's own steepness is inside of its two halves before `second` and after `first`.
    steep = (-square * _STEEP).clamp(0.0, 1.0)
    late = (torch.relu(enter - second) * _STEEP).clamp(0.0, 1.0)
    flat = 1.0 - steep
    missed = torch.relu(-below) * _STEEP
    enter = torch.maximum(enter, first - (steep * (1.0 - late)) * (2.0 * MISS))
    leave = torch.minimum(leave, second + (steep * late) * (2.0 * MISS))
    return enter + missed * flat, leave


def turned_normal(q: Vector, extras: Extras) -> tuple[Vector, Tensor]:
    """The outward normal at q, and the number of the face: 0 the side, 1 the lower end, 2 the upper."""
    a, b, c, low, high = extras
    within = a + (b + c * q[1]) * q[1] - q[0] * q[0] - q[2] * q[2]
    flat = (within > 2e-3 * (a + b.abs())).float()
    near = 4e-3 * (high - low)
    bottom = ((q[1] - low) < near).float() * flat
    top = ((high - q[1]) < near).float() * flat
    side = 1.0 - bottom - top
    return (q[0] * side, top - bottom - side * (0.5 * b + c * q[1]), q[2] * side), bottom + 2.0 * top


def limb(o: Vector, d: Vector, extras: Extras) -> Tensor:
    """The hull of a ball at the origin and one up the y axis: a capsule that may taper.

    Extras are the two radii and the distance, which is more than the difference of the radii.
    """
    first, second, length = extras
    square = dot(d, d)
    across = dot(o, d)
    outside = dot(o, o)
    enter = _ball(square, across, outside - first * first)
    above = outside - (2.0 * o[1] - length) * length - second * second
    enter = torch.minimum(enter, _ball(square, across - length * d[1], above))
    # Between the circles in which it touches both balls lies a piece of a cone.
    taper = (first - second) / length
    steepness = (1.0 - taper * taper).reciprocal()
    side = first - taper * o[1]
    a = square - d[1] * d[1] - steepness * (taper * d[1]) * (taper * d[1])
    b = across - o[1] * d[1] + steepness * side * (taper * d[1])
    c = outside - o[1] * o[1] - steepness * side * side
    below = b * b - a * c
    t = (-b - torch.relu(below).sqrt()) / (a + _TINY)
    height = o[1] + t * d[1]
    off = torch.relu(first * taper - height) + torch.relu(height - length - second * taper)
    cone = t + (off + torch.relu(-below) + torch.relu(_START - t)) * _STEEP
    return torch.minimum(enter, cone)


def limb_normal(q: Vector, extras: Extras) -> tuple[Vector, Tensor]:
    """The outward normal at q; it has one face only."""
    first, second, length = extras
    taper = (first - second) / length
    around = (q[0] * q[0] + q[2] * q[2]).sqrt()
    shift = around * taper / (1.0 - taper * taper).sqrt()
    middle = torch.minimum(torch.relu(q[1] - shift), length)
    return (q[0], q[1] - middle, q[2]), torch.zeros_like(q[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One closed form.

    `enter(o, d, extras)` takes the ray o + t d in the frame of the solid, as tensors that broadcast together,
    and gives the t at which it comes in from outside, beyond MISS where it does not. `normal(q, extras)`
    gives the outward normal at points q of the surface, of any length, and the number of the face. `extras`
    is how many numbers the form has, `straight` which faces have straight edges.
    """

    enter: Callable[[Vector, Vector, Extras], Tensor]
    normal: Callable[[Vector, Extras], tuple[Vector, Tensor]]
    extras: int
    straight: tuple[bool, ...]


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "box": Shape(enter=box, normal=box_normal, extras=0, straight=(True,) * 6),
        "wedge": Shape(enter=wedge, normal=wedge_normal, extras=2, straight=(True,) * 6),
        "ball": Shape(enter=ball, normal=ball_normal, extras=0, straight=(False,)),
        "turned": Shape(enter=turned, normal=turned_normal, extras=5, straight=(False,) * 3),
        "limb": Shape(enter=limb, normal=limb_normal, extras=3, straight=(False,)),
    }
)
