"""What stands and hangs in rooms, each with its back to the back of its place."""

import math

from training.world.colours import darker, mixed
from training.world.dice import Dice
from training.world.materials import made
from training.world.solids import ENDLESS, Colour, Paint, Place

CREAM = (0.96, 0.93, 0.86)
WOOD = (0.58, 0.38, 0.22)


def legs(place: Place, paint: Paint, wide: float, deep: float, high: float, thick: float = 0.06) -> None:
    """Four legs under a slab of this size."""
    for x in (-wide / 2 + thick, wide / 2 - thick):
        for z in (-deep / 2 + thick, deep / 2 - thick):
            place.box(paint, (x, high / 2, z), (thick, high, thick))


def table(place: Place, colour: Colour, wide: float = 1.5, deep: float = 0.85, high: float = 0.74) -> None:
    """A table with four legs."""
    wood = made("table", "floorboards", colour, cell=(ENDLESS, 0.22))
    place.box(wood, (0, high - 0.03, 0), (wide, 0.07, deep))
    legs(place, made("table", "plain", darker(colour, 0.85)), wide, deep, high - 0.06, 0.08)


def chair(place: Place, colour: Colour, seat: float = 0.46) -> None:
    """A chair that faces the front."""
    wood = made("chair", "plain", colour)
    place.box(wood, (0, seat - 0.03, 0), (0.46, 0.06, 0.46))
    legs(place, wood, 0.46, 0.46, seat - 0.05, 0.05)
    for x in (-0.2, 0.2):
        place.box(wood, (x, seat + 0.28, -0.205), (0.05, 0.56, 0.05))
    for y in (0.22, 0.46):
        place.box(wood, (0, seat + y, -0.205), (0.42, 0.13, 0.04))


def bed(place: Place, blanket: Colour, wood: Colour) -> None:
    """A bed, its head at the back."""
    frame = made("bed", "plain", wood)
    place.box(frame, (0, 0.22, 0), (1.36, 0.26, 2.1))
    place.box(frame, (0, 0.55, -1.08), (1.46, 1.1, 0.09))
    place.box(frame, (0, 0.30, 1.08), (1.46, 0.60, 0.09))
    place.box(made("bed", "plain", CREAM), (0, 0.42, 0), (1.28, 0.2, 2.02))
    cover = made("bed", "striped", blanket, cell=(0.32, ENDLESS), second=mixed(blanket, CREAM, 0.18))
    place.part(1).box(cover, (0, 0.45, 0.32), (1.34, 0.22, 1.40))
    place.limb(
        made("pillow", "plain", (0.99, 0.98, 0.95)), (-0.3, 0.58, -0.72), (0.3, 0.58, -0.72), 0.17, flat=1.2
    )


def sofa(place: Place, colour: Colour, cushion: Colour) -> None:
    """A sofa for two, with a cushion."""
    cloth, seat = made("sofa", "plain", colour), made("sofa", "plain", mixed(colour, CREAM, 0.12))
    place.box(cloth, (0, 0.22, 0), (1.9, 0.36, 0.85))
    place.box(cloth, (0, 0.55, -0.36), (1.9, 0.70, 0.22))
    for x in (-0.42, 0.42):
        place.box(seat, (x, 0.43, 0.06), (0.80, 0.14, 0.74))
    for x in (-0.93, 0.93):
        place.box(cloth, (x, 0.36, 0.02), (0.2, 0.56, 0.86))
        place.limb(cloth, (x, 0.62, -0.3), (x, 0.62, 0.4), 0.11)
    place.ball(made("cushion", "plain", cushion), (0.55, 0.66, -0.12), (0.22, 0.22, 0.11), roll=0.3)


