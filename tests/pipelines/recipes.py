"""Workers for tests: picklable recipes whose handlers wait, step by step, for files to appear."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from errors import MODEL_MISSING
from pipelines import homes
from pipelines.jobs import DEVICE
from pipelines.messages import EngineState, Held
from pipelines.request import Progress
from pipelines.runner import Handler, KeepFinished

LIMIT = 30.0  # seconds after which whoever waits has failed


def wait_for(what: Callable[[], Any], within: float = LIMIT) -> Any:
    """The first true answer; fails when none comes in time."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if answer := what():
            return answer
        time.sleep(0.005)
    raise AssertionError("it did not come in time")


@dataclass(frozen=True, slots=True)
class Plain:
    """Payloads and outcomes that are JSON already."""

    urgent: bool = False
    lane: str = DEVICE
    shared: bool = False

    def payload_text(self, payload: Any) -> str:
        return json.dumps(payload)

    def payload(self, text: str) -> Any:
        return json.loads(text)

    def outcome_text(self, outcome: Any) -> str:
        return json.dumps(outcome)

    def outcome(self, text: str) -> Any:
        return json.loads(text)


NORMAL, URGENT, BESIDE = Plain(), Plain(urgent=True), Plain(lane="beside", shared=True)
KINDS = {
    "echo": NORMAL, "gated": NORMAL, "batch": NORMAL, "broken": NORMAL, "refused": NORMAL, "die": NORMAL,
    "hang": NORMAL, "loading": NORMAL, "quick": URGENT, "beside": BESIDE,
}  # fmt: skip


def echo(job_id: str, payload: Any) -> Iterator[Any]:
    """Answers what it got."""
    yield Progress(step=1, total=1)
    yield payload


def gated(job_id: str, payload: Any) -> Iterator[Any]:
    """Takes step i when the file i is there, and leaves a file `closed` behind, with the last step taken."""
    folder, steps = Path(payload["folder"]), payload["steps"]
    taken = 0
    try:
        for step in range(1, steps + 1):
            wait_for((folder / str(step)).exists)
            taken = step
            yield Progress(step=step, total=steps)
        yield {"taken": taken}
    finally:
        (folder / "closed").write_text(str(taken))


def loading(job_id: str, payload: Any) -> Iterator[Any]:
    """As `gated` with two steps, and all of them are loading."""
    for step in gated(job_id, payload | {"steps": 2}):
        yield replace(step, stage="loading") if isinstance(step, Progress) else step


def batch(job_id: str, payload: Any) -> Iterator[Any]:
    """Finishes a picture at each file, and keeps the finished ones when told so."""
    folder, finished = Path(payload["folder"]), 0
    try:
        for picture in range(1, payload["pictures"] + 1):
            wait_for((folder / str(picture)).exists)
            finished = picture
            yield Progress(step=picture, total=payload["pictures"])
        yield {"finished": finished}
    except KeepFinished:
        if finished:
            yield {"finished": finished}


def broken(job_id: str, payload: Any) -> Iterator[Any]:
    yield Progress(step=1, total=2)
    raise ZeroDivisionError("a secret of ours")


def refused(job_id: str, payload: Any) -> Iterator[Any]:
    yield Progress(stage="loading", step=0, total=2)
    raise MODEL_MISSING("It is not here", found="nothing", todo="Fetch it")


def die(job_id: str, payload: Any) -> Iterator[Any]:
    yield Progress(step=1, total=2)
    os._exit(7)


def hang(job_id: str, payload: Any) -> Iterator[Any]:
    """A step that never comes back."""
    yield Progress(step=1, total=2)
    time.sleep(LIMIT)


HANDLERS: dict[str, Handler] = {
    "echo": echo, "gated": gated, "batch": batch, "broken": broken, "refused": refused, "die": die,
    "hang": hang, "loading": loading, "quick": echo, "beside": gated,
}  # fmt: skip


def ready(report: Callable[[EngineState], None]) -> Mapping[str, Handler]:
    """A worker that is ready at once."""
    report(EngineState(phase="ready", device="TEST"))
    return HANDLERS


def holding(report: Callable[[EngineState], None]) -> Mapping[str, Handler]:
    """A worker that says what it has in memory."""
    report(EngineState(phase="ready", held=(Held("a network", 1000),)))
    return HANDLERS


def impatient(report: Callable[[EngineState], None]) -> Mapping[str, Handler]:
    """A worker whose program has a second to end."""
    homes.LONGEST_END = 1
    return ready(report)


def unable(report: Callable[[EngineState], None]) -> Mapping[str, Handler]:
    """A worker that can't start."""
    raise MODEL_MISSING("The driver does not answer")
