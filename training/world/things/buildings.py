"""Houses and what stands among them: towers, castles, lighthouses, barns, tents, mills."""

import math
from dataclasses import dataclass

from training.world.colours import darker
from training.world.materials import made
from training.world.solids import ENDLESS, Colour, Paint, Place

GLASS = (0.42, 0.62, 0.78)
WARM = (1.0, 0.80, 0.36)
TRIM = (0.97, 0.96, 0.92)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What a house is like. `roof_along` is whether the ridge runs from left to right."""

    walls: Colour
    material: str
    roof: Colour
    roof_kind: str
    door: Colour
    wide: float
    deep: float
    high: float
    rise: float
    floors: int
    chimney: bool
    shutters: Colour | None
    lit: bool


def window(
    place: Place,
    x: float,
    y: float,
    z: float,
    wide: float,
    high: float,
    *,
    lit: bool,
    kind: str = "windowpane",
) -> None:
    """A window in a wall that faces the front: a frame with four panes."""
    pane = Paint(
        kind,
        WARM if lit else GLASS,
        second=TRIM,
        cell=(wide / 2, high / 2),
        line=0.13 * wide,
        glow=0.95 if lit else 0.0,
        gloss=0.5,
        snows=False,
        casts=False,
    )
    place.box(pane, (x, y, z), (wide, high, 0.12))


def house(place: Place, look: House) -> None:
    """A house that stands on the ground, its front to the front of the place."""
    w, d, h = look.wide, look.deep, look.high
    walls = made("house", look.material, look.walls)
    place.box(walls, (0, h / 2, 0), (w, h, d))
    place.box(made("house", "plain", darker(look.walls, 0.7)), (0, 0.12, 0), (w + 0.16, 0.24, d + 0.16))
    _roof(place, look, walls)
    _front(place, look)
    side = place.at(w / 2, 0, 0, yaw=1.5708)
    other = place.at(-w / 2, 0, 0, yaw=-1.5708)
    for wall in (side, other):
        for floor in range(look.floors):
            y = _sill(look, floor)
            for x in (-0.25 * d, 0.25 * d):
                window(wall, x, y, 0.02, 0.95, 1.15, lit=look.lit)


def _sill(look: House, floor: int) -> float:
    return look.high / look.floors * (floor + 0.54)


def _roof(place: Place, look: House, walls: Paint) -> None:
    w, d, h, rise = look.wide, look.deep, look.high, look.rise
    roof = made("house", "shingles", look.roof)
    above = place.part(1)
    middle = (0, h + rise / 2 - 0.02, 0)
    if look.roof_kind == "gable":
        above.wedge(roof, middle, (w + 0.9, rise, d + 0.5), (1.0, 0.0))
        place.wedge(walls, (0, h + 0.41 * rise, 0), (w - 0.1, 0.82 * rise, d + 0.62), (1.0, 0.0))
    elif look.roof_kind == "side":
        above.wedge(roof, middle, (w + 0.5, rise, d + 0.9), (0.0, 1.0))
        place.wedge(walls, (0, h + 0.41 * rise, 0), (w + 0.62, 0.82 * rise, d - 0.1), (0.0, 1.0))
    else:
        above.wedge(roof, middle, (w + 0.9, rise, d + 0.9), (0.62, 1.0))
    if look.chimney:
        stack = made("house", "brick", (0.66, 0.33, 0.25))
        top = h + rise * 0.98
        place.box(stack, (0.24 * w, (h + top) / 2 + 0.2, -0.1 * d), (0.75, top - h + 0.5, 0.75))
        place.box(
            made("house", "plain", darker(stack.colour, 0.7)),
            (0.24 * w, top + 0.5, -0.1 * d),
            (0.95, 0.2, 0.95),
        )


def _front(place: Place, look: House) -> None:
    w, z = look.wide, look.deep / 2
    frame = made("door", "plain", TRIM)
    place.box(frame, (0, 1.18, z + 0.03), (1.42, 2.36, 0.12))
    door(place.part(2), 0, z + 0.08, look.door)
    place.box(made("house", "plain", (0.66, 0.65, 0.63)), (0, 0.09, z + 0.45), (1.7, 0.18, 0.9))
    for floor in range(look.floors):
        y = _sill(look, floor)
        for x in (-0.31 * w, 0.31 * w, *((0.0,) if floor else ())):
            window(place, x, y, z + 0.02, 1.15, 1.3, lit=look.lit)
            if look.shutters and w > 5.5:
                leaf = made("house", "wooden", look.shutters)
                for side in (-0.84, 0.84):
                    place.box(leaf, (x + side, y, z + 0.04), (0.42, 1.34, 0.1))
    if look.roof_kind == "gable" and look.rise > 1.9:
        window(place, 0, look.high + 0.30 * look.rise, look.deep / 2 + 0.30, 0.85, 0.85, lit=look.lit)


def door(place: Place, x: float, z: float, colour: Colour, *, high: float = 2.2) -> None:
    """A door of six panels with a knob, facing the front."""
    leaf = Paint("door", colour, second=darker(colour, 0.72), cell=(0.56, high / 3), line=0.07, snows=False)
    place.box(leaf, (x, high / 2, z), (1.12, high, 0.1))
    place.ball(made("door", "shiny", (0.95, 0.80, 0.35)), (x + 0.4, high * 0.47, z + 0.09), 0.07)


def tower(place: Place, stone: Paint, roof: Colour, radius: float, high: float, *, lit: bool) -> None:
    """A round tower with a pointed roof and a flagpole."""
    place.tube(stone, (0, 0, 0), (0, high, 0), radius * 1.06, radius)
    place.tube(stone, (0, high - 0.1, 0), (0, high + 0.5, 0), radius * 1.16)
    place.part(1).tube(
        made("tower", "plain", roof),
        (0, high + 0.5, 0),
        (0, high + 0.5 + radius * 2.5, 0),
        radius * 1.32,
        0.02,
    )
    for y in (0.42, 0.76):
        _slit(place, radius, high * y, lit)


def _slit(place: Place, radius: float, y: float, lit: bool) -> None:
    pane = Paint("windowpane", WARM if lit else (0.16, 0.17, 0.22), glow=0.95 if lit else 0.0, snows=False)
    place.box(pane, (0, y, radius * 0.96), (0.42, 1.0, 0.3))


def flag(place: Place, x: float, y: float, z: float, colour: Colour, size: float = 1.0) -> None:
    """A flag on a pole."""
    place.tube(made("flag", "plain", (0.85, 0.84, 0.80)), (x, y, z), (x, y + 1.6 * size, z), 0.05 * size)
    cloth = made("flag", "plain", colour, snows=False)
    place.wedge(cloth, (x + 0.55 * size, y + 1.2 * size, z), (1.0 * size, 0.66 * size, 0.06), (0.0, 0.0))


def castle(place: Place, walls: Colour, roof: Colour, flags: Colour, *, lit: bool) -> None:
    """A castle: four towers, a keep, walls with battlements, a gate."""
    stone = made("tower", "stone", walls)
    wall = made("wall", "stone", walls)
    for x, z, high in ((-5.2, 2.2, 5.4), (5.2, 2.2, 5.4), (-3.0, -3.0, 8.2), (3.0, -3.0, 8.2)):
        tower(place.at(x, 0, z), stone, roof, 1.35, high, lit=lit)
        flag(place.part(2), x, high + 3.3, z, flags, 1.2)
    place.box(wall, (0, 1.9, 2.2), (10.4, 3.8, 1.1))
    place.box(wall, (0, 3.4, -3.0), (6.0, 6.8, 3.2))
    for x in range(-3, 4):
        place.box(wall, (x * 1.15, 4.1, 2.6), (0.62, 0.62, 0.4))
    for x in (-2, -1, 0, 1, 2):
        place.box(wall, (x * 1.15, 7.1, -1.6), (0.62, 0.62, 0.4))
    wood = made("door", "planks", (0.42, 0.26, 0.15))
    place.box(wood, (0, 1.05, 2.75), (1.9, 2.1, 0.14))
    place.tube(wood, (0, 2.1, 2.68), (0, 2.1, 2.82), 0.95)
    for x in (-1.5, 1.5):
        window(place, x, 5.2, -1.42, 0.9, 1.3, lit=lit)


def lighthouse(place: Place, colour: Colour, *, lit: bool) -> None:
    """A lighthouse with broad bands, a gallery and a lantern."""
    white, bands = made("tower", "plain", TRIM, snows=False), made("tower", "plain", colour, snows=False)
    for number in range(5):
        low, high = 1.72 * number, 1.72 * (number + 1)
        here, paint = (place, white) if number % 2 else (place.part(1), bands)
        here.tube(paint, (0, low, 0), (0, high, 0), 1.7 - 0.0756 * low, 1.7 - 0.0756 * high)
    rail = made("tower", "plain", darker(colour, 0.8))
    place.tube(rail, (0, 8.5, 0), (0, 8.85, 0), 1.55)
    lantern = Paint(
        "windowpane",
        WARM if lit else (0.75, 0.88, 0.95),
        second=TRIM,
        cell=(0.4, ENDLESS),
        line=0.08,
        glow=1.0 if lit else 0.0,
        snows=False,
    )
    place.tube(lantern, (0, 8.8, 0), (0, 10.2, 0), 0.8)
    place.dome(made("tower", "plain", colour), (0, 10.1, 0), (1.05, 0.9, 1.05))
    place.ball(rail, (0, 11.05, 0), 0.16)
    place.box(made("door", "planks", (0.40, 0.25, 0.15)), (0, 1.0, 1.6), (0.95, 2.0, 0.3))


def windmill(place: Place, walls: Colour, roof: Colour, turn: float) -> None:
    """A windmill with four sails."""
    place.tube(made("house", "plain", walls), (0, 0, 0), (0, 5.6, 0), 2.1, 1.35)
    place.rest.dome(made("house", "shingles", roof), (0, 5.5, 0), (1.65, 1.5, 1.65))
    place.rest.box(made("door", "planks", (0.42, 0.27, 0.16)), (0, 1.05, 1.95), (1.0, 2.1, 0.3))
    window(place, 0, 3.6, 1.62, 0.8, 0.9, lit=False)
    hub = (0.0, 5.7, 1.9)
    place.rest.tube(made("house", "plain", darker(roof)), (0, 5.7, 1.0), hub, 0.24)
    sail = made("house", "planks", (0.95, 0.93, 0.86), cell=(0.45, 0.45), snows=False)
    for number in range(4):
        _sail(place.rest, hub, sail, turn + number * 1.5708)


def _sail(place: Place, hub: tuple[float, float, float], paint: Paint, turn: float) -> None:
    out = 1.95
    at = (hub[0] - math.sin(turn) * out, hub[1] + math.cos(turn) * out, hub[2] + 0.02)
    place.box(paint, at, (0.85, 2.9, 0.08), roll=turn)


def tent(place: Place, colour: Colour, *, lit: bool) -> None:
    """A tent with its opening to the front."""
    cloth = made("tent", "plain", colour, glow=0.25 if lit else 0.0)
    place.wedge(cloth, (0, 1.15, 0), (3.2, 2.3, 3.8), (1.0, 0.0))
    place.rest.wedge(
        made("tent", "plain", (0.22, 0.17, 0.15), snows=False), (0, 0.88, 0.05), (1.3, 1.76, 3.76), (1.0, 0.0)
    )


def tall(place: Place, colour: Colour, wide: float, high: float, deep: float, *, lit: bool) -> None:
    """A building of many floors with rows of windows."""
    body = made("building", "plain", colour)
    place.box(body, (0, high / 2, 0), (wide, high, deep))
    place.box(
        made("building", "plain", darker(colour, 0.75)), (0, high + 0.1, 0), (wide + 0.3, 0.4, deep + 0.3)
    )
    rows, columns = max(1, round(high / 2.9) - 1), max(2, round(wide / 2.1))
    for row in range(rows):
        for column in range(columns):
            x = (column + 0.5) / columns * wide - wide / 2
            window(
                place,
                x,
                4.0 + row * 2.75,
                deep / 2 + 0.01,
                1.15,
                1.5,
                lit=lit and (row * 3 + column * 5) % 4 > 0,
            )


def shop(
    place: Place,
    colour: Colour,
    awning: Colour,
    wide: float,
    deep: float,
    *,
    lit: bool,
    awning_too: bool = True,
) -> None:
    """The ground floor of a tall building: a wide window, a door, and a striped awning if it is a shop."""
    z = deep / 2
    window(place, -0.18 * wide, 1.35, z + 0.03, 0.48 * wide, 1.9, lit=lit)
    door(place, 0.28 * wide, z + 0.04, darker(colour, 0.6))
    if awning_too:
        place.part(1).wedge(
            made("awning", "plain", awning), (0, 2.75, z + 0.55), (0.94 * wide, 0.55, 1.5), (0.0, 0.75)
        )
