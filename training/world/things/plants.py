"""Trees, bushes and flowers."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from training.world.colours import darker
from training.world.dice import Dice
from training.world.materials import made
from training.world.solids import ENDLESS, Colour, Place

BARK = (0.43, 0.29, 0.19)


def round_tree(place: Place, dice: Dice, leaves: Colour, fruit: Colour | None = None) -> None:
    """A broad tree: a crown of some balls on a trunk, 5 high."""
    place.tube(made("tree", "plain", BARK), (0, 0, 0), (0, 2.4, 0), 0.34, 0.24)
    crown = made("tree", "plain", leaves, mottle=0.34)
    place.ball(crown, (0, 3.5, 0), (1.55, 1.35, 1.5))
    for x, y, z in ((-1.05, 3.0, 0.2), (1.05, 3.05, 0.1), (0.1, 3.0, 0.85), (0.15, 4.45, -0.1)):
        place.ball(crown, (dice.about(x, 0.12), dice.about(y, 0.12), z), dice.about(0.98, 0.12))
    if fruit:
        berry = made("tree", "shiny", fruit, snows=False)
        for x, y, z in (
            (-1.2, 3.1, 1.05),
            (0.1, 3.8, 1.45),
            (1.15, 3.2, 0.95),
            (-0.5, 2.7, 1.5),
            (0.7, 2.6, 1.5),
        ):
            place.ball(berry, (dice.about(x, 0.15), dice.about(y, 0.15), z), 0.24)


def pine(place: Place, dice: Dice, leaves: Colour, fruit: Colour | None = None) -> None:
    """A pine: three cones, 6 high."""
    place.tube(made("tree", "plain", BARK), (0, 0, 0), (0, 1.3, 0), 0.26)
    crown = made("tree", "plain", leaves, mottle=0.3)
    for foot, top, radius in ((0.9, 3.3, 1.65), (2.3, 4.6, 1.3), (3.7, 6.0, 0.95)):
        place.tube(crown, (0, foot, 0), (0, top, 0), radius, 0.04)


def poplar(place: Place, dice: Dice, leaves: Colour, fruit: Colour | None = None) -> None:
    """A slender tree, 6.4 high."""
    place.tube(made("tree", "plain", BARK), (0, 0, 0), (0, 1.6, 0), 0.24)
    place.ball(made("tree", "plain", leaves, mottle=0.34), (0, 3.7, 0), (1.0, 2.7, 1.0))


def birch(place: Place, dice: Dice, leaves: Colour, fruit: Colour | None = None) -> None:
    """A birch: a white trunk with dark bands, and an airy crown, 6 high."""
    bark = made(
        "tree", "plain", (0.93, 0.92, 0.88), second=(0.22, 0.21, 0.20), cell=(ENDLESS, 0.62), line=0.13
    )
    lean = dice.about(0, 0.35)
    place.tube(bark, (0, 0, 0), (lean, 4.6, 0), 0.2, 0.12)
    crown = made("tree", "plain", leaves, mottle=0.34)
    for x, y, radius in ((-0.55, 3.9, 0.85), (0.7, 4.3, 0.85), (0.0, 5.2, 0.9)):
        place.ball(crown, (x + lean, dice.about(y, 0.1), dice.about(0.2, 0.2)), radius)


def bare(place: Place, dice: Dice, leaves: Colour, fruit: Colour | None = None) -> None:
    """A tree without leaves, 5 high."""
    bark = made("tree", "plain", darker(BARK, 0.85))
    place.limb(bark, (0, 0, 0), (0.05, 2.3, 0), 0.32, 0.2)
    for x, y, z in ((-1.5, 4.2, 0.2), (-0.5, 5.0, -0.2), (0.7, 4.9, 0.3), (1.7, 3.9, -0.2)):
        end = (dice.about(x, 0.2), dice.about(y, 0.2), z)
        place.limb(bark, (0.05, 2.1, 0), end, 0.15, 0.06)
        fork = (end[0] * 0.55, 2.1 + (end[1] - 2.1) * 0.55, z * 0.55)
        place.limb(bark, fork, (fork[0] * 1.1 + dice.sign() * 0.55, fork[1] + 0.85, z), 0.08, 0.04)


def palm(place: Place, dice: Dice, leaves: Colour, fruit: Colour | None = None) -> None:
    """A palm, 5 high."""
    bark = made(
        "palm", "plain", (0.62, 0.46, 0.30), second=(0.46, 0.33, 0.21), cell=(ENDLESS, 0.45), line=0.1
    )
    lean = dice.about(0, 0.9)
    place.limb(bark, (0, 0, 0), (lean * 0.3, 2.4, 0), 0.26, 0.2)
    place.limb(bark, (lean * 0.3, 2.4, 0), (lean, 4.5, 0), 0.2, 0.16)
    frond = made("palm", "plain", leaves, mottle=0.15)
    for number in range(7):
        turn = number * 0.8976 + dice.about(0, 0.15)
        x, z = math.cos(turn), math.sin(turn)
        knee = (lean + x * 1.05, 4.95, z * 1.05)
        place.limb(frond, (lean, 4.6, 0), knee, 0.15, 0.2, flat=0.6)
        place.limb(frond, knee, (lean + x * 1.95, 4.1, z * 1.95), 0.2, 0.05, flat=0.6)
    for x in (-0.2, 0.2):
        place.ball(made("palm", "plain", (0.38, 0.25, 0.14)), (lean + x, 4.4, 0.2), 0.19)


TREES: Mapping[str, Callable[[Place, Dice, Colour, Colour | None], None]] = MappingProxyType(
    {"tree": round_tree, "pine": pine, "poplar": poplar, "birch": birch, "bare tree": bare, "palm": palm}
)


def bush(place: Place, dice: Dice, leaves: Colour, blossom: Colour | None = None) -> None:
    """A bush, 1 high, with or without blossoms."""
    green = made("plant", "plain", leaves, mottle=0.34)
    for x, radius in ((-0.5, 0.55), (0.45, 0.6), (0.0, 0.72)):
        place.ball(green, (x, radius * 0.72, dice.about(0, 0.15)), radius)
    if blossom:
        for x, y in ((-0.6, 0.75), (-0.1, 1.05), (0.4, 0.85), (0.1, 0.55), (-0.4, 0.4), (0.75, 0.5)):
            place.ball(made("flower", "plain", blossom, snows=False), (x, y, 0.62 - 0.25 * abs(x)), 0.14)


def flower(place: Place, dice: Dice, petals: Colour, high: float = 0.55) -> None:
    """A flower with six petals around a yellow middle, turned to the viewer."""
    stem = made("flower", "plain", (0.28, 0.58, 0.26), snows=False)
    lean = dice.about(0, 0.08)
    place.rest.limb(stem, (0, 0, 0), (lean, high, 0), 0.025)
    place.rest.limb(stem, (0, high * 0.2, 0), (dice.sign() * 0.16, high * 0.5, 0.02), 0.05, 0.01)
    petal = made("flower", "plain", petals, snows=False)
    for number in range(6):
        turn = number * 1.0472 + 0.3
        place.ball(
            petal, (lean + math.cos(turn) * 0.105, high + math.sin(turn) * 0.105, 0.0), (0.075, 0.075, 0.045)
        )
    place.rest.ball(
        made("flower", "plain", (0.99, 0.80, 0.20), snows=False), (lean, high, 0.03), (0.075, 0.075, 0.05)
    )
