"""What surrounds the main thing of a scene outdoors: clouds, hills, mountains, trees, paths, bushes."""

import math
from collections.abc import Sequence
from itertools import pairwise

from training.world.colours import COLOURS, darker, mixed
from training.world.materials import made
from training.world.recipe import Draft
from training.world.settings import NEEDLES, leaf
from training.world.solids import Colour, Paint, Place
from training.world.things.plants import TREES, bush, flower

PUFF = Paint("sky", (1.0, 1.0, 1.0), casts=False, snows=False)


def clouds(draft: Draft) -> None:
    """Some flat-bottomed clouds over the horizon."""
    dice = draft.dice
    count = dice.whole(*draft.setting.weather.clouds)
    if not count:
        return
    start = dice.between(-0.42, -0.2)
    for number in range(count):
        turn = start + number * 0.85 / count + dice.about(0, 0.06)
        up = dice.between(0.13, 0.36)
        size = dice.between(15, 27)
        far = 300.0
        x, z = math.sin(turn) * far, -math.cos(turn) * far
        _cloud(draft.root.at(x, far * up, z, yaw=-turn), size, dice.between(0.8, 1.2))


def _cloud(place: Place, size: float, wide: float) -> None:
    for x, radius, high in ((-0.95, 0.55, 0.50), (-0.30, 0.85, 0.86), (0.42, 0.70, 0.66), (1.0, 0.46, 0.40)):
        place.dome(PUFF, (x * size * wide, 0, 0), (radius * size, high * size, radius * size))


def hills(draft: Draft, count: int = 0) -> None:
    """Rolling hills along the horizon."""
    dice = draft.dice
    count = count or dice.whole(2, 4)
    for number in range(count):
        x = (number + 0.5) / count * 190 - 95 + dice.about(0, 14)
        z = -dice.between(105, 150)
        tone = mixed(darker(draft.setting.season.grass, 0.88), (0.35, 0.60, 0.50), dice.between(0, 0.35))
        paint = Paint("hill", tone, mottle=0.10, casts=False)
        draft.root.dome(paint, (x, -2, z), (dice.between(44, 70), dice.between(11, 26), 30.0))


def mountains(draft: Draft, *, high: float = 1.0) -> None:
    """A range of mountains with snow on top."""
    dice = draft.dice
    place = draft.root.at(thing=draft.thing("mountains"))
    for at in (-0.95, 0.9, -0.35, 0.3):
        z = -dice.between(190, 225) + 18 * abs(at)
        top = dice.between(46, 60) * high * (1.1 if abs(at) < 0.6 else 0.8)
        wide = top * dice.between(1.75, 2.1)
        tone = dice.pick(((0.47, 0.52, 0.63), (0.52, 0.50, 0.58), (0.42, 0.50, 0.58)))
        stone = Paint("mountain", tone, mottle=0.06, casts=False, snows=False)
        turn = dice.between(0.45, 1.0)
        x = 78 * (at + dice.about(0, 0.12))
        place.wedge(stone, (x, top / 2 - 1, z), (wide, top, wide), (1.0, 1.0), yaw=turn)
        cap = dice.between(0.30, 0.40)
        place.wedge(
            Paint("mountain", (0.97, 0.98, 1.0), casts=False),
            (x, top * (1 - cap / 2) - 0.6, z),
            (wide * cap + 1.2, top * cap, wide * cap + 1.2),
            (1.0, 1.0),
            yaw=turn,
        )


def tree(draft: Draft, x: float, z: float, word: str = "", scale: float = 1.0, *, named: bool = True) -> None:
    """A tree; in winter broad ones are bare."""
    dice, season = draft.dice, draft.setting.season
    word = word or dice.weighted({"tree": 0.46, "pine": 0.22, "birch": 0.14, "poplar": 0.12})
    if word in ("tree", "birch", "poplar") and dice.chance(season.bare):
        word = "bare tree"
    fruit = None
    leaves = NEEDLES if word == "pine" else leaf(draft.setting, dice)
    if word == "palm":
        leaves = (0.25, 0.62, 0.28)
    if word == "tree" and season.name in ("summer", "autumn") and dice.chance(0.3):
        fruit = COLOURS["red"]
        leaves = (0.28, 0.60, 0.26)
    said = "apple tree" if fruit else word
    number = draft.thing(said) if named else 0
    here = draft.root.at(x, 0, z, yaw=dice.about(0, 0.5), scale=scale * dice.about(1.0, 0.1), thing=number)
    TREES[word](here, dice, leaves, fruit)


def trees_behind(draft: Draft, count: int, z: tuple[float, float], keep: float, wide: float) -> None:
    """Trees to both sides of the middle, which stays free up to `keep` metres."""
    dice = draft.dice
    word = dice.weighted({"": 0.5, "pine": 0.25, "tree": 0.25})
    side = dice.sign()
    for number in range(count):
        x = side * dice.between(keep, wide)
        side = -side
        tree(draft, x, -dice.between(*z) - number * 0.7, word, dice.between(0.95, 1.25))


def path(
    draft: Draft, points: Sequence[tuple[float, float]], wide: float, colour: Colour = (0.86, 0.74, 0.53)
) -> None:
    """A path on the ground along points x and z."""
    number = draft.thing("path")
    paint = Paint("path", colour, mottle=0.08, casts=False)
    place = draft.root.at(thing=number)
    flat = 0.03
    for (x, z), (end_x, end_z) in pairwise(points):
        place.strip(paint, (x, 0, z), (end_x, 0, end_z), wide / 2, flat)


def bushes(draft: Draft, spots: Sequence[tuple[float, float]], *, blossoms: bool) -> None:
    """Bushes at places x and z."""
    dice, season = draft.dice, draft.setting.season
    for x, z in spots:
        own = dice.pick(season.blossom) if blossoms and season.blossom and dice.chance(0.6) else None
        place = draft.root.at(x, 0, z, scale=dice.between(0.9, 1.3), thing=draft.thing("bush"))
        bush(place, dice, mixed(leaf(draft.setting, dice), (0.25, 0.55, 0.25), 0.75), own)


def flowers(draft: Draft, spots: Sequence[tuple[float, float]], high: float, scale: float) -> None:
    """Flowers of one colour at places x and z, unless it is winter."""
    dice = draft.dice
    if draft.setting.season.name == "winter":
        return
    name, colour = draft.colour("red", "yellow", "white", "pink", "purple", "orange", "blue")
    for x, z in spots:
        place = draft.root.at(x, 0, z, scale=scale * dice.about(1, 0.12), thing=draft.thing("flower", name))
        flower(place, dice, colour, high * dice.about(1, 0.15))


def rocks(draft: Draft, spots: Sequence[tuple[float, float, float]]) -> None:
    """Grey rocks at places x and z, with a radius."""
    dice = draft.dice
    for x, z, radius in spots[: dice.whole(1, len(spots))]:
        tone = dice.between(0.48, 0.66)
        paint = made("rock", "plain", (tone, tone * 0.98, tone * 0.96), mottle=0.16)
        number = draft.thing("rock")
        draft.root.at(x, 0, z, yaw=dice.about(0, 1), thing=number).ball(
            paint, (0, radius * 0.3, 0), (radius * 1.2, radius * 0.75, radius), roll=dice.about(0, 0.25)
        )
