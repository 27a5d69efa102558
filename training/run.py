"""A run from its config to the control in its place: resumed where it stands, watched, and never lost.

outputs/training/<name>/
    config.toml      what was asked for
    log.jsonl        a line for every few steps, for what was looked at, and for every checkpoint
    tensorboard/     the same as curves
    samples/         sheets: hint, result, target
    checkpoints/     see training/checkpoint.py
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import BinaryIO, TypeAlias

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from numpy.typing import NDArray

import conditions
from annotators.base import Pixels
from errors import (
    DATASET_CHANGED,
    DATASET_INVALID,
    INTERRUPTED,
    PARAM_CHOICE,
    ArmatureError,
)
from models.device import choose
from models.store import Store
from pipelines import durable
from pipelines.agreement import agreement, judge
from training import checkpoint, config, convergence, export, parts, watch
from training.checkpoint import Checkpoint
from training.config import Config
from training.convergence import Convergence
from training.data import Pairs, open_pairs
from training.feed import Sample
from training.journal import Journal, entries
from training.lending import Lender
from training.resume import locked, resumable
from training.trainer import Taken, Trainer

CHECKPOINTS, CONFIG, LATENTS = "checkpoints", "config.toml", "latents"
MIXED = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}
PACKAGES = ("torch", "diffusers", "accelerate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Something that whoever runs it should know."""

    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A checkpoint is on the disk."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The run has come to its last step."""

    folder: Path
    steps: int
    made: tuple[Path, ...]
    curve: tuple[tuple[int, float], ...]
    convergence: Convergence | None


Event: TypeAlias = Told | Taken | watch.Looked | Saved | Finished
Stop: TypeAlias = Callable[[], bool]


def never() -> bool:
    """Nobody wants to stop it."""
    return False


def train(
    settings: Config,
    *,
    store: Store,
    runs: Path,
    device: str = "auto",
    stop: Stop = never,
    pairs: Pairs | None = None,
) -> Iterator[Event]:
    """Train, from the beginning or from where an earlier run of the name stands, and hand out the result.

    `stop` is asked after every step and in between; when it answers yes the state is saved and INTERRUPTED
    is raised. Closing the generator leaves what was saved last. Of several processes that share the work the
    first one yields.
    """
    lender = Lender(store, device)
    pairs = open_pairs(settings.data, annotate=lender) if pairs is None else pairs
    _check_enough(settings, len(pairs))
    accelerator = accelerate(settings, device)
    try:
        base = parts.load(settings.base, store, settings.train.seed)
        kept = settings.data.cache or runs / settings.name
        trainer = Trainer(settings, base, pairs, accelerator, cache=kept / LATENTS)
        with Run(trainer, runs / settings.name, pairs, lender, stop) as run:
            for event in run.events(store.weights):
                if accelerator.is_main_process:
                    yield event
    finally:
        accelerator.free_memory()
        # one process may train in another precision next, which accelerate does not expect
        AcceleratorState._reset_state()


def accelerate(settings: Config, device: str) -> Accelerator:
    """The devices of this process, and the precision in which they compute."""
    precision = settings.train.precision
    chosen = choose(device)
    if device.startswith("cuda:"):
        raise PARAM_CHOICE(
            "Training takes the devices that it is given",
            found=device,
            allowed="auto, cpu or cuda",
            todo="Choose cards with CUDA_VISIBLE_DEVICES",
        )
    if precision == "auto":
        precision = str(chosen.dtype).removeprefix("torch.") if chosen.kind == "cuda" else "float32"
    return Accelerator(cpu=chosen.kind == "cpu", mixed_precision=MIXED[precision])


