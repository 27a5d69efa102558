"""Muon: steps that turn every direction of a weight alike (https://kellerjordan.github.io/posts/muon/).

The momentum of a matrix is brought to the nearest matrix whose singular values are all about one, so that
rare directions are learnt as fast as common ones. A convolution's kernel counts as a matrix with a row for
each of its outputs. Biases and scales, which are no matrices, take the steps of AdamW.
"""

from collections.abc import Callable
from typing import Any

import torch

# A polynomial that, applied over and over, takes every singular value from (0, 1] into 0.7 to 1.2.
FIRST, THIRD, FIFTH = 3.4445, -4.7750, 2.0315
ROUNDS = 5
MOMENTUM = 0.95
PLAIN_SHARE = 0.1  # of the learning rate, for what is no matrix
MEAN_DECAY, SQUARE_DECAY, LEAST = 0.9, 0.95, 1e-8


class Muon(torch.optim.Optimizer):
    """Muon for matrices and kernels, AdamW for all else, each group at its own learning rate."""

    def __init__(self, groups: list[dict[str, Any]], weight_decay: float) -> None:
        super().__init__(groups, {"lr": 0.02, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        assert closure is None, "nothing here computes a loss again"
        for group in self.param_groups:
            rate, decay = group["lr"], group["weight_decay"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter.ndim > 1:
                    self._turn(parameter, rate, decay)
                else:
                    self._plain(parameter, rate * PLAIN_SHARE)

    def _turn(self, parameter: torch.Tensor, rate: float, decay: float) -> None:
        """A step of Muon, with Nesterov's look ahead."""
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        gradient = parameter.grad
        assert gradient is not None
        state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        ahead = gradient.lerp(state["momentum"], MOMENTUM).flatten(1)
        scale = max(1.0, ahead.shape[0] / ahead.shape[1]) ** 0.5
        parameter.mul_(1 - rate * decay)
        parameter.sub_(orthogonal(ahead).view(parameter.shape), alpha=rate * scale)

    def _plain(self, parameter: torch.Tensor, rate: float) -> None:
        """A step of Adam; biases and scales are not drawn to nothing."""
        state = self.state[parameter]
        if not state:
            state |= {"mean": torch.zeros_like(parameter), "square": torch.zeros_like(parameter), "steps": 0}
        gradient = parameter.grad
        assert gradient is not None
        state["steps"] += 1
        state["mean"].lerp_(gradient, 1 - MEAN_DECAY)
        state["square"].lerp_(gradient.square(), 1 - SQUARE_DECAY)
        mean = state["mean"] / (1 - MEAN_DECAY ** state["steps"])
        square = state["square"] / (1 - SQUARE_DECAY ** state["steps"])
        parameter.sub_(mean / (square.sqrt() + LEAST), alpha=rate)


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """The matrix (m, n) with singular values of about one; nothing stays nothing."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(ROUNDS):
        square = x @ x.T
        x = FIRST * x + (THIRD * square + FIFTH * square @ square) @ x
    answer: torch.Tensor = x.T if tall else x
    return answer
