"""A run's state on the disk: a folder that is whole, or is passed over.

    step-00000500/
        weights.safetensors      what learns, in float32
        average.safetensors      its moving average, where one is kept
        optimizer.safetensors    the optimiser's tensors, by the names of what they belong to
        state.json               where the run stands, and every plain number of the optimiser
        manifest.json            the size and SHA-256 of each of these, written last

The folder is written under another name, brought to the disk, and renamed; older ones go only after that. Of
chance there is nothing to keep: it follows from the step (training/chance.py).
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

import gate
from errors import ArmatureError
from pipelines import durable

log = logging.getLogger(__name__)

MANIFEST, STATE = "manifest.json", "state.json"
LARGEST_JSON = 64 * 2**20
VERSION = 1
BLOCK = 2**20

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """All that a run needs to go on: plain values and groups of tensors."""

    state: Mapping[str, Any]
    tensors: Mapping[str, Tensors] = field(default_factory=dict)

    @property
    def step(self) -> int:
        """How many steps were taken."""
        return int(self.state["step"])


def name_of(step: int) -> str:
    """The name of a step's checkpoint."""
    return f"step-{step:08d}"


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint into a folder of them; it is there whole when this returns."""
    target = folder / name_of(checkpoint.step)
    aside = folder / f"{target.name}{durable.ASIDE}{os.getpid()}"
    durable.make_folder(folder)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        for name, tensors in checkpoint.tensors.items():
            _write_tensors(aside / f"{name}.safetensors", tensors)
        _write_json(aside / STATE, dict(checkpoint.state))
        files = {path.name: {"size": path.stat().st_size, "sha256": _hash(path)} for path in _files(aside)}
        _write_json(aside / MANIFEST, {"version": VERSION, "files": files})
        durable.sync_folder(aside)
        if target.exists():  # of a run that was taken up again from an older one
            os.replace(target, folder / f"{target.name}{durable.ASIDE}old")
        os.replace(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    durable.sync_folder(folder)
    clear_unfinished(folder)
    return target


def load(folder: Path) -> Checkpoint | None:
    """The checkpoint in a folder, or None where it is not whole."""
    try:
        manifest = _read_json(folder / MANIFEST)
        if manifest["version"] != VERSION or not _is_whole(folder, manifest["files"]):
            return None
        tensors = {
            Path(name).stem: load_file(folder / name)
            for name in manifest["files"]
            if name.endswith(".safetensors")
        }
        return Checkpoint(state=_read_json(folder / STATE), tensors=tensors)
    except (OSError, ArmatureError, LookupError, TypeError, SafetensorError) as error:
        log.warning("the checkpoint %s can't be read: %r", folder.name, error)
        return None


def state_of(folder: Path) -> Mapping[str, Any]:
    """The plain values of a checkpoint; none where they can't be read."""
    with suppress(OSError, ArmatureError):
        return _read_json(folder / STATE)
    return {}


def found(folder: Path) -> list[Path]:
    """The checkpoints in a folder, whole or not, the newest first."""
    return sorted(
        (path for path in folder.glob("step-*") if durable.ASIDE not in path.name and path.is_dir()),
        reverse=True,
    )


def prune(folder: Path, keep: int) -> None:
    """Remove the oldest but `keep`, and but the one that scored best."""
    paths = found(folder)
    scored = [(score, path) for path in paths if (score := state_of(path).get("score")) is not None]
    best = max(scored)[1] if scored else None
    for path in paths[keep:]:
        if path != best:
            aside = path.with_name(f"{path.name}{durable.ASIDE}old")
            os.replace(path, aside)  # half a checkpoint must not be found under its name
            shutil.rmtree(aside, ignore_errors=True)


def clear_unfinished(folder: Path) -> None:
    """Remove what a killed run left aside."""
    for path in folder.glob(f"*{durable.ASIDE}*"):
        shutil.rmtree(path, ignore_errors=True)


def _is_whole(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> bool:
    return all(
        (folder / name).stat().st_size == entry["size"] and _hash(folder / name) == entry["sha256"]
        for name, entry in files.items()
    )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.is_file())


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_tensors(path: Path, tensors: Tensors) -> None:
    save_file({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}, path)
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _write_json(path: Path, value: Any) -> None:
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _read_json(path: Path) -> dict[str, Any]:
    value = gate.parse_json(path.read_bytes(), most_bytes=LARGEST_JSON)
    if not isinstance(value, dict):
        raise TypeError(f"{path.name} holds no object")
    return value
