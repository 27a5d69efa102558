"""The layers of a world as maps, as the annotators have them: RGB uint8."""

import numpy as np

from annotators import ade20k, normal_from_depth, pose
from annotators.base import Pixels
from annotators.lines import rgb
from training.world.render import World


def picture(world: World, number: int) -> Pixels:
    """The picture of one scene, RGB uint8 (size, size, 3)."""
    return np.ascontiguousarray(world.picture[number].permute(1, 2, 0).cpu().numpy())


def depth_map(world: World, number: int) -> Pixels:
    """Near is white, far is black: one over the distance, from the farthest to the nearest."""
    near = 1.0 / world.depth[number].cpu().numpy()
    span = max(float(near.max() - near.min()), 1e-6)
    return rgb((near - near.min()) / span * 255)


def normal_map(world: World, number: int) -> Pixels:
    """Red to the left, green up, blue to the viewer."""
    return normal_from_depth.coloured(world.normals[number].permute(1, 2, 0).cpu().numpy())


def class_map(world: World, number: int) -> Pixels:
    """The classes in the colours of ADE20K."""
    return ade20k.coloured(world.classes[number].cpu().numpy())


def line_map(world: World, number: int) -> Pixels:
    """The straight edges, white on black."""
    return rgb(world.lines[number].cpu().numpy() * 255.0)


def edge_map(world: World, number: int) -> Pixels:
    """All edges, white on black."""
    return rgb(world.edges[number].cpu().numpy() * 255.0)


def people(world: World, number: int, *, hidden: bool = False) -> tuple[pose.Person, ...]:
    """The people of a scene as OpenPose has them. What is hidden is left out, unless wanted."""
    least = 1.0 if hidden else 2.0
    found = []
    for points in world.points[number].tolist():
        body = tuple((x, y, 1.0) if state >= least else None for x, y, state in points)
        if any(body):
            found.append(pose.Person(body=body))
    return tuple(found)


def pose_map(world: World, number: int, *, hidden: bool = False) -> Pixels:
    """The people drawn as OpenPose's networks learnt it."""
    size = world.depth.shape[1]
    return pose.draw(people(world, number, hidden=hidden), size, size, body=True, hands=False, face=False)
