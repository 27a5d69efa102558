"""A scene on paper: what recipes fill in, and the facts that captions are made from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from training.world.camera import Camera
from training.world.colours import COLOURS, shade_of
from training.world.dice import Dice
from training.world.figures import bones, key_points
from training.world.light import Light
from training.world.people import SORTS, build_of, dress, look_of
from training.world.poses import POSES
from training.world.settings import Setting
from training.world.solids import Colour, Place, Point
from training.world.tables import Matter

DEEP = 0.13  # of the height: nothing of a body is further in front of a joint inside it
LitBy: TypeAlias = Literal["sky", "window", "lamp", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a thing with a colour that can be named: its number in the map of things, and its word."""

    number: int
    word: str
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something in the scene that can be spoken of: "a red wooden house with a blue door".

    `colour`, `made` and `size` may be empty; `doing` follows the word. The pixels of the thing have its
    number in the map of things, those of its parts theirs.
    """

    number: int
    word: str
    colour: str = ""
    made: str = ""
    size: str = ""
    doing: str = ""
    parts: tuple[Part, ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of all its pixels."""
        return (self.number, *(part.number for part in self.parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A person in the scene: the 18 key points, and how many metres deep they lie under the skin at most."""

    number: int
    pose: str
    points: tuple[Point, ...]
    deep: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One scene: what is in it, how it is lit and seen, and what can be said of it.

    `where` names its place. Only where it is `lit_by` the sky can hour and weather be told, and only where it
    is `seasonal` the season.
    """

    seed: int
    kind: str
    style: str
    setting: Setting
    where: str
    lit_by: LitBy
    seasonal: bool
    matter: Matter = field(repr=False, compare=False)
    camera: Camera
    light: Light
    things: tuple[Thing, ...]
    figures: tuple[Figure, ...]

    @property
    def falls(self) -> str:
        """What falls through the air: rain, snow or nothing."""
        return self.setting.weather.falling if self.lit_by == "sky" else ""


class Draft:
    """A scene while its recipe fills it in."""

    def __init__(self, dice: Dice, setting: Setting) -> None:
        self.dice = dice
        self.setting = setting
        self.root = Place()
        self.things: list[Thing] = []
        self.figures: list[Figure] = []
        self.camera = Camera(eye=(0.0, 1.7, 0.0), target=(0.0, 1.7, -10.0))
        self.light = setting.light
        self.ground = setting.grass
        self.where: tuple[str, ...] = ()
        self.ground_thing = 0
        self.lit_by: LitBy = "sky"
        self._next = 1

    def thing(
        self,
        word: str,
        colour: str = "",
        *,
        made: str = "",
        size: str = "",
        doing: str = "",
        parts: Sequence[tuple[str, str]] = (),
    ) -> int:
        """Note a thing, with the words and colours of its parts, and give its number; its parts have the
        next."""
        number = self._next
        named = tuple(
            Part(number=number + 1 + place, word=part, colour=own) for place, (part, own) in enumerate(parts)
        )
        self.things.append(
            Thing(number=number, word=word, colour=colour, made=made, size=size, doing=doing, parts=named)
        )
        self._next += 1 + len(parts)
        return number

    def colour(self, *names: str) -> tuple[str, Colour]:
        """One of these names, or of all, and a colour that is called so."""
        name = self.dice.pick(names or tuple(COLOURS))
        return name, shade_of(name, self.dice)

    def spot(self, share: float, far: float) -> tuple[float, float]:
        """Where on the ground, x and z, something stands `far` metres ahead, at a share of the half picture
        to the right of its middle."""
        right, _, ahead = self.camera.axes()
        level = math.hypot(ahead[0], ahead[2])
        x, z = (self.camera.eye[axis] + far * (ahead[axis] / level + share * right[axis]) for axis in (0, 2))
        return x, z

    def first_ground(self, share: float = 0.86) -> float:
        """How far ahead the ground comes into the picture, at a share of its lower half."""
        ahead = self.camera.axes()[2]
        pitch = math.atan2(ahead[1], math.hypot(ahead[0], ahead[2]))
        return self.camera.eye[1] / math.tan(math.atan(share * self.camera.reach) - pitch)

    def person(self, place: Place, pose_name: str, *, sort: str = "", hat: bool = True) -> None:
        """Put a person in a pose into a place, of a sort if it is given. With `hat` some wear one."""
        dice = self.dice
        sort = sort or dice.pick(tuple(SORTS))
        pose = POSES[pose_name]
        if dice.chance(0.5):
            pose = pose.mirrored()
        top, bottom = self._clothes()
        look = look_of(
            SORTS[sort],
            dice,
            shade_of(top, dice),
            shade_of(bottom, dice),
            folded=pose.folded,
            hat=self._hat(hat),
        )
        number = self.thing(sort, doing=dice.pick(pose.says), parts=look.worn(top, bottom))
        body = bones(pose.jittered(dice, 9.0), build_of(SORTS[sort], dice))
        own = place.at(thing=number)
        dress(own, body, look)
        self.figures.append(
            Figure(number=number, pose=pose_name, points=key_points(body, own), deep=DEEP * body.build.height)
        )

    def _clothes(self) -> tuple[str, str]:
        top = self.dice.pick(
            ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink", "white")
        )
        bottoms = ("blue", "black", "brown", "grey", "green", "red", "purple", "white", "beige")
        return top, self.dice.pick([name for name in bottoms if name != top])

    def _hat(self, may: bool) -> str | None:
        wears = may and self.dice.chance(0.22)
        return self.dice.pick(("red", "blue", "yellow", "green", "black", "brown")) if wears else None
