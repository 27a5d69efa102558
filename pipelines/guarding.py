"""Finished pictures are looked at by the safety checker; what it flags is neither shown nor kept."""

import logging
from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from annotators.base import Pixels
from errors import CONTENT_BLOCKED, ArmatureError
from models.loading import ModelKey
from models.safety import Checker
from pipelines.relief import relieved
from pipelines.request import Progress, Result

if TYPE_CHECKING:
    from pipelines.cache import ModelCache

log = logging.getLogger(__name__)

KEY = ModelKey(part="safety")


def prepare(cache: "ModelCache") -> None:
    """Load the checker, or refuse, before anything is made that it could not look at."""
    with cache.hold([KEY]):
        pass


def guarded(result: Result, cache: "ModelCache") -> Generator[Progress, None, Result]:
    """The result without the pictures that are flagged, and a notice for each; refused where none is left."""
    steps, kept = result.request.steps, []
    for index, picture in enumerate(result.images):
        yield Progress(stage="checking", step=steps, total=steps)
        if not _is_flagged(picture, cache):
            kept.append(index)
    return _without(result, kept)


def guarded_at_once(result: Result, cache: "ModelCache") -> Result:
    """The same in one go."""
    kept = [index for index, picture in enumerate(result.images) if not _is_flagged(picture, cache)]
    return _without(result, kept)


def _is_flagged(picture: Pixels, cache: "ModelCache") -> bool:
    """Whether the checker flags a picture; the finished ones are lost only if it has no memory twice."""

    def look() -> bool:
        with cache.use([KEY]) as lent:
            return cast(Checker, lent[KEY]).flags(picture)

    return relieved(cache, look, "the safety checker", todo="Choose a device with more free memory")


def _without(result: Result, kept: list[int]) -> Result:
    lost = [seed for index, seed in enumerate(result.seeds) if index not in kept]
    if lost:
        log.warning("the safety checker held back %d of %d pictures", len(lost), len(result.images))
    if not kept:
        raise _all_blocked(lost)
    return replace(
        result,
        images=tuple(result.images[index] for index in kept),
        seeds=tuple(result.seeds[index] for index in kept),
        notices=(*result.notices, *(_notice(result, seed) for seed in lost)),
    )


def _notice(result: Result, seed: int) -> str:
    place = result.request.seeds.index(seed) + 1
    return (
        f"{CONTENT_BLOCKED.name}: The safety checker held back picture {place}, of seed {seed}. "
        "It is neither shown nor kept; the checker errs at times, and another seed may do."
    )


def _all_blocked(seeds: list[int]) -> ArmatureError:
    return CONTENT_BLOCKED(
        "The safety checker held back all that was made, and nothing of it is shown or kept",
        found=f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}",
        todo="Change the prompt or the seed; the checker errs at times",
    )
