"""Close up: things on a table, and flowers and mushrooms in the grass."""

import math

from training.world.camera import Camera
from training.world.colours import darker
from training.world.interior import GENTLE
from training.world.light import Light
from training.world.materials import made
from training.world.recipe import Draft
from training.world.scenery import clouds, hills, tree
from training.world.solids import ENDLESS, Paint
from training.world.things.objects import OBJECTS
from training.world.things.plants import flower

ANY = (
    "red",
    "orange",
    "yellow",
    "green",
    "turquoise",
    "blue",
    "purple",
    "pink",
    "white",
    "brown",
    "black",
    "grey",
)
FIT = {
    "apple": ("red", "green", "yellow"),
    "pear": ("green", "yellow"),
    "lemon": ("yellow",),
    "books": ("red", "blue", "green", "orange", "purple", "brown"),
    "bottle": ("green", "brown", "blue"),
    "cake": ("pink", "white", "brown", "yellow"),
    "candle": ("red", "white", "yellow", "blue", "green"),
    "teddy bear": ("brown", "beige", "grey", "pink", "yellow"),
    "mushroom": ("red", "brown", "orange"),
    "lamp": ("yellow", "red", "white", "green", "orange"),
}
TOPS = {"wooden": (0.64, 0.43, 0.26), "marble": (0.88, 0.87, 0.85)}
GAP = 0.07  # metres between neighbours
HEIGHTS = {
    "vase": 0.78,
    "lamp": 0.5,
    "teddy bear": 0.48,
    "bottle": 0.43,
    "candle": 0.4,
    "cup": 0.17,
    "apple": 0.2,
    "lemon": 0.14,
    "cake": 0.2,
    "books": 0.2,
}


def table_top(draft: Draft) -> None:
    """One to four things on a table before a wall, at some hour."""
    dice = draft.dice
    side = dice.sign()
    hour = draft.setting.hour
    draft.lit_by = ""
    dark = hour.name in ("dusk", "night")
    bright = (
        (0.80, 0.56, 0.34)
        if dark
        else (0.95, 0.80, 0.60)
        if hour.name in ("sunset", "morning")
        else (0.86, 0.82, 0.75)
    )
    soft = (0.22, 0.20, 0.24) if dark else (0.40, 0.40, 0.42)
    draft.light = Light(
        key=(side * 0.75, 1.0, 0.62),
        bright=bright,
        above=soft,
        below=(soft[0] * 0.8, soft[1] * 0.74, soft[2] * 0.68),
        horizon=hour.horizon,
        zenith=hour.zenith,
        haze=1e4,
        glow=0.8,
    )
    wall = dice.pick(tuple(GENTLE))
    number = draft.thing("wall", wall)
    draft.root.at(thing=number).box(
        Paint("wall", GENTLE[wall], casts=False), (0, 0.9, -0.95), (12.0, 5.0, 0.1)
    )
    _top(draft)
    count = dice.weighted({1: 0.22, 2: 0.38, 3: 0.4})
    words = dice.some([word for word in OBJECTS if word != "beach ball"], count)
    reach = [OBJECTS[word][0] for word in words]
    wide = 2 * sum(reach) + GAP * (count - 1)
    tall = max(HEIGHTS.get(word, 0.3) for word in words)
    view = 32.0
    far = max(wide * 1.3, tall * 1.75, 0.42) / (2 * math.tan(math.radians(view / 2)))
    draft.camera = Camera(
        eye=(0, tall * 0.5 + far * dice.between(0.20, 0.32), far), target=(0, tall * 0.46, 0), view=view
    )
    x = -wide / 2
    for word, half in zip(words, reach, strict=True):
        name, colour = draft.colour(*FIT.get(word, ANY))
        own = draft.thing(word, name)
        place = draft.root.at(x + half, 0, dice.about(0, 0.06), yaw=dice.about(0, 0.25), thing=own)
        OBJECTS[word][1](place, dice, colour)
        x += 2 * half + GAP


def _top(draft: Draft) -> None:
    dice = draft.dice
    what = dice.weighted({"wooden": 0.45, "marble": 0.2, "cloth": 0.35})
    if what == "cloth":
        name, colour = draft.colour("white", "red", "blue", "green", "yellow", "pink")
        paint = made("table", "chequered", colour, cell=(0.12, 0.12), gloss=0.0, casts=False)
        draft.ground_thing = draft.thing("tablecloth", name)
    elif what == "wooden":
        paint = Paint(
            "table",
            TOPS[what],
            second=darker(TOPS[what], 0.8),
            cell=(ENDLESS, 0.2),
            line=0.008,
            uneven=0.12,
            mottle=0.08,
            casts=False,
        )
    else:
        paint = Paint("table", TOPS[what], mottle=0.10, gloss=0.3, casts=False)
    draft.ground = paint
    draft.where = ("on a table",)
    if what != "cloth":
        draft.ground_thing = draft.thing("table", made=what)
        draft.where = (f"on a {what} table", "on a table")


def garden(draft: Draft) -> None:
    """Flowers close up, of one or two colours, perhaps with mushrooms."""
    dice = draft.dice
    clouds(draft)
    hills(draft, 3)
    tree(draft, dice.sign() * dice.between(2.8, 3.6), -9.0, "", 1.0)
    draft.camera = Camera(eye=(0, dice.between(0.55, 0.8), 0.9), target=(0, 0.52, -1.5), view=40)
    names = dice.some(("red", "yellow", "white", "pink", "purple", "orange", "blue"), dice.whole(1, 2))
    paints = [draft.colour(name)[1] for name in names]
    count = dice.whole(3, 5)
    for number in range(count):
        x = (number + 0.5) / count * 1.36 - 0.68 + dice.about(0, 0.06)
        which = number % len(names)
        own = draft.thing("flower", names[which])
        z = -0.9 - 0.35 * (number % 2) - dice.between(0, 0.2)
        flower(
            draft.root.at(x * (0.75 - z * 0.3), 0, z, scale=1.0, thing=own),
            dice,
            paints[which],
            dice.between(0.45, 0.72),
        )
    if dice.chance(0.45):
        name, colour = draft.colour("red", "brown", "orange")
        for x in (-0.28, 0.14):
            own = draft.thing("mushroom", name)
            OBJECTS["mushroom"][1](
                draft.root.at(x, 0, -0.55 - abs(x), scale=dice.between(0.7, 1.0), thing=own), dice, colour
            )
    draft.where = ("in a garden", "in the grass", "in a meadow")
