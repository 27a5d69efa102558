"""The family as it ships: float16, in diffusers' layout, as small as promised, with a card."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from safetensors.torch import load_file, save
from torch import nn

import gate
from pipelines import durable

LARGEST = 40 * 2**20  # bytes, all together
WEIGHTS, PLAIN = ".safetensors", (".json", ".txt")
Module = TypeVar("Module", bound=nn.Module)

NOTES = ("training.json",)  # of single runs; the family has one of its own
NOTE, LARGEST_NOTE = "family.json", 2**20  # what it is made of
CARD = "README.md"
HEADS = "annotators/heads.safetensors"


def gather(
    base: Path,
    controls: Mapping[str, Path],
    heads: Path | None,
    note: Mapping[str, Any],
    card: str,
    folder: Path,
) -> int:
    """Bring a base, its controls and the annotators' network into one folder; answers the bytes of it all."""
    aside = folder.with_name(f"{folder.name}{durable.ASIDE}")
    shutil.rmtree(aside, ignore_errors=True)
    _copied(base, aside / "base")
    for name, path in controls.items():
        _copied(path, control(aside, name))
    if heads is not None:
        _written(heads, aside / HEADS)
    (aside / NOTE).write_text(json.dumps(note, indent=1), "utf-8")
    (aside / CARD).write_text(card, "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def control(folder: Path, name: str) -> Path:
    """One control of a family."""
    return folder / "controls" / name


def read_note(folder: Path) -> dict[str, Any]:
    """What a family was made of: its recipe's tables as plain values."""
    note = gate.parse_json((folder / NOTE).read_bytes(), most_bytes=LARGEST_NOTE)
    return cast(dict[str, Any], note)


def rounded(network: Module) -> Module:
    """The same network in float32, with the weights that it will have when it ships."""
    nn.Module.float(nn.Module.half(network))
    return network


def _copied(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        if path.name not in NOTES and path.suffix in (WEIGHTS, *PLAIN):
            _written(path, target / path.relative_to(source))


def _written(path: Path, target: Path) -> None:
    """A file again; weights in half the bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix != WEIGHTS:
        shutil.copyfile(path, target)
        return
    halves = {name: _half(tensor) for name, tensor in load_file(path).items()}
    target.write_bytes(save(halves, metadata={"format": "pt"}))


def _half(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor
