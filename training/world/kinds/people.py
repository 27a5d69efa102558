"""People in front of a calm background: one to three of them, large, in any pose."""

import math
from collections.abc import Iterator, Sequence

from training.world.camera import Camera
from training.world.dice import Dice
from training.world.interior import FLOORS, GENTLE, lit_room, shell, wall_piece
from training.world.people import SORTS
from training.world.poses import POSES
from training.world.recipe import Draft
from training.world.scenery import clouds, hills, mountains, tree
from training.world.solids import Paint, Place
from training.world.things.furniture import chair
from training.world.things.objects import beach_ball

STANDING = tuple(name for name in POSES if name != "sitting")


def group(draft: Draft) -> None:
    """One to three people outdoors."""
    dice = draft.dice
    sorts, poses = _cast(dice, dice.weighted({1: 0.45, 2: 0.35, 3: 0.2}), STANDING)
    far = _frame(draft, sorts, poses)
    _behind(draft)
    for place, sort, pose in _row(draft, sorts, poses, far):
        draft.person(place, pose, sort=sort)
        if pose == "kicking":
            name, colour = draft.colour("red", "orange", "yellow", "blue", "white")
            ball = place.at(0.0, 0.25, 1.05, thing=draft.thing("ball", name))
            beach_ball(ball, dice, colour)


def _cast(dice: Dice, count: int, poses: Sequence[str]) -> tuple[list[str], list[str]]:
    """So many sorts of people, and a pose for each."""
    return [dice.pick(tuple(SORTS)) for _ in range(count)], [dice.pick(poses) for _ in range(count)]


def _room(sort: str, pose: str) -> float:
    """How much room somebody takes to each side, in metres."""
    return POSES[pose].wide * SORTS[sort].height[1]


def _frame(draft: Draft, sorts: Sequence[str], poses: Sequence[str]) -> float:
    """A camera that has all of them in the picture; how far away they are."""
    dice = draft.dice
    tall = max(SORTS[sort].height[1] * POSES[pose].tall for sort, pose in zip(sorts, poses, strict=True))
    wide = sum(2 * _room(sort, pose) for sort, pose in zip(sorts, poses, strict=True))
    view = 34.0
    far = max(tall * 1.32, wide * 1.16) * dice.between(1.0, 1.22) / (2 * math.tan(math.radians(view / 2)))
    draft.camera = Camera(
        eye=(0, tall * dice.between(0.62, 0.8), 0), target=(0, tall * 0.53, -far), view=view
    )
    return far


def _row(
    draft: Draft, sorts: Sequence[str], poses: Sequence[str], far: float
) -> Iterator[tuple[Place, str, str]]:
    """Places beside each other, most of them turned to the viewer."""
    dice = draft.dice
    x = -sum(_room(sort, pose) for sort, pose in zip(sorts, poses, strict=True))
    for sort, pose in zip(sorts, poses, strict=True):
        way = dice.weighted({"front": 0.5, "half": 0.3, "side": 0.12, "back": 0.08})
        turn = {
            "front": dice.about(0, 0.25),
            "half": dice.sign() * 0.75,
            "side": dice.sign() * 1.45,
            "back": 3.14,
        }
        x += _room(sort, pose)
        yield draft.root.at(x, 0, -far + dice.about(0, 0.15), yaw=turn[way]), sort, pose
        x += _room(sort, pose)


def _behind(draft: Draft) -> None:
    dice = draft.dice
    what = dice.weighted({"meadow": 0.45, "beach": 0.2, "mountains": 0.2, "wood": 0.15})
    clouds(draft)
    if what == "meadow":
        hills(draft)
        if dice.chance(0.6):
            tree(draft, dice.sign() * dice.between(2.6, 3.4), -dice.between(8.5, 10), "", 1.0)
        draft.where = ("in a meadow", "outdoors")
    elif what == "beach":
        draft.ground = Paint("sand", (0.95, 0.86, 0.64), mottle=0.07, casts=False)
        deep = (0.16, 0.44, 0.60) if not draft.setting.weather.grey else (0.30, 0.42, 0.50)
        water = Paint("sea", deep, mirror=0.5, gloss=0.2, mottle=0.05, casts=False, snows=False)
        draft.root.at(thing=draft.thing("sea")).box(water, (0, 0.01, -60 - 9.5), (400.0, 0.02, 120.0))
        draft.where = ("on a beach", "by the sea")
    elif what == "mountains":
        mountains(draft, high=1.1)
        draft.where = ("in the mountains",)
    else:
        for number in range(5):
            tree(
                draft,
                (number - 2) * 2.5 + dice.about(0, 0.5),
                -10.5 - (number % 2) * 2.2,
                "pine",
                dice.between(0.9, 1.2),
            )
        draft.where = ("in a forest", "in the woods")


def indoors(draft: Draft) -> None:
    """One or two people in a room with little in it, standing or on chairs."""
    dice = draft.dice
    lit_room(draft)
    shell(draft, dice.pick(tuple(GENTLE)), dice.pick(tuple(FLOORS)), wide=6.0)
    sorts, poses = _cast(dice, dice.weighted({1: 0.6, 2: 0.4}), tuple(POSES))
    far = _frame(draft, sorts, poses)
    here = draft.root
    draft.root = here.at(0, 0, far - 2.6)
    for place, sort, pose in _row(draft, sorts, poses, far):
        if pose == "sitting":
            name, colour = draft.colour("red", "blue", "yellow", "green", "brown", "white")
            size = 0.75 if sort in ("boy", "girl") else 1.0
            chair(place.at(scale=size, thing=draft.thing("chair", name)), colour)
            place = place.at(0, 0.47 * size, 0.03)
        draft.person(place, pose, sort=sort)
    draft.root = here
    eye, target = draft.camera.eye, draft.camera.target
    shift = far - 2.6
    draft.camera = Camera(eye=(0, eye[1], shift), target=(0, target[1], -2.6), view=draft.camera.view)
    if dice.chance(0.6):
        wall_piece(draft, dice.sign() * dice.between(0.6, 1.0), 1.75)
    draft.where = ("in a room", "indoors")
