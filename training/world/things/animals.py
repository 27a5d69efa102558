"""Animals on four legs: one plan for all, and numbers for each."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from training.world.colours import darker
from training.world.dice import Dice
from training.world.materials import made
from training.world.solids import Colour, Paint, Place, Point

INK = (0.09, 0.08, 0.09)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beast:
    """The numbers of a four-legged animal, in metres, its head to the left.

    `body` is its length, height and width, `legs` how long and thick they are, `neck` how far the head is
    before and above the shoulders, `head` its length and thickness. `ears` are `up`, `down`, `round`, `long`
    or `big`; `tail` is where it ends, behind and above the rump. `colours` are names; `woolly`, `horns`,
    `mane`, `trunk` and `hump` are what they say.
    """

    body: Point
    legs: tuple[float, float]
    neck: tuple[float, float]
    head: tuple[float, float]
    ears: str
    tail: tuple[float, float]
    colours: tuple[str, ...]
    patches: Colour | None = None
    woolly: bool = False
    horns: bool = False
    mane: bool = False
    trunk: bool = False
    neck_thick: float = 0.6
    muzzle: float = 0.62


BEASTS: Mapping[str, Beast] = MappingProxyType(
    {
        "dog": Beast(
            body=(0.72, 0.32, 0.28),
            legs=(0.27, 0.06),
            neck=(0.13, 0.24),
            head=(0.24, 0.15),
            ears="down",
            tail=(0.22, 0.30),
            colours=("brown", "black", "white", "beige"),
        ),
        "cat": Beast(
            body=(0.52, 0.23, 0.20),
            legs=(0.22, 0.04),
            neck=(0.10, 0.17),
            head=(0.12, 0.115),
            ears="up",
            tail=(0.12, 0.44),
            colours=("grey", "black", "orange", "white"),
            muzzle=0.4,
        ),
        "horse": Beast(
            body=(1.55, 0.66, 0.52),
            legs=(0.86, 0.09),
            neck=(0.42, 0.62),
            head=(0.52, 0.165),
            ears="up",
            tail=(0.24, -0.42),
            colours=("brown", "black", "white"),
            mane=True,
        ),
        "cow": Beast(
            body=(1.55, 0.78, 0.62),
            legs=(0.60, 0.10),
            neck=(0.32, 0.22),
            head=(0.40, 0.2),
            ears="round",
            tail=(0.12, -0.5),
            colours=("white", "brown", "black"),
            horns=True,
            patches=(0.16, 0.13, 0.12),
        ),
        "sheep": Beast(
            body=(0.92, 0.58, 0.52),
            legs=(0.34, 0.055),
            neck=(0.20, 0.16),
            head=(0.25, 0.13),
            ears="round",
            tail=(0.08, 0.0),
            colours=("white",),
            woolly=True,
        ),
        "pig": Beast(
            body=(1.0, 0.54, 0.48),
            legs=(0.26, 0.075),
            neck=(0.16, 0.08),
            head=(0.26, 0.19),
            ears="up",
            tail=(0.1, 0.14),
            colours=("pink",),
            muzzle=0.7,
        ),
        "goat": Beast(
            body=(0.85, 0.40, 0.34),
            legs=(0.44, 0.05),
            neck=(0.18, 0.30),
            head=(0.26, 0.12),
            ears="round",
            tail=(0.08, 0.14),
            colours=("white", "grey", "brown"),
            horns=True,
        ),
        "fox": Beast(
            body=(0.66, 0.26, 0.23),
            legs=(0.30, 0.045),
            neck=(0.14, 0.17),
            head=(0.22, 0.115),
            ears="up",
            tail=(0.52, 0.05),
            colours=("orange",),
            muzzle=0.42,
        ),
        "bear": Beast(
            body=(1.25, 0.82, 0.72),
            legs=(0.42, 0.14),
            neck=(0.28, 0.22),
            head=(0.34, 0.25),
            ears="round",
            tail=(0.06, 0.02),
            colours=("brown", "black", "white"),
        ),
        "elephant": Beast(
            body=(1.9, 1.25, 1.05),
            legs=(0.82, 0.2),
            neck=(0.34, 0.34),
            head=(0.42, 0.46),
            ears="big",
            tail=(0.14, -0.5),
            colours=("grey",),
            trunk=True,
        ),
        "deer": Beast(
            body=(1.05, 0.46, 0.36),
            legs=(0.72, 0.055),
            neck=(0.30, 0.52),
            head=(0.32, 0.115),
            ears="round",
            tail=(0.08, 0.08),
            colours=("brown",),
            horns=True,
        ),
        "giraffe": Beast(
            body=(1.35, 0.72, 0.52),
            legs=(1.25, 0.085),
            neck=(0.55, 1.65),
            head=(0.42, 0.15),
            ears="round",
            tail=(0.1, -0.5),
            colours=("yellow",),
            patches=(0.62, 0.36, 0.16),
            neck_thick=0.42,
        ),
    }
)


def beast(place: Place, dice: Dice, look: Beast, colour: Colour) -> None:
    """An animal on four legs, standing or in stride."""
    long, high, wide = look.body
    hide = made("animal", "plain", colour, mottle=0.05, snows=False)
    if look.patches:
        hide = hide.but(mottle=0.0)
    middle = look.legs[0] + high / 2
    spine = long / 2 - high / 2
    place.limb(hide, (-spine, middle, 0), (spine, middle, 0), high / 2, high * 0.48, flat=wide / high)
    _patches(place, look, middle)
    _legs(place, dice, look, darker(colour, 0.5) if look.woolly else colour)
    if look.woolly:
        fleece = hide.but(mottle=0.1)
        for x in (-0.36, 0.0, 0.36):
            for y, z in ((0.14, 0.16), (-0.06, 0.2), (0.14, -0.16)):
                place.ball(fleece, (x * long * 0.95, middle + y, z), 0.24)
    rump = (long / 2 - 0.04, middle + 0.22 * high, 0)
    end = (rump[0] + look.tail[0], rump[1] + look.tail[1], 0)
    tail = made("animal", "plain", darker(colour, 0.72 if look.mane else 0.95), snows=False)
    thick = (0.10, 0.06) if look.tail[0] > 0.4 else (0.045 * (1 + long / 3), 0.035 * (1 + long / 3))
    place.limb(tail, rump, end, *thick)
    _head(place, look, colour, hide, middle)


def _patches(place: Place, look: Beast, middle: float) -> None:
    if not look.patches:
        return
    long, high, wide = look.body
    paint = made("animal", "plain", look.patches, snows=False)
    for x, y, size in (
        (-0.26, 0.12, 0.24),
        (0.2, 0.18, 0.28),
        (0.02, -0.2, 0.17),
        (0.34, -0.14, 0.16),
        (-0.3, -0.2, 0.14),
    ):
        for side in (-1.0, 1.0):
            out = 0.5 * wide * math.sqrt(max(0.05, 1.0 - (2 * y) ** 2))
            place.ball(
                paint,
                (x * long, middle + y * high, side * (out - 0.02)),
                (size * 0.8 * high, size * 0.7 * high, 0.05),
            )


def _legs(place: Place, dice: Dice, look: Beast, colour: Colour) -> None:
    long, high, wide = look.body
    length, thick = look.legs
    paint, hoof = (
        made("animal", "plain", colour, snows=False),
        made("animal", "plain", darker(colour, 0.55), snows=False),
    )
    stride = dice.between(0.0, 0.22) * length
    for x in (-1.0, 1.0):
        for z in (-1.0, 1.0):
            top = (x * (long / 2 - high * 0.36), length + 0.18 * high, z * (wide / 2 - thick * 1.1))
            foot = (top[0] + x * z * stride, thick * 0.7, top[2])
            place.limb(paint, top, foot, thick * 1.35, thick * 0.85)
            place.tube(hoof, (foot[0], 0, foot[2]), (foot[0], thick * 1.3, foot[2]), thick * 1.05)


def _head(place: Place, look: Beast, colour: Colour, hide: Paint, middle: float) -> None:
    long, high, _ = look.body
    size, thick = look.head
    shoulder = (-long / 2 + high * 0.42, middle + 0.14 * high, 0.0)
    skull = (-long / 2 - look.neck[0] + high * 0.25, middle + 0.2 * high + look.neck[1], 0.0)
    face = made("animal", "plain", darker(colour, 0.45), snows=False) if look.woolly else hide
    place.limb(hide, shoulder, skull, high * 0.36 * look.neck_thick / 0.6, thick * 0.85)
    nose = (skull[0] - size * 0.78, skull[1] - size * 0.34, 0.0)
    place.limb(face, skull, nose, thick, thick * look.muzzle)
    ink = made("animal", "plain", INK, snows=False)
    place.ball(ink, (nose[0] - thick * look.muzzle * 0.82, nose[1] + thick * 0.12, 0), thick * 0.26)
    for side in (-1.0, 1.0):
        place.ball(ink, (skull[0] - size * 0.30, skull[1] + thick * 0.34, side * thick * 0.78), thick * 0.2)
        _ear(place, look, face, skull, thick, side)
        if look.horns:
            horn = made("animal", "plain", (0.90, 0.85, 0.70), snows=False)
            place.limb(
                horn,
                (skull[0], skull[1] + thick * 0.7, side * thick * 0.5),
                (skull[0] + 0.03, skull[1] + thick * 1.9, side * thick * 1.2),
                thick * 0.24,
                thick * 0.08,
            )
    if look.mane:
        hair = made("animal", "plain", darker(colour, 0.5), snows=False)
        place.limb(
            hair,
            (shoulder[0] + 0.12, shoulder[1] + 0.30, 0),
            (skull[0] + 0.1, skull[1] + thick * 0.9, 0),
            0.11,
            0.09,
        )
    if look.trunk:
        middle_ = (nose[0] - 0.12, nose[1] - 0.55, 0.0)
        place.limb(hide, nose, middle_, 0.2, 0.13)
        place.limb(hide, middle_, (middle_[0] - 0.2, middle_[1] - 0.38, 0), 0.13, 0.08)


def _ear(place: Place, look: Beast, paint: Paint, skull: Point, thick: float, side: float) -> None:
    x, y = skull[0], skull[1]
    if look.ears == "up":
        place.tube(
            paint,
            (x + 0.1 * thick, y + thick * 0.6, side * thick * 0.55),
            (x + 0.1 * thick, y + thick * 1.65, side * thick * 0.72),
            thick * 0.42,
            0.005,
        )
    elif look.ears == "down":
        ear = paint.but(colour=darker(paint.colour, 0.6))
        place.limb(
            ear,
            (x + 0.05, y + thick * 0.55, side * thick * 0.85),
            (x + 0.06, y - thick * 0.7, side * thick * 1.1),
            thick * 0.3,
            thick * 0.34,
        )
    elif look.ears == "round":
        place.ball(
            paint,
            (x + thick * 0.3, y + thick * 0.62, side * thick * 0.98),
            (thick * 0.22, thick * 0.3, thick * 0.42),
        )
    elif look.ears == "big":
        place.ball(
            paint.but(colour=darker(paint.colour, 0.9)),
            (x + 0.16, y + 0.02, side * 0.55),
            (0.36, 0.46, 0.09),
            yaw=side * 0.5,
        )
