"""The command line's `dataset`: its flags, and what each command does and answers; cli.py prints it.

dataset fill50k FOLDER      draws the original tutorial's set
dataset annotate FOLDER     makes the hints of a whole set
dataset check PATH          the pre-flight alone
"""

import argparse
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import annotators
import conditions
from annotators import Annotation
from conditions import CONDITIONS
from errors import ArmatureError
from params import Param
from pipelines.folders import Outcome
from training import beforehand, data, fill50k, hints
from training.data import SIZE, DataConfig
from training.facts import Told
from training.fill50k import Recipe
from training.listing import Problem

FEW = 50  # lines about single pairs

COUNT = Param(
    name="count",
    label="Count",
    kind="integer",
    default=50_000,
    minimum=2,
    maximum=10**7,
    help="How many pairs are drawn.",
)
WORKERS = Param(
    name="workers",
    label="Workers",
    kind="integer",
    default=0,
    minimum=0,
    maximum=1024,
    help="Processes that work at once; 0 is one for each processor.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command answers: to a program, on stdout, on stderr, and as its exit code."""

    entry: Mapping[str, Any]
    line: str
    notices: tuple[str, ...] = ()
    code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the command line lends: progress, a folder for what is kept, networks, `--set` in its types."""

    told: Told
    cache: Path
    annotating: Callable[[], AbstractContextManager[Callable[..., Annotation]]]
    values: Callable[[tuple[Param, ...], Sequence[str]], Mapping[str, Any]]


Work: TypeAlias = Callable[[argparse.Namespace, Tools], Answer]
Add: TypeAlias = Callable[[str, Work], argparse.ArgumentParser]
Option: TypeAlias = Callable[[argparse.ArgumentParser, Param], None]


def add_to(add: Add, option: Option, networks: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add the commands with `add`, their declared flags with `option`, and the flags of `networks`."""
    sub = add("fill50k", draw_circles)
    sub.add_argument("folder", metavar="FOLDER", type=Path, help="an empty or a new folder")
    for param in (COUNT, SIZE, data.SEED, WORKERS):
        option(sub, param)

    sub = add("annotate", annotate_set)
    sub.add_argument("folder", metavar="FOLDER", type=Path, help="the data set, or its list")
    sub.add_argument("--condition", required=True, choices=list(CONDITIONS), metavar="NAME")
    sub.add_argument("--annotator", default="", metavar="NAME", help="the condition's first, by default")
    sub.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of it")
    for param in (SIZE, WORKERS):
        option(sub, param)
    networks(sub)

    sub = add("check", check_set)
    sub.add_argument("folder", metavar="PATH", type=Path, help="the data set, or its list")
    sub.add_argument("--condition", default="canny", choices=list(CONDITIONS), metavar="NAME")
    sub.add_argument("--annotator", default="", metavar="NAME", help="as the run's file will have it")
    for param in (SIZE, WORKERS):
        option(sub, param)


def draw_circles(given: argparse.Namespace, tools: Tools) -> Answer:
    """Draw the set of the original's tutorial: coloured circles and their outlines."""
    recipe = Recipe(size=given.size, seed=given.seed)
    path = fill50k.make(given.folder, recipe, given.count, workers=given.workers or None, told=tools.told)
    entry = {"list": str(path), "pairs": given.count, **dataclasses.asdict(recipe)}
    return Answer(entry=entry, line=f"{given.count} pairs: {path}")


def annotate_set(given: argparse.Namespace, tools: Tools) -> Answer:
    """Make the hints of a whole data set beforehand, at the size that will be learnt."""
    condition = conditions.find(given.condition)
    with tools.annotating() as near_networks:
        wanted = hints.choose(condition, given.annotator, {}, has_hints=False, annotate=near_networks)
        method = wanted.annotator
        maker = dataclasses.replace(
            wanted,
            values=tools.values(method.params, given.set),
            annotate=near_networks if method.weights else annotators.annotate,
        )
        plan = beforehand.plan(given.folder, maker, given.size)
        outcomes = list(
            _counted(beforehand.make(plan, workers=given.workers or None), len(plan.pairs), tools.told)
        )
    return _hints_answer(outcomes, plan.folder)


def _counted(outcomes: Iterator[Outcome], total: int, told: Told) -> Iterator[Outcome]:
    for done, outcome in enumerate(outcomes, 1):
        told(done, total)
        yield outcome


def _hints_answer(outcomes: Sequence[Outcome], folder: Path) -> Answer:
    counts = Counter(outcome.state for outcome in outcomes)
    failed = [(outcome.pair.source.name, outcome.error) for outcome in outcomes if outcome.error]
    return Answer(
        entry={
            "hints": str(folder),
            **{state: counts[state] for state in ("made", "kept")},
            "failed": [{"picture": name, **_error_entry(error)} for name, error in failed],
        },
        line=f"{counts['made']} made, {counts['kept']} kept from before, {len(failed)} failed: {folder}",
        notices=_few([f"{name}: {error}" for name, error in failed]),
        code=1 if failed else 0,
    )


def _error_entry(error: ArmatureError) -> dict[str, str]:
    return {"code": error.code.name, "message": error.message}


def check_set(given: argparse.Namespace, tools: Tools) -> Answer:
    """Open every file of a data set, and list every bad pair by file and line."""
    config = DataConfig(
        path=given.folder,
        condition=given.condition,
        annotator=given.annotator,
        size=given.size,
        cache=tools.cache,
    )
    maker, report = data.preflight(config, workers=given.workers or None, told=tools.told)
    source = "the set's own" if maker.given else f"made by {maker.annotator.name} as they are learnt"
    counts = f"{len(report.entries)} good pairs, {len(report.problems)} problems"
    return Answer(
        entry={
            "pairs": len(report.entries),
            "problems": [_problem_entry(problem) for problem in report.problems],
            "notices": [_problem_entry(notice) for notice in report.notices],
            "hints": source,
        },
        line=f"{counts}, {len(report.notices)} conversions; hints: {source}",
        notices=(*_few(list(map(str, report.problems))), *_few(list(map(str, report.notices)))),
        code=1 if report.problems else 0,
    )


def _problem_entry(problem: Problem) -> dict[str, str]:
    return {"place": problem.place, "what": problem.what}


def _few(lines: Sequence[str]) -> tuple[str, ...]:
    """The first lines, and how many more there are."""
    more = (f"and {len(lines) - FEW} more",) if len(lines) > FEW else ()
    return (*lines[:FEW], *more)
