"""Landscapes: a house in a meadow, a cabin or a tent under mountains, a castle on a hill, a windmill."""

from training.world.camera import Camera
from training.world.recipe import Draft
from training.world.scenery import bushes, clouds, flowers, hills, mountains, path, rocks, tree, trees_behind
from training.world.solids import Paint
from training.world.things.buildings import House, castle, house, tent, windmill
from training.world.things.vehicles import fence, snowman

WALLS = ("white", "red", "yellow", "blue", "pink", "orange", "beige", "green", "turquoise", "grey")
ROOFS = ("red", "brown", "grey", "blue", "green", "orange")
DOORS = ("blue", "red", "green", "brown", "yellow", "white")


def a_house(
    draft: Draft, x: float, z: float, *, yaw: float, scale: float = 1.0, floors: int = 0, y: float = 0.0
) -> House:
    """A house of chosen colours and material, noted with its roof and its door."""
    dice = draft.dice
    material = dice.weighted({"plain": 0.5, "wooden": 0.22, "brick": 0.16, "stone": 0.12})
    names = {"brick": ("red", "orange", "white"), "stone": ("grey", "beige")}.get(material, WALLS)
    walls, wall_colour = draft.colour(*names)
    roof, roof_colour = draft.colour(*(name for name in ROOFS if name != walls))
    door, door_colour = draft.colour(*(name for name in DOORS if name not in (walls, roof)))
    floors = floors or dice.weighted({1: 0.65, 2: 0.35})
    look = House(
        walls=wall_colour,
        material=material,
        roof=roof_colour,
        roof_kind=dice.weighted({"gable": 0.45, "side": 0.3, "hip": 0.25}),
        door=door_colour,
        wide=dice.between(6.4, 8.2),
        deep=dice.between(5.2, 6.4),
        high=3.0 if floors == 1 else 5.4,
        rise=dice.between(2.2, 3.1),
        floors=floors,
        chimney=dice.chance(0.7),
        shutters=draft.colour(*DOORS)[1] if dice.chance(0.4) else None,
        lit=draft.setting.dark,
    )
    number = draft.thing(
        "house", walls, made="" if material == "plain" else material, parts=(("roof", roof), ("door", door))
    )
    house(draft.root.at(x, y, z, yaw=yaw, scale=scale, thing=number), look)
    return look


def stand(
    draft: Draft, share: float, far: float, pose: str, *, y: float = 0.0, yaw: float | None = None
) -> tuple[float, float]:
    """A person in a pose, so far ahead and to the side of the picture, turned somewhat to the viewer.

    Gives x and z of the place.
    """
    x, z = draft.spot(share, max(far, draft.first_ground()))
    draft.person(draft.root.at(x, y, z, yaw=draft.dice.about(0, 0.8) if yaw is None else yaw), pose)
    return x, z


def cottage(draft: Draft) -> None:
    """A house in a meadow, with a path, trees and hills."""
    dice = draft.dice
    x, z = dice.about(0, 1.6), -dice.between(15.5, 19.0)
    yaw = dice.about(0, 0.55)
    look = a_house(draft, x, z, yaw=yaw)
    draft.camera = Camera(
        eye=(dice.about(0, 1.2), dice.between(1.7, 3.0), 0),
        target=(x * 0.6, 2.4 + 0.28 * look.high, z),
        view=dice.between(40, 46),
    )
    _far(draft)
    if dice.chance(0.75):
        side = dice.sign()
        tree(
            draft,
            x + side * dice.between(6.0, 7.2),
            z + dice.between(-1.5, 2.0),
            scale=dice.between(0.95, 1.25),
        )
        if dice.chance(0.6):
            tree(
                draft, x - side * dice.between(6.4, 8.5), z - dice.between(1, 6), scale=dice.between(1.0, 1.3)
            )
    if dice.chance(0.6):
        front = x + 3.2 * yaw, z + look.deep / 2 + 0.6
        path(
            draft,
            (
                front,
                (x * 0.7 + dice.about(0, 0.6), z * 0.62),
                (dice.about(0, 0.8), -4.0),
                (dice.about(0, 1), 4.0),
            ),
            1.5,
        )
    _foreground(draft, x, z)
    draft.where = ("in a meadow", "in the countryside", "on a field")


def _far(draft: Draft) -> None:
    clouds(draft)
    if draft.dice.chance(0.3):
        mountains(draft)
    else:
        hills(draft)


def _foreground(draft: Draft, x: float, z: float) -> None:
    dice, season = draft.dice, draft.setting.season.name
    choice = dice.pick(("bushes", "fence", "flowers", "person", "person", "nothing"))
    side = dice.sign()
    if season == "winter" and draft.setting.weather.snow and dice.chance(0.55):
        _, colour = draft.colour("red", "blue", "green", "yellow")
        number = draft.thing("snowman")
        snowman(
            draft.root.at(
                side * dice.between(1.4, 2.2), 0, -dice.between(7.2, 8.4), scale=1.15, thing=number
            ),
            colour,
        )
    elif choice == "bushes":
        bushes(draft, [(x + side * 2.9, z + 4.4), (x - side * 2.9, z + 4.5)], blossoms=True)
    elif choice == "fence":
        name, colour = draft.colour("white", "brown")
        for way in (-1.0, 1.0):
            number = draft.thing("fence", name)
            fence(draft.root.at(x * 0.6 + way * 4.2, 0, z + 6.0, thing=number), colour, 9)
    elif choice == "flowers":
        spots = [(side * (0.75 + 0.42 * n) + dice.about(0, 0.1), -dice.between(3.2, 3.8)) for n in range(3)]
        flowers(draft, spots, 0.62, 1.0)
    elif choice == "person":
        pose = dice.pick(
            ("walking", "waving", "standing", "arms up", "running", "jumping", "dancing", "hands on hips")
        )
        stand(draft, side * dice.between(0.45, 0.6), dice.between(6.4, 7.4), pose)


