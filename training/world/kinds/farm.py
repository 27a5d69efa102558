"""Animals: on a farm, in the wild, and by a pond."""

import math

from training.world.camera import Camera
from training.world.colours import darker
from training.world.recipe import Draft
from training.world.scenery import bushes, clouds, hills, mountains, rocks, tree
from training.world.solids import ENDLESS, Paint
from training.world.things.animals import BEASTS, beast
from training.world.things.birds import BIRDS, bird
from training.world.things.buildings import TRIM
from training.world.things.vehicles import fence

TAME = ("cow", "horse", "sheep", "pig", "goat", "dog", "cat")
FREE = ("fox", "bear", "deer", "elephant", "giraffe")


def _herd(draft: Draft, word: str, count: int) -> None:
    """Some animals of one sort, and a camera that has them large in the picture."""
    dice, look = draft.dice, BEASTS[word]
    tall = look.legs[0] + look.body[1] + look.neck[1] + look.head[1]
    long = look.body[0] + look.neck[0] + look.head[0] + max(0.0, look.tail[0])
    view = 38.0
    wide = long * (1.0 + 0.85 * (count - 1))
    far = max(tall * 1.5, wide * 1.2) * dice.between(1.0, 1.15) / (2 * math.tan(math.radians(view / 2)))
    draft.camera = Camera(
        eye=(0, tall * dice.between(0.75, 0.95), 5.0), target=(0, tall * 0.62, 5.0 - far), view=view
    )
    name = dice.pick(look.colours)
    for number in range(count):
        x, z = draft.spot(0.0, far + 0.3 * long * (number % 2))
        x += (number - (count - 1) / 2) * long * 0.85
        _, colour = draft.colour(name)
        yaw = dice.pick((0.0, 3.14159)) + dice.about(0, 0.5)
        own = draft.thing(word, name)
        beast(draft.root.at(x, 0, z, yaw=yaw, thing=own), dice, look, colour)


def farm(draft: Draft) -> None:
    """Tame animals before a fence and a barn."""
    dice = draft.dice
    clouds(draft)
    hills(draft)
    side = dice.sign()
    if dice.chance(0.6):
        barn(draft, -side * 4.0, -18.0)
    tree(draft, side * 4.6, -9.5, "", 1.0)
    if dice.chance(0.6):
        name, colour = draft.colour("white", "brown")
        fence(draft.root.at(0, 0, -5.0, thing=draft.thing("fence", name)), colour, 15)
    word = dice.pick(TAME)
    _herd(draft, word, dice.weighted({1: 0.5, 2: 0.4, 3: 0.1}))
    if word in ("cow", "horse", "pig", "goat", "sheep") and dice.chance(0.35):
        name = dice.pick(BIRDS["hen"].colours)
        _, colour = draft.colour(name)
        x, z = draft.spot(side * 0.5, max(draft.first_ground(), 4.0 - draft.camera.target[2]))
        bird(
            draft.root.at(x, 0, z, yaw=dice.about(0, 0.6), scale=1.3, thing=draft.thing("hen", name)),
            BIRDS["hen"],
            colour,
            swims=False,
        )
    draft.where = ("on a farm", "in a meadow", "on a field")


def barn(draft: Draft, x: float, z: float) -> None:
    """A barn with a wide door."""
    name, colour = draft.colour("red", "brown", "red", "white", "green")
    place = draft.root.at(
        x, 0, z, yaw=draft.dice.about(0.2, 0.4), thing=draft.thing("barn", name, made="wooden")
    )
    boards = Paint("house", colour, second=darker(colour, 0.75), cell=(0.5, ENDLESS), line=0.05, uneven=0.1)
    place.box(boards, (0, 1.8, 0), (7.2, 3.6, 8.0))
    roof = Paint(
        "house", (0.40, 0.38, 0.40), second=(0.30, 0.28, 0.30), cell=(0.6, 0.42), line=0.05, stagger=0.5
    )
    place.wedge(roof, (0, 4.9, 0), (8.2, 2.7, 8.6), (1.0, 0.0))
    place.wedge(boards, (0, 4.66, 0), (7.1, 2.2, 8.74), (1.0, 0.0))
    white = Paint("house", TRIM)
    place.box(
        Paint("door", (0.50, 0.30, 0.18), second=(0.36, 0.21, 0.12), cell=(0.5, ENDLESS), line=0.05),
        (0, 1.3, 4.0),
        (2.9, 2.6, 0.14),
    )
    for bar in (-1.5, 1.5):
        place.box(white, (bar, 1.35, 4.05), (0.22, 2.7, 0.14))
    place.box(white, (0, 2.7, 4.05), (3.2, 0.22, 0.14))
    for roll in (0.73, -0.73):
        place.box(white, (0, 1.3, 4.07), (0.16, 3.7, 0.06), roll=roll)


def wildlife(draft: Draft) -> None:
    """Wild animals among trees and rocks."""
    dice = draft.dice
    clouds(draft)
    word = dice.pick(FREE)
    hot = word in ("elephant", "giraffe")
    if hot:
        draft.ground = Paint("field", (0.86, 0.74, 0.42), mottle=0.14)
        hills(draft, 2)
    elif dice.chance(0.5):
        mountains(draft)
    else:
        hills(draft)
    side = dice.sign()
    for x, z in ((side * 3.7, -11.5), (-side * 4.4, -14.5)):
        tree(draft, x, z, "tree" if hot else dice.pick(("pine", "pine", "birch", "tree")), 1.05)
    if dice.chance(0.6):
        rocks(draft, [(-side * 2.1, -7.5, 0.45), (-side * 2.8, -8.2, 0.32)])
    else:
        bushes(draft, [(-side * 2.4, -8.5)], blossoms=True)
    _herd(draft, word, dice.weighted({1: 0.65, 2: 0.35}))
    draft.where = ("in the savanna", "on dry grass") if hot else ("in the wild", "in a forest clearing")


def pond(draft: Draft) -> None:
    """Birds on and by a pond."""
    dice = draft.dice
    clouds(draft)
    hills(draft)
    water = Paint("water", (0.18, 0.46, 0.60), mirror=0.7, gloss=0.2, mottle=0.05, casts=False, snows=False)
    draft.root.at(thing=draft.thing("pond")).disc(water, (0, 0.015, -5.4), (4.6, 2.5), 0.03)
    draft.camera = Camera(eye=(0, dice.between(1.0, 1.4), 0), target=(0, 0.62, -5), view=38)
    for x, z in ((-3.1, -9.6), (3.3, -10.4)):
        tree(draft, x, z, "", 0.95)
    word = dice.pick(("duck", "duck", "swan", "hen", "bird"))
    look = BIRDS[word]
    swims = word in ("duck", "swan")
    count = dice.whole(1, 3) if word != "swan" else dice.whole(1, 2)
    for number in range(count):
        name = dice.pick(look.colours)
        _, colour = draft.colour(name)
        share = (number - (count - 1) / 2) * 0.62 + dice.about(0, 0.06)
        far = 4.6 + 0.5 * (number % 2) if swims else 2.75
        x, z = draft.spot(share, far)
        own = draft.thing(word, name, doing="swimming" if swims else "")
        scale = {"duck": 1.9, "swan": 1.2, "hen": 1.15, "bird": 1.5}[word]
        bird(
            draft.root.at(
                x, 0, z, yaw=dice.pick((0.0, 3.14159)) + dice.about(0, 0.5), scale=scale, thing=own
            ),
            look,
            colour,
            swims=swims,
        )
    draft.where = ("by a pond",)
