"""Hints made beforehand: those of a whole set, in `hints/<condition>/`, at the size that will be learnt.

What is done is kept, as for any folder of maps; other settings make other hints in the same place.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from annotators import Annotation
from annotators.base import Pixels
from errors import PARAM_CHOICE
from gate import LIMITS
from pipelines import folders
from pipelines.folders import Outcome, Pair
from pipelines.request.intake import fit
from training import listing
from training.check import refusal
from training.facts import several
from training.hints import Maker
from training.listing import HINTS, Entry

TOGETHER = 64  # pictures that a process is handed at a time
ANY = "?"  # a prompt, where none is needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """The hints of a set that are to be made: each target with the place of its hint."""

    folder: Path
    pairs: tuple[Pair, ...]
    maker: Maker
    size: int

    @property
    def recipe(self) -> dict[str, Any]:
        """All that a hint depends on besides its picture."""
        return {"annotator": self.maker.annotator.name, "size": self.size, "values": dict(self.maker.values)}


def plan(path: Path, maker: Maker, size: int) -> Hints:
    """The hints that a set is to have. Captions may be missing yet; lines that can't be read are refused."""
    if maker.given or maker.masks:
        raise PARAM_CHOICE(
            f"There are no hints to make for {maker.condition.title} with {maker.annotator.label}",
            found="an annotator that looks for nothing in pictures",
            allowed="one that finds maps in them",
            todo="Choose another annotator; holes are drawn as pictures are learnt",
        )
    found = listing.read(path, maker.condition.name, prompt=ANY)
    problems = [item for item in found.items if not isinstance(item, Entry)]
    if problems or not found.entries:
        raise refusal(len(found.entries), problems)
    folder = found.root / HINTS / maker.condition.name
    pairs = (
        Pair(found.root / entry.target, folder / name)
        for entry, name in zip(found.entries, listing.hint_names(found.entries), strict=True)
    )
    return Hints(folder=folder, pairs=tuple(dict.fromkeys(pairs)), maker=maker, size=size)


def make(hints: Hints, *, workers: int | None = None) -> Iterator[Outcome]:
    """The outcome of each hint, as soon as it is on the disk; networks stay in this process."""
    if hints.maker.annotator.weights or len(hints.pairs) <= TOGETHER:
        yield from _made(hints.maker, hints.size, hints.recipe, hints.pairs)
        return
    parts = [hints.pairs[first : first + TOGETHER] for first in range(0, len(hints.pairs), TOGETHER)]
    with several(workers) as mapped:
        for outcomes in mapped(partial(_all_made, hints.maker, hints.size, hints.recipe), parts):
            yield from outcomes


def _made(maker: Maker, size: int, recipe: dict[str, Any], pairs: Sequence[Pair]) -> Iterator[Outcome]:
    annotate: Callable[[Pixels], Annotation] = partial(_hint, maker, size)
    return folders.annotate_all(pairs, annotate, recipe=recipe, limits=LIMITS["local"])


def _all_made(maker: Maker, size: int, recipe: dict[str, Any], pairs: Sequence[Pair]) -> list[Outcome]:
    return list(_made(maker, size, recipe, pairs))


def _hint(maker: Maker, size: int, target: Pixels) -> Annotation:
    """The hint of an RGB uint8 (H, W, 3) picture at the training size; what is random follows from it."""
    fitted = fit(target, size, size, "area")
    seed = int.from_bytes(hashlib.sha256(fitted.tobytes()).digest()[:4]) >> 1
    return maker.found(fitted, seed)
