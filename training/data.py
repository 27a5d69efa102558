"""Data sets: pairs of a picture and the hint it is to follow, with a prompt, opened one by one.

`training/listing.py` has the formats, `training/check.py` the pre-flight that comes before all else, and
`training/hints.py` how hints are made.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import annotators
import conditions
import gate
from annotators.base import Pixels
from conditions import MapResize
from errors import DATASET_CHANGED, PARAM_CHOICE, PARAM_RANGE, ArmatureError
from params import Param, Value
from pipelines.request.intake import fit
from training import hints, listing
from training.check import Report, check
from training.facts import LIMIT, Told, untold
from training.hints import Annotate, Hint, Maker
from training.listing import Entry

LARGEST_SEED = 2**31 - 1
MULTIPLE = 8  # pixels to one of the latents


def _number(name: str, default: int, minimum: int, maximum: int, help: str) -> Param:
    return Param(
        name=name,
        label=name.capitalize(),
        kind="integer",
        default=default,
        minimum=minimum,
        maximum=maximum,
        help=help,
    )


def _switch(name: str, label: str, help: str) -> Param:
    return Param(name=name, label=label, kind="switch", default=False, help=help)


SIZE = _number("size", 512, 64, 2048, "The side of the square that is learnt, a multiple of 8.")
COUNT = _number("limit", 0, 0, 10**9, "How many pairs are taken, from the first; 0 takes all.")
SEED = _number("seed", 0, 0, LARGEST_SEED, "What crops, flips and holes follow from.")
CROP = Param(
    name="crop",
    label="Crop",
    kind="choice",
    default="centre",
    choices=("centre", "random"),
    help="Which square of a picture is learnt.",
)
FLIP = _switch("flip", "Flip", "Turns every other picture about, left to right.")
SKIP_BAD = _switch("skip_bad", "Skip bad pairs", "Learns from what is left where pairs are bad.")
PLAIN = (SIZE, COUNT, SEED, CROP, FLIP, SKIP_BAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """What to learn from: the table `[data]` of a run's file.

    `path` is a folder or its list. Without an `annotator` the set's own hints are used where it has any,
    else the condition's first annotator makes them; `values` are its settings. `prompt` stands for captions
    that are missing. `cache` is a folder for what is found out once and kept.
    """

    path: Path
    condition: str
    size: int = int(SIZE.default)
    annotator: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)
    limit: int = int(COUNT.default)
    prompt: str = ""
    crop: str = str(CROP.default)
    flip: bool = bool(FLIP.default)
    seed: int = int(SEED.default)
    skip_bad: bool = bool(SKIP_BAD.default)
    cache: Path | None = None

    def __post_init__(self) -> None:
        for param in PLAIN:
            param.check(getattr(self, param.name))
        if self.size % MULTIPLE:
            raise PARAM_RANGE(
                "The size can't be taken",
                found=str(self.size),
                allowed=f"a multiple of {MULTIPLE}",
                todo=f"Change {SIZE.name}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One thing to learn: `target` is RGB uint8 (H, W, 3), `hint` RGB float32 (H, W, 3) from 0 to 1.

    Holes of a hint, where nothing is known, are -1. `name` is the target's path inside the set.
    """

    target: Pixels
    hint: Hint
    prompt: str
    name: str


class Pairs(Protocol):
    """A data set by index. What varies (crops, flips, holes) follows from seed, epoch and index."""

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of what the set is: names, prompts, contents, and how hints are made."""

    @property
    def contents(self) -> str:
        """The SHA-256 of targets and prompts alone: what does not change with the hints."""

    @property
    def prompts(self) -> tuple[str, ...]:
        """All prompts in the order of the set; no picture is opened for them."""

    @property
    def varies(self) -> bool:
        """Whether a target may differ from one epoch to the next."""

    @property
    def skipped(self) -> int:
        """How many bad pairs were left out because the config asked for it."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Example:
        """The example as it is in the first epoch."""

    def at(self, index: int, epoch: int) -> Example:
        """The example as it is in an epoch, counted from 0."""

    def target(self, index: int, epoch: int) -> Pixels:
        """The target of `at` alone."""

    def hint(self, index: int, epoch: int) -> Hint:
        """The hint of `at` alone; the target stays closed where it has no part in it."""

    def emphasis(self, index: int) -> NDArray[np.float32] | None:
        """How much each latent of the target counts, float32 (h, w), 1 on average; None for all alike."""


def open_pairs(
    config: DataConfig,
    *,
    annotate: Annotate = annotators.annotate,
    workers: int | None = None,
    told: Told = untold,
) -> "FolderPairs":
    """The data set, once every pair of it has been checked; DATASET_INVALID lists what is bad.

    A file that is gone or changed later is DATASET_CHANGED, when it is asked for. `annotate` lends networks
    where hints need one.
    """
    maker, report = preflight(config, annotate=annotate, workers=workers, told=told)
    if report.problems and not (config.skip_bad and report.is_usable):
        raise report.refusal()
    return FolderPairs(config=config, maker=maker, report=report)


