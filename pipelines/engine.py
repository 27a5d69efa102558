"""The engine: submit, follow, cancel, over jobs of several kinds. Where the worker lives, its home knows."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from errors import CANCELLED, DRAINING, INTERRUPTED, WORKER_LOST, ArmatureError
from pipelines.homes import Home
from pipelines.jobs import Job, JobBook
from pipelines.messages import Ended, EngineState, Lost, Moved, Ping, Pong, Report, Run, Standing, Stop
from pipelines.request import Progress

__all__ = ["Engine", "EngineState", "Job"]

log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds that a stopped job may take to come back, before its worker is replaced
TICK = 0.2


class Engine:
    """Jobs from the book to the worker and back; all decisions are made on one thread.

    A cancelled job is over at once, and its result is dropped; the worker leaves it at its next step, or is
    replaced. A worker that is lost fails the job that it ran, and no other: the next one starts by itself.
    """

    def __init__(
        self,
        home: Home,
        book: JobBook,
        *,
        patience: float = PATIENCE,
        dropped: Callable[[str], object] = lambda job_id: None,
    ) -> None:
        """`dropped` is told of every job that left the worker without being done: its files are orphans."""
        self._home = home
        self._book = book
        self._patience = patience
        self._dropped = dropped
        self._state = EngineState()
        self._broken: ArmatureError | None = None  # why the worker can't run anything
        self._signals: queue.SimpleQueue[Report | Stop | None] = queue.SimpleQueue()
        self._running: set[str] = set()  # what the worker holds: one job, and urgent ones beside it
        self._late: dict[str, float] = {}  # stopped jobs, and when they must have come back
        self._deaths = 0  # in a row, without having been ready in between
        self._restart_at: float | None = None
        self._ping, self._pong = 0, 0
        self._draining = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Start the worker, and run what waits; once."""
        if self._thread.ident is not None:
            return
        self._home.start(self._signals.put)
        self._thread.start()

    @property
    def state(self) -> EngineState:
        """How the models stand."""
        return self._state

    @property
    def draining(self) -> bool:
        """Whether no new job is taken any more."""
        return self._draining

    def history(self, limit: int = 100) -> tuple[Job, ...]:
        """The newest finished jobs, newest first."""
        return self._book.history(limit)

    def submit(self, kind: str, payload: Any, *, owner: str = "", wish: str = "") -> str:
        """The id of a new job; of the same one, where its owner's last wish comes again at once."""
        if self._draining:
            raise DRAINING("The program is about to end", todo="Try again when it is back")
        job_id = self._book.add(kind, payload, owner=owner, wish=wish)
        self._signals.put(None)
        return job_id

    def look(self, job_id: str) -> Job:
        """The job as it stands now."""
        return self._book.get(job_id)

    def knows(self, job_id: str) -> bool:
        """Whether there is such a job."""
        return self._book.knows(job_id)

    def follow(self, job_id: str) -> Iterator[Job]:
        """The job now and after every change, until it is over."""
        return self._book.follow(job_id)

    def outcome(self, job_id: str) -> Any:
        """What a job brings in the end, or its own error."""
        *_, job = self.follow(job_id)
        if job.error is not None:
            raise job.error
        return job.outcome

    def cancel(self, job_id: str) -> None:
        """End a job now, wherever it is, and drop what it made. Over is over."""
        if self._book.get(job_id).over:
            return
        error = CANCELLED("The job was cancelled")
        self._book.change(job_id, state="cancelled", error=error, preview=None)
        self._signals.put(Stop(job_id))

    def stop(self, job_id: str) -> None:
        """End a job at its next step, and keep the pictures that are finished."""
        if self._book.get(job_id).state == "queued":
            self.cancel(job_id)
        else:
            self._signals.put(Stop(job_id, keep=True))

    def answers(self, within: float = 2.0) -> bool:
        """Whether the worker answers a ping in time; for readiness. The job that runs does not matter."""
        if self._thread.ident is None:
            return False
        self._ping += 1
        wanted, until = self._ping, time.monotonic() + within
        self._home.send(Ping(wanted))
        while time.monotonic() < until:
            if self._pong >= wanted:
                return True
            time.sleep(0.01)
        return False

    def close(self, patience: float = 20.0) -> None:
        """Take no more, give what runs its time, mark what is left, and end the worker. What waits stays."""
        self._draining = True
        until = time.monotonic() + patience
        while self._running and time.monotonic() < until - 3:
            time.sleep(0.05)
        self._ended.set()
        self._signals.put(None)
        if self._thread.is_alive():
            self._thread.join(1)
        left = [job_id for job_id in self._running if not self._was_done(job_id)]
        self._home.close(max(0.5, until - time.monotonic() - 1))
        for job_id in left:  # it may have been saving
            self._dropped(job_id)
        self._book.close()

    def _was_done(self, job_id: str) -> bool:
        """Tell the worker and the book that a job ends here; answers whether it had been done before."""
        self._home.send(Stop(job_id))
        error = INTERRUPTED("The program ended while this ran", todo="Start it again")
        return self._book.change(job_id, state="interrupted", error=error, preview=None).state == "done"

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                signal = self._signals.get(timeout=TICK)
            except queue.Empty:
                signal = None
            if self._ended.is_set():
                return
            if signal is not None:
                self._hear(signal)
            self._replace_late()
            self._restart()
            self._dispatch()

    def _hear(self, signal: Report | Stop) -> None:
        match signal:
            case Stop(job_id):
                if job_id in self._running:
                    self._late.setdefault(job_id, time.monotonic() + self._patience)
                    self._home.send(signal)
            case Standing(state, error):
                self._state, self._broken = state, error
                if state.phase == "ready":
                    self._deaths = 0
                if error is not None:
                    self._fail_running(error)
            case Moved(job_id, progress):
                self._book.change(job_id, **_moved(self._book.get(job_id), progress))
            case Ended():
                self._finish(signal)
            case Pong(number):
                self._pong = number
            case Lost(reason):
                self._lost(reason)

    def _finish(self, ended: Ended) -> None:
        self._running.discard(ended.job_id)
        self._late.pop(ended.job_id, None)
        fields: dict[str, Any] = {"preview": None}
        if ended.error is not None:
            fields |= {"state": "failed", "error": ended.error}
        elif ended.outcome is not None:
            fields |= {"state": "done", "outcome": ended.outcome}
        else:
            fields |= {
                "state": "cancelled",
                "error": CANCELLED("The job was stopped before anything was finished"),
            }
        job = self._book.change(ended.job_id, **fields)
        if job.state != "done":
            self._dropped(job.id)

    def _lost(self, reason: str) -> None:
        log.warning("the worker is gone: %s", reason)
        gone = WORKER_LOST("The process that runs the models ended", found=reason, todo="Start the job again")
        self._fail_running(self._broken or gone)
        if self._broken is None:
            self._state = EngineState(phase="starting", detail="again")
            self._deaths += 1
            # at once the first time; a worker that can't get ready is not started in a tight loop
            self._restart_at = time.monotonic() + min(5.0, 0.5 * (self._deaths - 1))

    def _fail_running(self, error: ArmatureError) -> None:
        for job_id in self._running:
            self._book.change(job_id, state="failed", error=error, preview=None)
            self._dropped(job_id)
        self._running.clear()
        self._late.clear()

    def _replace_late(self) -> None:
        now = time.monotonic()
        if self._home.can_kill and any(now > until for until in self._late.values()):
            log.warning("the worker did not come back in %.0f s, and is replaced", self._patience)
            self._late.clear()
            self._home.kill()

    def _restart(self) -> None:
        if self._restart_at is not None and not self._draining and time.monotonic() >= self._restart_at:
            self._restart_at = None
            self._home.start(self._signals.put)

    def _dispatch(self) -> None:
        """Give the worker what it can take: all that is urgent, and one other job."""
        if self._restart_at is not None or self._draining:
            return
        while job := self._book.next(urgent=True):
            self._give(job, urgent=True)
        if not self._running_normal() and (job := self._book.next(urgent=False)):
            self._give(job, urgent=False)

    def _give(self, job: Job, *, urgent: bool) -> None:
        if self._broken is not None:
            self._book.change(job.id, state="failed", error=self._broken)
            self._signals.put(None)  # look at the next one
            return
        self._running.add(job.id)
        self._home.send(Run(job.id, job.kind, job.payload, urgent))

    def _running_normal(self) -> bool:
        return any(not self._book.urgent(job_id) for job_id in self._running)


def _moved(job: Job, progress: Progress) -> dict[str, Any]:
    """The fields of the job that a progress changes."""
    now = time.monotonic()
    fields: dict[str, Any] = {
        "state": progress.stage,
        "step": progress.step,
        "total": progress.total,
        "step_at": now,
    }
    if progress.step <= 1 or not job.first_step_at:
        fields["first_step_at"] = now
    if progress.preview is not None:
        fields["preview"] = progress.preview
    return fields