def wild(draft: Draft) -> None:
    """A cabin or a tent among pines, under mountains with snow."""
    dice = draft.dice
    clouds(draft)
    mountains(draft, high=dice.between(1.0, 1.2))
    side = dice.sign()
    draft.camera = Camera(eye=(0, dice.between(1.8, 2.8), 0), target=(0, 3.9, -15), view=44)
    if dice.chance(0.5):
        name, colour = draft.colour("orange", "red", "yellow", "blue", "green", "purple")
        number = draft.thing("tent", name)
        tent(
            draft.root.at(side * 1.3, 0, -9.5, yaw=-side * dice.between(0.15, 0.6), scale=1.1, thing=number),
            colour,
            lit=draft.setting.dark,
        )
        if dice.chance(0.6):
            pose = dice.pick(("standing", "resting", "arms wide", "waving", "pointing"))
            stand(draft, -side * dice.between(0.42, 0.56), dice.between(6.4, 7.2), pose)
    else:
        a_house(draft, side * 1.4, -17.5, yaw=-side * dice.between(0.1, 0.5), scale=0.95, floors=1)
    for way in (-1.0, 1.0):
        for number in range(2):
            tree(
                draft,
                way * (5.4 + 2.6 * number + dice.about(0, 0.6)),
                -14.0 - 4.5 * number + dice.about(0, 1.5),
                "pine",
                dice.between(1.0, 1.35),
            )
    if dice.chance(0.5):
        rocks(draft, [(-side * 3.0, -8.6, 0.75), (-side * 4.2, -9.6, 0.5)])
    draft.where = ("in the mountains", "under the mountains", "in a valley")


def fortress(draft: Draft) -> None:
    """A castle on a round hill, with a path up to its gate."""
    dice = draft.dice
    clouds(draft)
    hills(draft, 3)
    walls, wall_colour = draft.colour("grey", "beige", "white", "pink")
    roof, roof_colour = draft.colour("red", "blue", "green", "purple", "orange")
    flags, flag_colour = draft.colour(*(name for name in ("red", "yellow", "blue", "green") if name != roof))
    z = -dice.between(25, 29)
    mound = Paint("grass", draft.setting.season.grass, mottle=0.13)
    draft.root.dome(mound, (0, -0.4, z), (17.0, 2.2, 12.0))
    number = draft.thing("castle", walls, made="stone", parts=(("roofs", roof), ("flags", flags)))
    castle(
        draft.root.at(0, 1.5, z, yaw=dice.about(0, 0.3), scale=0.92, thing=number),
        wall_colour,
        roof_colour,
        flag_colour,
        lit=draft.setting.dark,
    )
    draft.camera = Camera(eye=(dice.about(0, 2), dice.between(2.2, 3.4), 0), target=(0, 5.6, z), view=43)
    side = dice.sign()
    for way, far in ((side, 15.5), (-side, 21.0)):
        tree(draft, way * dice.between(6.2, 7.4), -far, scale=1.1)
    path(draft, ((0, z + 11.5), (side * 1.6, z + 17.0), (side * 0.4, -3.0), (0, 4.0)), 2.2)
    if dice.chance(0.5):
        pose = dice.pick(("waving", "walking", "standing", "pointing", "arms up"))
        stand(draft, -side * dice.between(0.3, 0.55), dice.between(7.0, 7.8), pose)
    draft.where = ("on a hill",)


def mill(draft: Draft) -> None:
    """A windmill among flowers."""
    dice = draft.dice
    clouds(draft)
    hills(draft)
    walls, wall_colour = draft.colour("white", "beige", "red", "yellow", "blue")
    _, roof_colour = draft.colour("brown", "red", "grey", "blue")
    x, z = dice.about(0, 1.8), -dice.between(14.5, 16.5)
    number = draft.thing("windmill", walls)
    windmill(
        draft.root.at(x, 0, z, yaw=dice.about(0, 0.4), scale=1.05, thing=number),
        wall_colour,
        roof_colour,
        dice.between(0, 1.5),
    )
    draft.camera = Camera(eye=(0, dice.between(1.5, 2.4), 0), target=(x * 0.5, 4.0, z), view=44)
    side = dice.sign()
    trees_behind(draft, 3, (19, 26), 6.0, 11.0)
    if dice.chance(0.6):
        flowers(
            draft,
            [(side * (0.5 + 0.5 * n) + dice.about(0, 0.12), -dice.between(3.0, 3.6)) for n in range(4)],
            0.6,
            1.0,
        )
    else:
        stand(
            draft,
            side * 0.56,
            dice.between(6.4, 7.2),
            dice.pick(("waving", "walking", "running", "arms wide")),
        )
    draft.where = ("in a meadow", "in the countryside")