def armchair(place: Place, colour: Colour) -> None:
    """An armchair."""
    cloth, seat = made("armchair", "plain", colour), made("armchair", "plain", mixed(colour, CREAM, 0.12))
    place.box(cloth, (0, 0.22, 0), (0.95, 0.36, 0.82))
    place.box(cloth, (0, 0.58, -0.34), (0.95, 0.78, 0.2))
    place.limb(cloth, (-0.36, 0.96, -0.34), (0.36, 0.96, -0.34), 0.11)
    place.box(seat, (0, 0.43, 0.06), (0.66, 0.14, 0.70))
    for x in (-0.42, 0.42):
        place.box(cloth, (x, 0.38, 0.02), (0.16, 0.56, 0.82))
        place.limb(cloth, (x, 0.64, -0.26), (x, 0.64, 0.36), 0.1)


def cabinet(place: Place, colour: Colour, wide: float = 1.1, high: float = 0.95) -> None:
    """A chest of drawers."""
    front = Paint(
        "chest of drawers", colour, second=darker(colour, 0.68), cell=(wide / 2, high / 3), line=0.035
    )
    place.box(made("chest of drawers", "plain", darker(colour, 0.9)), (0, high / 2, 0), (wide, high, 0.5))
    place.box(front, (0, high / 2, 0.25), (wide - 0.04, high - 0.04, 0.03))
    place.box(
        made("chest of drawers", "plain", mixed(colour, CREAM, 0.15)),
        (0, high, 0.01),
        (wide + 0.08, 0.05, 0.56),
    )
    knob = made("chest of drawers", "shiny", (0.95, 0.82, 0.40))
    for y in (1 / 6, 1 / 2, 5 / 6):
        for x in (-0.25, 0.25):
            place.ball(knob, (x * wide, y * high, 0.28), 0.035)


def wardrobe(place: Place, colour: Colour) -> None:
    """A wardrobe with two doors."""
    place.box(made("wardrobe", "plain", darker(colour, 0.88)), (0, 1.0, 0), (1.15, 2.0, 0.56))
    front = Paint("wardrobe", colour, second=darker(colour, 0.66), cell=(0.545, 0.96), line=0.04)
    place.box(front, (0, 1.0, 0.28), (1.09, 1.92, 0.04))
    place.box(made("wardrobe", "plain", mixed(colour, CREAM, 0.15)), (0, 2.03, 0.02), (1.25, 0.08, 0.64))
    for x in (-0.09, 0.09):
        place.ball(made("wardrobe", "shiny", (0.95, 0.82, 0.40)), (x, 1.0, 0.32), 0.035)


def bookcase(place: Place, dice: Dice, colour: Colour, books: tuple[Colour, ...], high: float = 1.8) -> None:
    """A bookcase full of coloured books."""
    wood, back = made("bookcase", "plain", colour), made("bookcase", "plain", darker(colour, 0.6))
    place.box(back, (0, high / 2, -0.12), (1.0, high, 0.04))
    for x in (-0.5, 0.5):
        place.box(wood, (x, high / 2, 0), (0.06, high, 0.3))
    count = 4
    for number in range(count + 1):
        place.box(wood, (0, 0.04 + number * (high - 0.08) / count, 0), (1.0, 0.05, 0.3))
    for number in range(count):
        foot = 0.07 + number * (high - 0.08) / count
        x = -0.44
        while x < 0.3:
            wide, tall = dice.between(0.13, 0.24), dice.between(0.24, 0.34)
            place.box(
                made("book", "plain", dice.pick(books)),
                (x + wide / 2, foot + tall / 2, 0.02),
                (wide - 0.02, tall, 0.2),
            )
            x += wide


def floor_lamp(place: Place, shade: Colour, *, lit: bool) -> None:
    """A lamp on a stand, 1.6 high."""
    metal = made("lamp", "metal", (0.36, 0.34, 0.34))
    place.tube(metal, (0, 0, 0), (0, 0.04, 0), 0.17)
    place.tube(metal, (0, 0, 0), (0, 1.35, 0), 0.022)
    cloth = made(
        "lamp", "plain", mixed(shade, CREAM, 0.35 if lit else 0.0), glow=0.9 if lit else 0.0, casts=False
    )
    place.tube(cloth, (0, 1.22, 0), (0, 1.6, 0), 0.27, 0.15)


