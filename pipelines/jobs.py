"""Jobs: what the engine runs. In memory here; the durable book takes the same shape."""

import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from annotators.base import Pixels
from errors import INPUT_GONE, QUEUE_FULL, ArmatureError

State: TypeAlias = Literal[
    "queued", "loading", "annotating", "denoising", "decoding", "saving",
    "done", "failed", "cancelled", "interrupted",
]  # fmt: skip
FINAL: frozenset[State] = frozenset({"done", "failed", "cancelled", "interrupted"})
KEPT_JOBS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as it stands now; every change makes a new one.

    `place` is the number of jobs ahead of it, `step` of `total` steps are done, `preview` is RGB uint8
    (h, w, 3). `outcome` is what its handler answered last. Times are monotonic seconds, 0 where it is not there yet.
    """

    id: str
    kind: str
    payload: Any
    state: State = "queued"
    place: int = 0
    step: int = 0
    total: int = 0
    preview: Pixels | None = None
    outcome: Any = None
    error: ArmatureError | None = None
    queued_at: float = 0.0
    first_step_at: float = 0.0
    step_at: float = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL

    @property
    def seconds_left(self) -> float | None:
        """The time that the remaining steps take at the pace of those done, or None before the second."""
        if self.step < 2 or self.state != "denoising":
            return None
        pace = (self.step_at - self.first_step_at) / (self.step - 1)
        return pace * (self.total - self.step)


class JobBook:
    """Every job by its id, first come first served. Thread-safe; whoever waits is woken by each change."""

    def __init__(self, most_waiting: int = 200) -> None:
        self._jobs: dict[str, Job] = {}
        self._waiting: list[str] = []
        self._changed = threading.Condition()
        self._most_waiting = most_waiting

    def add(self, kind: str, payload: Any) -> str:
        """The id of a new job at the end of the queue."""
        with self._changed:
            if len(self._waiting) >= self._most_waiting:
                raise QUEUE_FULL(
                    "The queue is full",
                    found=f"{len(self._waiting)} jobs waiting",
                    allowed=str(self._most_waiting),
                    todo="Try again in a minute",
                )
            job_id = secrets.token_hex(16)
            place = len(self._waiting) + self._running()
            self._jobs[job_id] = Job(
                id=job_id, kind=kind, payload=payload, place=place, queued_at=time.monotonic()
            )
            self._waiting.append(job_id)
            self._forget_oldest()
            self._changed.notify_all()
            return job_id

    def take(self) -> Job:
        """The next job, as soon as there is one; those behind it move up."""
        with self._changed:
            while not self._waiting:
                self._changed.wait()
            job_id = self._waiting.pop(0)
            self._jobs[job_id] = replace(self._jobs[job_id], state="loading", place=0)
            self._move_up()
            self._changed.notify_all()
            return self._jobs[job_id]

    def get(self, job_id: str) -> Job:
        """The job as it stands now, or a refusal when it is not known (any more)."""
        with self._changed:
            if job_id not in self._jobs:
                raise INPUT_GONE("This job is not known here any more", todo="Start it again")
            return self._jobs[job_id]

    def change(self, job_id: str, **fields: Any) -> Job:
        """The job with other fields. What is over stays as it is."""
        with self._changed:
            job = self._jobs[job_id]
            if not job.over:
                job = self._jobs[job_id] = replace(job, **fields)
                if job.over and job_id in self._waiting:
                    self._waiting.remove(job_id)
                self._move_up()
                self._changed.notify_all()
            return job

    def follow(self, job_id: str) -> Iterator[Job]:
        """The job now and after every change, until it is over. A slow reader skips what it missed."""
        job = self.get(job_id)
        yield job
        while not job.over:
            with self._changed:
                seen = job
                self._changed.wait_for(lambda: self._jobs[job_id] is not seen)  # noqa: B023
                job = self._jobs[job_id]
            yield job

    def _running(self) -> int:
        return sum(1 for job in self._jobs.values() if not job.over and job.state != "queued")

    def _move_up(self) -> None:
        running = self._running()
        for index, job_id in enumerate(self._waiting):
            if self._jobs[job_id].place != index + running:
                self._jobs[job_id] = replace(self._jobs[job_id], place=index + running)

    def _forget_oldest(self) -> None:
        over = [job_id for job_id, job in self._jobs.items() if job.over]
        for job_id in over[: max(0, len(self._jobs) - KEPT_JOBS)]:
            del self._jobs[job_id]
