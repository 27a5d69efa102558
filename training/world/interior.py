"""What surrounds the main thing of a scene indoors: floor, walls and ceiling, their light, what hangs on
them."""

from training.world.colours import darker, mixed
from training.world.light import Light
from training.world.materials import made
from training.world.recipe import Draft
from training.world.solids import Paint
from training.world.things.buildings import door
from training.world.things.furniture import clock, curtains, hanging_lamp, mirror, painting

WIDE, DEEP, HIGH = 4.3, 4.0, 2.5
BACK = -DEEP
GENTLE = {
    "white": (0.93, 0.91, 0.87),
    "yellow": (0.98, 0.86, 0.46),
    "blue": (0.45, 0.64, 0.92),
    "green": (0.54, 0.76, 0.48),
    "pink": (0.97, 0.68, 0.75),
    "beige": (0.91, 0.83, 0.70),
    "turquoise": (0.42, 0.77, 0.74),
    "purple": (0.66, 0.51, 0.82),
    "orange": (0.97, 0.67, 0.38),
}
FLOORS = {
    "wooden": made("floor", "floorboards", (0.70, 0.49, 0.30), casts=False),
    "tiled": made("floor", "chequered", (0.82, 0.82, 0.80), second=(0.52, 0.58, 0.62), casts=False),
    "carpeted": made("floor", "woollen", (0.62, 0.56, 0.52), casts=False),
}


def lit_room(draft: Draft) -> bool:
    """The light of a room; whether its lamp is on. By day the sun comes in at the window or from behind."""
    hour = draft.setting.hour
    lamp = hour.name in ("dusk", "night")
    draft.lit_by = "lamp" if lamp else "window"
    if lamp:
        draft.light = Light(
            key=(0.2, HIGH - 0.9, -1.9),
            near=True,
            bright=(0.80, 0.60, 0.38),
            above=(0.36, 0.29, 0.24),
            below=(0.32, 0.25, 0.20),
            horizon=hour.horizon,
            zenith=hour.zenith,
            haze=1e4,
            stars=hour.stars,
            glow=1.0,
            lamp=(0.2, HIGH - 0.7, -1.9),
            lamp_colour=(0.39, 0.29, 0.17),
            reach=3.0,
        )
    else:
        side = draft.dice.sign()
        bright = draft.setting.light.bright
        grey = draft.setting.weather.direct
        tint = mixed((0.62, 0.60, 0.56), bright, 0.55)
        draft.light = Light(
            key=(side * 0.62, 1.0, 0.85),
            bright=(tint[0] * 0.6, tint[1] * 0.6, tint[2] * 0.6) if grey < 0.3 else tint,
            above=(0.42, 0.42, 0.43),
            below=(0.46, 0.43, 0.39),
            horizon=draft.setting.light.horizon,
            zenith=draft.setting.light.zenith,
            haze=1e4,
            glow=0.45,
            lamp=(0.0, 1.5, BACK + 0.5),
            lamp_colour=(0.22, 0.23, 0.25),
            reach=2.4,
        )
    return lamp


def shell(draft: Draft, name: str, floor: str, wide: float = WIDE) -> None:
    """Floor, walls and ceiling. Walls throw no shadows: the light comes in from the open side."""
    walls = GENTLE[name]
    draft.ground, draft.ground_thing = FLOORS[floor], draft.thing("floor", made=floor)
    paint = Paint("wall", walls, casts=False)
    side = Paint("wall", darker(walls, 0.94), casts=False)
    root = draft.root.at(thing=draft.thing("walls", name))
    root.box(paint, (0, HIGH / 2, BACK - 0.05), (wide + 0.2, HIGH, 0.1))
    for way in (-1.0, 1.0):
        root.box(side, (way * (wide / 2 + 0.05), HIGH / 2, BACK / 2 + 1), (0.1, HIGH, DEEP + 4))
    root.box(
        Paint("ceiling", (0.95, 0.94, 0.91), casts=False),
        (0, HIGH + 0.05, BACK / 2 + 1),
        (wide + 0.2, 0.1, DEEP + 4),
    )
    base = Paint("wall", (0.96, 0.95, 0.92), casts=False)
    root.box(base, (0, 0.07, BACK + 0.02), (wide, 0.14, 0.05))
    for way in (-1.0, 1.0):
        root.box(base, (way * (wide / 2 - 0.02), 0.07, BACK / 2), (0.05, 0.14, DEEP))


