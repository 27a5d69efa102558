"""Vehicles, boats, and what stands along streets."""

from training.world.colours import darker, mixed
from training.world.materials import made
from training.world.solids import ENDLESS, Colour, Paint, Place

TYRE = (0.13, 0.13, 0.14)
CHROME = (0.82, 0.83, 0.85)


def wheel(place: Place, paint_kind: str, x: float, z: float, radius: float, wide: float = 0.2) -> None:
    """A wheel that rolls along x, its axle along z."""
    place.tube(made(paint_kind, "plain", TYRE), (x, radius, z - wide / 2), (x, radius, z + wide / 2), radius)
    place.tube(
        made(paint_kind, "metal", CHROME),
        (x, radius, z - wide / 2 - 0.02),
        (x, radius, z + wide / 2 + 0.02),
        radius * 0.55,
    )


def car(place: Place, colour: Colour, *, lit: bool) -> None:
    """A car, 3.6 long, its front to the left of its place."""
    body = made("car", "shiny", colour)
    place.limb(body, (-1.42, 0.62, 0), (1.42, 0.62, 0), 0.36, flat=2.2)
    place.box(body, (0, 0.58, 0), (3.1, 0.5, 1.56))
    glass = Paint(
        "car", (0.45, 0.62, 0.74), second=colour, cell=(0.92, ENDLESS), line=0.16, gloss=0.7, snows=False
    )
    place.wedge(glass, (0.12, 1.13, 0), (1.95, 0.66, 1.42), (0.36, 0.2))
    place.box(body, (0.12, 1.47, 0), (1.28, 0.07, 1.2))
    for x in (-1.0, 1.05):
        wheel(place.rest, "car", x, 0.70, 0.34)
        wheel(place.rest, "car", x, -0.70, 0.34)
    for z in (-0.5, 0.5):
        light = made("car", "plain", (1.0, 0.96, 0.75), glow=1.0 if lit else 0.0)
        place.ball(light, (-1.70, 0.66, z), (0.1, 0.12, 0.14))
        place.ball(
            made("car", "plain", (0.85, 0.12, 0.10), glow=0.5 if lit else 0.0),
            (1.70, 0.66, z),
            (0.1, 0.12, 0.14),
        )


def bus(place: Place, colour: Colour, *, lit: bool) -> None:
    """A bus, 6.4 long, its front to the left."""
    body = made("bus", "shiny", colour)
    place.box(body, (0, 1.05, 0), (6.4, 1.3, 2.1))
    pane = (1.0, 0.86, 0.50) if lit else (0.52, 0.70, 0.82)
    glass = Paint(
        "bus",
        pane,
        second=colour,
        cell=(1.06, ENDLESS),
        line=0.2,
        gloss=0.5,
        glow=0.8 if lit else 0.0,
        snows=False,
    )
    place.box(glass, (0, 2.08, 0), (6.36, 0.78, 2.08))
    place.box(made("bus", "shiny", mixed(colour, (1.0, 1.0, 1.0), 0.7)), (0, 2.58, 0), (6.4, 0.24, 2.12))
    for x in (-2.0, 2.0):
        for z in (-0.92, 0.92):
            wheel(place.rest, "bus", x, z, 0.45, 0.28)
    for z in (-0.7, 0.7):
        place.ball(made("bus", "plain", (1.0, 0.96, 0.75), glow=1.0 if lit else 0.0), (-3.2, 0.75, z), 0.17)


def truck(place: Place, colour: Colour, load: Colour) -> None:
    """A truck with a box, its front to the left."""
    cab, chassis = made("truck", "shiny", colour), made("truck", "plain", (0.25, 0.25, 0.27))
    place.rest.box(chassis, (0.1, 0.6, 0), (5.2, 0.22, 1.6))
    place.box(cab, (-1.9, 1.25, 0), (1.3, 1.2, 1.9))
    glass = Paint(
        "truck", (0.50, 0.68, 0.80), second=colour, cell=(0.72, ENDLESS), line=0.14, gloss=0.6, snows=False
    )
    place.wedge(glass, (-1.84, 2.13, 0), (1.2, 0.66, 1.84), (0.22, 0.08))
    place.rest.box(made("truck", "plain", load), (0.85, 1.85, 0), (3.7, 2.2, 2.05))
    for x in (-1.9, 0.5, 2.0):
        for z in (-0.8, 0.8):
            wheel(place.rest, "truck", x, z, 0.45, 0.28)
    for z in (-0.6, 0.6):
        place.ball(made("truck", "plain", (1.0, 0.96, 0.75)), (-2.55, 0.95, z), 0.14)


