"""The optimisers by name, and the averaged weights beside them."""

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from errors import PACKAGE_MISSING
from training.muon import Muon

Named = Mapping[str, nn.Parameter]


def build(name: str, groups: list[dict[str, Any]], weight_decay: float) -> torch.optim.Optimizer:
    """The optimiser of that name over groups of parameters, each with its own learning rate."""
    return OPTIMIZERS[name](groups, weight_decay)


def _adamw(groups: list[dict[str, Any]], weight_decay: float) -> torch.optim.Optimizer:
    fused = groups[0]["params"][0].is_cuda
    return torch.optim.AdamW(groups, weight_decay=weight_decay, fused=fused)


def _adamw8bit(groups: list[dict[str, Any]], weight_decay: float) -> torch.optim.Optimizer:
    if importlib.util.find_spec("bitsandbytes") is None:
        raise PACKAGE_MISSING(
            "The 8-bit optimiser is not installed",
            found="no package bitsandbytes",
            todo="Run .venv/bin/pip install bitsandbytes, or set train.optimizer to adamw",
        )
    optimizer: torch.optim.Optimizer = importlib.import_module("bitsandbytes").optim.AdamW8bit(
        groups, weight_decay=weight_decay
    )
    return optimizer


OPTIMIZERS: Mapping[str, Callable[[list[dict[str, Any]], float], torch.optim.Optimizer]] = {
    "adamw": _adamw,
    "adamw8bit": _adamw8bit,
    "muon": Muon,
}


class Average:
    """The moving average of what learns, in float32: what is sampled from and handed out.

    It follows closely at first and with its own decay later, as (1 + n) / (10 + n) passes it.
    """

    def __init__(self, parameters: Named, decay: float) -> None:
        self.tensors = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        self._decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, parameters: Named) -> None:
        """Take a step's weights in; what has begun to learn only now begins with its weights."""
        for name in parameters.keys() - self.tensors.keys():
            self.tensors[name] = parameters[name].detach().clone()
        self.updates += 1
        decay = min(self._decay, (1 + self.updates) / (10 + self.updates))
        ours = [self.tensors[name] for name in parameters]
        torch._foreach_lerp_(ours, [parameter.detach() for parameter in parameters.values()], 1 - decay)

    @contextmanager
    def applied(self, parameters: Named) -> Iterator[None]:
        """The average in place of the weights, until the block ends."""
        kept = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        _copy(kept | self.tensors, parameters)
        try:
            yield
        finally:
            _copy(kept, parameters)


@torch.no_grad()
def _copy(tensors: Mapping[str, torch.Tensor], parameters: Named) -> None:
    for name, parameter in parameters.items():
        parameter.copy_(tensors[name])
