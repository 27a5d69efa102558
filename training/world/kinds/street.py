"""Streets: across the road to a row of houses, and along the road."""

from training.world.camera import Camera
from training.world.kinds.landscape import ROOFS, WALLS, stand
from training.world.recipe import Draft
from training.world.scenery import clouds, hills, path, tree
from training.world.solids import Paint
from training.world.things.buildings import shop, tall
from training.world.things.vehicles import bench, bicycle, bus, car, street_lamp, traffic_light, truck

ASPHALT = Paint("road", (0.40, 0.41, 0.44), mottle=0.05, casts=False)
PAVING = Paint(
    "sidewalk", (0.74, 0.72, 0.69), second=(0.62, 0.60, 0.58), cell=(1.1, 1.1), line=0.05, casts=False
)
STRIPE = Paint("road", (0.95, 0.94, 0.88), casts=False)


def _building(draft: Draft, x: float, z: float, yaw: float, wide: float, deep: float) -> None:
    """A house of some floors with a coloured front, perhaps a shop below."""
    dice = draft.dice
    name, colour = draft.colour(*WALLS)
    high = dice.pick((6.6, 6.6, 9.3, 9.3))
    has_shop = dice.chance(0.55)
    awning, awning_colour = draft.colour("red", "green", "blue", "orange", "yellow")
    parts = (("awning", awning),) if has_shop else ()
    number = draft.thing("shop" if has_shop else "building", name, parts=parts)
    place = draft.root.at(x, 0.12, z, yaw=yaw, thing=number)
    tall(place, colour, wide, high, deep, lit=draft.setting.dark)
    shop(place, colour, awning_colour, wide, deep, lit=draft.setting.dark, awning_too=has_shop)
    if high < 8 and dice.chance(0.8):
        roof = draft.colour(*(own for own in ROOFS if own != name))[1]
        place.wedge(
            Paint("building", roof, second=roof, uneven=0.1, cell=(0.6, 0.42)),
            (0, high + 1.1, 0),
            (wide + 0.6, 1.9, deep + 0.6),
            (0.0, 1.0),
        )


def _vehicle(draft: Draft, x: float, z: float, yaw: float) -> None:
    dice, lit = draft.dice, draft.setting.dark
    what = dice.weighted({"car": 0.6, "bus": 0.2, "truck": 0.2})
    name, colour = draft.colour(
        "red", "blue", "yellow", "green", "white", "orange", "black", "turquoise", "purple"
    )
    number = draft.thing(what, name)
    place = draft.root.at(x, 0.02, z, yaw=yaw, thing=number)
    if what == "car":
        car(place, colour, lit=lit)
    elif what == "bus":
        bus(place.at(scale=0.85), colour, lit=lit)
    else:
        truck(place.at(scale=0.8), colour, draft.colour("white", "beige", "grey")[1])


def across(draft: Draft) -> None:
    """A row of houses seen across the road, with a vehicle and people."""
    dice = draft.dice
    clouds(draft)
    draft.ground = PAVING
    front = -15.0
    draft.root.box(ASPHALT, (0, 0.01, front + 5.2), (120.0, 0.02, 6.2))
    walk = PAVING.but(colour=(0.80, 0.78, 0.74))
    draft.root.box(walk, (0, 0.06, front + 1.0), (120.0, 0.12, 2.2))
    number = 0
    for step in range(-6, 7):
        draft.root.box(STRIPE, (step * 3.0 + 0.7, 0.015, front + 5.2), (1.5, 0.02, 0.16))
    x = -dice.between(10.5, 12.5)
    while x < 11:
        wide = dice.between(6.2, 8.0)
        deep = 6.0
        _building(draft, x + wide / 2, front - deep / 2, 0.0, wide - 0.02, deep)
        x += wide
        number += 1
        if number == 2 and dice.chance(0.35):
            tree(draft, x + 1.6, front - 3.0, "tree", 1.2)
            x += 3.2
    draft.camera = Camera(
        eye=(dice.about(0, 1.0), dice.between(1.8, 2.6), 1.2), target=(0, 3.6, front), view=44
    )
    side = dice.sign()
    _vehicle(draft, side * dice.between(0.5, 2.6), front + 5.6, dice.pick((0.0, 3.14159)))
    lamp = draft.thing("street lamp")
    street_lamp(
        draft.root.at(-side * dice.between(3.6, 4.6), 0.12, front + 1.6, scale=1.1, thing=lamp),
        lit=draft.setting.dark,
    )
    _glow(draft, -side * 4.1, 3.9, front + 2.2)
    if dice.chance(0.65):
        pose = dice.pick(
            ("walking", "standing", "waving", "running", "hands on hips", "thinking", "pointing")
        )
        stand(
            draft,
            -side * dice.between(0.3, 0.55),
            dice.between(6.4, 7.2),
            pose,
            yaw=dice.pick((-1.1, 1.1, 0.3, -0.3)),
        )
    draft.where = ("on a street", "in a town", "in a city")


