"""The engine's homes, put together: what app and cli ask for. Here, a thread of this process."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import conditions
from errors import PARAM_CHOICE, ModelError
from models.catalogue import FAMILIES
from models.store import Store
from pipelines import results
from pipelines.engine import EngineState, Handler, ThreadEngine
from pipelines.pictures import PictureStore
from pipelines.request import GenerateRequest, Progress, Result, Saved


def default_family(wanted: str, store: Store) -> str:
    """The family that was asked for; for "auto" the first that is there, else the built-in one."""
    if wanted == "auto":
        return next((name for name in FAMILIES if store.has(name)), next(iter(FAMILIES)))
    if wanted not in FAMILIES:
        raise PARAM_CHOICE(
            "There is no such model family",
            found=repr(wanted),
            allowed="auto, " + ", ".join(FAMILIES),
            todo="Change --model",
        )
    return wanted


def lacking(store: Store, family: str, condition: str) -> str:
    """What a condition lacks in a family and how to get it, in words; nothing where all is there."""
    entry = conditions.find(condition)
    try:
        control = entry.control(family)
        store.require(family, control.name)
    except ModelError as error:
        return error.message
    return ""


def in_process(
    store: Store, folder: Callable[[], Path], pictures: PictureStore, device: str, family: str
) -> ThreadEngine:
    """An engine in a thread of this process. torch is imported on that thread, when it starts.

    `folder` names where results go, at the moment when one is saved; `family` is loaded before any job.
    """

    def prepare(report: Callable[[EngineState], None]) -> Mapping[str, Handler]:
        from models import torchvision_ops

        torchvision_ops.define_missing()
        from models.device import choose
        from pipelines.cache import ModelCache
        from pipelines.generate import warm

        chosen = choose(device)
        ready = EngineState(phase="ready", device=chosen.title)

        def loading(what: str) -> None:
            report(EngineState(phase="loading", detail=what, device=chosen.title))

        cache = ModelCache(store, pictures, chosen, on_load=loading, on_ready=lambda: report(ready))
        if store.has(family):
            warm(family, cache)
        report(ready)
        return {"generate": lambda request: generated(request, cache, folder)}

    return ThreadEngine(prepare)


def generated(request: GenerateRequest, cache: Any, folder: Callable[[], Path]) -> Iterator[Progress | Saved]:
    """The handler of the kind "generate": the loop's own progress, then the result, saved."""
    from pipelines.generate import generate

    began = time.monotonic()
    for event in generate(request, cache):
        if isinstance(event, Result):
            yield Progress(stage="saving", step=request.steps, total=request.steps)
            yield results.save(event, folder(), time.monotonic() - began)
        else:
            yield event
