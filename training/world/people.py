"""People with bodies and clothes on their bones."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from training.world.colours import COLOURS, HAIR, SKIN, darker
from training.world.dice import Dice
from training.world.figures import Bones, Build, plus
from training.world.solids import Colour, Paint, Place, Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a person looks like. `legs` is trousers, shorts, a skirt or a dress; the colours are named."""

    skin: Colour
    hair: Colour
    long_hair: bool
    top: Colour
    legs: str
    bottom: Colour
    shoes: Colour
    sleeves: bool
    hat: str | None

    def worn(self, top: str, bottom: str) -> tuple[tuple[str, str], ...]:
        """What is worn, by word and name of its colour, in the order in which `dress` numbers its parts."""
        upper = "jumper" if self.sleeves else "shirt"
        own = (("dress", top),) if self.legs == "dress" else ((upper, top), (self.legs, bottom))
        return (*own, ("hat", self.hat)) if self.hat else own


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """A sort of people: how tall, which proportions, and how likely they wear what."""

    height: tuple[float, float]
    build: Mapping[str, float]
    long_hair: float
    legs: Mapping[str, float]


def _paint(colour: Colour) -> Paint:
    return Paint("person", colour, snows=False)


def dress(place: Place, body: Bones, look: Look) -> None:
    """Put the person into the scene."""
    size, thick = body.build.height, body.build.height * body.build.thick
    at = body.joints
    skin, top, bottom, shoes = (_paint(c) for c in (look.skin, look.top, look.bottom, look.shoes))
    legs = bottom if look.legs == "trousers" else skin
    lower = top if look.legs == "dress" else bottom
    above, below = place.part(1), place.part(1 if look.legs == "dress" else 2)
    _trunk(above, below, at, thick, top, lower)
    for side in ("right", "left"):
        knee, ankle = at[f"{side}_knee"], at[f"{side}_ankle"]
        thigh = bottom if look.legs in ("trousers", "shorts") else skin
        covered = below if thigh is bottom else place
        covered.limb(thigh, at[f"{side}_hip"], knee, 0.056 * thick, 0.042 * thick)
        covered = below if legs is bottom else place
        covered.limb(legs, knee, ankle, 0.041 * thick, 0.030 * thick)
        place.limb(
            shoes,
            plus(ankle, (0.0, -0.004 * size, -0.01 * size)),
            at[f"{side}_toe"],
            0.032 * thick,
            0.026 * thick,
        )
        elbow, wrist = at[f"{side}_elbow"], at[f"{side}_wrist"]
        above.limb(top, at[f"{side}_shoulder"], elbow, 0.041 * thick, 0.033 * thick)
        (above if look.sleeves else place).limb(
            top if look.sleeves else skin, elbow, wrist, 0.032 * thick, 0.025 * thick
        )
        place.limb(skin, wrist, at[f"{side}_hand"], 0.026 * thick, 0.030 * thick)
    if look.legs in ("skirt", "dress"):
        _skirt(below, body, lower, thick)
    _head(place, body, look, skin)


def _trunk(
    above: Place, below: Place, at: Mapping[str, Point], thick: float, top: Paint, lower: Paint
) -> None:
    below.limb(lower, at["right_hip"], at["left_hip"], 0.064 * thick, flat=0.9)
    above.limb(top, plus(at["pelvis"], at["chest"], 0.0), at["chest"], 0.070 * thick, 0.086 * thick, flat=0.8)
    right, left = (
        plus(_between(at["neck"], at[f"{side}_shoulder"], 0.86), (0.0, -0.012 * thick, 0.0))
        for side in ("right", "left")
    )
    above.limb(top, right, left, 0.047 * thick)


def _skirt(place: Place, body: Bones, paint: Paint, thick: float) -> None:
    """A cone that hides the thighs as far as a straight one can: from the waist to between the knees."""
    at = body.joints
    waist = plus(at["pelvis"], (0.0, 0.05 * thick, 0.0))
    hem = _between(at["right_knee"], at["left_knee"], 0.5)
    spread = abs(at["right_knee"][2] - at["left_knee"][2]) * 0.4
    place.tube(paint, _between(waist, hem, 0.96), waist, 0.125 * thick + spread, 0.070 * thick)


def _between(first: Point, second: Point, share: float) -> Point:
    return plus(plus(first, first, -share), second, share)


