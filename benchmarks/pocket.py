"""The built-in family on scenes that it never learnt, between what comes without a control and what its
autoencoder lets through, and how long a picture takes."""

import time
from pathlib import Path

import torch

from benchmarks.table import Row
from models import heads, loading
from models.heads import Heads
from models.store import Store
from training import parts
from training.config import Base
from training.family import drawn, measured, obeyed, shipped
from training.family.measured import Figure
from training.family.pairs import ScenePairs
from training.family.recipe import CONDITIONS, scenes_of
from training.family.settings import LINES

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
FAMILY = "pocket"
COUNT = 500  # scenes
RUNS = 5  # pictures that are timed
ENOUGH = 80.0  # per cent of the way from one end to the other
SLOWEST = 3.0  # seconds


def measure(folder: Path, weights: Path) -> list[Row]:
    """The shipped family, which is not what other benchmarks have in `weights`."""
    store = Store(WEIGHTS)
    if not store.has(FAMILY):
        return [_nothing("pocket: the family")]
    return rows_of(store, folder, COUNT)


def rows_of(store: Store, folder: Path, count: int) -> list[Row]:
    """Two rows for each control that is there, and one for the time of a picture."""
    torch.set_num_threads(1)
    base = parts.load(Base(model=FAMILY), store, 0)
    wanted = scenes_of(shipped.read_note(store.weights / FAMILY), count)
    scenes = drawn.draw(wanted, folder / "scenes", first_seed=drawn.HELD_OUT)
    network = _heads(store)
    rows: list[Row] = []
    ends = measured.ends(base, scenes, count)
    for name in filter(lambda name: store.has(FAMILY, name), CONDITIONS):
        control = loading.load(
            store, loading.ModelKey(part="control", family=FAMILY, name=name), torch.float32
        )
        figure = measured.measure(name, control, base, scenes, network, ends)
        rows += _rows(figure) if figure else [_nothing(f"pocket, {name}")]
        if not any(row.unit == "s" for row in rows):
            rows.append(_time(base, control, scenes, name))
        if name == LINES:
            rows.append(_colours(obeyed.obeyed(base, control, scenes, count=count)))
    return rows


def _heads(store: Store) -> Heads | None:
    path = store.weights / FAMILY / shipped.HEADS
    return heads.read(path) if path.is_file() else None


def _rows(figure: Figure) -> list[Row]:
    what = f"pocket, {figure.control}: {figure.measure}"
    return [
        Row(
            what=what,
            unit="",
            ours=figure.with_control,
            other=figure.without,
            beside="without the control",
        ),
        Row(
            what=what,
            unit="",
            ours=figure.with_control,
            other=figure.through,
            beside="the true picture through the autoencoder",
        ),
        Row(
            what=f"pocket, {figure.control}: the share of the way between the two",
            unit="%",
            ours=[100 * figure.share],
            other=[],
            beside="",
            bound=ENOUGH,
        ),
    ]


def _colours(found: obeyed.Obeyed) -> Row:
    what = f"pocket, {LINES}: the share of {found.named} things that have the colour which captions name"
    return Row(what=what, unit="%", ours=[100 * found.share], other=[], beside="", bound=ENOUGH)


def _time(base: parts.Parts, control: object, scenes: drawn.Drawn, name: str) -> Row:
    """Seconds from the prompt to the pixels, with guidance, one thread."""
    pairs = ScenePairs(scenes, name)
    times: list[list[float]] = [[], []]
    for run in range(RUNS):
        for series, network in zip(times, (control, None), strict=True):
            began = time.perf_counter()
            measured.sampled(base, network, [pairs[run % len(pairs)]])
            series.append(time.perf_counter() - began)
    return Row(
        what=f"pocket: a picture of {scenes.layer('picture', 0).shape[-1]} pixels, {measured.STEPS} steps",
        unit="s",
        ours=times[0],
        other=times[1],
        beside="without the control",
        bound=SLOWEST,
    )


def _nothing(what: str) -> Row:
    return Row(what=what, unit="", ours=(), other=(), beside="no weights are here")
