"""How scenes are put together: solids with paint, set down in places that can be inside other places."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

Point: TypeAlias = tuple[float, float, float]  # metres: x to the right, y up, z towards the viewer
Colour: TypeAlias = tuple[float, float, float]  # red, green, blue, 0 to 1, as a screen takes them
Frame: TypeAlias = tuple[Point, Point, Point, Point]  # where x, y and z of a solid point to, and its origin

ENDLESS = 1e9  # metres: the side of a cell that does not repeat
CYLINDER = (1.0, 0.0, 0.0, -1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Paint:
    """What a surface is and looks like.

    `kind` is its class in ADE20K. A pattern is a grid of cells `cell` metres wide and high: with `line` its
    lines have the second colour and that width in metres, with `checker` every second cell has it. `stagger`
    shifts every second row by that share of a cell, `uneven` is how much cells differ in brightness, `mottle`
    how much the colour varies like leaves and grass. `glow` is light of its own, `gloss` how shiny it is,
    `mirror` how much of its surroundings a level surface shows. `casts` tells whether it throws a shadow,
    `snows` whether snow stays on it.
    """

    kind: str
    colour: Colour
    second: Colour = (0.0, 0.0, 0.0)
    cell: tuple[float, float] = (1.0, 1.0)
    line: float = 0.0
    stagger: float = 0.0
    checker: bool = False
    uneven: float = 0.0
    mottle: float = 0.0
    glow: float = 0.0
    gloss: float = 0.0
    mirror: float = 0.0
    casts: bool = True
    snows: bool = True

    def but(self, **changes: Any) -> "Paint":
        """The same with some of it changed."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Solid:
    """One closed form in its frame; `thing` is the number of what it belongs to, in the scene's own list."""

    shape: str
    frame: Frame
    extras: tuple[float, ...]
    low: Point
    high: Point
    paint: Paint
    thing: int


