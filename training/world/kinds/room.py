"""Rooms: living rooms, bedrooms and kitchens, lit through the window or by a lamp."""

from training.world.camera import Camera
from training.world.colours import COLOURS
from training.world.interior import (
    BACK,
    GENTLE,
    WIDE,
    a_window,
    ceiling_lamp,
    doorway,
    lit_room,
    shell,
    wall_piece,
)
from training.world.recipe import Draft
from training.world.solids import Place
from training.world.things.animals import BEASTS, beast
from training.world.things.furniture import (
    armchair,
    bed,
    bookcase,
    cabinet,
    chair,
    fireplace,
    floor_lamp,
    pot_plant,
    rug,
    sofa,
    table,
    television,
    wardrobe,
)
from training.world.things.objects import OBJECTS


def _start(draft: Draft, floors: tuple[str, ...]) -> tuple[bool, float]:
    """What all rooms have; whether the lamp is on, and to which side things lean."""
    dice = draft.dice
    lamp = lit_room(draft)
    name = dice.pick(tuple(GENTLE))
    floor = dice.pick(floors)
    shell(draft, name, floor)
    draft.camera = Camera(
        eye=(dice.about(0, 0.4), dice.between(1.3, 1.5), 1.75), target=(0, 1.02, BACK + 0.6), view=42
    )
    return lamp, dice.sign()


def living(draft: Draft) -> None:
    """A living room with a sofa or a fireplace."""
    dice = draft.dice
    lamp, side = _start(draft, ("wooden", "wooden", "carpeted"))
    name, colour = draft.colour(
        "red", "blue", "green", "yellow", "orange", "purple", "turquoise", "grey", "pink"
    )
    rug_name, rug_colour = draft.colour("red", "blue", "green", "orange", "beige", "purple", "turquoise")
    pale = COLOURS["beige"] if rug_name != "beige" else COLOURS["brown"]
    rug(
        draft.root.at(0, 0.0, -1.9, thing=draft.thing("rug", rug_name)),
        rug_colour,
        pale,
        2.5,
        1.7,
        round_=dice.chance(0.5),
    )
    if dice.chance(0.72):
        cushion = draft.colour(*(own for own in ("yellow", "orange", "red", "white", "blue") if own != name))[
            1
        ]
        sofa(draft.root.at(-side * 0.45, 0, -3.25, thing=draft.thing("sofa", name)), colour, cushion)
        if dice.chance(0.6):
            a_window(draft, -side * 0.45, 1.78, 1.35, 1.1)
        else:
            wall_piece(draft, -side * 0.45, 1.75)
        spot = draft.root.at(-side * 0.45 + dice.pick((-0.4, 0.4)), 0.51, -3.12)
    else:
        fireplace(
            draft.root.at(-side * 0.5, 0, BACK + 0.28, thing=draft.thing("fireplace")), (0.68, 0.36, 0.28)
        )
        wall_piece(draft, -side * 0.5, 1.85)
        armchair(
            draft.root.at(-side * 1.45, 0, -2.3, yaw=side * 0.7, thing=draft.thing("armchair", name)), colour
        )
        spot = draft.root.at(-side * 1.45, 0.51, -2.3, yaw=side * 0.7).at(0, 0, 0.1)
    _corner(draft, side, lamp)
    ceiling_lamp(draft, lamp)
    _who(draft, side, spot)
    draft.where = ("in a living room", "in a room")


def _corner(draft: Draft, side: float, lamp: bool) -> None:
    dice = draft.dice
    what = dice.pick(("bookcase", "plant", "floor lamp", "cabinet", "television"))
    x = side * (WIDE / 2 - 0.62)
    if what == "bookcase":
        name, colour = draft.colour("brown", "white", "green", "blue")
        own = tuple(
            COLOURS[n] for n in ("red", "orange", "yellow", "green", "blue", "turquoise", "pink", "beige")
        )
        bookcase(draft.root.at(x, 0, BACK + 0.2, thing=draft.thing("bookcase", name)), dice, colour, own)
    elif what == "plant":
        name, colour = draft.colour("orange", "white", "blue", "red", "yellow")
        pot_plant(
            draft.root.at(x, 0, BACK + 0.7, thing=draft.thing("plant", doing="in a pot")),
            dice,
            colour,
            (0.26, 0.58, 0.30),
            1.25,
        )
    elif what == "floor lamp":
        name, colour = draft.colour("yellow", "white", "red", "orange", "green")
        floor_lamp(
            draft.root.at(x, 0, BACK + 0.6, scale=1.1, thing=draft.thing("lamp", name)), colour, lit=lamp
        )
    elif what == "cabinet":
        name, colour = draft.colour("brown", "white", "blue", "green", "red", "yellow")
        cabinet(draft.root.at(x - side * 0.1, 0, BACK + 0.3, thing=draft.thing("cabinet", name)), colour)
        number = draft.thing("vase", "blue")
        OBJECTS["vase"][1](
            draft.root.at(x - side * 0.1, 0.97, BACK + 0.3, thing=number), dice, COLOURS["blue"]
        )
    else:
        television(
            draft.root.at(x - side * 0.15, 0, BACK + 0.5, yaw=-side * 0.3, thing=draft.thing("television")),
            dice,
        )