def bicycle(place: Place, colour: Colour) -> None:
    """A bicycle, its front to the left."""
    frame, dark = made("bicycle", "shiny", colour), made("bicycle", "plain", TYRE)
    for x in (-0.55, 0.55):
        place.rest.tube(dark, (x, 0.36, -0.02), (x, 0.36, 0.02), 0.36)
        place.rest.tube(
            made("bicycle", "plain", (0.86, 0.87, 0.88)), (x, 0.36, -0.025), (x, 0.36, 0.025), 0.29
        )
    for start, end in (
        ((-0.55, 0.36), (-0.38, 0.92)),
        ((0.55, 0.36), (0.02, 0.36)),
        ((0.02, 0.36), (0.2, 0.86)),
        ((0.2, 0.80), (-0.42, 0.80)),
        ((0.02, 0.36), (-0.42, 0.78)),
        ((0.55, 0.36), (0.2, 0.80)),
    ):
        place.limb(frame, (*start, 0), (*end, 0), 0.035)
    place.rest.limb(dark, (0.08, 0.92, 0), (0.32, 0.94, 0), 0.06)
    place.rest.limb(dark, (-0.42, 1.0, -0.22), (-0.42, 1.0, 0.22), 0.035)


def boat(place: Place, hull: Colour, sail: Colour) -> None:
    """A sailing boat on the water, its bow to the left."""
    wood = made("boat", "plain", hull, snows=False)
    place.wedge(wood, (0, 0.25, 0), (4.2, -0.9, 1.5), (0.34, 0.3))
    place.rest.box(
        made("boat", "plain", mixed(hull, (1.0, 1.0, 1.0), 0.75), snows=False),
        (0, 0.70, 0),
        (4.25, 0.1, 1.55),
    )
    place.rest.tube(made("boat", "plain", (0.55, 0.37, 0.22)), (-0.3, 0.6, 0), (-0.3, 5.0, 0), 0.075)
    cloth = made("boat", "plain", sail, snows=False)
    _sail(place.part(1), cloth, 0.72, 1.8, 3.6)
    _sail(
        place.part(1),
        made("boat", "plain", mixed(sail, (1.0, 1.0, 1.0), 0.35), snows=False),
        -1.22,
        -1.4,
        2.9,
    )


def _sail(place: Place, cloth: Paint, x: float, wide: float, high: float) -> None:
    """A three-cornered sail: half of a gable would lean both ways, so two thin wedges lean one way each."""
    place.wedge(cloth, (x, 1.1 + high / 2, 0), (abs(wide), high, 0.09), (1.0, 0.0))


def rowing_boat(place: Place, hull: Colour) -> None:
    """A rowing boat on the water."""
    place.wedge(
        made("boat", "planks", hull, cell=(ENDLESS, 0.2), snows=False),
        (0, 0.16, 0),
        (2.7, -0.6, 1.1),
        (0.3, 0.25),
    )
    place.box(made("boat", "plain", darker(hull, 0.55), snows=False), (0, 0.455, 0), (2.3, 0.03, 0.85))
    for x in (-0.5, 0.5):
        place.box(made("boat", "plain", (0.80, 0.62, 0.40), snows=False), (x, 0.5, 0), (0.24, 0.05, 1.02))


