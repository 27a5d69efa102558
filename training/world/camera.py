"""Where a picture is seen from, and the rays through its pixels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.world.shapes import Vector, dot, each
from training.world.solids import Point

NEAR = 0.05  # what is nearer than this, in metres, may be anywhere in the picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A pinhole at `eye` that looks at `target`, upright; `view` is its angle up and down in degrees."""

    eye: Point
    target: Point
    view: float = 40.0

    @property
    def reach(self) -> float:
        """Half the height of the picture, one metre ahead."""
        return math.tan(math.radians(self.view) / 2)

    def axes(self) -> tuple[Point, Point, Point]:
        """Ways in the scene: one half picture to the right, one half up, and ahead with length 1."""
        ahead = tuple(self.target[axis] - self.eye[axis] for axis in range(3))
        length = math.sqrt(sum(part * part for part in ahead))
        x, y, z = (part / length for part in ahead)
        flat = math.hypot(x, z)
        right = (-z / flat * self.reach, 0.0, x / flat * self.reach)
        up = (-x * y / flat * self.reach, flat * self.reach, -z * y / flat * self.reach)
        return right, up, (x, y, z)


@dataclass(frozen=True, slots=True)
class Eyes:
    """The cameras of a batch: `eye`, `right`, `up` and `ahead`, each three tensors (B,), and `reach` (B,).

    `reach` is half the height of the picture, one metre ahead.
    """

    eye: Vector
    right: Vector
    up: Vector
    ahead: Vector
    reach: Tensor

    @classmethod
    def of(cls, cameras: Sequence[Camera], device: torch.device) -> "Eyes":
        """The cameras, in order."""
        rows = [
            (*camera.eye, *(part for axis in camera.axes() for part in axis), camera.reach)
            for camera in cameras
        ]
        columns = torch.tensor(rows, dtype=torch.float32).T.contiguous().to(device)
        eye, right, up, ahead = ((columns[k], columns[k + 1], columns[k + 2]) for k in (0, 3, 6, 9))
        return cls(eye, right, up, ahead, columns[12])

    def mirrored(self, level: Tensor) -> "Eyes":
        """The cameras as they stand under the mirror of still water at the heights `level` (B,)."""
        eye, right, up, ahead = ((x, -y, z) for x, y, z in (self.eye, self.right, self.up, self.ahead))
        return Eyes((eye[0], eye[1] + 2 * level, eye[2]), right, up, ahead, self.reach)

    def seen(self, points: Vector) -> Vector:
        """Points of each scene, x, y and z (B, n), as the cameras have them.

        These are x from -1 to 1 from left to right, y from -1 to 1 from top to bottom, and metres ahead.
        """
        eye, right, up, ahead = (
            each(lambda part: part[:, None], axis) for axis in (self.eye, self.right, self.up, self.ahead)
        )
        way = each(torch.sub, points, eye)
        depth = dot(way, ahead)
        off = (self.reach * self.reach)[:, None] * depth.clamp(min=NEAR)
        return dot(way, right) / off, -dot(way, up) / off, depth

    def ways(self, scene: Tensor, across: Tensor, down: Tensor) -> Vector:
        """The ways through places of pictures (rows, n), each -1 to 1, of the scenes (rows,).

        A way has length 1 along the axis of its camera, so that t on it is the depth.
        """

        def way(right: Tensor, up: Tensor, ahead: Tensor) -> Tensor:
            right, up, ahead = (part[scene][:, None] for part in (right, up, ahead))
            return ahead + right * across - up * down

        return each(way, self.right, self.up, self.ahead)