def _who(draft: Draft, side: float, seat: Place) -> None:
    """Somebody on the seat or on the floor, a pet, or a toy."""
    dice = draft.dice
    what = dice.weighted({"sits": 0.22, "stands": 0.25, "pet": 0.25, "toy": 0.13, "nobody": 0.15})
    if what == "sits":
        draft.person(seat, "sitting", hat=False)
    elif what == "stands":
        pose = dice.pick(
            (
                "standing",
                "arms up",
                "dancing",
                "waving",
                "hands on hips",
                "stretching",
                "thinking",
                "arms wide",
                "jumping",
            )
        )
        draft.person(
            draft.root.at(side * dice.between(0.3, 0.75), 0, -dice.between(1.5, 1.9), yaw=dice.about(0, 0.6)),
            pose,
            hat=False,
        )
    elif what == "pet":
        pet = dice.pick(("cat", "dog"))
        name, colour = draft.colour(dice.pick(BEASTS[pet].colours))
        beast(
            draft.root.at(
                side * 0.5,
                0.02,
                -1.35,
                yaw=dice.pick((0.45, -0.45, 2.7, 3.5)),
                scale=1.15,
                thing=draft.thing(pet, name),
            ),
            dice,
            BEASTS[pet],
            colour,
        )
    elif what == "toy":
        toy = dice.pick(("ball", "teddy bear", "beach ball", "box"))
        name, colour = draft.colour("red", "blue", "yellow", "green", "orange", "brown")
        OBJECTS[toy][1](
            draft.root.at(side * 0.5, 0.02, -1.3, scale=1.8, thing=draft.thing(toy, name)), dice, colour
        )


def bedroom(draft: Draft) -> None:
    """A bedroom with a bed, a window and a wardrobe."""
    dice = draft.dice
    lamp, side = _start(draft, ("wooden", "wooden", "carpeted"))
    name, colour = draft.colour("red", "blue", "green", "yellow", "orange", "purple", "turquoise", "pink")
    wood = draft.colour("brown", "white", "beige")[1]
    bed(
        draft.root.at(-side * 0.75, 0, -2.85, thing=draft.thing("bed", parts=(("blanket", name),))),
        colour,
        wood,
    )
    a_window(draft, side * 0.55, 1.68, 1.05, 1.15) if dice.chance(0.65) else wall_piece(draft, side * 0.5)
    if dice.chance(0.5):
        own, tone = draft.colour("brown", "white", "blue", "green", "beige")
        wardrobe(draft.root.at(side * 1.5, 0, BACK + 0.3, thing=draft.thing("wardrobe", own)), tone)
    else:
        _corner(draft, side, lamp)
    rug_name, rug_colour = draft.colour("red", "blue", "green", "orange", "purple", "pink")
    rug(
        draft.root.at(side * 0.95, 0, -1.6, thing=draft.thing("rug", rug_name)),
        rug_colour,
        COLOURS["beige"],
        1.4,
        1.1,
        round_=True,
    )
    ceiling_lamp(draft, lamp)
    _who(draft, side, draft.root.at(-side * 0.25, 0.565, -2.5, yaw=side * 1.3))
    draft.where = ("in a bedroom",)


def kitchen(draft: Draft) -> None:
    """A table with chairs, something on it, and somebody at it perhaps."""
    dice = draft.dice
    lamp, side = _start(draft, ("tiled", "tiled", "wooden"))
    name, colour = draft.colour("brown", "white", "green", "blue", "yellow", "beige")
    place = draft.root.at(-side * 0.15, 0, -2.2)
    table(place.at(thing=draft.thing("table", name)), colour, 1.6, 0.85)
    own, tone = draft.colour("red", "blue", "yellow", "green", "brown", "white", "orange")
    number = draft.thing("chair", own)
    chair(place.at(-1.12, 0, 0.05, yaw=1.5708, thing=number), tone)
    number = draft.thing("chair", own)
    chair(place.at(1.12, 0, 0.05, yaw=-1.5708, thing=number), tone)
    what = dice.some(("bowl", "cup", "teapot", "vase", "cake", "bottle", "candle"), 2)
    for x, word in zip((-0.36, 0.34), what, strict=True):
        shade, paint = draft.colour("red", "blue", "yellow", "green", "white", "orange", "turquoise")
        OBJECTS[word][1](place.at(x, 0.745, 0.02, scale=1.25, thing=draft.thing(word, shade)), dice, paint)
    if dice.chance(0.5):
        draft.person(place.at(side * 1.1, 0.47, 0.05, yaw=-side * 1.35), "sitting", hat=False)
    a_window(draft, -side * 0.8, 1.7) if dice.chance(0.7) else wall_piece(draft, -side * 0.8)
    if dice.chance(0.5):
        doorway(draft, side * 1.35)
    else:
        _corner(draft, side, lamp)
    ceiling_lamp(draft, lamp)
    draft.where = ("in a kitchen", "in a dining room")
