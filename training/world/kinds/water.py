"""At the water: a lake that shows its shore upside down, and the sea with its beach."""

from training.world.camera import Camera
from training.world.colours import mixed
from training.world.kinds.landscape import a_house, stand
from training.world.recipe import Draft
from training.world.scenery import clouds, hills, mountains, rocks, tree
from training.world.solids import Paint
from training.world.things.birds import BIRDS, bird
from training.world.things.buildings import lighthouse
from training.world.things.objects import beach_ball
from training.world.things.vehicles import boat, rowing_boat

SAND = (0.95, 0.86, 0.64)
BANK = 0.06  # metres: how high the near shore of a lake is, for people to stand on


def _water(draft: Draft, kind: str) -> Paint:
    deep = (0.16, 0.44, 0.60) if not draft.setting.weather.grey else (0.30, 0.42, 0.50)
    return Paint(
        kind, deep, mirror=0.75 if kind == "lake" else 0.55, gloss=0.25, mottle=0.06, casts=False, snows=False
    )


def lake(draft: Draft) -> None:
    """A lake with a far shore of trees, a house or mountains, a boat or birds on it."""
    dice = draft.dice
    clouds(draft)
    if dice.chance(0.55):
        mountains(draft, high=1.1)
    else:
        hills(draft, 3)
    number = draft.thing("lake")
    place = draft.root.at(thing=number)
    water = _water(draft, "lake")
    place.disc(water, (0, 0.02, -15.5), (19.0, 11.0), 0.04)
    side = dice.sign()
    draft.camera = Camera(eye=(0, dice.between(2.4, 3.4), 1.0), target=(0, 2.7, -16), view=45)
    for way in (-1.0, 1.0):
        for step in range(2):
            tree(
                draft,
                way * (4.8 + 3.4 * step + dice.about(0, 0.8)),
                -28.5 - dice.between(0, 2),
                dice.pick(("pine", "pine", "")),
                dice.between(1.1, 1.5),
            )
    if dice.chance(0.6):
        a_house(draft, dice.about(0, 2.0), -31.0, yaw=dice.about(0, 0.35), scale=0.95, floors=1)
    _afloat(draft, side)
    if dice.chance(0.4):
        pose = dice.pick(("standing", "arms up", "pointing", "waving", "resting"))
        x, z = stand(draft, -side * dice.between(0.4, 0.6), dice.between(6.2, 6.6), pose, y=BANK)
        bank = draft.ground.but(casts=False)
        draft.root.disc(bank, (1.6 * x, BANK, z + 2.0), (2.6, 3.0), BANK)
    draft.where = ("by a lake",)


def _afloat(draft: Draft, side: float) -> None:
    dice = draft.dice
    what = dice.weighted({"sailing boat": 0.45, "rowing boat": 0.2, "swan": 0.15, "ducks": 0.2})
    if what == "sailing boat":
        _sailing(draft, side * dice.between(0.5, 2.6), -dice.between(12.5, 15), 0.85)
    elif what == "rowing boat":
        name, colour = draft.colour("brown", "red", "blue", "green", "white")
        number = draft.thing("rowing boat", name)
        rowing_boat(
            draft.root.at(side * 1.2, 0.02, -9.5, yaw=dice.about(0.3, 0.5), scale=1.25, thing=number), colour
        )
    else:
        look = BIRDS["swan" if what == "swan" else "duck"]
        for number in range(1 if what == "swan" else 2):
            name = look.colours[0] if what == "swan" else dice.pick(look.colours)
            _, colour = draft.colour(name)
            own = draft.thing("swan" if what == "swan" else "duck", name, doing="swimming")
            bird(
                draft.root.at(
                    side * (0.4 + 1.25 * number),
                    0.0,
                    -7.6 - 0.7 * number,
                    yaw=dice.about(0.2, 0.3),
                    scale=1.9,
                    thing=own,
                ),
                look,
                colour,
                swims=True,
            )


