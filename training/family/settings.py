"""The trainer's settings for the parts of the family that it makes."""

from pathlib import Path
from typing import Any

from training import config
from training.config import Config
from training.family.recipe import CONDITIONS, Learning, Recipe

NAME = "pocket"  # of the base that is learnt, and of the family
UNSEEN = "tile"  # whose hints cost next to nothing: a base that is alone never looks at them
LINES = "lines"  # the control that says where things are, and nothing of their colours
LOG_EVERY = 25  # steps


def base_settings(recipe: Recipe, begun: Path, kept: Path, beside: Path | None = None) -> Config:
    """The base's run, alone or with its own control of lines beside it."""
    base = {"model": str(begun), "train_text": True, "prediction": "v_prediction"}
    if beside is not None:
        base |= {"beside": str(beside), "alone": recipe.base.alone}
    seen = UNSEEN if beside is None else LINES
    return config.read(_run(NAME, "base", seen, recipe, recipe.base.learning, begun, kept) | {"base": base})


def control_settings(recipe: Recipe, name: str, base: Path, kept: Path, begun: Path | None = None) -> Config:
    """A control's run, from a copy of the base's encoder or from a control that has begun."""
    run = _run(name, "control", name, recipe, recipe.controls[name], base, kept)
    return config.read(run | ({"control": {"onwards": str(begun)}} if begun else {}))


def _run(
    name: str, objective: str, control: str, recipe: Recipe, learning: Learning, base: Path, kept: Path
) -> dict[str, Any]:
    dropout = 0.1 if objective == "base" else 0.3
    return {
        "name": name,
        "objective": objective,
        "base": {"model": str(base)},
        "data": {
            "path": "scenes",
            "condition": CONDITIONS[control],
            "size": recipe.scenes.size,
            "cache": str(kept),
        },
        "train": {
            "steps": learning.steps,
            "batch": learning.batch,
            "learning_rate": learning.rate,
            "optimizer": "muon",
            "weight_decay": 0.0,
            "warmup": learning.warmup,
            "cooldown": learning.cooldown,
            "ema": learning.ema,
            "prompt_dropout": dropout,
            "cached": True,
        },
        "watch": {
            "log_every": LOG_EVERY,
            "save_every": max(1, learning.steps // 20),
            "sample_every": learning.steps // 8,
            "held_out": min(8, recipe.scenes.count),
            "sample_steps": 20,
            "guidance": 3.0 if objective == "control" else 4.0,
            "scheduler": "ddim",
        },
    }
