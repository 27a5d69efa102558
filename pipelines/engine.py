"""The engine: submit, follow, cancel, over jobs of several kinds. Its home here is a thread of this process.

The handlers of the kinds are registered by app and cli. A handler is a generator: it yields `Progress` and
ends with its outcome, so that cancelling is closing it at its next yield.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal, Protocol, TypeAlias

from errors import CANCELLED, ArmatureError, ours
from pipelines.jobs import Job, JobBook
from pipelines.request import Progress

__all__ = ["Engine", "EngineState", "Handler", "Job", "ThreadEngine"]

log = logging.getLogger(__name__)

Phase: TypeAlias = Literal["starting", "loading", "ready", "failed"]
Handler: TypeAlias = Callable[[Any], Iterator[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineState:
    """What the page says about the models: the phase, what is being loaded or failed, and the device."""

    phase: Phase = "starting"
    detail: str = ""
    device: str = ""


class Engine(Protocol):
    """What every home of the engine offers."""

    @property
    def state(self) -> EngineState:
        """How the models stand."""

    def submit(self, kind: str, payload: Any) -> str:
        """The id of a new job."""

    def follow(self, job_id: str) -> Iterator[Job]:
        """The job now and after every change, until it is over."""

    def cancel(self, job_id: str) -> None:
        """End a job: at once where it waits, at the next step where it runs. Over is over."""


class ThreadEngine:
    """The engine in a thread of this process: one job at a time, so the device is never shared.

    `prepare(report)` runs first, on the same thread: it imports what is heavy, loads what is wanted at once,
    reports its states, and answers the handlers by kind. Its failure is the state, and every job's error.
    """

    def __init__(self, prepare: Callable[[Callable[[EngineState], None]], Mapping[str, Handler]]) -> None:
        self._prepare = prepare
        self._book = JobBook()
        self._state = EngineState()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to prepare and to run jobs; those submitted before wait."""
        self._thread.start()

    @property
    def state(self) -> EngineState:
        return self._state

    def submit(self, kind: str, payload: Any) -> str:
        return self._book.add(kind, payload)

    def follow(self, job_id: str) -> Iterator[Job]:
        return self._book.follow(job_id)

    def cancel(self, job_id: str) -> None:
        error = CANCELLED("The job was cancelled")
        self._book.change(job_id, state="cancelled", error=error, preview=None)

    def _report(self, state: EngineState) -> None:
        self._state = state

    def _run(self) -> None:
        handlers: Mapping[str, Handler] = {}
        failure: ArmatureError | None = None
        try:
            handlers = self._prepare(self._report)
        except Exception as error:
            failure = ours(error)
            log.exception("the engine could not start: %s", failure)
            self._report(EngineState(phase="failed", detail=failure.message))
        while True:
            job = self._book.take()
            if failure is not None:
                self._book.change(job.id, state="failed", error=failure)
                continue
            self._work(job, handlers[job.kind])

    def _work(self, job: Job, handler: Handler) -> None:
        outcome: Any = None
        events = handler(job.payload)
        try:
            for event in events:
                if isinstance(event, Progress):
                    job = self._book.change(job.id, **_progressed(job, event))
                else:
                    outcome = event
                if job.over:
                    return
            self._book.change(job.id, state="done", outcome=outcome, preview=None)
        except Exception as error:
            failure = ours(error)
            log.exception("job %s failed: %s", job.id, failure)
            self._book.change(job.id, state="failed", error=failure, preview=None)
        finally:
            if hasattr(events, "close"):
                events.close()


def _progressed(job: Job, progress: Progress) -> dict[str, Any]:
    """The fields of the job that a progress changes."""
    now = monotonic()
    fields: dict[str, Any] = {
        "state": progress.stage,
        "step": progress.step,
        "total": progress.total,
        "step_at": now,
    }
    if progress.step <= 1:
        fields["first_step_at"] = now
    if progress.preview is not None:
        fields["preview"] = progress.preview
    return fields