def _sailing(draft: Draft, x: float, z: float, scale: float) -> None:
    dice = draft.dice
    hull, hull_colour = draft.colour("red", "blue", "green", "brown", "white", "yellow", "black")
    sail, sail_colour = draft.colour("white", "white", "red", "orange", "yellow", "blue", "pink")
    number = draft.thing("sailing boat", hull, parts=(("sails", sail),))
    boat(
        draft.root.at(x, 0.0, z, yaw=dice.about(0, 0.35), scale=scale, thing=number), hull_colour, sail_colour
    )


def sea(draft: Draft) -> None:
    """The sea with a sandy beach, palms or a lighthouse, boats, and people."""
    dice = draft.dice
    draft.ground = _water(draft, "sea")
    draft.ground_thing = draft.thing("sea")
    clouds(draft)
    side = dice.sign()
    sand = Paint("sand", SAND, mottle=0.07, casts=False)
    number = draft.thing("beach")
    beach = draft.root.at(thing=number)
    reach = dice.between(11.5, 13.5)
    beach.disc(sand, (0, 0.05, 4.0), (26.0, reach), 0.1)
    shallow = _water(draft, "sea").but(
        colour=mixed((0.30, 0.72, 0.74), (0.4, 0.5, 0.55), draft.setting.weather.grey)
    )
    draft.root.disc(shallow, (0, 0.03, 4.0), (32.0, reach + 3.2), 0.02)
    foam = Paint("sea", (0.92, 0.96, 0.97), casts=False, snows=False)
    draft.root.disc(foam, (0, 0.04, 4.0), (26.6, reach + 0.28), 0.02)
    draft.camera = Camera(eye=(0, dice.between(2.0, 2.9), 2.0), target=(0, 2.5, -14), view=45)
    _landmark(draft, side)
    _sailing(draft, side * dice.between(1.5, 4.0), -dice.between(19, 23), 1.05)
    choice = dice.weighted({"person": 0.5, "ball": 0.25, "rocks": 0.15, "boat": 0.1})
    if choice == "person":
        pose = dice.pick(
            ("resting", "running", "arms up", "jumping", "standing", "walking", "waving", "dancing")
        )
        stand(draft, -side * dice.between(0.0, 0.4), dice.between(5.6, 6.6), pose, y=0.05)
    elif choice == "ball":
        name, colour = draft.colour("red", "blue", "green", "orange", "pink", "purple")
        number = draft.thing("beach ball", name)
        x, z = draft.spot(-side * 0.35, max(5.0, draft.first_ground(0.8)))
        beach_ball(draft.root.at(x, 0.05, z, scale=4.0, thing=number), dice, colour)
    elif choice == "boat":
        name, colour = draft.colour("brown", "red", "blue", "green")
        number = draft.thing("rowing boat", name)
        rowing_boat(draft.root.at(-side * 0.9, 0.05, -4.4, yaw=0.5 * side, thing=number), colour)
    else:
        rocks(draft, [(-side * 1.2, -4.2, 0.6), (-side * 2.2, -4.8, 0.42)])
    draft.where = ("by the sea", "on the coast", "on a beach")


def _landmark(draft: Draft, side: float) -> None:
    dice = draft.dice
    what = (
        dice.weighted({"palms": 0.4, "lighthouse": 0.4, "house": 0.2})
        if not draft.setting.weather.snow
        else "lighthouse"
    )
    if what == "palms":
        for x, z, scale in ((3.3, -6.6, 0.92), (5.0, -8.2, 1.05))[: dice.whole(1, 2)]:
            tree(draft, -side * x, z, "palm", scale)
    else:
        grass = Paint("grass", draft.setting.season.grass, mottle=0.13)
        draft.root.dome(grass, (-side * 7.5, -0.3, -21.0), (7.5, 2.3, 5.0))
        if what == "lighthouse":
            name, colour = draft.colour("red", "blue", "black", "green", "orange")
            number = draft.thing("lighthouse", parts=(("bands", name),))
            lighthouse(
                draft.root.at(-side * 5.4, 1.5, -20.5, scale=0.9, thing=number),
                colour,
                lit=draft.setting.dark,
            )
        else:
            a_house(draft, -side * 6.2, -21.0, yaw=side * 0.35, scale=0.8, floors=1, y=1.75)
