"""A control that was trained on one base, written down for another: offered beside the others at once.

Importing this imports torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from errors import PARAM_CHOICE
from models import control as paper
from models import inspect, own
from models.catalogue import family_of
from models.loading import ModelKey, load
from models.store import Store
from training.export import put

HALF: Mapping[str, torch.dtype] = {"F16": torch.float16, "BF16": torch.bfloat16}


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A control, as the store calls it (one of one's own has a slash), from one model's base to another's."""

    control: str
    original: str
    other: str
    condition: str
    name: str

    @property
    def card(self) -> dict[str, Any]:
        """What the new control was made of."""
        return {"control": self.control, "original": self.original, "base": self.other}


def transfer(store: Store, move: Move) -> Path:
    """Write the control for its other base into `<weights>/controls/<condition>/<name>/`."""
    if not own.NAME.fullmatch(move.name):
        raise PARAM_CHOICE(
            "A control can't have this name",
            found=move.name[:70],
            allowed="letters, digits, spaces and ._()+-, beginning with a letter or digit",
            todo="Change the name",
        )
    target = store.control(move.other, own.key(move.condition, move.name))
    if target.exists():
        raise PARAM_CHOICE(f"{move.name} is there already", todo="Remove it, or choose another name")
    if move.original == move.other:
        raise PARAM_CHOICE(
            "The control is for this base already",
            found=family_of(move.other).title,
            todo="Name the other base with --model",
        )
    control = _loaded(store, "control", move.original, move.control)
    originals, others = (_loaded(store, "unet", model) for model in (move.original, move.other))
    moved = paper.transfer(control, originals, others).to(_format(store, move))
    put(target, moved.save_pretrained, move.card)
    return target


def _loaded(store: Store, part: Any, model: str, name: str = "") -> Any:
    return load(store, ModelKey(part=part, family=model, name=name), torch.float32)


def _format(store: Store, move: Move) -> torch.dtype:
    """As large as the control that it was: half where that was half."""
    first = inspect.look(store.control(move.original, move.control)).dtypes[0]
    return HALF.get(first, torch.float32)
