"""People as bones: a pose becomes joints in the scene, and those the 18 key points of OpenPose."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from training.world.poses import Bone, Pose
from training.world.solids import Place, Point

# The order of OpenPose; annotators/pose.py draws it.
KEY_POINTS = (
    *("nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist".split()),
    *("right_hip right_knee right_ankle left_hip left_knee left_ankle".split()),
    *("right_eye left_eye right_ear left_ear".split()),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """The proportions of a body, in shares of its height; `round` is how thick it is, 1 for most."""

    height: float
    head: float = 0.088
    thigh: float = 0.235
    shin: float = 0.225
    trunk: float = 0.285
    upper_arm: float = 0.155
    forearm: float = 0.140
    shoulders: float = 0.108
    hips: float = 0.056
    thick: float = 1.0


ADULT = {"head": 0.086}
CHILD = {
    "head": 0.118,
    "thigh": 0.205,
    "shin": 0.200,
    "trunk": 0.270,
    "upper_arm": 0.135,
    "forearm": 0.120,
    "shoulders": 0.104,
    "thick": 1.12,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bones:
    """Where the joints of one person are, in the person's place: x to their left, y up, z to their front.

    `joints` has the key points and `right_hand`, `left_hand`, `right_toe`, `left_toe`, `pelvis`, `chest`,
    `head`. `face` are the head's ways to its left, up and front. `radii` is how deep each key point lies
    under the skin.
    """

    joints: Mapping[str, Point]
    face: tuple[Point, Point, Point]
    build: Build


def _way(bone: Bone, side: float) -> Point:
    """Where a bone of the left (1) or right (-1) side points."""
    forward, outward = math.radians(bone[0]), math.radians(bone[1])
    level = math.cos(forward)
    return side * level * math.sin(outward), -level * math.cos(outward), math.sin(forward)


def plus(first: Point, second: Point, times: float = 1.0) -> Point:
    """first + times second."""
    return first[0] + times * second[0], first[1] + times * second[1], first[2] + times * second[2]


def bones(pose: Pose, build: Build) -> Bones:
    """The joints of a body in a pose, standing on height 0 over the middle of its hips."""
    size = build.height
    lean, tilt = math.radians(pose.lean), math.radians(pose.tilt)
    spine = (math.sin(tilt) * math.cos(lean), math.cos(tilt) * math.cos(lean), math.sin(lean))
    across = (math.cos(tilt), -math.sin(tilt), 0.0)
    pelvis = (0.0, 0.0, 0.0)
    joints = {"pelvis": pelvis, "chest": plus(pelvis, spine, build.trunk * 0.86 * size)}
    joints["neck"] = plus(pelvis, spine, build.trunk * size)
    for name, side in (("right", -1.0), ("left", 1.0)):
        arm, leg = (getattr(pose, f"{name}_{limb}") for limb in ("arm", "leg"))
        shoulder = plus(joints["neck"], across, side * build.shoulders * size)
        elbow = plus(shoulder, _way(arm[0], side), build.upper_arm * size)
        wrist = plus(elbow, _way(arm[1], side), build.forearm * size)
        hip = plus(pelvis, across, side * build.hips * size)
        knee = plus(hip, _way(leg[0], side), build.thigh * size)
        ankle = plus(knee, _way(leg[1], side), build.shin * size)
        shin = _way(leg[1], side)
        toe = plus(plus(ankle, (side * 0.25, 0.15 * shin[1], -shin[1]), 0.072 * size), shin, 0.018 * size)
        joints |= {
            f"{name}_shoulder": shoulder,
            f"{name}_elbow": elbow,
            f"{name}_wrist": wrist,
            f"{name}_hand": plus(wrist, _way(arm[1], side), 0.035 * size),
            f"{name}_hip": hip,
            f"{name}_knee": knee,
            f"{name}_ankle": ankle,
            f"{name}_toe": toe,
        }
    face = _head(pose)
    head = plus(plus(joints["neck"], spine, (build.head + 0.025) * size), face[1], 0.25 * build.head * size)
    joints["head"] = head
    joints |= {name: _on_face(head, face, build.head * size, *where) for name, where in FACE.items()}
    low = min(point[1] for name, point in joints.items()) - 0.026 * size
    rise = (pose.sits * size if pose.sits else -low) + pose.lift * size
    return Bones(joints={k: (x, y + rise, z) for k, (x, y, z) in joints.items()}, face=face, build=build)


# Where the face's key points are on a head of radius 1: to its left, up, and to the front.
FACE = {
    "nose": (0.0, -0.06, 0.98),
    "right_eye": (-0.36, 0.16, 0.86),
    "left_eye": (0.36, 0.16, 0.86),
    "right_ear": (-0.90, 0.0, 0.0),
    "left_ear": (0.90, 0.0, 0.0),
}


def _head(pose: Pose) -> tuple[Point, Point, Point]:
    """The head's ways to its left, up and front."""
    nod, turn = math.radians(pose.nod + 0.5 * pose.lean), math.radians(pose.turn)
    front = (math.sin(turn) * math.cos(nod), -math.sin(nod), math.cos(turn) * math.cos(nod))
    left = (math.cos(turn), 0.0, -math.sin(turn))
    up = (
        front[1] * left[2] - front[2] * left[1],
        front[2] * left[0] - front[0] * left[2],
        front[0] * left[1] - front[1] * left[0],
    )
    return left, up, front


def _on_face(head: Point, face: tuple[Point, Point, Point], radius: float, *where: float) -> Point:
    for way, share in zip(face, where, strict=True):
        head = plus(head, way, share * radius)
    return head


def key_points(found: Bones, place: Place) -> tuple[Point, ...]:
    """The 18 key points in the scene."""
    return tuple(place.out(found.joints[name]) for name in KEY_POINTS)