def preflight(
    config: DataConfig,
    *,
    annotate: Annotate = annotators.annotate,
    workers: int | None = None,
    told: Told = untold,
) -> tuple[Maker, Report]:
    """What a set is and how its hints are made; nothing is learnt, and nothing refused that can be listed."""
    condition = conditions.find(config.condition)
    found = listing.read(config.path, condition.name, prompt=config.prompt, limit=config.limit)
    maker = hints.choose(
        condition, config.annotator, config.values, has_hints=found.has_hints, annotate=annotate
    )
    if config.flip and maker.given:
        raise PARAM_CHOICE(
            "Pictures can't be flipped",
            found="hints that come with the set, and may know left from right",
            allowed="hints that an annotator makes from the pictures",
            todo=f"Set {FLIP.name} = false, or name an annotator",
        )
    report = check(
        found, size=config.size, hinted=maker.given, cache=config.cache, workers=workers, told=told
    )
    return maker, report


@dataclass(frozen=True, slots=True)
class Chance:
    """What differs by chance: the place of the crop, across and down, whether it is flipped, and a seed."""

    at: tuple[float, float]
    flipped: bool
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPairs:
    """A data set in a folder; only lists and facts are in memory."""

    config: DataConfig
    maker: Maker
    report: Report

    def __len__(self) -> int:
        return len(self.report.entries)

    def __getitem__(self, index: int) -> Example:
        return self.at(index, 0)

    @property
    def prompts(self) -> tuple[str, ...]:
        return tuple(entry.prompt for entry in self.report.entries)

    @property
    def varies(self) -> bool:
        return self.config.flip or self.config.crop != CROP.default

    @property
    def skipped(self) -> int:
        return self.report.listed - len(self)

    @property
    def fingerprint(self) -> str:
        """The same wherever the folder lies and whenever its files were written."""
        made = (self.maker.condition.name, self.maker.annotator.name, self.maker.given)
        given = [self.report.facts[e.hint].digest for e in self.report.entries if self.maker.given]
        return _hash(self.contents, made, sorted(self.maker.values.items()), self.config.seed, given)

    @property
    def contents(self) -> str:
        pairs = [(e.target, e.prompt, self.report.facts[e.target].digest) for e in self.report.entries]
        drawn = (self.config.crop, self.config.flip, self.config.seed) if self.varies else ()
        return _hash(self.config.size, drawn, pairs)

    def at(self, index: int, epoch: int) -> Example:
        entry, chance = self._drawn(index, epoch)
        target = self._opened(entry.target, "area", chance)
        return Example(
            target=target, hint=self._hint(entry, target, chance), prompt=entry.prompt, name=entry.target
        )

    def target(self, index: int, epoch: int) -> Pixels:
        entry, chance = self._drawn(index, epoch)
        return self._opened(entry.target, "area", chance)

    def hint(self, index: int, epoch: int) -> Hint:
        entry, chance = self._drawn(index, epoch)
        target = self._opened(entry.target, "area", chance) if self.maker.needs_target else None
        return self._hint(entry, target, chance)

    def emphasis(self, index: int) -> None:
        return None

    def _drawn(self, index: int, epoch: int) -> tuple[Entry, Chance]:
        place = range(len(self))[index]
        generator = np.random.default_rng((self.config.seed, epoch, place))
        across, down, side = generator.random(3)
        chance = Chance(
            at=(across, down) if self.config.crop != CROP.default else (0.5, 0.5),
            flipped=self.config.flip and side < 0.5,
            seed=int(generator.integers(LARGEST_SEED)),
        )
        return self.report.entries[place], chance

    def _hint(self, entry: Entry, target: Pixels | None, chance: Chance) -> Hint:
        rule: MapResize = "nearest" if self.maker.masks else self.maker.condition.resize
        given = self._opened(entry.hint, rule, chance) if self.maker.given else None
        return self.maker.make(target, given, chance.seed)

    def _opened(self, name: str, rule: MapResize, chance: Chance) -> Pixels:
        """The picture at the training size, RGB uint8 (H, W, 3), an array of one's own."""
        pixels = gate.open_picture(self._read(name), LIMIT).pixels
        fitted = fit(pixels, self.config.size, self.config.size, rule, at=chance.at)
        return np.array(fitted[:, ::-1] if chance.flipped else fitted)

    def _read(self, name: str) -> bytes:
        """The bytes that the pre-flight has seen, and no others."""
        try:
            data = gate.file_bytes(self.report.root / name, LIMIT)
        except ArmatureError as error:
            raise _changed(name, error.what) from error
        if hashlib.sha256(data).hexdigest() != self.report.facts[name].digest:
            raise _changed(name, "other bytes than at the start")
        return data


def _hash(*said: object) -> str:
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _changed(name: str, found: str) -> ArmatureError:
    return DATASET_CHANGED(
        "The data set has changed since it was checked",
        found=f"{name}: {found}",
        allowed="the files as they were",
        todo="Put the file back and resume, or start anew with the set as it is",
    )