class Run:
    """A run on the disk: its folder, which is its own while it lasts, its journal and its checkpoints."""

    def __init__(self, trainer: Trainer, folder: Path, pairs: Pairs, lender: Lender, stop: Stop) -> None:
        self._trainer = trainer
        self._folder = folder
        self._pairs = pairs
        self._lender = lender
        self._stop = stop
        self._is_main = trainer.accelerator.is_main_process
        self._curve: list[tuple[int, float]] = []
        self._best: float | None = None
        self._score: float | None = None  # of this step, where it was looked at
        self._is_best = False
        self._saved = -1  # the step of the last checkpoint
        self._losses: list[float] = []
        self._journal: Journal | None = None
        self._lock: BinaryIO | None = None

    def __enter__(self) -> "Run":
        if self._is_main:
            durable.make_folder(self._folder)
            self._lock = locked(self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        if self._journal is not None:
            self._journal.close()
        if self._lock is not None:
            self._lock.close()

    def events(self, weights: Path) -> Iterator[Event]:
        """Everything that happens, from the beginning to the result."""
        yield from self._begin()
        try:
            yield from self._learn()
        except ArmatureError as error:
            if error.code is DATASET_CHANGED:
                yield self._save()
            raise
        made: tuple[Path, ...] = ()
        if self._is_main:
            made = export.export(self._trainer, weights, self._pairs.fingerprint)
        self._trainer.accelerator.wait_for_everyone()
        yield Finished(
            folder=self._folder,
            steps=self._trainer.step,
            made=made,
            curve=tuple(self._curve),
            convergence=convergence.find(self._curve),
        )

    def _begin(self) -> Iterator[Event]:
        """Stand where the newest checkpoint that is whole stood, or at the beginning, and say which."""
        trainer, checkpoints = self._trainer, self._folder / CHECKPOINTS
        if self._is_main:
            checkpoint.clear_unfinished(checkpoints)
        trainer.accelerator.wait_for_everyone()
        again, notices = resumable(checkpoints, trainer.config, self._pairs.fingerprint)
        if again is not None:
            trainer.restore(again)
            self._curve = [(int(step), float(value)) for step, value in again.state["curve"]]
            self._best = again.state["best"]
            notices.append(f"Going on from step {again.step}")
        elif self._is_main and entries(self._folder):
            notices.append("An earlier run ended before its first checkpoint: beginning again")
        if self._is_main:
            text = config.to_toml(trainer.config).encode()
            durable.write(self._folder / CONFIG, lambda file: file.writelines([text]))
            self._journal = Journal(self._folder, trainer.step)
        if self._pairs.skipped:
            notices.append(f"{self._pairs.skipped} bad pairs are left out")
        yield from map(self._tell, notices)

    def _learn(self) -> Iterator[Event]:
        trainer, due = self._trainer, self._trainer.config.watch
        last = trainer.config.train.steps
        looks = bool(due.sample_every and due.held_out)
        if looks and trainer.step == 0:
            yield from self._look()
        for taken in trainer.steps(self._stop):
            self._log(taken)
            yield taken
            if looks and (taken.step % due.sample_every == 0 or taken.step == last):
                yield from self._look()
            if taken.step % due.save_every == 0 or taken.step == last or self._is_best:
                yield self._save()
            if self._agreed(self._stop()):
                break
        if trainer.step < last:
            if self._saved != trainer.step:
                yield self._save()
            raise INTERRUPTED(
                f"The training was stopped after step {trainer.step}",
                todo="The same command goes on from there",
            )

    def _agreed(self, wish: bool) -> bool:
        """Whether any of the devices wishes it: they must all do the same."""
        accelerator = self._trainer.accelerator
        wishes = torch.tensor(float(wish), device=accelerator.device)
        return bool(accelerator.reduce(wishes, reduction="sum") > 0)

    def _log(self, taken: Taken) -> None:
        """A line for every few steps: the mean of their losses, and what the last one was like."""
        self._score, self._is_best = None, False
        self._losses.append(taken.loss)
        if taken.step % self._trainer.config.watch.log_every and not taken.skipped:
            return
        if self._journal is not None:
            self._journal.write(
                taken.step,
                loss=fmean(self._losses),
                norm=taken.norm,
                learning_rate=taken.learning_rate,
                seconds=taken.seconds,
                **{"skipped": True} if taken.skipped else {},
            )
        self._losses.clear()

    def _look(self) -> Iterator[Event]:
        """Sample and measure on the first device, while the others wait."""
        looked = watch.look(self._trainer, self._measure, self._stop) if self._is_main else None
        best = self._best
        if looked is not None:
            yield from self._note(looked)
        self._is_best = self._agreed(self._best != best)

    def _note(self, looked: watch.Looked) -> Iterator[Event]:
        assert self._journal is not None
        before = convergence.find(self._curve)
        if looked.agreement is not None:
            self._curve.append((looked.step, looked.agreement))
        if math.isfinite(looked.score):
            self._score = looked.score
            self._best = self._score if self._best is None else max(self._best, self._score)
        self._journal.sheet(looked.step, looked.sheet)
        values = {} if looked.agreement is None else {"agreement": looked.agreement}
        self._journal.write(looked.step, held_out_loss=looked.held_out_loss, **values)
        yield looked
        found = convergence.find(self._curve)
        if found is not None and found != before:
            yield self._tell(f"The control converged between step {found.after} and step {found.by}")

    def _measure(self, sample: Sample, result: Pixels) -> float | None:
        """How well a result, RGB uint8 (H, W, 3), keeps the hint of a sample, where its judge is here."""
        settings = self._trainer.config.data
        condition = conditions.find(settings.condition)
        if not self._lender.has(judge(condition, settings.annotator)):
            return None
        known: NDArray[np.bool_] = np.all(sample.hint >= 0, axis=-1)
        return agreement(
            condition,
            watch.shown(sample.hint),
            result,
            annotator=settings.annotator,
            values=settings.values,
            known=None if known.all() else known,
            annotate=self._lender,
        )

    def _save(self) -> Saved:
        """A checkpoint of this step; older ones go when it is there."""
        trainer, folder = self._trainer, self._folder / CHECKPOINTS
        path = folder / checkpoint.name_of(trainer.step)
        if self._is_main:
            now = trainer.checkpoint()
            state = {
                "config": config.flat(trainer.config),
                "fingerprint": self._pairs.fingerprint,
                "pairs": len(self._pairs),
                "skipped_pairs": self._pairs.skipped,
                "curve": [list(point) for point in self._curve],
                "score": self._score,
                "best": self._best,
                "versions": {name: version(name) for name in PACKAGES},
            }
            checkpoint.save(folder, Checkpoint(state={**now.state, **state}, tensors=now.tensors))
            checkpoint.prune(folder, trainer.config.watch.keep)
            if self._journal is not None:
                self._journal.write(trainer.step, checkpoint=path.name)
        self._saved = trainer.step
        trainer.accelerator.wait_for_everyone()
        return Saved(path=path)

    def _tell(self, words: str) -> Told:
        if self._journal is not None:
            self._journal.write(self._trainer.step, notice=words)
        return Told(words=words)


def _check_enough(settings: Config, pairs: int) -> None:
    if pairs <= settings.watch.held_out:
        raise DATASET_INVALID(
            "The set is too small",
            found=f"{pairs} pairs, of which {settings.watch.held_out} are held out",
            allowed="at least one to learn from",
            todo="Lower watch.held_out, or bring more pairs",
        )