def _glow(draft: Draft, x: float, y: float, z: float) -> None:
    """The light of a street lamp, when it is on."""
    if draft.setting.dark:
        draft.light = draft.light.but(lamp=(x, y, z), lamp_colour=(0.85, 0.62, 0.30), reach=7.0)


def along(draft: Draft) -> None:
    """Along a road between houses, with trees, lamps and traffic."""
    dice = draft.dice
    clouds(draft)
    draft.ground = Paint("grass", draft.setting.season.grass, mottle=0.13)
    draft.root.box(ASPHALT, (0, 0.01, -60.0), (6.4, 0.02, 140.0))
    for side in (-1.0, 1.0):
        draft.root.box(PAVING, (side * 4.7, 0.06, -60.0), (3.0, 0.12, 140.0))
    for step in range(9):
        draft.root.box(STRIPE, (0, 0.015, -5.0 - step * 5.0), (0.18, 0.02, 2.4))
    for side in (-1.0, 1.0):
        z = -dice.between(6.5, 8.5)
        for _ in range(3):
            wide = dice.between(6.6, 8.2)
            _building(draft, side * 9.3, z - wide / 2, -side * 1.5708, wide - 0.02, 6.0)
            z -= wide + dice.pick((0.0, 0.0, 2.5))
    draft.camera = Camera(
        eye=(dice.about(0, 1.4), dice.between(1.8, 2.6), 2.0), target=(0, 3.0, -20), view=50
    )
    way = dice.sign()
    _vehicle(draft, way * 1.6, -dice.between(9.0, 13.0), -1.5708 if way > 0 else 1.5708)
    lamp = draft.thing("street lamp")
    street_lamp(draft.root.at(-3.6, 0.12, -8.5, scale=1.1, thing=lamp), lit=draft.setting.dark)
    street_lamp(draft.root.at(3.6, 0.12, -16.0, scale=1.1, thing=lamp), lit=draft.setting.dark)
    _glow(draft, -3.2, 4.2, -8.5)
    tree(draft, way * 5.3, -13.0, "", 0.9)
    what = dice.pick(("person", "person", "person", "light", "bicycle"))
    if what == "person":
        pose = dice.pick(("walking", "running", "standing", "waving", "dancing"))
        x, z = -way * dice.between(1.0, 2.2), -dice.between(4.4, 5.6)
        draft.person(draft.root.at(x, 0.02, z, yaw=dice.about(0, 0.7)), pose)
    elif what == "light":
        number = draft.thing("traffic light")
        traffic_light(draft.root.at(-way * 3.4, 0.1, -5.6, yaw=way * 0.2, thing=number), dice.whole(0, 2))
    else:
        name, colour = draft.colour("red", "blue", "green", "yellow", "orange")
        number = draft.thing("bicycle", name)
        bicycle(draft.root.at(-way * 1.9, 0.02, -4.4, yaw=way * 0.5, scale=1.15, thing=number), colour)
    draft.where = ("on a street", "in a town", "along a road")


def park(draft: Draft) -> None:
    """A bench under trees beside a path, perhaps with somebody on it."""
    dice = draft.dice
    clouds(draft)
    side = dice.sign()
    name, colour = draft.colour("brown", "green", "red", "blue", "white")
    draft.camera = Camera(eye=(0, dice.between(1.3, 1.7), 0), target=(0, 1.35, -6), view=40)
    number = draft.thing("bench", name)
    spot = draft.root.at(side * 0.5, 0, -4.9, yaw=-side * dice.between(0.0, 0.35), scale=1.15)
    bench(spot.at(thing=number), colour)
    if dice.chance(0.7):
        draft.person(spot.at(dice.pick((-0.35, 0.0, 0.35)), 0.47, 0.02, scale=1 / 1.15), "sitting")
    tree(draft, -side * 2.6, -7.6, "", 1.0)
    tree(draft, side * 3.6, -9.5, "", 1.1)
    lamp = draft.thing("street lamp")
    street_lamp(draft.root.at(-side * 1.5, 0, -6.0, scale=0.8, thing=lamp), lit=draft.setting.dark)
    _glow(draft, -side * 1.4, 3.1, -5.4)
    hills(draft, 3)
    path(draft, ((-7.0, -3.7), (7.0, -3.9)), 0.9)
    draft.where = ("in a park",)