def street_lamp(place: Place, *, lit: bool) -> None:
    """A street lamp, 4 high."""
    iron = made("streetlight", "metal", (0.16, 0.20, 0.22))
    place.tube(iron, (0, 0, 0), (0, 0.35, 0), 0.17, 0.12)
    place.tube(iron, (0, 0, 0), (0, 3.5, 0), 0.065)
    glass = made(
        "streetlight",
        "plain",
        (1.0, 0.90, 0.62) if lit else (0.93, 0.94, 0.90),
        glow=1.0 if lit else 0.0,
        casts=False,
    )
    place.tube(glass, (0, 3.45, 0), (0, 3.95, 0), 0.17, 0.27)
    place.tube(iron, (0, 3.93, 0), (0, 4.2, 0), 0.33, 0.05)


def traffic_light(place: Place, shows: int) -> None:
    """A traffic light, 3 high; 0 shows red, 1 yellow, 2 green."""
    place.tube(made("traffic light", "plain", (0.30, 0.31, 0.33)), (0, 0, 0), (0, 2.1, 0), 0.07)
    place.box(made("traffic light", "plain", (0.15, 0.16, 0.17)), (0, 2.6, 0), (0.46, 1.15, 0.36))
    for number, colour in enumerate(((0.95, 0.15, 0.12), (0.99, 0.80, 0.15), (0.18, 0.80, 0.35))):
        on = number == shows
        light = made(
            "traffic light", "plain", colour if on else darker(colour, 0.32), glow=0.9 if on else 0.0
        )
        place.ball(light, (0, 2.95 - number * 0.35, 0.17), (0.14, 0.14, 0.06))


def bench(place: Place, colour: Colour) -> None:
    """A bench that faces the front."""
    wood, iron = made("bench", "plain", colour), made("bench", "plain", (0.22, 0.23, 0.25))
    for z in (-0.16, 0.06):
        place.box(wood, (0, 0.45, z), (1.7, 0.05, 0.18))
    for y in (0.62, 0.84):
        place.box(wood, (0, y, -0.29), (1.7, 0.16, 0.05))
    for x in (-0.68, 0.68):
        place.box(iron, (x, 0.22, -0.06), (0.07, 0.44, 0.44))
        place.box(iron, (x, 0.66, -0.33), (0.07, 0.56, 0.05))


def fence(place: Place, colour: Colour, count: int, step: float = 0.62) -> None:
    """A fence of pickets along x, its middle in the place's origin."""
    wood = made("fence", "plain", colour)
    long = count * step
    for y in (0.36, 0.78):
        place.box(wood, (0, y, -0.05), (long, 0.11, 0.05))
    for number in range(count):
        x = (number + 0.5) * step - long / 2
        place.box(wood, (x, 0.48, 0), (0.26, 0.96, 0.06))
        place.wedge(wood, (x, 1.04, 0), (0.26, 0.16, 0.06))


def snowman(place: Place, scarf: Colour) -> None:
    """A snowman with a hat and a scarf, 1.7 high."""
    snow, coal = (
        made("sculpture", "plain", (0.97, 0.98, 1.0)),
        made("sculpture", "plain", (0.12, 0.12, 0.13), snows=False),
    )
    place.ball(snow, (0, 0.46, 0), 0.52)
    place.ball(snow, (0, 1.08, 0), 0.38)
    place.ball(snow, (0, 1.58, 0), 0.27)
    place.tube(made("sculpture", "plain", scarf, snows=False), (0, 1.30, 0), (0, 1.42, 0), 0.28)
    place.tube(
        made("sculpture", "plain", (0.97, 0.50, 0.12), snows=False),
        (0, 1.58, 0.24),
        (0, 1.55, 0.52),
        0.06,
        0.01,
    )
    for x in (-0.1, 0.1):
        place.ball(coal, (x, 1.67, 0.235), 0.035)
    for y in (0.95, 1.12, 0.6):
        place.ball(coal, (0, y, 0.36 if y > 0.8 else 0.5), 0.045)
    place.tube(coal, (0, 1.78, 0), (0, 1.82, 0), 0.32)
    place.tube(coal, (0, 1.8, 0), (0, 2.12, 0), 0.2)
    for side in (-1.0, 1.0):
        place.limb(
            made("sculpture", "plain", (0.36, 0.24, 0.15)),
            (side * 0.32, 1.12, 0),
            (side * 0.85, 1.4, 0),
            0.03,
            0.02,
        )
