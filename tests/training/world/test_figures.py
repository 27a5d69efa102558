"""People: key points lie on their bodies, are where a pinhole puts them, and say when they are hidden."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from annotators import ade20k, pose
from training.world import layers
from training.world.camera import Camera
from training.world.dice import Dice
from training.world.figures import KEY_POINTS, Build, bones
from training.world.light import HOURS, WEATHERS, outdoors
from training.world.people import SORTS, build_of
from training.world.poses import POSES, Pose
from training.world.recipe import Draft, Scene
from training.world.render import World, paint
from training.world.scene import scene
from training.world.settings import setting_of
from training.world.solids import Paint
from training.world.tables import Matter

PERSON = ade20k.NAMES.index("person")
every_pose = pytest.mark.parametrize("pose_name", POSES)


def one_person(
    pose_name: str, *, yaw: float = 0.0, x: float = 0.0, wall: bool = False, seed: int = 0
) -> Scene:
    """A scene with one person only, perhaps behind a wall."""
    dice = Dice(seed)
    draft = Draft(dice, setting_of(dice))
    draft.camera = Camera(eye=(0, 1.2, 0), target=(0, 0.95, -4), view=36)
    draft.person(draft.root.at(x, 0, -4, yaw=yaw), pose_name, sort="woman")
    if wall:
        draft.root.box(Paint("wall", (0.5, 0.5, 0.5)), (0, 1.5, -2.5), (8.0, 3.0, 0.2))
    light = outdoors(HOURS["noon"], WEATHERS["clear"], height=50, bearing=30, showing=10)
    return replace(
        scene(0),
        matter=Matter.of(draft.ground, 0, draft.root.solids),
        camera=draft.camera,
        light=light,
        things=tuple(draft.things),
        figures=tuple(draft.figures),
        lit_by="sky",
        style="photo",
    )


@pytest.fixture(scope="module")
def posed() -> World:
    """Every pose, from the front and from the side."""
    return paint(
        [one_person(name, yaw=yaw, seed=number) for yaw in (0.2, -1.2) for number, name in enumerate(POSES)],
        128,
    )


def test_seen_key_points_lie_on_the_person(posed: World) -> None:
    seen = 0
    for number in range(len(posed.scenes)):
        body = posed.classes[number].numpy() == PERSON
        for x, y, state in posed.points[number, 0].tolist():
            if state == 2:
                seen += 1
                row, column = int(y), int(x)
                assert body[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3].any()
    assert seen > 0.75 * 18 * len(posed.scenes)


def test_key_points_are_where_a_pinhole_has_them(posed: World) -> None:
    for number, own in enumerate(posed.scenes):
        right, up, ahead = (np.array(axis) for axis in own.camera.axes())
        way = np.array(own.figures[0].points) - np.array(own.camera.eye)
        x, y = (way @ axis / (axis @ axis) / (way @ ahead) for axis in (right, up))
        wanted = np.stack([(x + 1) * 64, (1 - y) * 64], axis=-1)
        found = posed.points[number, 0].numpy()
        assert np.abs(found[:, :2] - wanted)[found[:, 2] > 0].max() < 1e-2


def test_who_stands_behind_a_wall_is_hidden() -> None:
    world = paint([one_person("standing", wall=True)], 64)
    assert set(world.points[0, 0, :, 2].tolist()) == {1.0}
    assert layers.people(world, 0) == ()
    assert len(layers.people(world, 0, hidden=True)) == 1


def test_who_is_outside_the_picture_has_no_points() -> None:
    world = paint([one_person("standing", x=9.0)], 64)
    assert not bool(world.points[0].any())


def test_the_far_arm_of_somebody_from_the_side_is_hidden_or_seen_as_its_depth_says(posed: World) -> None:
    hidden = posed.points[:, 0, :, 2] == 1
    assert 0.02 < hidden.float().mean() < 0.3


def test_places_of_nobody_are_empty(posed: World) -> None:
    assert not bool(posed.points[:, 1:].any())


def test_the_drawn_pose_is_that_of_the_annotators(posed: World) -> None:
    people = layers.people(posed, 0)
    wanted = pose.draw(people, 128, 128, body=True, hands=False, face=False)
    assert np.array_equal(layers.pose_map(posed, 0), wanted)
    assert len(people[0].body) == 18
    assert pose.as_json(people, 128, 128)["people"]


@every_pose
def test_a_pose_is_a_body_that_stands_or_sits(pose_name: str) -> None:
    own = POSES[pose_name]
    body = bones(own, Build(height=1.7))
    low = min(y for _, y, _ in body.joints.values())
    assert low >= (-0.05 if not own.sits else -0.45)
    if not own.sits:
        assert math.isclose(low, (0.026 + own.lift) * 1.7, abs_tol=1e-6)
    lengths = [
        (math.dist(body.joints[f"{side}_{a}"], body.joints[f"{side}_{b}"]), share * 1.7)
        for side in ("right", "left")
        for a, b, share in (
            ("shoulder", "elbow", body.build.upper_arm),
            ("elbow", "wrist", body.build.forearm),
            ("hip", "knee", body.build.thigh),
            ("knee", "ankle", body.build.shin),
        )
    ]
    assert all(math.isclose(*pair, rel_tol=1e-6) for pair in lengths)
    assert set(KEY_POINTS) <= set(body.joints)


def test_left_is_to_the_left_of_who_is_looked_at() -> None:
    body = bones(POSES["standing"], Build(height=1.7))
    assert body.joints["left_shoulder"][0] > 0 > body.joints["right_shoulder"][0]
    assert body.joints["nose"][2] > body.joints["head"][2]  # faces the viewer, who is at z above 0


def test_arms_that_are_up_are_up() -> None:
    body = bones(POSES["arms up"], Build(height=1.7))
    assert min(body.joints[f"{side}_wrist"][1] for side in ("left", "right")) > body.joints["nose"][1]


def test_mirroring_twice_is_nothing() -> None:
    own = POSES["waving"]
    assert own.mirrored() != own
    assert own.mirrored().mirrored() == own


def test_children_are_smaller_with_larger_heads() -> None:
    boy, man = (build_of(SORTS[name], Dice(1)) for name in ("boy", "man"))
    assert boy.height < 0.8 * man.height
    assert boy.head > 1.2 * man.head


def test_jitter_stays_small() -> None:
    dice = Dice(4)
    for own in POSES.values():
        moved: Pose = own.jittered(dice, 9.0)
        assert max(abs(a - b) for a, b in zip(moved.right_arm[0], own.right_arm[0], strict=True)) <= 9.0
        assert torch.is_tensor(torch.tensor(moved.lean))
