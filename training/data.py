"""Data sets: pairs of a picture and the hint it is to follow, with a prompt, opened one by one.

    prompt.json      the original's lines: {"source": hint, "target": picture, "prompt": text}
    metadata.jsonl   the Hub's lines: {"file_name": picture, "text": prompt, "conditioning_image": hint}
    a folder         pictures with captions beside them: a.jpg and a.txt

Hints come with the set, or an annotator makes them from the pictures at the training size.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from annotators.base import Pixels
from params import Value

Crop: TypeAlias = Literal["centre", "random"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """What to learn from: the table `[data]` of a run's file.

    `path` is a folder or its listing, `size` the side of the square that is learnt. Without an `annotator`
    the set's own hints are used where it has any, else the condition's first annotator makes them.
    `values` are the annotator's settings, `limit` takes the first so many pairs (0 takes all), `prompt`
    stands for captions that are missing. `skip_bad` learns from what is left where pairs are bad. `cache`
    is a folder for what is found out once and kept.
    """

    path: Path
    condition: str
    size: int = 512
    annotator: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)
    limit: int = 0
    prompt: str = ""
    crop: Crop = "centre"
    flip: bool = False
    seed: int = 0
    skip_bad: bool = False
    cache: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One thing to learn: `target` is RGB uint8 (H, W, 3), `hint` RGB float32 (H, W, 3) from 0 to 1.

    Holes of a hint, where nothing is known, are -1. `name` is the target's path inside the set.
    """

    target: Pixels
    hint: NDArray[np.float32]
    prompt: str
    name: str


class Pairs(Protocol):
    """A data set by index. What varies (crops, flips, holes) follows from seed, epoch and index."""

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of what the set is: names, prompts, contents, and how hints are made."""

    @property
    def prompts(self) -> tuple[str, ...]:
        """All prompts in the order of the set; no picture is opened for them."""

    @property
    def skipped(self) -> int:
        """How many bad pairs were left out because the config asked for it."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Example:
        """The example as it is in the first epoch."""

    def at(self, index: int, epoch: int) -> Example:
        """The example as it is in an epoch, counted from 0."""

    def hint(self, index: int, epoch: int) -> NDArray[np.float32]:
        """The hint of `at` alone; the target stays closed where the hint came with the set."""


def open_pairs(config: DataConfig) -> Pairs:
    """The data set, once every pair of it has been checked; DATASET_INVALID lists what is bad.

    A file that is gone or changed later is DATASET_CHANGED, when it is asked for.
    """
    raise NotImplementedError
