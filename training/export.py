"""What a run leaves: a control, or a base, in diffusers' layout, where the studio looks for it.

A folder is written aside and renamed, so that nothing is ever offered half.
"""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pipelines import durable
from training.trainer import Trainer

CARD = "training.json"  # beside the weights: what they were made of


def export(trainer: Trainer, weights: Path, fingerprint: str) -> tuple[Path, ...]:
    """Hand out what was learnt, the average where one is kept; answers the folders."""
    config = trainer.config
    card = {
        "name": config.name,
        "objective": config.objective,
        "condition": config.data.condition,
        "base": trainer.parts.folder.name if trainer.parts.family is None else trainer.parts.family,
        "steps": trainer.step,
        "data": fingerprint,
    }
    made = []
    average = trainer.average
    with average.applied(trainer.learning) if average else nullcontext():
        if trainer.learner.control is not None:
            target = weights / "controls" / config.data.condition / config.name
            put(target, lambda folder: _control(trainer, folder), card)
            made.append(target)
        if trainer.learner.unlocked:
            target = weights / "bases" / config.name
            put(target, lambda folder: _base(trainer, folder), card)
            made.append(target)
    return tuple(made)


def _control(trainer: Trainer, folder: Path) -> None:
    assert trainer.learner.control is not None
    trainer.learner.control.save_pretrained(folder)


def _base(trainer: Trainer, folder: Path) -> None:
    """The base's folder again, with what has changed in the place of what was."""
    shutil.copytree(trainer.parts.folder, folder, dirs_exist_ok=True)
    changed: dict[str, Any] = {"unet": trainer.learner.unet}
    if trainer.learner.text is not None:
        changed["text_encoder"] = trainer.learner.text.encoder
    for part, module in changed.items():
        shutil.rmtree(folder / part)
        module.save_pretrained(folder / part)
    schedule = folder / "scheduler" / "scheduler_config.json"
    schedule.write_text(json.dumps(dict(trainer.parts.schedule), indent=2), "utf-8")


def put(target: Path, fill: Callable[[Path], None], card: dict[str, Any]) -> None:
    """A folder that is whole or not there; one of the same name before it is replaced."""
    aside = target.with_name(f"{target.name}{durable.ASIDE}{os.getpid()}")
    old = target.with_name(f"{target.name}{durable.ASIDE}old")
    durable.make_folder(target.parent)
    shutil.rmtree(aside, ignore_errors=True)
    try:
        fill(aside)
        (aside / CARD).write_text(json.dumps(card, indent=2), "utf-8")
        for path in (path for path in aside.rglob("*") if path.is_file()):
            with open(path, "rb+") as file:
                os.fsync(file.fileno())
        if target.exists():
            os.replace(target, old)
        os.replace(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    durable.sync_folder(target.parent)