def hanging_lamp(place: Place, shade: Colour, ceiling: float, *, lit: bool) -> None:
    """A lamp that hangs from the ceiling."""
    place.tube(
        made("lamp", "plain", (0.2, 0.2, 0.2), casts=False), (0, ceiling - 0.5, 0), (0, ceiling, 0), 0.015
    )
    cloth = made("lamp", "plain", shade, glow=0.35 if lit else 0.0, casts=False)
    place.tube(cloth, (0, ceiling - 0.78, 0), (0, ceiling - 0.46, 0), 0.30, 0.08)
    bulb = made("lamp", "plain", (1.0, 0.96, 0.80), glow=1.0 if lit else 0.0, casts=False)
    place.ball(bulb, (0, ceiling - 0.79, 0), 0.09)


def pot_plant(place: Place, dice: Dice, pot: Colour, leaves: Colour, size: float = 1.0) -> None:
    """A plant in a pot, its leaves to all sides."""
    here = place.at(scale=size)
    clay = made("pot", "clay", pot)
    here.tube(clay, (0, 0, 0), (0, 0.34, 0), 0.17, 0.23)
    here.tube(clay, (0, 0.30, 0), (0, 0.37, 0), 0.26)
    green = made("plant", "plain", leaves, mottle=0.12)
    for number in range(8):
        turn = number * 0.785 + dice.about(0, 0.2)
        out, up = (0.30, 0.95) if number % 2 else (0.46, 0.72)
        end = (math.cos(turn) * out, up + dice.about(0, 0.06), math.sin(turn) * out)
        here.limb(green, (0, 0.36, 0), (end[0] * 0.45, end[1] * 0.82, end[2] * 0.45), 0.03, 0.085)
        here.limb(green, (end[0] * 0.45, end[1] * 0.82, end[2] * 0.45), end, 0.09, 0.03)


def rug(place: Place, colour: Colour, second: Colour, wide: float, deep: float, *, round_: bool) -> None:
    """A rug on the floor, round with rings or striped."""
    if round_:
        for radius, own in ((1.0, colour), (0.72, second), (0.5, colour)):
            here = place if own is colour else place.rest
            here.disc(
                made("rug", "woollen", own, casts=False),
                (0, 0.03 - radius * 0.01, 0),
                (wide / 2 * radius, deep / 2 * radius),
                0.02,
            )
    else:
        place.rest.box(made("rug", "woollen", second, casts=False), (0, 0.008, 0), (wide, 0.016, deep))
        stripes = made("rug", "woollen", colour, second=second, cell=(0.42, ENDLESS), line=0.12, casts=False)
        place.box(stripes, (0, 0.012, 0), (wide - 0.24, 0.02, deep - 0.24))


def painting(place: Place, dice: Dice, frame: Colour, wide: float = 0.95, high: float = 0.72) -> None:
    """A framed picture of hills on the wall: its middle in the place's origin."""
    place.box(made("painting", "plain", frame), (0, 0, 0.02), (wide + 0.12, high + 0.12, 0.04))
    tone = dice.pick(((0.55, 0.78, 0.95), (0.99, 0.78, 0.55), (0.80, 0.72, 0.92)))
    place.box(made("painting", "plain", tone), (0, 0, 0.04), (wide, high, 0.03))
    hill = dice.pick(((0.36, 0.62, 0.36), (0.28, 0.45, 0.65), (0.80, 0.55, 0.35)))
    place.box(made("painting", "plain", hill), (0, -0.3 * high, 0.045), (wide, 0.4 * high, 0.03))
    place.tube(
        made("painting", "plain", darker(hill, 0.8)),
        (0.2 * wide, -0.1 * high, 0.03),
        (0.2 * wide, -0.1 * high, 0.062),
        0.18 * wide,
    )
    place.tube(
        made("painting", "plain", (1.0, 0.95, 0.75)),
        (-0.24 * wide, 0.22 * high, 0.03),
        (-0.24 * wide, 0.22 * high, 0.062),
        0.1 * wide,
    )