def _head(place: Place, body: Bones, look: Look, skin: Paint) -> None:
    at, (left, up, front), radius = body.joints, body.face, body.build.head * body.build.height
    head = at["head"]

    def on(x: float, y: float, z: float) -> Point:
        return plus(plus(plus(head, left, x * radius), up, y * radius), front, z * radius)

    place.limb(skin, at["neck"], head, 0.40 * radius)
    place.limb(skin, on(0, -0.22, 0.06), on(0, 0.14, 0), 0.80 * radius, 0.90 * radius)
    hair = _paint(look.hair)
    place.ball(hair, on(0, 0.22, -0.20), (0.97 * radius, 0.94 * radius, 0.95 * radius))
    if look.long_hair:
        place.limb(hair, on(0, 0.1, -0.42), on(0, -1.15, -0.52), 0.72 * radius, 0.52 * radius)
    ink = _paint((0.12, 0.09, 0.09))
    for side in (-1.0, 1.0):
        place.ball(ink, on(side * 0.34, 0.0, 0.84), 0.105 * radius)
        place.ball(skin, on(side * 0.86, -0.08, -0.02), 0.2 * radius)
    place.ball(skin, on(0, -0.14, 0.88), 0.13 * radius)
    place.limb(_paint((0.72, 0.28, 0.26)), on(-0.17, -0.45, 0.76), on(0.17, -0.45, 0.76), 0.055 * radius)
    if look.hat:
        hat = _paint(COLOURS[look.hat])
        worn = place.part(len(look.worn("", "")))
        worn.tube(hat, on(0, 0.52, -0.06), on(0, 0.60, -0.07), 1.42 * radius)
        worn.tube(hat, on(0, 0.55, -0.06), on(0, 1.18, -0.12), 0.98 * radius, 0.80 * radius)


SORTS: Mapping[str, Sort] = MappingProxyType(
    {
        "man": Sort(
            height=(1.70, 1.85),
            build=MappingProxyType({"head": 0.084, "shoulders": 0.115}),
            long_hair=0.05,
            legs=MappingProxyType({"trousers": 0.8, "shorts": 0.2}),
        ),
        "woman": Sort(
            height=(1.60, 1.74),
            build=MappingProxyType({"head": 0.088, "shoulders": 0.100}),
            long_hair=0.75,
            legs=MappingProxyType({"trousers": 0.35, "skirt": 0.3, "dress": 0.35}),
        ),
        "boy": Sort(
            height=(1.05, 1.25),
            build=MappingProxyType(
                {
                    "head": 0.118,
                    "thigh": 0.205,
                    "shin": 0.200,
                    "trunk": 0.270,
                    "upper_arm": 0.135,
                    "forearm": 0.120,
                    "shoulders": 0.104,
                    "thick": 1.12,
                }
            ),
            long_hair=0.04,
            legs=MappingProxyType({"trousers": 0.5, "shorts": 0.5}),
        ),
        "girl": Sort(
            height=(1.05, 1.25),
            build=MappingProxyType(
                {
                    "head": 0.118,
                    "thigh": 0.205,
                    "shin": 0.200,
                    "trunk": 0.270,
                    "upper_arm": 0.135,
                    "forearm": 0.120,
                    "shoulders": 0.102,
                    "thick": 1.10,
                }
            ),
            long_hair=0.8,
            legs=MappingProxyType({"trousers": 0.2, "skirt": 0.4, "dress": 0.4}),
        ),
    }
)


def build_of(sort: Sort, dice: Dice) -> Build:
    """A body of a sort."""
    return Build(height=dice.between(*sort.height), **sort.build)


def look_of(sort: Sort, dice: Dice, top: Colour, bottom: Colour, *, folded: bool, hat: str | None) -> Look:
    """What a person of a sort wears, in these colours. Whose legs are folded wears no skirt."""
    legs = "trousers" if folded else dice.weighted(sort.legs)
    return Look(
        skin=dice.pick(SKIN),
        hair=HAIR[dice.pick(tuple(HAIR)[: 5 if sort.height[0] > 1.4 else 4])],
        long_hair=dice.chance(sort.long_hair),
        top=top,
        legs=legs,
        bottom=bottom,
        shoes=darker(dice.pick((COLOURS["brown"], COLOURS["black"], COLOURS["red"], COLOURS["white"]))),
        sleeves=dice.chance(0.5),
        hat=hat,
    )
