"""The pre-flight: every bad pair of a data set, by file and line, before anything is learnt from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from errors import DATASET_INVALID, ArmatureError
from training.facts import Fact, Look, Told, look_at, untold
from training.listing import HINTS, Entry, Listing, Problem

FEWEST = 2  # from a single pair nothing can be learnt that holds for others
MOST_TOLD = 50  # problems in one refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the pre-flight found: good pairs with the facts of their files, bad ones, and conversions.

    `notices` are about good pairs that are not RGB at the size that is learnt.
    """

    root: Path
    entries: tuple[Entry, ...]
    facts: Mapping[str, Fact]
    problems: tuple[Problem, ...]
    notices: tuple[Problem, ...]

    @property
    def is_usable(self) -> bool:
        """Whether enough good pairs are left without the bad ones."""
        return len(self.entries) >= FEWEST

    def refusal(self) -> ArmatureError:
        """The refusal that lists what is bad."""
        skipping = "; or learn from the others with skip_bad = true" if self.is_usable else ""
        return refusal(len(self.entries), self.problems, skipping)


def refusal(good: int, problems: Sequence[Problem], otherwise: str = "") -> ArmatureError:
    """The refusal of a set that has so many good pairs, with the first of its problems."""
    told = [str(problem) for problem in problems[:MOST_TOLD]]
    if len(problems) > MOST_TOLD:
        told.append(f"and {len(problems) - MOST_TOLD} more")
    return DATASET_INVALID(
        f"The data set has {good} good pairs, and {len(problems)} problems",
        found="; ".join(told),
        todo=f"Mend them or take them out of the set{otherwise}",
    )


def check(
    listing: Listing,
    *,
    size: int,
    hinted: bool,
    cache: Path | None = None,
    workers: int | None = None,
    told: Told = untold,
) -> Report:
    """Open every file that the pairs need: with `hinted` their own hints as well.

    `size` is the side that is learnt. `cache` is a folder for what is known about files that did not change.
    """
    names = (name for entry in listing.entries for name in _files(entry, hinted))
    looks = look_at(listing.root, names, cache=cache, workers=workers, told=told)
    problems = [problem for item in listing.items for problem in _problems(item, looks, hinted)]
    good = tuple(entry for entry in listing.entries if not any(_problems(entry, looks, hinted)))
    if len(good) < FEWEST:
        few = Problem(listing.root.name, f"{len(good)} good pairs, and at least {FEWEST} are needed")
        problems.append(few)
    return Report(
        root=listing.root,
        entries=good,
        facts={name: fact for name, fact in looks.items() if isinstance(fact, Fact)},
        problems=tuple(problems),
        notices=tuple(notice for entry in good for notice in _notices(entry, looks, size, hinted)),
    )


def _files(entry: Entry, hinted: bool) -> Iterator[str]:
    yield entry.target
    if hinted and entry.hint:
        yield entry.hint


def _problems(item: Entry | Problem, looks: Mapping[str, Look], hinted: bool) -> Iterator[Problem]:
    if isinstance(item, Problem):
        yield item
        return
    if hinted and not item.hint:
        yield Problem(item.place, "no hint, which other pairs have")
    for name in _files(item, hinted):
        found = looks[name]
        if isinstance(found, str):
            yield Problem(item.place, found if name == item.place else f"{name}: {found}")


def _notices(entry: Entry, looks: Mapping[str, Look], size: int, hinted: bool) -> Iterator[Problem]:
    """How a good pair is converted."""
    facts = {name: fact for name in _files(entry, hinted) if isinstance(fact := looks[name], Fact)}
    for name, fact in facts.items():
        if fact.mode != "RGB":
            how = "what is transparent lies on white" if fact.mode.endswith("A") else "taken as RGB"
            yield Problem(entry.place, f"{name} is in mode {fact.mode}: {how}")
    shapes = {name: f"{name} is {fact.width}x{fact.height}" for name, fact in facts.items()}
    others = [name for name in facts if name != entry.target and not _is_made(name, facts[name], size)]
    if any(_shape(facts[name]) != _shape(facts[entry.target]) for name in others):
        how = f"each is scaled to cover {size}x{size} and cropped"
        yield Problem(entry.place, f"{', '.join(shapes.values())}: {how}")
    if min(_shape(facts[entry.target])) < size:
        yield Problem(entry.place, f"{shapes[entry.target]}: enlarged to cover {size}x{size}")


def _shape(fact: Fact) -> tuple[int, int]:
    return fact.width, fact.height


def _is_made(name: str, fact: Fact, size: int) -> bool:
    """Whether a hint was made by us for this very size, and so fits however large its target is."""
    return name.startswith(f"{HINTS}/") and _shape(fact) == (size, size)