def clock(place: Place, colour: Colour, hour: float) -> None:
    """A round clock on the wall, its middle in the place's origin."""
    place.tube(made("clock", "plain", colour), (0, 0, 0), (0, 0, 0.06), 0.24)
    place.rest.tube(made("clock", "plain", (0.98, 0.97, 0.93)), (0, 0, 0.05), (0, 0, 0.07), 0.185)
    ink = made("clock", "plain", (0.14, 0.13, 0.15))
    for turn, length, thick in ((hour, 0.1, 0.016), (hour * 12, 0.15, 0.011)):
        place.rest.limb(ink, (0, 0, 0.075), (math.sin(turn) * length, math.cos(turn) * length, 0.075), thick)


def mirror(place: Place, frame: Colour) -> None:
    """A mirror on the wall, its middle in the place's origin."""
    place.box(made("mirror", "plain", frame), (0, 0, 0.02), (0.62, 0.92, 0.05))
    place.box(made("mirror", "shiny", (0.80, 0.88, 0.92)), (0, 0, 0.035), (0.52, 0.82, 0.05))


def curtains(place: Place, colour: Colour, wide: float, high: float) -> None:
    """Two curtains and a rod around a window whose middle is the place's origin."""
    cloth = made("curtain", "striped", colour, cell=(0.09, ENDLESS), second=darker(colour, 0.86), casts=False)
    for side in (-1.0, 1.0):
        place.box(cloth, (side * (wide / 2 + 0.12), -0.08, 0.1), (0.36, high + 0.45, 0.06))
    rod = made("curtain", "plain", (0.40, 0.27, 0.16), casts=False)
    place.limb(rod, (-wide / 2 - 0.4, high / 2 + 0.17, 0.12), (wide / 2 + 0.4, high / 2 + 0.17, 0.12), 0.03)


def television(place: Place, dice: Dice) -> None:
    """A television on a low board."""
    place.box(made("cabinet", "plain", WOOD), (0, 0.22, 0), (1.3, 0.44, 0.42))
    place.box(made("television receiver", "shiny", (0.10, 0.10, 0.12)), (0, 0.86, 0), (1.1, 0.68, 0.07))
    place.box(made("television receiver", "shiny", (0.20, 0.28, 0.40)), (0, 0.87, 0.03), (1.0, 0.58, 0.03))
    place.box(made("television receiver", "plain", (0.12, 0.12, 0.13)), (0, 0.48, 0), (0.34, 0.08, 0.18))


def fireplace(place: Place, stone: Colour) -> None:
    """A fireplace with a fire."""
    brick = made("fireplace", "brick", stone, cell=(0.26, 0.13), line=0.025)
    for x in (-0.62, 0.62):
        place.box(brick, (x, 0.55, 0), (0.32, 1.1, 0.5))
    place.box(brick, (0, 1.02, 0), (1.56, 0.3, 0.5))
    place.box(made("fireplace", "plain", (0.45, 0.29, 0.17)), (0, 1.22, 0.03), (1.75, 0.1, 0.62))
    place.box(made("fireplace", "plain", (0.09, 0.07, 0.07)), (0, 0.45, -0.2), (1.0, 0.9, 0.06))
    for x, end in ((-0.3, 0.3), (0.28, -0.3)):
        place.limb(made("fireplace", "plain", (0.36, 0.22, 0.13)), (x, 0.07, 0.05), (end, 0.11, 0.0), 0.06)
    for x, high, wide, colour in (
        (0, 0.62, 0.2, (1.0, 0.45, 0.10)),
        (-0.17, 0.42, 0.13, (1.0, 0.62, 0.14)),
        (0.17, 0.46, 0.13, (1.0, 0.56, 0.12)),
        (0, 0.36, 0.12, (1.0, 0.86, 0.35)),
    ):
        fire = made("fireplace", "plain", colour, glow=1.0, casts=False)
        place.tube(fire, (x, 0.1, 0.05 + 0.1 * (high < 0.4)), (x, high, 0.05), wide, 0.01)
