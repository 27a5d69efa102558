"""Things that lie and stand on tables and floors. Each stands on the origin of its place."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from training.world.colours import darker, mixed
from training.world.dice import Dice
from training.world.materials import made
from training.world.solids import ENDLESS, Colour, Paint, Place
from training.world.things.plants import flower

PALE = (0.97, 0.96, 0.92)


def ball(place: Place, dice: Dice, colour: Colour) -> None:
    """A ball, 0.3 high."""
    place.ball(made("ball", "shiny", colour), (0, 0.15, 0), 0.15)


def beach_ball(place: Place, dice: Dice, colour: Colour) -> None:
    """A ball with one white band."""
    paint = Paint("ball", colour, second=PALE, cell=(ENDLESS, 0.16), line=0.05, gloss=0.4)
    place.ball(paint, (0, 0.15, 0), 0.15, roll=dice.about(0, 0.8))


def cube(place: Place, dice: Dice, colour: Colour) -> None:
    """A cube, 0.26 high."""
    place.box(made("box", "plain", colour), (0, 0.13, 0), (0.26, 0.26, 0.26), yaw=dice.about(0, 0.7))


def box(place: Place, dice: Dice, colour: Colour) -> None:
    """A box with a ribbon."""
    turn = dice.about(0, 0.6)
    place.box(made("box", "plain", colour), (0, 0.12, 0), (0.36, 0.24, 0.28), yaw=turn)
    ribbon = made("box", "plain", mixed(colour, PALE, 0.75))
    place.box(ribbon, (0, 0.122, 0), (0.07, 0.25, 0.29), yaw=turn)
    place.box(ribbon, (0, 0.122, 0), (0.37, 0.25, 0.06), yaw=turn)
    for side in (-1.0, 1.0):
        place.ball(ribbon, (side * 0.05, 0.27, 0), (0.055, 0.03, 0.03), roll=side * 0.5)


def cone(place: Place, dice: Dice, colour: Colour) -> None:
    """A cone, 0.36 high."""
    place.tube(made("box", "plain", colour), (0, 0, 0), (0, 0.36, 0), 0.15, 0.004)


def cylinder(place: Place, dice: Dice, colour: Colour) -> None:
    """A cylinder, 0.3 high."""
    place.tube(made("box", "plain", colour), (0, 0, 0), (0, 0.3, 0), 0.12)


def pyramid(place: Place, dice: Dice, colour: Colour) -> None:
    """A pyramid, 0.3 high."""
    place.wedge(
        made("box", "plain", colour), (0, 0.15, 0), (0.34, 0.3, 0.34), (1.0, 1.0), yaw=dice.about(0, 0.7)
    )


def cup(place: Place, dice: Dice, colour: Colour) -> None:
    """A cup with a handle, 0.16 high."""
    glaze = made("pot", "shiny", colour)
    place.tube(glaze, (0, 0, 0), (0, 0.16, 0), 0.075, 0.095)
    place.tube(made("pot", "plain", (0.30, 0.18, 0.11)), (0, 0.15, 0), (0, 0.163, 0), 0.082)
    side = dice.sign()
    for start, end in (
        ((0.08, 0.125), (0.15, 0.115)),
        ((0.15, 0.115), (0.145, 0.05)),
        ((0.145, 0.05), (0.075, 0.035)),
    ):
        place.limb(glaze, (side * start[0], start[1], 0.02), (side * end[0], end[1], 0.02), 0.017)


def teapot(place: Place, dice: Dice, colour: Colour) -> None:
    """A teapot, 0.27 high."""
    glaze, side = made("pot", "shiny", colour), dice.sign()
    place.ball(glaze, (0, 0.115, 0), (0.15, 0.12, 0.15))
    place.tube(glaze, (0, 0, 0), (0, 0.04, 0), 0.09)
    place.dome(glaze, (0, 0.205, 0), (0.085, 0.04, 0.085))
    place.ball(glaze, (0, 0.26, 0), 0.025)
    place.limb(glaze, (side * 0.12, 0.09, 0), (side * 0.25, 0.20, 0), 0.035, 0.018)
    for start, end in (
        ((0.12, 0.18), (0.22, 0.19)),
        ((0.22, 0.19), (0.23, 0.09)),
        ((0.23, 0.09), (0.12, 0.06)),
    ):
        place.limb(glaze, (-side * start[0], start[1], 0), (-side * end[0], end[1], 0), 0.017)


def bowl(place: Place, dice: Dice, colour: Colour) -> None:
    """A bowl of fruit, 0.2 high."""
    place.bowl(made("pot", "shiny", colour), (0, 0.15, 0), (0.21, 0.14, 0.21))
    place.tube(made("pot", "shiny", darker(colour, 0.85)), (0, 0, 0), (0, 0.03, 0), 0.09)
    for x, z, own in (
        (-0.09, 0.03, (0.85, 0.16, 0.14)),
        (0.08, 0.06, (0.97, 0.58, 0.14)),
        (0.0, -0.08, (0.55, 0.75, 0.25)),
        (0.09, -0.06, (0.98, 0.83, 0.22)),
    ):
        place.ball(made("food", "shiny", own), (x, 0.18, z), 0.075)


def plate(place: Place, dice: Dice, colour: Colour) -> None:
    """A plate with a cake on it."""
    place.tube(made("plate", "shiny", PALE), (0, 0, 0), (0, 0.022, 0), 0.15, 0.21)
    place.tube(made("food", "plain", (0.74, 0.48, 0.27)), (0, 0.02, 0), (0, 0.11, 0), 0.13)
    place.tube(made("food", "shiny", colour), (0, 0.11, 0), (0, 0.145, 0), 0.135)
    place.ball(made("food", "shiny", (0.85, 0.12, 0.14)), (0, 0.17, 0), 0.035)


def vase(place: Place, dice: Dice, colour: Colour) -> None:
    """A vase with three flowers, 0.6 high."""
    glaze = made("vase", "shiny", colour)
    place.ball(glaze, (0, 0.12, 0), (0.105, 0.12, 0.105))
    place.tube(glaze, (0, 0.2, 0), (0, 0.31, 0), 0.055, 0.075)
    petals = dice.pick(
        ((0.97, 0.55, 0.70), (0.98, 0.83, 0.25), (0.96, 0.95, 0.92), (0.86, 0.20, 0.20), (0.58, 0.36, 0.75))
    )
    for x, high in ((-0.13, 0.26), (0.14, 0.24), (0.0, 0.34)):
        stem = made("flower", "plain", (0.28, 0.58, 0.26))
        place.rest.limb(stem, (0, 0.29, 0), (x, 0.29 + high, 0.0), 0.013)
        flower(place.rest.at(x, 0.29, 0.01, scale=0.62), dice, petals, (high - 0.02) / 0.62)


def bottle(place: Place, dice: Dice, colour: Colour) -> None:
    """A bottle, 0.42 high."""
    glass = made("bottle", "glass", colour)
    place.tube(glass, (0, 0, 0), (0, 0.24, 0), 0.072)
    place.dome(glass, (0, 0.24, 0), (0.072, 0.07, 0.072))
    place.tube(glass, (0, 0.27, 0), (0, 0.39, 0), 0.026)
    place.tube(made("bottle", "plain", (0.74, 0.56, 0.36)), (0, 0.38, 0), (0, 0.43, 0), 0.024)
    place.tube(made("bottle", "plain", PALE), (0, 0.07, 0), (0, 0.18, 0), 0.0745)


def apple(place: Place, dice: Dice, colour: Colour) -> None:
    """An apple, 0.17 high."""
    place.ball(made("food", "shiny", colour), (0, 0.075, 0), (0.085, 0.078, 0.085))
    place.limb(made("food", "plain", (0.36, 0.23, 0.13)), (0, 0.14, 0), (0.015, 0.19, 0), 0.009)
    place.ball(made("food", "plain", (0.34, 0.62, 0.24)), (0.05, 0.175, 0), (0.042, 0.016, 0.022), roll=0.4)


def pear(place: Place, dice: Dice, colour: Colour) -> None:
    """A pear, 0.22 high."""
    place.limb(made("food", "shiny", colour), (0, 0.08, 0), (0, 0.17, 0), 0.082, 0.045)
    place.limb(made("food", "plain", (0.36, 0.23, 0.13)), (0, 0.2, 0), (0.02, 0.25, 0), 0.009)


def lemon(place: Place, dice: Dice, colour: Colour) -> None:
    """A lemon, lying."""
    place.ball(made("food", "shiny", colour), (0, 0.065, 0), (0.09, 0.065, 0.065))
    for side in (-1.0, 1.0):
        place.ball(made("food", "shiny", colour), (side * 0.085, 0.065, 0), 0.02)


def books(place: Place, dice: Dice, colour: Colour) -> None:
    """A pile of books, 0.2 high; the largest, on top, has the colour."""
    foot = 0.0
    for own in (mixed(colour, PALE, 0.55), darker(colour, 0.65), colour):
        turn, high = dice.about(0, 0.35), 0.06
        place.box(made("book", "plain", own), (0, foot + high / 2, 0), (0.36, high, 0.26), yaw=turn)
        place.box(
            made("book", "plain", PALE), (0.006, foot + high / 2, 0.006), (0.355, high * 0.6, 0.256), yaw=turn
        )
        foot += high + 0.001


def candle(place: Place, dice: Dice, colour: Colour) -> None:
    """A burning candle on a dish, 0.4 high."""
    place.tube(made("plate", "metal", (0.86, 0.72, 0.36)), (0, 0, 0), (0, 0.02, 0), 0.1, 0.13)
    place.tube(made("light", "plain", colour), (0, 0.01, 0), (0, 0.27, 0), 0.045)
    flame = made("light", "plain", (1.0, 0.78, 0.25), glow=1.3, casts=False)
    place.limb(flame, (0, 0.32, 0), (0, 0.38, 0), 0.03, 0.006)


def table_lamp(place: Place, dice: Dice, colour: Colour) -> None:
    """A small lamp, 0.5 high."""
    place.rest.ball(made("lamp", "shiny", (0.86, 0.85, 0.82)), (0, 0.1, 0), (0.09, 0.1, 0.09))
    place.rest.tube(made("lamp", "metal", (0.7, 0.6, 0.4)), (0, 0.18, 0), (0, 0.28, 0), 0.018)
    shade = made("lamp", "plain", colour, glow=0.6, casts=False)
    place.tube(shade, (0, 0.26, 0), (0, 0.48, 0), 0.19, 0.10)


def mushroom(place: Place, dice: Dice, colour: Colour) -> None:
    """A mushroom with white dots, 0.3 high."""
    place.tube(made("plant", "plain", PALE), (0, 0, 0), (0, 0.18, 0), 0.055, 0.045)
    place.dome(made("plant", "shiny", colour), (0, 0.16, 0), (0.16, 0.13, 0.16))
    for turn, up in ((0.3, 0.22), (1.5, 0.235), (2.7, 0.215), (1.1, 0.275), (2.1, 0.27)):
        out = 0.155 * math.sqrt(max(0.0, 1 - ((up - 0.16) / 0.13) ** 2))
        place.ball(made("plant", "plain", PALE), (math.cos(turn) * out, up, math.sin(turn) * out), 0.02)


def teddy(place: Place, dice: Dice, colour: Colour) -> None:
    """A sitting teddy bear, 0.42 high."""
    fur, pale = made("plaything", "woollen", colour), made("plaything", "woollen", mixed(colour, PALE, 0.55))
    ink = made("plaything", "plain", (0.10, 0.08, 0.08))
    place.ball(fur, (0, 0.14, 0), (0.115, 0.14, 0.10))
    place.ball(pale, (0, 0.14, 0.035), (0.08, 0.1, 0.08))
    place.ball(fur, (0, 0.34, 0.0), 0.105)
    place.ball(pale, (0, 0.315, 0.08), (0.05, 0.04, 0.045))
    place.ball(ink, (0, 0.33, 0.122), 0.016)
    for side in (-1.0, 1.0):
        place.ball(fur, (side * 0.085, 0.43, 0), 0.043)
        place.ball(ink, (side * 0.04, 0.37, 0.09), 0.015)
        place.limb(fur, (side * 0.1, 0.21, 0.02), (side * 0.16, 0.12, 0.08), 0.042, 0.036)
        place.limb(fur, (side * 0.08, 0.05, 0.04), (side * 0.12, 0.05, 0.17), 0.05, 0.045)


# How far each reaches to the side, in metres, and what makes it.
OBJECTS: Mapping[str, tuple[float, Callable[[Place, Dice, Colour], None]]] = MappingProxyType(
    {
        "ball": (0.15, ball),
        "beach ball": (0.15, beach_ball),
        "cube": (0.18, cube),
        "box": (0.22, box),
        "cone": (0.15, cone),
        "cylinder": (0.12, cylinder),
        "pyramid": (0.21, pyramid),
        "cup": (0.15, cup),
        "teapot": (0.25, teapot),
        "bowl": (0.21, bowl),
        "cake": (0.21, plate),
        "vase": (0.22, vase),
        "bottle": (0.08, bottle),
        "apple": (0.09, apple),
        "pear": (0.09, pear),
        "lemon": (0.11, lemon),
        "books": (0.22, books),
        "candle": (0.13, candle),
        "lamp": (0.19, table_lamp),
        "mushroom": (0.16, mushroom),
        "teddy bear": (0.2, teddy),
    }
)
