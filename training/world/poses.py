"""The poses that people take: where each bone points, as a table.

A bone points down at 0, 0. The first angle lifts it forward, to the front at 90 and up at 180; the second
moves it outward to its own side, level at 90 and up at 180. All are degrees, in the frame of the trunk's
feet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import TypeAlias

from training.world.dice import Dice

Bone: TypeAlias = tuple[float, float]
DOWN: Bone = (0.0, 6.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Where the bones point, first those on the right of the person.

    The trunk leans forward by `lean` and to the left by `tilt`; the head nods by `nod` and turns to the left
    by `turn`. The lowest point of the body is `lift` heights above what it stands on; with `sits` it is the
    hips that rest, that share of a height above the floor. `says` are the words for it; `wide` is how much
    room it takes to each side and `tall` above the floor, in heights.
    """

    says: tuple[str, ...]
    right_arm: tuple[Bone, Bone] = (DOWN, DOWN)
    left_arm: tuple[Bone, Bone] = (DOWN, DOWN)
    right_leg: tuple[Bone, Bone] = ((0.0, 4.0), (0.0, 3.0))
    left_leg: tuple[Bone, Bone] = ((0.0, 4.0), (0.0, 3.0))
    lean: float = 0.0
    tilt: float = 0.0
    nod: float = 0.0
    turn: float = 0.0
    lift: float = 0.0
    sits: float = 0.0
    wide: float = 0.24
    tall: float = 1.0

    @property
    def folded(self) -> bool:
        """Whether a thigh is lifted so far that a skirt would not fall over it."""
        return max(abs(self.right_leg[0][0]), abs(self.left_leg[0][0])) > 40 or self.lean > 30

    def jittered(self, dice: Dice, spread: float) -> "Pose":
        """The same pose with every bone of the limbs up to `spread` degrees off; legs half of that."""

        def bent(limb: tuple[Bone, Bone], most: float) -> tuple[Bone, Bone]:
            (a, b), (c, d) = limb
            return (dice.about(a, most), dice.about(b, most)), (dice.about(c, most), dice.about(d, most))

        return replace(
            self,
            right_arm=bent(self.right_arm, spread),
            left_arm=bent(self.left_arm, spread),
            right_leg=bent(self.right_leg, spread / 3),
            left_leg=bent(self.left_leg, spread / 3),
            lean=dice.about(self.lean, spread / 4),
            nod=dice.about(self.nod, spread / 3),
            turn=dice.about(self.turn, spread),
        )

    def mirrored(self) -> "Pose":
        """Left and right changed over."""
        return replace(
            self,
            right_arm=self.left_arm,
            left_arm=self.right_arm,
            right_leg=self.left_leg,
            left_leg=self.right_leg,
            tilt=-self.tilt,
            turn=-self.turn,
        )


