"""The engine: submit, follow, cancel, over jobs of several kinds. Where a worker lives, its home knows."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

from errors import CANCELLED, DRAINING, INTERRUPTED, TIMEOUT, WORKER_LOST, ArmatureError
from pipelines.homes import Home
from pipelines.jobs import DEVICE, Job, JobBook
from pipelines.lanes import Lane
from pipelines.messages import Ended, EngineState, Held, Lost, Moved, Ping, Pong, Report, Run, Standing, Stop
from pipelines.request import Progress

__all__ = ["Engine", "EngineState", "Held", "Job"]

log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds that a stopped job may take to come back, before its worker is replaced
TICK = 0.2
Signal: TypeAlias = tuple[Lane, Report] | Stop | None


class Engine:
    """Jobs from the book to the workers and back; all decisions are made on one thread.

    A cancelled job is over at once, and its result is dropped; the worker leaves it at its next step, or is
    replaced. A worker that is lost fails the job that it ran, and no other: the next one starts by itself.
    Each kind of job has its lane: the device's, or one `beside` it, whose jobs wait for nobody else's.
    """

    def __init__(
        self,
        home: Home,
        book: JobBook,
        *,
        beside: Mapping[str, Home] = MappingProxyType({}),
        patience: float = PATIENCE,
        longest: float | None = None,
        dropped: Callable[[str], object] = lambda job_id: None,
    ) -> None:
        """`longest` is how many seconds a job may hold the device, the loading of its models not counted.

        `dropped` is told of every job that left its worker without being done: its files are orphans.
        """
        homes = {DEVICE: home, **beside}
        self._lanes = {name: Lane(name, home, patience) for name, home in homes.items()}
        self._device = self._lanes[DEVICE]
        self._book = book
        self._longest = longest
        self._dropped = dropped
        self._signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
        self._ping, self._pong = 0, 0
        self._draining = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Start the workers, and run what waits; once."""
        if self._thread.ident is not None:
            return
        for lane in self._lanes.values():
            lane.home.start(partial(self._report, lane))
        self._thread.start()

    @property
    def state(self) -> EngineState:
        """How the models stand."""
        return self._device.state

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
        assert self._book.lane_of(kind) in self._lanes, "somebody works on jobs of this kind"
        job_id = self._book.add(kind, payload, owner=owner, wish=wish)
        self._signals.put(None)
        return job_id

    def look(self, job_id: str) -> Job:
        """The job as it stands now."""
        return self._book.get(job_id)

    def knows(self, job_id: str) -> bool:
        """Whether there is such a job."""
        return self._book.knows(job_id)

    def known(self, kind: str) -> tuple[Job, ...]:
        """The jobs of a kind that wait or run, and the latest that are over, oldest first."""
        return self._book.known(kind)

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
        """End a job now, wherever it is, and drop what it made. What is over, or being saved, stays."""
        job = self._book.get(job_id)
        if job.over or job.state == "saving":
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
        if self._thread.ident is None or self._device.broken is not None:
            return False
        self._ping += 1
        wanted, until = self._ping, time.monotonic() + within
        self._device.home.send(Ping(wanted))
        while time.monotonic() < until:
            if self._pong >= wanted:
                return True
            time.sleep(0.01)
        return False

    def close(self, patience: float = 20.0) -> None:
        """Take no more, give the device its time, mark what is left, and end the workers. What waits stays.

        What runs beside the device is not waited for: it goes on from where it was when it is started again.
        """
        self._draining = True
        until = time.monotonic() + patience
        while self._device.running and time.monotonic() < until - 3:
            time.sleep(0.05)
        self._ended.set()
        self._signals.put(None)
        if self._thread.is_alive():
            self._thread.join(1)
        left = [job_id for lane in self._lanes.values() for job_id in self._interrupted(lane)]
        for lane in self._lanes.values():
            lane.home.close(max(0.5, until - time.monotonic() - 1))
        for job_id in left:  # it may have been saving
            self._dropped(job_id)
        self._book.close()

    def _interrupted(self, lane: Lane) -> list[str]:
        """Tell a worker and the book that what it holds ends here; answers what had not been done before."""
        error = INTERRUPTED("The program ended while this ran", todo="Start it again")
        left = []
        for job_id in lane.running:
            lane.home.send(Stop(job_id))
            job = self._book.change(job_id, state="interrupted", error=error, preview=None)
            left += [] if job.state == "done" else [job_id]
        return left

    def _report(self, lane: Lane, report: Report) -> None:
        self._signals.put((lane, report))

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                signal = self._signals.get(timeout=TICK)
            except queue.Empty:
                signal = None
            if self._ended.is_set():
                return
            if isinstance(signal, Stop):
                self._stop(signal)
            elif signal is not None:
                self._hear(*signal)
            self._end_overlong()
            for lane in self._lanes.values():
                lane.replace_late()
                if not self._draining:
                    lane.restart(partial(self._report, lane))
                self._dispatch(lane)

    def _stop(self, stop: Stop) -> None:
        for lane in self._lanes.values():
            if stop.job_id in lane.running:
                lane.stop(stop)

    def _end_overlong(self) -> None:
        """A job that has had its time fails, and leaves the device at its next step."""
        if self._longest is None:
            return
        for job_id in self._device.overlong(self._longest):
            error = TIMEOUT(
                "This took longer than one job may take here",
                allowed=f"{self._longest:g} s",
                todo="Ask for fewer or smaller pictures, or fewer steps",
            )
            self._book.change(job_id, state="failed", error=error, preview=None)
            self._device.stop(Stop(job_id))

    def _hear(self, lane: Lane, report: Report) -> None:
        match report:
            case Standing(state, error):
                lane.stand(state, error)
                if error is not None:
                    self._fail_running(lane, error)
            case Moved(job_id, progress):
                if progress.stage != "loading":
                    lane.work(job_id)
                self._book.change(job_id, **_moved(self._book.get(job_id), progress))
            case Ended():
                lane.left(report.job_id)
                self._finish(report)
                lane.learn(report.error)
            case Pong(number):
                self._pong = number
            case Lost(reason):
                log.warning("the worker is gone: %s", reason)
                gone = WORKER_LOST(
                    "The process that runs the models ended", found=reason, todo="Start the job again"
                )
                self._fail_running(lane, lane.broken or gone)
                lane.lose()

    def _finish(self, ended: Ended) -> None:
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

    def _fail_running(self, lane: Lane, error: ArmatureError) -> None:
        for job_id in lane.clear():
            self._book.change(job_id, state="failed", error=error, preview=None)
            self._dropped(job_id)

    def _dispatch(self, lane: Lane) -> None:
        """Give a worker what it can take: all that is urgent, and one other job."""
        if not lane.takes or self._draining:
            return
        while job := self._book.next(urgent=True, lane=lane.name):
            self._give(lane, job, urgent=True)
        busy = any(not self._book.urgent(job_id) for job_id in lane.running)
        if not busy and (job := self._book.next(urgent=False, lane=lane.name)):
            self._give(lane, job, urgent=False)

    def _give(self, lane: Lane, job: Job, *, urgent: bool) -> None:
        if lane.broken is not None:
            self._book.change(job.id, state="failed", error=lane.broken)
            self._signals.put(None)  # look at the next one
            return
        lane.give(Run(job.id, job.kind, job.payload, urgent))


def _moved(job: Job, progress: Progress) -> dict[str, Any]:
    """The fields of the job that a progress changes."""
    now = time.monotonic()
    fields: dict[str, Any] = {
        "state": progress.stage,
        "step": progress.step,
        "total": progress.total,
        "step_at": now,
    }
    if progress.step <= 1 or not job.first_step_at or job.state == "checking":
        fields |= {"first_step_at": now, "first_step": progress.step}
    if progress.preview is not None:
        fields["preview"] = progress.preview
    return fields
