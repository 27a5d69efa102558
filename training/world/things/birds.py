"""Birds: one plan for all, and numbers for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from training.world.colours import darker
from training.world.materials import made
from training.world.solids import Colour, Place
from training.world.things.animals import INK


@dataclass(frozen=True, slots=True, kw_only=True)
class Bird:
    """The numbers of a bird, its head to the left."""

    size: float
    legs: float
    neck: float
    beak: float
    tail: float
    colours: tuple[str, ...]
    comb: bool = False


BIRDS: Mapping[str, Bird] = MappingProxyType(
    {
        "duck": Bird(
            size=0.20, legs=0.08, neck=0.12, beak=0.11, tail=0.14, colours=("white", "yellow", "brown")
        ),
        "hen": Bird(
            size=0.20, legs=0.16, neck=0.14, beak=0.07, tail=0.20, colours=("white", "brown"), comb=True
        ),
        "bird": Bird(
            size=0.12, legs=0.08, neck=0.03, beak=0.06, tail=0.20, colours=("blue", "red", "yellow", "green")
        ),
        "swan": Bird(size=0.34, legs=0.02, neck=0.50, beak=0.12, tail=0.20, colours=("white",)),
    }
)


def bird(place: Place, look: Bird, colour: Colour, *, swims: bool) -> None:
    """A bird that stands, or swims up to its belly."""
    size = look.size
    down = made("animal", "plain", colour, snows=False)
    wing = made("animal", "plain", darker(colour, 0.82), snows=False)
    orange, ink = (
        made("animal", "plain", (0.97, 0.56, 0.14), snows=False),
        made("animal", "plain", INK, snows=False),
    )
    y = size * 0.55 if swims else look.legs + size * 0.85
    place.ball(down, (0, y, 0), (size * 1.45, size * 0.92, size * 0.9), roll=-0.15)
    place.limb(
        down,
        (size * 1.0, y + size * 0.2, 0),
        (size * 1.2 + look.tail, y + size * 0.5 + look.tail * 0.4, 0),
        size * 0.45,
        size * 0.12,
    )
    neck = (-size * 1.05, y + size * 0.4, 0)
    head = (-size * 1.25, y + size * 0.75 + look.neck, 0)
    place.limb(down, neck, head, size * 0.5 if look.neck < 0.3 else size * 0.36, size * 0.34)
    place.ball(down, head, size * 0.5)
    place.tube(
        orange,
        (head[0] - size * 0.4, head[1] - 0.01, 0),
        (head[0] - size * 0.5 - look.beak, head[1] - size * 0.12, 0),
        size * 0.2,
        size * 0.06,
    )
    for side in (-1.0, 1.0):
        place.ball(
            wing,
            (size * 0.2, y + size * 0.14, side * size * 0.72),
            (size * 0.95, size * 0.55, size * 0.24),
            roll=-0.2,
        )
        place.ball(ink, (head[0] - size * 0.2, head[1] + size * 0.14, side * size * 0.42), size * 0.1)
        if not swims:
            place.limb(
                orange, (0, y - size * 0.7, side * size * 0.35), (0, 0.015, side * size * 0.35), size * 0.09
            )
            place.limb(
                orange, (0, 0.015, side * size * 0.35), (-size * 0.4, 0.015, side * size * 0.42), size * 0.08
            )
    if look.comb:
        red = made("animal", "plain", (0.86, 0.16, 0.14), snows=False)
        for x in (-0.16, 0.04, 0.22):
            place.ball(red, (head[0] + x * size, head[1] + size * 0.5, 0), size * 0.17)
        place.ball(red, (head[0] - size * 0.42, head[1] - size * 0.34, 0), size * 0.14)