POSES: Mapping[str, Pose] = MappingProxyType(
    {
        "standing": Pose(says=("standing",), right_arm=((0, 10), (8, 6)), left_arm=((0, 10), (8, 6))),
        "walking": Pose(
            says=("walking",),
            right_arm=((28, 8), (48, 4)),
            left_arm=((-26, 8), (-6, 6)),
            right_leg=((-22, 2), (-42, 2)),
            left_leg=((26, 2), (6, 2)),
            lean=4,
        ),
        "running": Pose(
            says=("running",),
            right_arm=((52, 10), (118, 6)),
            left_arm=((-48, 12), (30, 8)),
            right_leg=((-30, 2), (-88, 2)),
            left_leg=((62, 2), (-6, 2)),
            lean=14,
            lift=0.04,
            wide=0.3,
        ),
        "arms up": Pose(
            says=("with arms up", "with raised arms", "cheering"),
            right_arm=((0, 152), (0, 166)),
            left_arm=((0, 152), (0, 166)),
            right_leg=((0, 9), (0, 8)),
            left_leg=((0, 9), (0, 8)),
            wide=0.3,
            tall=1.2,
        ),
        "waving": Pose(
            says=("waving",),
            right_arm=((12, 112), (8, 172)),
            left_arm=((0, 12), (6, 8)),
            wide=0.32,
            tall=1.12,
        ),
        "pointing": Pose(
            says=("pointing",),
            right_arm=((6, 92), (4, 92)),
            left_arm=((0, 10), (10, 4)),
            turn=-24,
            wide=0.4,
        ),
        "hands on hips": Pose(
            says=("with hands on hips",),
            right_arm=((-14, 46), (22, -52)),
            left_arm=((-14, 46), (22, -52)),
            right_leg=((0, 9), (0, 7)),
            left_leg=((0, 9), (0, 7)),
            wide=0.28,
        ),
        "arms wide": Pose(
            says=("with arms wide open", "with open arms"),
            right_arm=((8, 88), (12, 96)),
            left_arm=((8, 88), (12, 96)),
            right_leg=((0, 8), (0, 6)),
            left_leg=((0, 8), (0, 6)),
            wide=0.44,
        ),
        "dancing": Pose(
            says=("dancing",),
            right_arm=((10, 128), (0, 178)),
            left_arm=((14, 74), (30, 20)),
            right_leg=((8, 10), (-34, 8)),
            left_leg=((4, 14), (-8, 10)),
            tilt=8,
            turn=14,
            wide=0.38,
            tall=1.15,
        ),
        "jumping": Pose(
            says=("jumping",),
            right_arm=((10, 132), (0, 150)),
            left_arm=((10, 132), (0, 150)),
            right_leg=((30, 18), (-46, 16)),
            left_leg=((30, 18), (-46, 16)),
            lift=0.17,
            wide=0.36,
            tall=1.3,
        ),
        "kicking": Pose(
            says=("kicking",),
            right_arm=((-20, 52), (0, 40)),
            left_arm=((30, 58), (44, 40)),
            right_leg=((58, 8), (50, 6)),
            left_leg=((-6, 4), (-14, 3)),
            lean=-8,
            wide=0.34,
        ),
        "bowing": Pose(
            says=("bowing",),
            right_arm=((10, 14), (18, 8)),
            left_arm=((10, 14), (18, 8)),
            lean=44,
            nod=24,
            tall=0.9,
        ),
        "crouching": Pose(
            says=("crouching",),
            right_arm=((52, 8), (74, -6)),
            left_arm=((52, 8), (74, -6)),
            right_leg=((98, 20), (-36, 8)),
            left_leg=((98, 20), (-36, 8)),
            lean=24,
            wide=0.26,
            tall=0.72,
        ),
        "kneeling": Pose(
            says=("kneeling",),
            right_arm=((16, 10), (54, -14)),
            left_arm=((16, 10), (54, -14)),
            right_leg=((6, 6), (-86, 4)),
            left_leg=((6, 6), (-86, 4)),
            lean=6,
            wide=0.26,
            tall=0.85,
        ),
        "sitting": Pose(
            says=("sitting",),
            right_arm=((26, 10), (62, 2)),
            left_arm=((26, 10), (62, 2)),
            right_leg=((84, 8), (2, 4)),
            left_leg=((84, 8), (2, 4)),
            sits=0.05,
            lean=-2,
            wide=0.26,
        ),
        "resting": Pose(
            says=("sitting on the ground", "resting"),
            right_arm=((-34, 22), (-20, 14)),
            left_arm=((-34, 22), (-20, 14)),
            right_leg=((86, 14), (90, 8)),
            left_leg=((112, 10), (56, 6)),
            sits=0.065,
            lean=-16,
            wide=0.3,
            tall=0.62,
        ),
        "stretching": Pose(
            says=("stretching",),
            right_arm=((0, 168), (0, 196)),
            left_arm=((4, 40), (24, -40)),
            right_leg=((0, 14), (0, 12)),
            left_leg=((0, 14), (0, 12)),
            tilt=22,
            wide=0.36,
            tall=1.2,
        ),
        "thinking": Pose(
            says=("thinking",),
            right_arm=((34, 12), (132, -24)),
            left_arm=((24, 16), (78, -66)),
            nod=8,
            turn=10,
        ),
    }
)
LIMBS = tuple(field.name for field in fields(Pose) if field.name.endswith(("arm", "leg")))