@dataclass(frozen=True, slots=True)
class Place:
    """A spot to put solids: their origin, turned about the upright by `yaw`, and scaled.

    All places of a scene share one list of solids.
    """

    solids: list[Solid] = field(default_factory=list)
    origin: Point = (0.0, 0.0, 0.0)
    yaw: float = 0.0
    scale: float = 1.0
    thing: int = 0

    def at(
        self,
        x: float = 0.0,
        y: float = 0.0,
        z: float = 0.0,
        *,
        yaw: float = 0.0,
        scale: float = 1.0,
        thing: int | None = None,
    ) -> "Place":
        """A place inside this one."""
        return Place(
            self.solids,
            self.out((x, y, z)),
            self.yaw + yaw,
            self.scale * scale,
            self.thing if thing is None else thing,
        )

    def out(self, point: Point) -> Point:
        """The point of this place as a point of the scene."""
        x, y, z = self.turned(point)
        return self.origin[0] + x, self.origin[1] + y, self.origin[2] + z

    def turned(self, way: Point) -> Point:
        """A way in this place as a way in the scene."""
        cosine, sine = math.cos(self.yaw) * self.scale, math.sin(self.yaw) * self.scale
        return cosine * way[0] + sine * way[2], self.scale * way[1], cosine * way[2] - sine * way[0]

    def _add(
        self,
        shape: str,
        paint: Paint,
        axes: Sequence[Point],
        origin: Point,
        extras: tuple[float, ...] = (),
        low: Point = (-1.0, -1.0, -1.0),
        high: Point = (1.0, 1.0, 1.0),
    ) -> None:
        x, y, z = (self.turned(axis) for axis in axes)
        frame = (x, y, z, self.out(origin))
        self.solids.append(Solid(shape, frame, extras, low, high, paint, self.thing))

    def part(self, number: int) -> "Place":
        """The same place for a part of its thing: parts are numbered from 1."""
        return self.at(thing=self.thing + number)

    @property
    def rest(self) -> "Place":
        """The same place for what is not of the colour that the thing is said to have."""
        return self.at(thing=0)

    def strip(self, paint: Paint, start: Point, end: Point, reach: float, high: float) -> None:
        """A flat strip with round ends on level ground, `reach` to each side."""
        way = (end[0] - start[0], 0.0, end[2] - start[2])
        length = math.hypot(way[0], way[2]) or 1e-6
        y = _times(way, 1 / length)
        axes = ((y[2], 0.0, -y[0]), y, (0.0, -high / reach, 0.0))
        low, high_ = (-reach, -reach, -reach), (reach, length + reach, reach)
        self._add("limb", paint, axes, start, (reach, reach, length), low, high_)

    def box(self, paint: Paint, middle: Point, size: Point, *, yaw: float = 0.0, roll: float = 0.0) -> None:
        """A box with its full width, height and depth; `roll` tips it to the left, before `yaw` turns it."""
        self._add("box", paint, _axes(size, yaw, roll), middle)

    def wedge(
        self,
        paint: Paint,
        middle: Point,
        size: Point,
        lean: tuple[float, float] = (1.0, 0.0),
        *,
        yaw: float = 0.0,
    ) -> None:
        """A box whose sides lean in towards the top, in x and z, by these shares of its half: 1, 0 is a
        gable."""
        self._add("wedge", paint, _axes(size, yaw, 0.0), middle, lean)

    def ball(
        self, paint: Paint, middle: Point, radii: Point | float, *, yaw: float = 0.0, roll: float = 0.0
    ) -> None:
        """An ellipsoid, or a ball."""
        x, y, z = (radii, radii, radii) if isinstance(radii, float) else radii
        self._add("ball", paint, _axes((2 * x, 2 * y, 2 * z), yaw, roll), middle)

    def dome(self, paint: Paint, foot: Point, radii: Point, *, yaw: float = 0.0) -> None:
        """The upper half of an ellipsoid, standing on `foot`."""
        x, y, z = radii
        extras = (1.0, 0.0, -1.0, 0.0, 1.0)
        self._add("turned", paint, _axes((2 * x, 2 * y, 2 * z), yaw, 0.0), foot, extras, (-1.0, 0.0, -1.0))

    def bowl(self, paint: Paint, rim: Point, radii: Point) -> None:
        """The lower half of an ellipsoid, under the middle of its rim."""
        x, y, z = radii
        extras = (1.0, 0.0, -1.0, -1.0, 0.0)
        high = (1.0, 0.0, 1.0)
        self._add("turned", paint, _axes((2 * x, 2 * y, 2 * z), 0.0, 0.0), rim, extras, high=high)

    def tube(
        self,
        paint: Paint,
        foot: Point,
        top: Point,
        first: float,
        second: float | None = None,
        *,
        flat: float = 1.0,
    ) -> None:
        """A cylinder from foot to top, or a cone with two radii; `flat` scales its depth."""
        second = first if second is None else second
        axes, length = _along(foot, top)
        widest = max(first, second)
        a, b = (first / widest + second / widest) / 2, (second / widest - first / widest) / 2
        extras = (a * a, 2 * a * b, b * b, -1.0, 1.0)
        x, y, z = axes
        frame = (_times(x, widest), _times(y, length / 2), _times(z, widest * flat))
        self._add("turned", paint, frame, _middle(foot, top), extras)

    def disc(
        self, paint: Paint, middle: Point, radii: tuple[float, float], height: float, *, yaw: float = 0.0
    ) -> None:
        """A flat round slab, its upper side at `middle`."""
        size = (2 * radii[0], height, 2 * radii[1])
        at = (middle[0], middle[1] - height / 2, middle[2])
        self._add("turned", paint, _axes(size, yaw, 0.0), at, CYLINDER)

    def limb(
        self,
        paint: Paint,
        start: Point,
        end: Point,
        first: float,
        second: float | None = None,
        *,
        flat: float = 1.0,
    ) -> None:
        """A round-ended rod from start to end, with a radius at each; `flat` scales it front to back."""
        second = first if second is None else second
        axes, length = _along(start, end)
        length = max(length, abs(first - second) * 1.05 + 1e-3)
        widest = max(first, second)
        low, high = (-widest, -first, -widest), (widest, length + second, widest)
        axes = (axes[0], axes[1], _times(axes[2], flat))
        self._add("limb", paint, axes, start, (first, second, length), low, high)


def _times(vector: Point, factor: float) -> Point:
    return vector[0] * factor, vector[1] * factor, vector[2] * factor


def _middle(first: Point, second: Point) -> Point:
    return (first[0] + second[0]) / 2, (first[1] + second[1]) / 2, (first[2] + second[2]) / 2


def _axes(size: Point, yaw: float, roll: float) -> tuple[Point, Point, Point]:
    """The half axes of a box of this size, tipped to the left and then turned."""
    x, y, z = size[0] / 2, size[1] / 2, size[2] / 2
    cy, sy, cr, sr = math.cos(yaw), math.sin(yaw), math.cos(roll), math.sin(roll)
    return (
        (x * cy * cr, x * sr, -x * sy * cr),
        (-y * cy * sr, y * cr, y * sy * sr),
        (z * sy, 0.0, z * cy),
    )


def _along(start: Point, end: Point) -> tuple[tuple[Point, Point, Point], float]:
    """Unit axes with y from start to end and z as much to the viewer as can be, and the distance."""
    way = (end[0] - start[0], end[1] - start[1], end[2] - start[2])
    length = math.sqrt(way[0] ** 2 + way[1] ** 2 + way[2] ** 2) or 1e-6
    y = _times(way, 1 / length)
    x = (y[1], -y[0], 0.0) if abs(y[2]) < 0.99 else (1.0, 0.0, 0.0)
    size = math.sqrt(x[0] ** 2 + x[1] ** 2 + x[2] ** 2)
    x = _times(x, 1 / size)
    if abs(y[2]) >= 0.99:
        along = x[0] * y[0]
        x = (x[0] - along * y[0], -along * y[1], -along * y[2])
    z = (x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0])
    return (x, y, z), length
