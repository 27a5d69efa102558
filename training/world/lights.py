"""The lights of a batch as tensors."""

from collections.abc import Sequence
from dataclasses import fields

import torch
from torch import Tensor

from training.world.light import Light
from training.world.shapes import Vector
from training.world.trace import Key


class Lights:
    """Every field of the lights of a batch, looked up by scene."""

    def __init__(self, lights: Sequence[Light], device: torch.device) -> None:
        self._all = {
            field.name: torch.tensor(
                [getattr(light, field.name) for light in lights], dtype=torch.float32
            ).to(device)
            for field in fields(Light)
        }

    @property
    def keys(self) -> Key:
        """The keys of all scenes."""
        x, y, z = self._all["key"].T
        return Key((x, y, z), self._all["near"])

    def one(self, name: str, scene: Tensor) -> Tensor:
        """A number for each of the scenes (rows,), as (rows, 1)."""
        return self._all[name][scene][:, None]

    def three(self, name: str, scene: Tensor) -> Vector:
        """A way, a place or a colour for each of the scenes (rows,), three of (rows, 1)."""
        x, y, z = self._all[name][scene].T[..., None]
        return x, y, z
