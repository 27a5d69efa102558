"""Who looks at finished pictures for each of their controls, and what share they find, or why there is none.

Networks come through the cache, so that looking makes room and keeps to the budget like everything else.
"""

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import conditions
from annotators import Annotator
from annotators.base import Pixels
from conditions import Condition
from errors import ArmatureError, ours
from params import Value
from pipelines import networks
from pipelines.agreement import MEASURES, agreement, judge
from pipelines.request import ControlUnit, GenerateRequest, Progress, Result
from pipelines.request.keeping import Kept

if TYPE_CHECKING:
    from pipelines.cache import ModelCache

log = logging.getLogger(__name__)

HALF = 128  # what is whiter in a mask is painted anew
EMPTY = "the map shows nothing that could be kept"
TRIPS = (ArmatureError, RuntimeError, MemoryError)  # RuntimeError: torch's own, such as out of memory


def judged(result: Result, cache: "ModelCache") -> Generator[Progress, None, Result]:
    """The result with the agreement of each picture, where that was asked for; one picture at a time."""
    steps, kept = result.request.steps, []
    for index in range(len(result.images) if result.request.agreement else 0):
        yield Progress(stage="annotating", step=steps, total=steps)
        kept.append(Judges(cache).look(result, index))
    return _with(result, kept)


def judged_at_once(result: Result, cache: "ModelCache") -> Result:
    """The same for an artist who has stopped the run and waits: without what only a network could see."""
    looks = range(len(result.images) if result.request.agreement else 0)
    return _with(result, [Judges(cache, quick=True).look(result, index) for index in looks])


def _with(result: Result, kept: Sequence[tuple[Kept, ...]]) -> Result:
    """A result with its agreement, and a notice for whatever of it could not be measured."""
    notices = dict.fromkeys(one.notice for picture in kept for one in picture if one.notice)
    return replace(result, agreement=tuple(kept), notices=(*result.notices, *notices))


@dataclass(frozen=True, slots=True)
class Judges:
    """Looks at pictures; `quick`, only as far as that needs no network."""

    cache: "ModelCache"
    quick: bool = False

    def look(self, result: Result, index: int) -> tuple[Kept, ...]:
        """How picture `index` of a result has kept each control of the request."""
        pairs = zip(result.request.controls, result.maps, strict=True)
        return tuple(self._kept(result.request, unit, map, result.images[index]) for unit, map in pairs)

    def _kept(self, request: GenerateRequest, unit: ControlUnit, map: Pixels, picture: Pixels) -> Kept:
        try:
            return self._looked(request, unit, map, picture)
        except TRIPS as error:
            # the pictures are finished: they are not to be lost because nobody could look at them
            log.warning("agreement could not be measured: %s", ours(error), exc_info=error)
            return Kept(condition=unit.condition, share=None, remark=_small(ours(error).what))

    def _looked(self, request: GenerateRequest, unit: ControlUnit, map: Pixels, picture: Pixels) -> Kept:
        condition = conditions.find(unit.condition)
        lost = partial(Kept, condition=unit.condition, share=None)
        known = self._known(request, condition)
        if why := _why_not(unit, condition, known):
            return lost(remark=why)
        first = judge(condition, unit.annotator)
        looker = looker_for(condition, first, self._is_ready)
        if looker is None:
            return lost(annotator=first.name, remark=self._lacking(first))
        share = agreement(
            condition,
            map,
            picture,
            annotator=looker.name,
            values=_settings(unit, condition, looker),
            known=known,
            annotate=partial(networks.annotate, self.cache),
        )
        if share is None:
            return lost(annotator=looker.name, remark=EMPTY)
        stands_in = "" if looker is first else f"“{looker.label}” looks at it, since {self._lacking(first)}"
        share = min(1.0, max(-1.0, share))  # a correlation may come out a rounding above
        return Kept(condition=unit.condition, share=share, annotator=looker.name, remark=stands_in)

    def _known(self, request: GenerateRequest, condition: Condition) -> NDArray[np.bool_] | None:
        """Where (H, W) the map says something, if that is not everywhere: around the part painted anew."""
        if condition.needs != "mask" or request.mask is None:
            return None
        return np.asarray(self.cache.pictures.get(request.mask)[..., 0] < HALF)

    def _is_ready(self, method: Annotator) -> bool:
        if self.quick and method.weights:
            return False
        return not self.cache.store.annotator_missing(method.weights)

    def _lacking(self, method: Annotator) -> str:
        if self.cache.store.annotator_missing(method.weights):
            return f"“{method.label}” has not all of its weights here"
        return f"“{method.label}” takes a while, and the run was stopped"


def _why_not(unit: ControlUnit, condition: Condition, known: NDArray[np.bool_] | None) -> str:
    """Why there is nothing to measure, whoever looks; nothing where there is."""
    if condition.agreement not in MEASURES:
        return "there is no measure for what it keeps"
    if unit.region is not None:
        return "the control holds in a part of the picture only"
    return EMPTY if known is not None and not known.any() else ""


def looker_for(
    condition: Condition, first: Annotator, is_ready: Callable[[Annotator], bool]
) -> Annotator | None:
    """The first choice where it is ready, else another annotator that finds the same kind of map."""
    others = (a for a in condition.available_annotators if a.source == "picture" and not a.of_maps)
    return next(filter(is_ready, (first, *others)), None)


def _settings(unit: ControlUnit, condition: Condition, looker: Annotator) -> Mapping[str, Value]:
    """With the map's own settings, where it is the map's own annotator."""
    if looker.name == unit.annotator:
        return unit.values
    return condition.judge_values if looker is condition.finder else {}


def _small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
