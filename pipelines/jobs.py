"""Jobs: what the engine runs, who waits, and what became of it, in one SQLite file that outlives the program.

The row of a job changes with its state; its steps and previews live in memory only.
"""

import logging
import secrets
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from annotators.base import Pixels
from errors import INPUT_GONE, INTERRUPTED, QUEUE_FULL, ArmatureError
from pipelines.rows import Rows, error_from

log = logging.getLogger(__name__)

State: TypeAlias = Literal[
    "queued", "loading", "annotating", "denoising", "decoding", "saving",
    "done", "failed", "cancelled", "interrupted",
]  # fmt: skip
FINAL: frozenset[State] = frozenset({"done", "failed", "cancelled", "interrupted"})
KEPT_IN_MEMORY = 500
DOUBLE_CLICK = 2.0  # seconds within which the same wish is the same job


class Kind(Protocol):
    """How the payloads and outcomes of one kind of job become JSON text and come back."""

    @property
    def urgent(self) -> bool: ...

    def payload_text(self, payload: Any) -> str: ...

    def payload(self, text: str) -> Any: ...

    def outcome_text(self, outcome: Any) -> str: ...

    def outcome(self, text: str) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as it stands now; every change makes a new one.

    `place` is the number of jobs ahead of it, `step` of `total` steps are done, `preview` is RGB uint8
    (h, w, 3). `outcome` is what its handler answered last. The step times are monotonic seconds.
    """

    id: str
    kind: str
    payload: Any
    owner: str = ""
    seq: int = 0
    state: State = "queued"
    place: int = 0
    step: int = 0
    total: int = 0
    preview: Pixels | None = None
    outcome: Any = None
    error: ArmatureError | None = None
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
    """Every job by its id: the queue, fair between owners, and the history. Thread-safe.

    Whoever waits is woken by each change. `path` None keeps it in memory, for tests and the command line.
    What was running when the program ended is `interrupted` when the book is opened again; what waited waits.
    """

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        path: Path | None = None,
        *,
        most_waiting: int = 200,
        most_each: int | None = None,
    ) -> None:
        self._kinds = kinds
        self._most_waiting = most_waiting
        self._most_each = most_each
        self._jobs: dict[str, Job] = {}
        self._waiting: list[str] = []
        self._recent: dict[str, tuple[float, str]] = {}  # by wish: when, and which job
        self._served: Counter[str] = Counter()  # by owner: when last, counted in jobs
        self._turn = 0
        self._pace = 0.0  # seconds that a job took lately
        self._changed = threading.Condition()
        self._rows = Rows(path)
        self.interrupted: tuple[str, ...] = ()  # ids of what ran when the program ended
        self._recover()

    def add(self, kind: str, payload: Any, *, owner: str = "", wish: str = "") -> str:
        """The id of a new job; of the one there is already, where the same wish came a moment ago."""
        now = time.monotonic()
        with self._changed:
            wished_at, known = self._recent.get(wish, (0.0, ""))
            if wish and known in self._jobs and now - wished_at < DOUBLE_CLICK:
                return known
            self._refuse_when_full(owner)
            job = Job(id=secrets.token_hex(16), kind=kind, payload=payload, owner=owner)
            seq = self._rows.insert(job, self._kinds[kind].payload_text(payload))
            self._jobs[job.id] = replace(job, seq=seq)
            self._waiting.append(job.id)
            self._recent = {w: (t, j) for w, (t, j) in self._recent.items() if now - t < DOUBLE_CLICK}
            if wish:
                self._recent[wish] = (now, job.id)
            self._place()
            self._forget_oldest()
            self._changed.notify_all()
            return job.id

    def next(self, *, urgent: bool) -> Job | None:
        """The job whose turn it is, now loading; None while none of that urgency waits."""
        with self._changed:
            for job_id in self._waiting:
                job = self._jobs[job_id]
                if self._kinds[job.kind].urgent == urgent:
                    self._turn += 1
                    self._served[job.owner] = self._turn
                    return self.change(job_id, state="loading", place=0)
            return None

    def get(self, job_id: str) -> Job:
        """The job as it stands now, or a refusal when it is not known (any more)."""
        with self._changed:
            job = self._jobs.get(job_id) or self._from_row(self._rows.one(job_id))
            if job is None:
                raise INPUT_GONE("This job is not known here any more", todo="Start it again")
            return job

    def knows(self, job_id: str) -> bool:
        """Whether there is such a job."""
        with self._changed:
            return job_id in self._jobs or self._rows.one(job_id) is not None

    def change(self, job_id: str, **fields: Any) -> Job:
        """The job with other fields. What is over stays as it is. A changed state is written down."""
        with self._changed:
            before = self._jobs[job_id]
            if before.over:
                return before
            job = self._jobs[job_id] = replace(before, **fields)
            if job.state != before.state:
                self._left_the_queue(job)
                self._place()
                self._write(job)
            self._changed.notify_all()
            return job

    def follow(self, job_id: str) -> Iterator[Job]:
        """The job now and after every change, until it is over. A slow reader skips what it missed."""
        job = self.get(job_id)
        yield job
        while not job.over:
            with self._changed:
                seen = job
                self._changed.wait_for(lambda: self._jobs.get(job_id) is not seen)  # noqa: B023
            job = self.get(job_id)
            yield job

    def urgent(self, job_id: str) -> bool:
        """Whether a job goes between the steps of another."""
        return self._kinds[self.get(job_id).kind].urgent

    def waiting(self) -> tuple[Job, ...]:
        """Those who wait, in the order of their turns."""
        with self._changed:
            return tuple(self._jobs[job_id] for job_id in self._waiting)

    def history(self, limit: int = 100) -> tuple[Job, ...]:
        """The newest jobs that are done, newest first."""
        with self._changed:
            found = (self._from_row(row) for row in self._rows.done(limit))
            return tuple(job for job in found if job)

    def counts(self) -> Counter[str]:
        """How many jobs are in each state, over all time."""
        with self._changed:
            return self._rows.counts()

    def close(self) -> None:
        """Close the file; the book is not used afterwards."""
        with self._changed:
            self._rows.close()

    def _recover(self) -> None:
        """What ran is interrupted; what waited waits, in its old order."""
        cut = []
        for row in self._rows.unfinished():
            job = self._from_row(row)
            if job is None:
                continue
            self._jobs[job.id] = job
            if job.state == "queued":
                self._waiting.append(job.id)
            else:
                error = INTERRUPTED("The program ended while this ran", todo="Start it again")
                self.change(job.id, state="interrupted", error=error)
                cut.append(job.id)
        self.interrupted = tuple(cut)
        self._place()

    def _refuse_when_full(self, owner: str) -> None:
        waiting = len(self._waiting)
        mine = sum(self._jobs[job_id].owner == owner for job_id in self._waiting)
        if waiting >= self._most_waiting or (self._most_each is not None and mine >= self._most_each):
            seconds = f", about {self._pace * (waiting + 1):.0f} s" if self._pace else ""
            allowed = self._most_waiting if waiting >= self._most_waiting else f"{self._most_each} of yours"
            raise QUEUE_FULL(
                "The queue is full",
                found=f"{waiting} jobs waiting{seconds}",
                allowed=str(allowed),
                todo="Wait for one of yours, or try again in a minute",
            )

    def _left_the_queue(self, job: Job) -> None:
        if job.state != "queued" and job.id in self._waiting:
            self._waiting.remove(job.id)
        if job.state == "done" and job.first_step_at:
            took = time.monotonic() - job.first_step_at
            self._pace = took if not self._pace else 0.7 * self._pace + 0.3 * took

    def _place(self) -> None:
        """Order the queue by turns: everybody's first, then everybody's second; who waited longest first."""
        nth: Counter[str] = Counter()
        turns = {}
        for job_id in sorted(self._waiting, key=lambda job_id: self._jobs[job_id].seq):
            owner = self._jobs[job_id].owner
            turns[job_id] = (nth[owner], self._served[owner], self._jobs[job_id].seq)
            nth[owner] += 1
        self._waiting.sort(key=turns.__getitem__)
        running = sum(not job.over and job.state != "queued" for job in self._jobs.values())
        for index, job_id in enumerate(self._waiting):
            if self._jobs[job_id].place != index + running:
                self._jobs[job_id] = replace(self._jobs[job_id], place=index + running)

    def _write(self, job: Job) -> None:
        """The row follows the job. A disk that fails must not stop the engine: the page has the truth."""
        outcome = None if job.outcome is None else self._kinds[job.kind].outcome_text(job.outcome)
        try:
            self._rows.update(job, outcome)
        except ArmatureError as error:
            log.error("job %s could not be written down as %s: %s", job.id, job.state, error)

    def _from_row(self, row: sqlite3.Row | None) -> Job | None:
        if row is None or row["kind"] not in self._kinds:
            return None
        kind = self._kinds[row["kind"]]
        return Job(
            id=row["id"],
            kind=row["kind"],
            payload=kind.payload(row["payload"]),
            owner=row["owner"],
            seq=row["seq"],
            state=row["state"],
            outcome=None if row["outcome"] is None else kind.outcome(row["outcome"]),
            error=None if row["error"] is None else error_from(row["error"]),
        )

    def _forget_oldest(self) -> None:
        over = [job_id for job_id, job in self._jobs.items() if job.over]
        for job_id in over[: max(0, len(self._jobs) - KEPT_IN_MEMORY)]:
            del self._jobs[job_id]
