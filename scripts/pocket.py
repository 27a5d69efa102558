"""Sheets of the built-in family for its page: for each control hints, results, and the true pictures.

    python -m scripts.pocket [WEIGHTS] [OUT]

The scenes are the first that were never learnt, not chosen ones.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from annotators.base import Pixels
from models import loading
from models.loading import ModelKey
from models.store import Store
from pipelines import durable
from training import parts
from training.config import Base
from training.data import Example
from training.family import drawn, measured, shipped
from training.family.pairs import ScenePairs
from training.family.recipe import CONDITIONS, scenes_of
from training.watch import sheet_of, shown

ROOT = Path(__file__).resolve().parents[1]
FAMILY, COUNT = "pocket", 8
QUALITY = 85


def main(arguments: Sequence[str]) -> int:
    """A sheet for each control that is there."""
    weights, out = (*map(Path, arguments), ROOT / "weights", ROOT / "docs" / "images")[:2]
    store = Store(weights)
    base = parts.load(Base(model=FAMILY), store, 0)
    wanted = scenes_of(shipped.read_note(store.weights / FAMILY), COUNT)
    with TemporaryDirectory() as scratch:
        scenes = drawn.draw(wanted, Path(scratch), first_seed=drawn.HELD_OUT)
        _save_all(store, base, scenes, out)
    return 0


def _save_all(store: Store, base: parts.Parts, scenes: drawn.Drawn, out: Path) -> None:
    for name in filter(lambda name: store.has(FAMILY, name), CONDITIONS):
        control = loading.load(store, ModelKey(part="control", family=FAMILY, name=name), torch.float32)
        pairs = ScenePairs(scenes, name)
        examples = [pairs[index] for index in range(COUNT)]
        save(sheet(examples, measured.sampled(base, control, examples)), out / f"pocket-{name}.webp")


def sheet(examples: Sequence[Example], results: Sequence[Pixels]) -> Pixels:
    """Three rows: hints, what came of them, and the pictures that the hints were taken from."""
    return sheet_of(
        [
            [shown(example.hint) for example in examples],
            results,
            [example.target for example in examples],
        ]
    )


def save(pixels: Pixels, path: Path) -> None:
    """A sheet as a small file."""
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    durable.write(path, lambda file: picture.save(file, "WEBP", quality=QUALITY, method=6))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
