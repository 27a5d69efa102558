"""Jobs: what the engine runs, who waits, and what became of it, in one SQLite file that outlives the program.

The row of a job changes with its state; its steps and previews live in memory only.
"""

import logging
import secrets
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from annotators.base import Pixels
from errors import INPUT_GONE, INTERRUPTED, QUEUE_FULL, ArmatureError
from pipelines.rows import Rows, error_from

log = logging.getLogger(__name__)

State: TypeAlias = Literal[
    "queued", "loading", "annotating", "denoising", "decoding", "saving", "checking", "fetching",
    "done", "failed", "cancelled", "interrupted",
]  # fmt: skip
DEVICE = "device"  # the lane of all that needs the models
MEASURED: frozenset[State] = frozenset({"denoising", "fetching"})  # whose steps all take about the same time
FINAL: frozenset[State] = frozenset({"done", "failed", "cancelled", "interrupted"})
KEPT_IN_MEMORY = 500
DOUBLE_CLICK = 1.0  # seconds within which a visitor's last wish, come again, is the same job
Turns: TypeAlias = tuple[str, str, bool]  # owner, lane and urgency: who takes turns with whom
GIVEN_UP: frozenset[State] = FINAL - {"done"}


class Kind(Protocol):
    """How the payloads and outcomes of one kind of job become JSON text and come back.

    An `urgent` job goes between the steps of another. `lane` is whose turn such a job waits for. A `shared`
    one serves everybody: who wants the same while it waits or runs gets that one.
    """

    @property
    def urgent(self) -> bool: ...

    @property
    def lane(self) -> str: ...

    @property
    def shared(self) -> bool: ...

    def payload_text(self, payload: Any) -> str: ...

    def payload(self, text: str) -> Any: ...

    def outcome_text(self, outcome: Any) -> str: ...

    def outcome(self, text: str) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as it stands now; every change makes a new one.

    `place` is the number of jobs ahead of it, `step` of `total` steps are done, `preview` is RGB uint8
    (h, w, 3). `outcome` is what its handler answered last. The pace is measured from `first_step` on; the
    step times are monotonic seconds. The steps of a fetch are bytes.
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
    first_step: int = 1
    first_step_at: float = 0.0
    step_at: float = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL

    @property
    def pace(self) -> float | None:
        """The steps in a second so far, or None before the second step."""
        taken, seconds = self.step - self.first_step, self.step_at - self.first_step_at
        return taken / seconds if self.state in MEASURED and taken > 0 and seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """The time that the remaining steps take at the pace of those done, or None before the second."""
        return None if self.pace is None else (self.total - self.step) / self.pace


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
        self._recent: dict[str, tuple[float, str, str]] = {}  # by owner: when, the last wish, and its job
        self._turn = 0  # counts the jobs that were given out
        self._served: dict[Turns, int] = {}  # the turn of the last one
        self._came: dict[str, int] = {}  # by waiting job: the last turn before it came
        self._behind: set[str] = set()  # jobs whose row could not be written yet
        self._closed = False
        self._pace = 0.0  # seconds that a job took lately
        self._changed = threading.Condition()
        self._rows = Rows(path)
        self.interrupted: tuple[str, ...] = ()  # ids of what ran when the program ended
        self._recover()

    def add(self, kind: str, payload: Any, *, owner: str = "", wish: str = "") -> str:
        """The id of a new job; of the last one of its owner, where the same wish comes again at once."""
        now = time.monotonic()
        with self._changed:
            if self._kinds[kind].shared and (same := self._same(kind, payload)):
                return same
            self._recent = {who: last for who, last in self._recent.items() if now - last[0] < DOUBLE_CLICK}
            _, last, known = self._recent.get(owner, (now, "", ""))
            if wish and wish == last and self.get(known).state not in GIVEN_UP:
                return known
            self._refuse_when_full(owner)
            job = Job(id=secrets.token_hex(16), kind=kind, payload=payload, owner=owner)
            seq = self._rows.insert(job, self._kinds[kind].payload_text(payload))
            job = self._jobs[job.id] = replace(job, seq=seq)
            self._wait(job)
            if wish:
                self._recent[owner] = (now, wish, job.id)
            self._place()
            self._forget_oldest()
            self._changed.notify_all()
            _tell(job)
            return job.id

    @property
    def anew(self) -> bool:
        """Whether the file was damaged, and this book began without what it held."""
        return self._rows.anew

    def enter(self, kind: str, known: Iterable[tuple[str, Any, Any]]) -> None:
        """Jobs that were done before this book began, all or none: how each id begins, payload, outcome."""
        how = self._kinds[kind]
        with self._changed:
            self._rows.enter(
                (
                    mark + secrets.token_hex(16)[len(mark) :],
                    kind,
                    how.payload_text(payload),
                    how.outcome_text(out),
                )
                for mark, payload, out in known
            )

    def next(self, *, urgent: bool, lane: str = DEVICE) -> Job | None:
        """The job whose turn it is, now loading; None while none of that lane and urgency waits."""
        with self._changed:
            for job_id in self._waiting:
                whose = self._whose(job_id)
                if whose[1:] == (lane, urgent):
                    self._turn += 1
                    self._served[whose] = self._turn
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
            before = self.get(job_id)  # what is forgotten here is over
            if before.over:
                return before
            self._jobs[job_id] = job = replace(before, **fields)
            if job.state != before.state:
                self._left_the_queue(job)
                self._place()
                job = self._written(job)
                _tell(job)
            self._changed.notify_all()
            return job

    def follow(self, job_id: str) -> Iterator[Job]:
        """The job now and after every change, until it is over or the book is closed.

        A slow reader skips what it missed.
        """
        job = self.get(job_id)
        yield job
        while not job.over:
            with self._changed:
                seen = job
                self._changed.wait_for(lambda: self._jobs.get(job_id) is not seen or self._closed)  # noqa: B023
                if self._jobs.get(job_id) is seen:
                    return
            job = self.get(job_id)
            yield job

    def urgent(self, job_id: str) -> bool:
        """Whether a job goes between the steps of another."""
        return self._kinds[self.get(job_id).kind].urgent

    def lane_of(self, kind: str) -> str:
        """Whose turn jobs of a kind wait for."""
        return self._kinds[kind].lane

    def known(self, kind: str) -> tuple[Job, ...]:
        """The jobs of a kind that wait or run, and the latest that are over, oldest first."""
        with self._changed:
            return tuple(job for job in self._jobs.values() if job.kind == kind)

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

    def undone(self) -> frozenset[str]:
        """The ids of all jobs that are not done, whether they are over or not."""
        with self._changed:
            return self._rows.undone()

    def close(self) -> None:
        """Close the file, and let go whoever follows a job. What is in memory can still be looked at."""
        with self._changed:
            self._closed = True
            self._rows.close()
            self._changed.notify_all()

    def _recover(self) -> None:
        """What ran is interrupted; what waited waits, in its old order."""
        cut = []
        for row in self._rows.unfinished():
            job = self._from_row(row)
            if job is None:
                continue
            self._jobs[job.id] = job
            if job.state == "queued":
                self._wait(job)
            else:
                error = INTERRUPTED("The program ended while this ran", todo="Start it again")
                self.change(job.id, state="interrupted", error=error)
                cut.append(job.id)
        self.interrupted = tuple(cut)
        self._place()

    def _refuse_when_full(self, owner: str) -> None:
        waiting = len(self._waiting)
        mine = sum(self._jobs[job_id].owner == owner for job_id in self._waiting)
        if waiting >= self._most_waiting:
            seconds = f", about {self._pace * (waiting + 1):.0f} s away" if self._pace else ""
            found, allowed = f"yours would be number {waiting + 1}{seconds}", f"{self._most_waiting} waiting"
        elif self._most_each is not None and mine >= self._most_each:
            seconds = f", the last about {self._pace * (waiting + 1):.0f} s away" if self._pace else ""
            found, allowed = f"{mine} of yours waiting{seconds}", f"{self._most_each} of yours"
        else:
            return
        raise QUEUE_FULL(
            "The queue is full",
            found=found,
            allowed=allowed,
            todo="Wait for one of yours, or try again in a minute",
        )

    def _wait(self, job: Job) -> None:
        self._waiting.append(job.id)
        self._came[job.id] = self._turn - 1

    def _left_the_queue(self, job: Job) -> None:
        if job.state != "queued" and job.id in self._waiting:
            self._waiting.remove(job.id)
            del self._came[job.id]
        whose = self._whose(job.id)
        if job.state == "done" and job.first_step_at and whose[1:] == (DEVICE, False):
            took = time.monotonic() - job.first_step_at
            self._pace = took if not self._pace else 0.7 * self._pace + 0.3 * took

    def _place(self) -> None:
        """Order the queue by turns: everybody's first, then everybody's second; who waited longest first.

        An owner waits since his last turn, or since he came: so a stream of new ones does not overtake him.
        """
        nth: Counter[Turns] = Counter()
        turns = {}
        for job_id in sorted(self._waiting, key=lambda job_id: self._jobs[job_id].seq):
            whose = self._whose(job_id)
            since = max(self._served.get(whose, -1), self._came[job_id])
            turns[job_id] = (nth[whose], since, self._jobs[job_id].seq)
            nth[whose] += 1
        self._waiting.sort(key=turns.__getitem__)
        # of owners who don't wait, only the one served last could make a difference to somebody who comes now
        self._served = {w: turn for w, turn in self._served.items() if w in nth or turn == self._turn}
        running = (job for job in self._jobs.values() if not job.over and job.state != "queued")
        ahead = Counter(self.lane_of(job.kind) for job in running)
        for job_id in self._waiting:
            job = self._jobs[job_id]
            if job.place != ahead[self.lane_of(job.kind)]:
                self._jobs[job_id] = replace(job, place=ahead[self.lane_of(job.kind)])
            ahead[self.lane_of(job.kind)] += 1

    def _whose(self, job_id: str) -> Turns:
        job = self._jobs[job_id]
        kind = self._kinds[job.kind]
        return job.owner, kind.lane, kind.urgent

    def _same(self, kind: str, payload: Any) -> str | None:
        """The job that does what this one would do."""
        same = (job.id for job in self.known(kind) if not job.over and job.payload == payload)
        return next(same, None)

    def _written(self, job: Job) -> Job:
        """The rows follow the jobs; a disk that fails does not stop the engine, and is tried again.

        Only done is a job no sooner than its row says so: nobody would find its pictures after a restart.
        """
        self._behind.add(job.id)
        for job_id in (job.id, *(self._behind - {job.id})):
            try:
                self._write(self._jobs[job_id])
            except ArmatureError as error:
                log.error("job %s could not be written down as %s: %s", job.id, job.state, error)
                if job_id == job.id and job.state == "done":
                    job = self._jobs[job.id] = replace(job, state="failed", outcome=None, error=error)
                break
        return job

    def _write(self, job: Job) -> None:
        outcome = None if job.outcome is None else self._kinds[job.kind].outcome_text(job.outcome)
        self._rows.update(job, outcome)
        self._behind.discard(job.id)

    def _from_row(self, row: sqlite3.Row | None) -> Job | None:
        """The job of a row; None where there is none, or one of another version that nobody can read."""
        if row is None or row["kind"] not in self._kinds:
            return None
        kind = self._kinds[row["kind"]]
        try:
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
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            log.warning("job %s can't be read (%s)", row["id"], type(error).__name__)
            return None

    def _forget_oldest(self) -> None:
        over = [job_id for job_id, job in self._jobs.items() if job.over and job_id not in self._behind]
        for job_id in over[: max(0, len(self._jobs) - KEPT_IN_MEMORY)]:
            del self._jobs[job_id]


def _tell(job: Job) -> None:
    """One line in the log for each state. Neither what is asked for nor who asks."""
    code = job.error.code.name if job.error else None
    fields = {"job": job.id, "kind": job.kind, "state": job.state, "code": code}
    log.info("job %s %s%s", job.id, job.state, f" ({code})" if code else "", extra=fields)
