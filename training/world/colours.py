"""The colours that have names, and a few others: red, green and blue, 0 to 1, as a screen takes them."""

import math
from collections.abc import Mapping
from types import MappingProxyType

from training.world.dice import Dice
from training.world.solids import Colour

COLOURS: Mapping[str, Colour] = MappingProxyType(
    {
        "red": (0.85, 0.18, 0.17),
        "orange": (0.96, 0.53, 0.13),
        "yellow": (0.98, 0.83, 0.20),
        "green": (0.28, 0.64, 0.30),
        "turquoise": (0.16, 0.70, 0.68),
        "blue": (0.17, 0.40, 0.84),
        "purple": (0.52, 0.28, 0.70),
        "pink": (0.97, 0.57, 0.71),
        "brown": (0.50, 0.31, 0.18),
        "beige": (0.91, 0.82, 0.64),
        "white": (0.96, 0.95, 0.92),
        "grey": (0.56, 0.57, 0.60),
        "black": (0.13, 0.13, 0.15),
    }
)
DOUBT = 0.12  # the length of a step in colour that one may call either way
BRIGHT = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink")
SKIN = ((0.98, 0.80, 0.68), (0.93, 0.71, 0.56), (0.80, 0.57, 0.42), (0.58, 0.38, 0.27), (0.42, 0.27, 0.19))
HAIR: Mapping[str, Colour] = MappingProxyType(
    {
        "black": (0.12, 0.10, 0.10),
        "brown": (0.36, 0.22, 0.13),
        "blond": (0.93, 0.76, 0.38),
        "red": (0.74, 0.32, 0.13),
        "grey": (0.68, 0.68, 0.70),
    }
)


def shade_of(name: str, dice: Dice) -> Colour:
    """A colour that everybody would call by this name."""
    bright = dice.about(1.0, 0.05)
    red, green, blue = (min(1.0, part * bright + dice.about(0.0, 0.015)) for part in COLOURS[name])
    return max(red, 0.0), max(green, 0.0), max(blue, 0.0)


def darker(colour: Colour, times: float = 0.7) -> Colour:
    """The colour with less light."""
    return colour[0] * times, colour[1] * times, colour[2] * times


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """The first with a share of the second."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def could_be_called(colour: Colour, name: str) -> bool:
    """Whether a colour is nearly as close to the one of this name as to any other."""
    distances = {other: math.dist(colour, own) for other, own in COLOURS.items()}
    return distances[name] <= min(distances.values()) + DOUBT
