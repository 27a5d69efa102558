"""What a worker does: the frozen recipe that travels to it, and the handlers that it makes there."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from errors import GPU_OOM, ArmatureError, DeviceError, ours
from models.memory import AUTO
from models.store import Store
from pipelines import results
from pipelines.messages import EngineState
from pipelines.pictures import PICTURES, PictureStore
from pipelines.request import GenerateRequest, Made, Progress, Result, Saved
from pipelines.request.safety import is_checked
from pipelines.runner import Handler, KeepFinished, bare

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Loads models from `weights` and saves pictures in `outputs`, or in `folder` where one is given.

    Calling it prepares: torch is imported there and then, and `family`, or a base of one's own with the
    controls of a family, is loaded before any job; where that can't be, its jobs say why, and others work.
    `bases` is where bases of one's own are, if not in the weights.
    `memory` is how many bytes of the device are filled at most, `memory_mode` how models share it.
    With `safety`, no picture leaves that could need the safety checker and was not seen by it.
    """

    weights: Path
    outputs: Path
    device: str
    family: str
    folder: Path | None = None
    bases: Path | None = None
    memory: int | None = None
    memory_mode: str = AUTO
    safety: bool = False

    def __call__(self, report: Callable[[EngineState], None]) -> Mapping[str, Handler]:
        from models import torchvision_ops

        torchvision_ops.define_missing()
        from models.device import choose
        from pipelines.cache import ModelCache
        from pipelines.networks import AnnotateJobs

        chosen = choose(self.device, memory=self.memory, mode=self.memory_mode)
        state = EngineState(device=chosen.title, budget=chosen.budget)
        store = Store(self.weights, self.bases)

        def tell(**fields: Any) -> None:
            nonlocal state
            state = replace(state, **fields)
            report(state)

        cache = ModelCache(
            store,
            PictureStore(self.outputs / PICTURES),
            chosen,
            on_load=lambda what: tell(phase="loading", detail=what),
            on_ready=lambda: tell(phase="ready", detail=""),
            on_change=lambda: tell(held=cache.held),
        )
        if store.has(self.family):
            _warm(self.family, cache)
        tell(phase="ready", detail="")
        return {
            "generate": lambda job_id, request: self._generate(job_id, request, cache),
            "annotate": AnnotateJobs(cache),
            "unload": lambda job_id, request: iter([cache.unload(request.names)]),
        }

    def _generate(self, job_id: str, request: GenerateRequest, cache: Any) -> Iterator[Progress | Saved]:
        """What `_made` says; where the device had no memory for it, the next job begins on an empty one."""
        short = None
        try:
            yield from self._made(job_id, request, cache)
        except (DeviceError, RuntimeError, MemoryError) as error:
            known = ours(error)
            if known.code is not GPU_OOM:
                raise
            short = bare(known)
        if short is not None:  # outside the except, whose traceback keeps what was computed
            cache.clear()
            raise short

    def _made(self, job_id: str, request: GenerateRequest, cache: Any) -> Iterator[Progress | Saved]:
        """The loop's own progress, then the result, saved; told to keep what is finished, that much of it."""
        from pipelines import guarding
        from pipelines.generate import generate
        from pipelines.judging import judged, judged_at_once

        began = time.monotonic()
        made: list[Made] = []
        guards = is_checked(request, demanded=self.safety)
        try:
            if guards:
                yield Progress(stage="loading", step=0, total=request.steps)
                guarding.prepare(cache)
            for event in generate(request, cache):
                if isinstance(event, Result):
                    event = (yield from guarding.guarded(event, cache)) if guards else event
                    event = yield from judged(event, cache)
                    yield Progress(stage="saving", step=request.steps, total=request.steps)
                    yield self._save(event, job_id, began)
                else:
                    made += [event.made] if event.made else []
                    # the pixels need not travel, and what is not checked yet must not
                    yield replace(event, made=None, preview=None if guards else event.preview)
        except KeepFinished:
            if made:
                finished = _partial(request, made, cache)
                finished = guarding.guarded_at_once(finished, cache) if guards else finished
                yield self._save(judged_at_once(finished, cache), job_id, began)

    def _save(self, result: Result, job_id: str, began: float) -> Saved:
        seconds = time.monotonic() - began
        if self.folder:
            return results.save(result, self.folder, job_id, seconds)
        return results.save_today(result, self.outputs, job_id, seconds)


def _warm(family: str, cache: Any) -> None:
    """Load a base ahead of the first job, if that can be; else the jobs that want it say why not."""
    from pipelines.generate import warm

    try:
        warm(family, cache)
        return
    except (ArmatureError, RuntimeError, MemoryError) as error:
        known = ours(error)
        if known is not error and known.code is not GPU_OOM:
            raise
        log.warning("%s could not be loaded at the start: %s", family, known)
    cache.clear()  # outside the except, whose traceback keeps what was loaded


def _partial(request: GenerateRequest, made: list[Made], cache: Any) -> Result:
    """A result of the pictures that were finished when the artist stopped the rest."""
    return Result(
        images=tuple(one.pixels for one in made),
        seeds=tuple(one.seed for one in made),
        maps=tuple(cache.pictures.get(unit.map) for unit in request.controls),
        request=request,
        others=tuple(cache.pictures.get(digest) for digest in request.others.values()),
        notices=(*made[-1].notices, f"Stopped: {len(made)} of {request.count} pictures were finished."),
    )
