"""What the trainer's tests train on: a set in memory, and runs of a few steps on the tiny family."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from annotators.base import Pixels
from training import config
from training.config import Config
from training.data import Example

SIDE = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """Coloured squares, whose hints are their outlines. `holes` puts -1 into the middle of each hint."""

    count: int = 12
    holes: bool = False
    side: int = SIDE

    @property
    def fingerprint(self) -> str:
        return f"made {self.count} {self.holes} {self.side}"

    @property
    def prompts(self) -> tuple[str, ...]:
        return tuple(f"a square, {index}" for index in range(self.count))

    @property
    def varies(self) -> bool:
        return False

    @property
    def contents(self) -> str:
        return self.fingerprint

    @property
    def skipped(self) -> int:
        return 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Example:
        return self.at(index, 0)

    def at(self, index: int, epoch: int) -> Example:
        colours = np.random.default_rng((index, 1))
        left, top, right, bottom = self._corners(index)
        target = np.full((self.side, self.side, 3), colours.integers(0, 80, 3), np.uint8)
        target[top:bottom, left:right] = colours.integers(120, 256, 3)
        return Example(
            target=target, hint=self.hint(index, epoch), prompt=self.prompts[index], name=f"{index}.png"
        )

    def target(self, index: int, epoch: int) -> Pixels:
        return self.at(index, epoch).target

    def hint(self, index: int, epoch: int) -> NDArray[np.float32]:
        left, top, right, bottom = self._corners(index)
        hint = np.zeros((self.side, self.side, 3), np.float32)
        hint[top, left:right] = hint[bottom - 1, left:right] = 1
        hint[top:bottom, left] = hint[top:bottom, right - 1] = 1
        if self.holes:
            hint[24:40, 24:40] = -1
        return hint

    def emphasis(self, index: int) -> NDArray[np.float32] | None:
        return None

    def _corners(self, index: int) -> list[int]:
        """Left, top, right and bottom of the square, within the picture."""
        shares = np.random.default_rng(index).uniform((0.1, 0.1, 0.55, 0.55), (0.3, 0.3, 0.9, 0.9))
        return [int(share * self.side) for share in shares]


def settings(**changes: Any) -> Config:
    """A run of a few steps on the tiny family; a change is named by its section: `train={"steps": 3}`."""
    table: dict[str, Any] = {
        "name": "squares",
        "data": {"path": "nowhere", "condition": "canny", "size": SIDE},
        "base": {"model": "pocket"},
        "train": {"steps": 4, "batch": 2, "learning_rate": 1e-3, "precision": "float32", "workers": 1},
        "watch": {"held_out": 2, "sample_every": 0, "save_every": 1000, "log_every": 1, "sample_steps": 2},
    }
    for name, change in changes.items():
        table[name] = {**table.get(name, {}), **change} if isinstance(change, Mapping) else change
    return config.read(table)


def watched(trainer: Any) -> dict[str, torch.Tensor]:
    """Every gradient of every step from now on, before it is clipped, by "<step> <name>"."""
    seen: dict[str, torch.Tensor] = {}
    clip = trainer.accelerator.clip_grad_norm_

    def look(tensors: Any, norm: float) -> Any:
        seen.update({f"{trainer.step} {name}": gradient for name, gradient in gradients(trainer).items()})
        return clip(tensors, norm)

    trainer.accelerator.clip_grad_norm_ = look
    return seen


def gradients(trainer: Any) -> dict[str, torch.Tensor]:
    """The gradients as they are now, by name."""
    return {name: tensor.grad.clone() for name, tensor in trainer.learning.items()}
