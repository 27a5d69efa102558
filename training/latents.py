"""Latents and text states, computed once and kept: a step then needs neither autoencoder nor text encoder.

What is kept of a picture is its distribution in the autoencoder's space (mean and deviation), so that each
step still draws its own latents from it. Files are whole or not there, so that a run that was cut goes on.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from errors import PARAM_CHOICE
from pipelines import durable
from training.data import Pairs
from training.facts import Told, untold

log = logging.getLogger(__name__)

T = TypeVar("T")

FORMAT = 1  # of the files
SHARD = 256  # rows of a file
MOMENTS, STATES = "moments", "states"
MANIFEST = "manifest.json"


class Frozen(Protocol):
    """The parts of a base that pictures and prompts go through before the U-Net."""

    @property
    def device(self) -> torch.device:
        """Where they lie."""

    def moments(self, pictures: torch.Tensor) -> torch.Tensor:
        """Mean and standard deviation (N, 2C, h, w) of the latents of pictures (N, 3, 8h, 8w), -1 to 1."""

    def states(self, prompts: Sequence[str]) -> torch.Tensor:
        """CLIP's states (N, 77, D) of prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latents:
    """What was kept of one set and one base, read row by row; nothing of it is held in memory."""

    folder: Path
    count: int
    rows: Mapping[str, int]

    def __len__(self) -> int:
        return self.count

    def moments(self, index: int) -> torch.Tensor:
        """Mean and standard deviation (2C, h, w), in float32, of the latents of a pair's target."""
        return _row(self.folder, MOMENTS, range(self.count)[index])

    def states(self, prompt: str) -> torch.Tensor:
        """CLIP's states (77, D), in float32, of a prompt of the set, or of none: ""."""
        return _row(self.folder, STATES, self.rows[prompt])


def keep(
    pairs: Pairs,
    frozen: Frozen,
    folder: Path,
    *,
    base: str,
    batch: int = 8,
    dtype: torch.dtype = torch.float16,
    threads: int = 2,
    texts: bool = True,
    told: Told = untold,
) -> Latents:
    """Compute what is not kept yet of a set's targets and, with `texts`, its prompts, and answer all of it.

    It lies in `folder` under a name of its own for each set, each `base` (see `fingerprint`) and each
    `dtype`; `threads` open pictures, `batch` of which are encoded at once.
    """
    if pairs.varies:
        raise PARAM_CHOICE(
            "Latents can't be kept",
            found="pictures that are cropped or flipped in another way each time",
            allowed="crops at the centre, and no flips",
            todo="Change crop and flip, or compute latents in each step",
        )
    facts = {"format": FORMAT, "set": pairs.contents, "base": base, "dtype": str(dtype), "shard": SHARD}
    said = json.dumps(facts if texts else {**facts, "texts": False})
    place = folder / hashlib.sha256(said.encode()).hexdigest()[:16]
    prompts = list(dict.fromkeys(["", *pairs.prompts])) if texts else []
    total = len(pairs) + len(prompts)
    if not (place / MANIFEST).is_file():
        _write(place / MANIFEST, said.encode())

    @torch.no_grad()
    def moments(rows: range) -> Iterable[torch.Tensor]:
        with ThreadPoolExecutor(threads) as pool:
            targets = pool.map(lambda row: pairs.target(row, 0), rows)
            for some in _batches(targets, batch):
                pictures = torch.from_numpy(np.stack(some)).to(frozen.device).movedim(-1, 1)
                yield frozen.moments(pictures.float() / 127.5 - 1)

    @torch.no_grad()
    def states(rows: range) -> Iterable[torch.Tensor]:
        for some in _batches(rows, batch):
            yield frozen.states([prompts[row] for row in some])

    _fill(place, MOMENTS, len(pairs), moments, dtype, lambda done: told(done, total))
    _fill(place, STATES, len(prompts), states, dtype, lambda done: told(len(pairs) + done, total))
    return Latents(folder=place, count=len(pairs), rows={prompt: row for row, prompt in enumerate(prompts)})


def fingerprint(*modules: nn.Module) -> str:
    """The SHA-256 of all weights of some modules, by name, type, shape and value."""
    digest = hashlib.sha256()
    for module in modules:
        for name, tensor in sorted(module.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _fill(
    folder: Path,
    name: str,
    count: int,
    compute: Callable[[range], Iterable[torch.Tensor]],
    dtype: torch.dtype,
    told: Callable[[int], None],
) -> None:
    """Compute the rows of every file that is not whole."""
    for first in range(0, count, SHARD):
        rows = range(first, min(first + SHARD, count))
        path = _path(folder, name, first)
        if not _is_whole(path, name, len(rows)):
            found = torch.cat(list(compute(rows))).type(dtype).cpu().contiguous()
            _write(path, save({name: found}))
        told(rows.stop)


def _batches(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """The same things, so many at a time; `itertools.batched` comes with Python 3.12."""
    left = iter(things)
    while some := list(islice(left, size)):
        yield some


def _path(folder: Path, name: str, row: int) -> Path:
    return folder / f"{name}-{row // SHARD:06d}.safetensors"


def _is_whole(path: Path, name: str, rows: int) -> bool:
    if not path.exists():
        return False
    try:
        with safe_open(path, "pt") as file:
            return bool(file.get_slice(name).get_shape()[0] == rows)
    except (SafetensorError, OSError):
        log.warning("%s is damaged, and is computed again", path.name)
        return False


def _row(folder: Path, name: str, row: int) -> torch.Tensor:
    with safe_open(_path(folder, name, row), "pt") as file:
        found: torch.Tensor = file.get_slice(name)[row % SHARD]
    return found.float()


def _write(path: Path, data: bytes) -> None:
    def fill(file: BinaryIO) -> None:
        file.write(data)

    durable.write(path, fill)