def a_window(draft: Draft, x: float, y: float = 1.62, wide: float = 1.25, high: float = 1.25) -> None:
    """A window in the back wall that shows the sky of the hour and a hill, with curtains perhaps."""
    light, dice = draft.light, draft.dice
    number = draft.thing("window")
    place = draft.root.at(x, y, BACK, thing=number)
    dark = draft.setting.hour.stars > 0.5
    glow = 0.0 if dark else 0.8
    sky = mixed(light.horizon, light.zenith, 0.55)
    place.box(Paint("windowpane", sky, glow=glow, casts=False), (0, 0, 0.0), (wide, high, 0.04))
    hill = (
        mixed(draft.setting.season.grass, light.horizon, 0.25)
        if not draft.setting.weather.snow
        else (0.93, 0.95, 0.98)
    )
    if dark:
        hill, sky = darker(hill, 0.35), sky
        place.ball(
            Paint("windowpane", (0.98, 0.96, 0.85), glow=0.7, casts=False),
            (0.25 * wide, 0.26 * high, 0.0),
            (0.11, 0.11, 0.05),
        )
    place.box(
        Paint("windowpane", hill, glow=glow * 0.8, casts=False),
        (0, -0.31 * high, 0.0),
        (wide, 0.38 * high, 0.06),
    )
    frame = Paint("windowpane", (0.97, 0.96, 0.93), casts=False)
    for side in (-1.0, 0.0, 1.0):
        place.box(frame, (side * wide / 2, 0, 0.04), (0.07, high + 0.07, 0.06))
        place.box(frame, (0, side * high / 2, 0.04), (wide + 0.07, 0.07, 0.06))
    place.box(frame, (0, -high / 2 - 0.05, 0.10), (wide + 0.22, 0.06, 0.2))
    if dice.chance(0.6):
        name, colour = draft.colour("red", "blue", "green", "yellow", "pink", "white", "orange", "purple")
        own = draft.thing("curtains", name)
        curtains(draft.root.at(x, y, BACK, thing=own), colour, wide, high)


def doorway(draft: Draft, x: float) -> None:
    name, colour = draft.colour("brown", "white", "blue", "green", "red", "yellow")
    place = draft.root.at(x, 0, BACK, thing=draft.thing("door", name))
    place.box(Paint("door", (0.96, 0.95, 0.92), casts=False), (0, 1.05, 0.03), (1.12, 2.1, 0.06))
    door(place.at(0, 0, 0.06, scale=0.88), 0, 0.0, colour)


def wall_piece(draft: Draft, x: float, y: float = 1.65) -> None:
    dice = draft.dice
    what = dice.pick(("painting", "painting", "clock", "mirror"))
    if what == "painting":
        _, colour = draft.colour("brown", "black", "yellow", "white", "red")
        painting(draft.root.at(x, y, BACK, thing=draft.thing("painting")), dice, colour)
    elif what == "clock":
        name, colour = draft.colour("red", "blue", "black", "green", "brown", "yellow")
        clock(
            draft.root.at(x, y + 0.1, BACK, scale=1.25, thing=draft.thing("clock", name)),
            colour,
            dice.between(0, 6.28),
        )
    else:
        _, colour = draft.colour("brown", "white", "yellow")
        mirror(draft.root.at(x, y, BACK, thing=draft.thing("mirror")), colour)


def ceiling_lamp(draft: Draft, on: bool) -> None:
    name, colour = draft.colour("white", "yellow", "red", "green", "blue", "orange")
    hanging_lamp(draft.root.at(0.2, 0, -1.9, thing=draft.thing("lamp", name)), colour, HIGH, lit=on)
