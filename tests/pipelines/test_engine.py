"""The engine in a thread: order, following, cancelling, and failures that are told in words."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from errors import MODEL_MISSING, ArmatureError
from pipelines.engine import EngineState, Handler, ThreadEngine
from pipelines.jobs import Job, JobBook
from pipelines.request import Progress

LIMIT = 20.0  # seconds after which a test that waits has failed


def engine_with(handlers: Mapping[str, Handler]) -> ThreadEngine:
    def prepare(report: Callable[[EngineState], None]) -> Mapping[str, Handler]:
        report(EngineState(phase="ready", device="TEST"))
        return handlers

    engine = ThreadEngine(prepare)
    engine.start()
    return engine


def last(engine: ThreadEngine, job_id: str) -> Job:
    *_, job = engine.follow(job_id)
    return job


class Gated:
    """A handler that takes a step each time it is let."""

    def __init__(self) -> None:
        self.let = threading.Semaphore(0)
        self.closed = threading.Event()
        self.taken = 0

    def __call__(self, steps: int) -> Iterator[Any]:
        try:
            for step in range(1, steps + 1):
                assert self.let.acquire(timeout=LIMIT)
                self.taken = step
                yield Progress(step=step, total=steps)
            yield "finished"
        finally:
            self.closed.set()


def test_a_job_runs_to_its_outcome() -> None:
    engine = engine_with({"count": lambda n: iter([*(Progress(step=i, total=n) for i in range(n)), n * n])})
    job = last(engine, engine.submit("count", 7))
    assert (job.state, job.outcome) == ("done", 49)
    assert engine.state == EngineState(phase="ready", device="TEST")


def test_jobs_run_one_at_a_time_in_their_order() -> None:
    running, order, overlaps = [0], [], []

    def handler(name: str) -> Iterator[Any]:
        running[0] += 1
        overlaps.append(running[0])
        yield Progress(step=1, total=1)
        order.append(name)
        running[0] -= 1
        yield name

    engine = engine_with({"job": handler})
    ids = [engine.submit("job", name) for name in "abcdef"]
    assert [last(engine, job_id).outcome for job_id in ids] == list("abcdef")
    assert order == list("abcdef")
    assert set(overlaps) == {1}


def test_following_shows_every_place_and_step_that_is_waited_for() -> None:
    gated = Gated()
    engine = engine_with({"job": gated})
    first, second = engine.submit("job", 2), engine.submit("job", 1)
    views = engine.follow(first)
    seen = next(views)
    while seen.state == "queued":
        seen = next(views)
    assert next(engine.follow(second)).place == 1
    gated.let.release()
    while seen.step < 1:
        seen = next(views)
    assert (seen.state, seen.step, seen.total) == ("denoising", 1, 2)
    gated.let.release(2)
    assert last(engine, first).state == "done"
    assert last(engine, second).state == "done"


def test_cancel_ends_a_running_job_at_once_and_its_handler_at_the_next_step() -> None:
    gated = Gated()
    engine = engine_with({"job": gated, "quick": lambda _: iter(["ok"])})
    job_id = engine.submit("job", 100)
    views = engine.follow(job_id)
    gated.let.release()
    while next(views).step < 1:
        pass
    engine.cancel(job_id)
    job = last(engine, job_id)
    assert job.state == "cancelled"
    assert job.error is not None
    assert job.error.code.name == "CANCELLED"
    assert not gated.closed.is_set(), "the handler is still in its second step"
    gated.let.release()
    assert gated.closed.wait(LIMIT)
    assert gated.taken == 2, "one step after the cancel, and no more"
    assert last(engine, engine.submit("quick", None)).outcome == "ok"


def test_cancel_of_a_waiting_job_means_it_never_runs() -> None:
    gated, ran = Gated(), []

    def second(_: Any) -> Iterator[Any]:
        ran.append(True)
        yield "ran"

    engine = engine_with({"job": gated, "second": second, "third": lambda _: iter(["third"])})
    first = engine.submit("job", 1)
    waiting, behind = engine.submit("second", None), engine.submit("third", None)
    engine.cancel(waiting)
    assert last(engine, waiting).state == "cancelled"
    gated.let.release()
    assert last(engine, first).state == "done"
    assert last(engine, behind).outcome == "third"
    assert ran == []


def test_cancelling_what_is_over_changes_nothing() -> None:
    engine = engine_with({"job": lambda _: iter(["ok"])})
    job_id = engine.submit("job", None)
    assert last(engine, job_id).state == "done"
    engine.cancel(job_id)
    assert last(engine, job_id).state == "done"


def test_a_failure_is_coded_and_the_next_job_works() -> None:
    def broken(_: Any) -> Iterator[Any]:
        yield Progress(step=1, total=2)
        raise ZeroDivisionError("a secret of ours")

    def refused(_: Any) -> Iterator[Any]:
        yield Progress(stage="loading", step=0, total=2)
        raise MODEL_MISSING("It is not here")

    engine = engine_with({"broken": broken, "refused": refused, "good": lambda _: iter(["ok"])})
    error = last(engine, engine.submit("broken", None)).error
    assert isinstance(error, ArmatureError)
    assert error.code.name == "INTERNAL"
    assert "secret" not in error.message
    error = last(engine, engine.submit("refused", None)).error
    assert error is not None
    assert error.code is MODEL_MISSING
    assert last(engine, engine.submit("good", None)).outcome == "ok"


def test_a_start_that_fails_is_the_state_and_the_answer_to_every_job() -> None:
    def prepare(report: Callable[[EngineState], None]) -> Mapping[str, Handler]:
        raise MODEL_MISSING("The driver does not answer")

    engine = ThreadEngine(prepare)
    job_id = engine.submit("generate", None)
    before = engine.state
    engine.start()
    job = last(engine, job_id)
    after = engine.state
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code is MODEL_MISSING
    assert (before.phase, after.phase) == ("starting", "failed")
    assert "driver" in after.detail


def test_a_full_queue_refuses_and_says_how_full() -> None:
    book = JobBook(most_waiting=2)
    book.add("job", 1)
    book.add("job", 2)
    with pytest.raises(ArmatureError, match=r"QUEUE_FULL.*2 jobs waiting"):
        book.add("job", 3)


def test_the_time_left_is_the_pace_of_the_steps_done() -> None:
    job = Job(
        id="x", kind="k", payload=None, state="denoising", step=5, total=20, first_step_at=100, step_at=108
    )
    assert job.seconds_left == pytest.approx(2.0 * 15)
    assert Job(id="x", kind="k", payload=None, state="denoising", step=1, total=20).seconds_left is None


def test_an_unknown_job_is_refused() -> None:
    with pytest.raises(ArmatureError, match="INPUT_GONE"):
        next(engine_with({}).follow("0" * 32))
