"""Fitting a network that is no denoiser: step by step with Muon, from its newest checkpoint on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training import chance, checkpoint
from training.checkpoint import Checkpoint, Tensors
from training.family.recipe import Learning
from training.muon import Muon

CLIP = 1.0
SAVE_EVERY = 100  # steps

Told = Callable[[int, float], None]


def fit(
    network: nn.Module,
    learning: Learning,
    loss_of: Callable[[int], torch.Tensor],
    folder: Path,
    told: Told,
) -> None:
    """Fit a network to the losses of its steps, counted from 0; what it draws follows from the step."""
    parameters = dict(network.named_parameters())
    optimizer = Muon([{"params": list(parameters.values()), "lr": learning.rate}], weight_decay=0.0)
    for step in range(_restore(folder, parameters, optimizer), learning.steps):
        torch.manual_seed(chance.seed_of("fit", step))
        optimizer.param_groups[0]["lr"] = rate(learning, step)
        loss = loss_of(step)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters.values(), CLIP)
        optimizer.step()
        told(step + 1, float(loss.detach()))
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == learning.steps:
            _save(folder, step + 1, parameters, optimizer)


def rate(learning: Learning, step: int) -> float:
    """The learning rate of a step: it rises, stays, and falls to nothing."""
    rising = (step + 1) / (learning.warmup + 1)
    falling = (learning.steps - step) / (learning.cooldown + 1)
    return learning.rate * min(1.0, rising, falling)


def _save(folder: Path, step: int, parameters: dict[str, nn.Parameter], optimizer: Muon) -> None:
    names, plain = list(parameters), {}
    tensors: Tensors = {}
    for index, values in optimizer.state_dict()["state"].items():
        for key, value in values.items():
            if torch.is_tensor(value):
                tensors[f"{names[index]}|{key}"] = value
            else:
                plain[f"{names[index]}|{key}"] = value
    groups: dict[str, Tensors] = {"weights": dict(parameters), "optimizer": tensors}
    checkpoint.save(folder, Checkpoint(state={"step": step, "plain": plain}, tensors=groups))
    checkpoint.prune(folder, 1)


@torch.no_grad()
def _restore(folder: Path, parameters: dict[str, nn.Parameter], optimizer: Muon) -> int:
    """Stand where the newest whole checkpoint stood; answers its step, 0 where there is none."""
    found = next(filter(None, map(checkpoint.load, checkpoint.found(folder))), None)
    if found is None:
        return 0
    for name, parameter in parameters.items():
        parameter.copy_(found.tensors["weights"][name])
    own: dict[str, dict[str, Any]] = {name: {} for name in parameters}
    for key, value in (*found.tensors["optimizer"].items(), *found.state["plain"].items()):
        name, _, kind = key.rpartition("|")
        own[name][kind] = value
    state = {index: own[name] for index, name in enumerate(parameters) if own[name]}
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return found.step
