"""The engine, with its worker in a thread and in a process: the same promises through the same interface."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from errors import MODEL_MISSING, ArmatureError
from pipelines.engine import Engine
from pipelines.homes import Home, ProcessHome, ThreadHome
from pipelines.jobs import Job, JobBook
from tests.pipelines import recipes
from tests.pipelines.recipes import KINDS, wait_for

Open = Callable[..., Engine]


@pytest.fixture(params=["thread", "process"])
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens engines whose worker lives here or there, and closes them."""
    engines: list[Engine] = []

    def open_engine(recipe: Any = recipes.ready, **options: Any) -> Engine:
        home: Home = ThreadHome(recipe) if request.param == "thread" else ProcessHome(recipe)
        beside = {"beside": ThreadHome(recipes.ready)}
        engines.append(Engine(home, JobBook(KINDS), beside=beside, **options))
        engines[-1].start()
        return engines[-1]

    yield open_engine
    for engine in engines:
        engine.close(patience=0)


@pytest.fixture
def process() -> Iterator[tuple[Engine, ProcessHome]]:
    home = ProcessHome(recipes.ready)
    engine = Engine(home, JobBook(KINDS), patience=0.5)
    engine.start()
    yield engine, home
    engine.close(patience=0)


def last(engine: Engine, job_id: str) -> Job:
    *_, job = engine.follow(job_id)
    return job


def gate(folder: Path, *steps: int) -> dict[str, Any]:
    """A payload for `gated`, `beside` or `batch`, with some steps let already."""
    folder.mkdir(exist_ok=True)
    for step in steps:
        (folder / str(step)).touch()
    return {"folder": str(folder), "steps": 100, "pictures": 30}


def let_until(over: Callable[[], object], folder: Path, step: int = 2) -> int:
    """Let step after step until a stopped job is left; answers the last one that it was let.

    The word to stop is on its way for a moment, so the job may take one step more than it should.
    """
    for let in range(step, 30):
        (folder / str(let)).touch()
        with suppress(AssertionError):
            wait_for(over, within=1)
            return let
    raise AssertionError("it was not left")


def test_a_job_runs_to_its_outcome(opened: Open) -> None:
    engine = opened()
    job = last(engine, engine.submit("echo", {"a": [1, "ü"]}))
    assert (job.state, job.outcome) == ("done", {"a": [1, "ü"]})
    assert (engine.state.phase, engine.state.device) == ("ready", "TEST")
    assert engine.answers()


def test_jobs_run_one_at_a_time_in_their_order(opened: Open) -> None:
    engine = opened()
    ids = [engine.submit("echo", name) for name in "abcdef"]
    assert [last(engine, job_id).outcome for job_id in ids] == list("abcdef")


def test_following_shows_place_and_step(opened: Open, tmp_path: Path) -> None:
    engine = opened()
    first = engine.submit("gated", gate(tmp_path) | {"steps": 2})
    second = engine.submit("echo", 1)
    wait_for(lambda: engine.look(first).state == "loading")
    assert engine.look(second).place == 1
    (tmp_path / "1").touch()
    job = wait_for(lambda: (job := engine.look(first)).step == 1 and job)
    assert (job.state, job.total) == ("denoising", 2)
    (tmp_path / "2").touch()
    assert last(engine, first).outcome == {"taken": 2}
    assert last(engine, second).outcome == 1


def test_cancel_is_at_once_and_the_worker_leaves_at_its_next_step(opened: Open, tmp_path: Path) -> None:
    engine = opened()
    job_id = engine.submit("gated", gate(tmp_path, 1))
    wait_for(lambda: engine.look(job_id).step == 1)
    began = time.monotonic()
    engine.cancel(job_id)
    job = last(engine, job_id)
    assert time.monotonic() - began < 2.5  # 250 ms, ten times as wide
    assert job.state == "cancelled"
    assert job.error is not None
    assert job.error.code.name == "CANCELLED"
    waiting = engine.submit("echo", "next")
    assert not (tmp_path / "closed").exists(), "the handler is still in its second step"
    let = let_until((tmp_path / "closed").exists, tmp_path)
    assert let <= 3, "at its next step, as soon as it knows"
    assert last(engine, waiting).outcome == "next"


def test_a_job_that_waits_can_be_cancelled_and_never_runs(opened: Open, tmp_path: Path) -> None:
    engine = opened()
    (tmp_path / "b").mkdir()
    first = engine.submit("gated", gate(tmp_path / "a") | {"steps": 1})
    waiting = engine.submit("gated", gate(tmp_path / "b", 1) | {"steps": 1})
    behind = engine.submit("echo", "behind")
    engine.cancel(waiting)
    engine.cancel(waiting)
    assert last(engine, waiting).state == "cancelled"
    (tmp_path / "a" / "1").touch()
    assert last(engine, first).state == "done"
    assert last(engine, behind).outcome == "behind"
    assert not (tmp_path / "b" / "closed").exists()


def test_stopping_keeps_what_is_finished(opened: Open, tmp_path: Path) -> None:
    engine = opened()
    job_id = engine.submit("batch", gate(tmp_path, 1, 2))
    wait_for(lambda: engine.look(job_id).step == 2)
    engine.stop(job_id)
    let = let_until(lambda: engine.look(job_id).over, tmp_path, step=3)
    job = engine.look(job_id)
    assert job.state == "done"
    assert job.outcome["finished"] in (let - 1, let)


def test_a_step_of_any_length_loses_nothing_that_was_to_be_kept(
    process: tuple[Engine, ProcessHome], tmp_path: Path
) -> None:
    engine, home = process  # whose patience is half a second
    first_pid = home.pid
    job_id = engine.submit("batch", gate(tmp_path, 1, 2))
    wait_for(lambda: engine.look(job_id).step == 2)
    engine.stop(job_id)
    with pytest.raises(AssertionError, match="did not come in time"):
        wait_for(lambda: engine.look(job_id).over, within=1.5)
    let = let_until(lambda: engine.look(job_id).over, tmp_path, step=3)
    assert engine.look(job_id).outcome["finished"] in (let - 1, let)
    assert home.pid == first_pid


def test_a_job_that_takes_too_long_fails_in_words_and_the_next_works(opened: Open, tmp_path: Path) -> None:
    engine = opened(longest=0.3)
    job_id = engine.submit("gated", gate(tmp_path / "a", 1))
    error = last(engine, job_id).error
    assert error is not None
    assert error.code.name == "TIMEOUT"
    assert "0.3 s" in error.message
    assert let_until((tmp_path / "a" / "closed").exists, tmp_path / "a") <= 3
    assert last(engine, engine.submit("echo", "next")).outcome == "next"


def test_loading_does_not_count_as_taking_long(opened: Open, tmp_path: Path) -> None:
    engine = opened(longest=0.3)
    job_id = engine.submit("loading", gate(tmp_path, 1))
    wait_for(lambda: engine.look(job_id).step == 1)
    with pytest.raises(AssertionError, match="did not come in time"):
        wait_for(lambda: engine.look(job_id).over, within=1.0)
    (tmp_path / "2").touch()
    assert last(engine, job_id).outcome == {"taken": 2}


def test_stopping_before_anything_is_finished_is_cancelling(opened: Open, tmp_path: Path) -> None:
    engine = opened()
    job_id = engine.submit("gated", gate(tmp_path, 1))
    wait_for(lambda: engine.look(job_id).step == 1)
    engine.stop(job_id)
    assert let_until(lambda: engine.look(job_id).over, tmp_path) <= 3
    assert engine.look(job_id).state == "cancelled"


def test_cancelling_what_is_over_changes_nothing(opened: Open) -> None:
    engine = opened()
    job_id = engine.submit("echo", 1)
    assert last(engine, job_id).state == "done"
    engine.cancel(job_id)
    assert engine.look(job_id).state == "done"


def test_an_urgent_job_runs_at_the_next_step_before_those_that_wait(opened: Open, tmp_path: Path) -> None:
    engine = opened()
    steps = 1000
    running = engine.submit("gated", gate(tmp_path, 1) | {"steps": steps})
    waiting = engine.submit("echo", "waiting")
    wait_for(lambda: engine.look(running).step == 1)
    urgent = engine.submit("quick", "urgent")
    for step in range(2, steps):
        (tmp_path / str(step)).touch()
        wait_for(lambda: engine.look(running).step == step)  # noqa: B023
        if engine.look(urgent).over:
            break
    assert engine.look(urgent).outcome == "urgent"
    assert not engine.look(running).over
    assert engine.look(waiting).state == "queued"
    for rest in range(step, steps + 1):
        (tmp_path / str(rest)).touch()
    assert last(engine, running).outcome == {"taken": steps}
    assert last(engine, waiting).outcome == "waiting"


def test_a_failure_is_coded_and_the_next_job_works(opened: Open) -> None:
    engine = opened()
    error = last(engine, engine.submit("broken", None)).error
    assert isinstance(error, ArmatureError)
    assert error.code.name == "INTERNAL"
    assert "secret" not in error.message
    error = last(engine, engine.submit("refused", None)).error
    assert error is not None
    assert error.code is MODEL_MISSING
    assert error.message == "It is not here (found: nothing). Fetch it."
    assert last(engine, engine.submit("echo", "ok")).outcome == "ok"


def test_a_worker_that_cannot_start_is_the_state_and_every_jobs_answer(opened: Open) -> None:
    engine = opened(recipes.unable)
    for _ in range(2):
        job = last(engine, engine.submit("echo", 1))
        assert job.state == "failed"
        assert job.error is not None
        assert job.error.code is MODEL_MISSING
    assert engine.state.phase == "failed"
    assert "driver" in engine.state.detail


def test_many_cancels_at_any_moment_leave_the_engine_whole(opened: Open) -> None:
    engine = opened()
    ids = [engine.submit("echo", number) for number in range(60)]
    for job_id in ids[::2]:
        engine.cancel(job_id)
    ends = [last(engine, job_id) for job_id in ids]
    assert all(job.state in ("done", "cancelled") for job in ends)
    assert [job.outcome for job in ends[1::2]] == list(range(1, 60, 2))
    assert last(engine, engine.submit("echo", "after")).outcome == "after"


def test_closing_marks_what_runs_and_keeps_what_waits(opened: Open, tmp_path: Path) -> None:
    engine = opened()
    running = engine.submit("gated", gate(tmp_path, 1))
    waiting = engine.submit("echo", 1)
    wait_for(lambda: engine.look(running).step == 1)
    engine.close(patience=0)
    assert engine.look(running).state == "interrupted"
    assert engine.look(waiting).state == "queued"
    with pytest.raises(ArmatureError, match="DRAINING"):
        engine.submit("echo", 2)


def test_a_worker_that_dies_fails_its_job_and_no_other(process: tuple[Engine, ProcessHome]) -> None:
    engine, _ = process
    dying, waiting = engine.submit("die", None), engine.submit("echo", "next")
    job = last(engine, dying)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code.name == "WORKER_LOST"
    assert last(engine, waiting).outcome == "next"


def test_a_worker_that_is_killed_is_noticed_and_replaced(
    process: tuple[Engine, ProcessHome], tmp_path: Path
) -> None:
    engine, home = process
    job_id = engine.submit("gated", gate(tmp_path, 1))
    wait_for(lambda: engine.look(job_id).step == 1)
    assert home.pid is not None
    began = time.monotonic()
    os.kill(home.pid, signal.SIGKILL)
    assert last(engine, job_id).state == "failed"
    assert time.monotonic() - began < 10  # a second, ten times as wide
    assert last(engine, engine.submit("echo", "next")).outcome == "next"
    assert engine.answers(within=10)


def test_a_worker_that_does_not_come_back_is_replaced(process: tuple[Engine, ProcessHome]) -> None:
    engine, home = process
    first_pid = home.pid
    job_id = engine.submit("hang", None)
    wait_for(lambda: engine.look(job_id).step == 1)
    engine.cancel(job_id)
    assert engine.look(job_id).state == "cancelled"
    assert last(engine, engine.submit("echo", "next")).outcome == "next"
    assert home.pid != first_pid


def test_dropped_jobs_are_named(tmp_path: Path) -> None:
    dropped: list[str] = []
    engine = Engine(ThreadHome(recipes.ready), JobBook(KINDS), dropped=dropped.append)
    engine.start()
    failed, good = engine.submit("broken", None), engine.submit("echo", 1)
    cancelled = engine.submit("gated", gate(tmp_path, 1))
    wait_for(lambda: engine.look(cancelled).step == 1)
    engine.cancel(cancelled)
    let_until((tmp_path / "closed").exists, tmp_path)
    assert last(engine, good).state == "done"
    wait_for(lambda: len(dropped) == 2)
    assert dropped == [failed, cancelled]
    engine.close(patience=0)


def test_a_job_beside_the_device_waits_for_nobody_there(opened: Open, tmp_path: Path) -> None:
    engine = opened()
    running = engine.submit("gated", gate(tmp_path / "running", 1))
    waiting = engine.submit("echo", 1)
    wait_for(lambda: engine.look(running).step == 1)
    beside = engine.submit("beside", gate(tmp_path / "beside", 1) | {"steps": 2})
    behind = engine.submit("beside", gate(tmp_path / "behind", 1) | {"steps": 1})
    wait_for(lambda: engine.look(beside).step == 1)
    assert (engine.look(waiting).place, engine.look(behind).place) == (1, 1)
    (tmp_path / "beside" / "2").touch()
    assert last(engine, beside).outcome == {"taken": 2}
    assert last(engine, behind).outcome == {"taken": 1}
    assert engine.look(running).step == 1
    assert engine.look(waiting).state == "queued"
    engine.cancel(running)
    let_until((tmp_path / "running" / "closed").exists, tmp_path / "running")
    assert last(engine, waiting).outcome == 1


def test_whoever_wants_the_same_beside_the_device_gets_the_same_job(opened: Open, tmp_path: Path) -> None:
    engine = opened()
    wanted = gate(tmp_path / "a") | {"steps": 1}
    ids = {engine.submit("beside", wanted, owner=str(number)) for number in range(10)}
    other = engine.submit("beside", gate(tmp_path / "b", 1) | {"steps": 1})
    assert len(ids) == 1
    assert {job.id for job in engine.known("beside")} == ids | {other}
    (tmp_path / "a" / "1").touch()
    assert last(engine, *ids).state == "done"
    assert last(engine, other).state == "done"
    assert engine.submit("beside", wanted) not in ids, "what is over is begun anew"


def test_a_cancelled_job_beside_the_device_is_left_at_its_next_step(opened: Open, tmp_path: Path) -> None:
    engine = opened()
    job_id = engine.submit("beside", gate(tmp_path, 1))
    wait_for(lambda: engine.look(job_id).step == 1)
    engine.cancel(job_id)
    assert last(engine, job_id).state == "cancelled"
    assert let_until((tmp_path / "closed").exists, tmp_path) <= 3


def test_the_end_does_not_wait_for_what_runs_beside_the_device(opened: Open, tmp_path: Path) -> None:
    engine = opened()
    job_id = engine.submit("beside", gate(tmp_path, 1))
    wait_for(lambda: engine.look(job_id).step == 1)
    closing = threading.Thread(target=engine.close, args=(60.0,))
    closing.start()
    wait_for(lambda: engine.look(job_id).state == "interrupted")
    (tmp_path / "2").touch()
    closing.join(recipes.LIMIT)
    assert not closing.is_alive()


def test_a_device_that_can_not_be_had_stops_nothing_beside_it(opened: Open, tmp_path: Path) -> None:
    engine = opened(recipes.unable)
    wait_for(lambda: engine.state.phase == "failed")
    beside = engine.submit("beside", gate(tmp_path, 1) | {"steps": 1})
    assert last(engine, beside).state == "done"
    assert last(engine, engine.submit("echo", 1)).state == "failed"


def test_a_unknown_job_is_refused(opened: Open) -> None:
    with pytest.raises(ArmatureError, match="INPUT_GONE"):
        opened().look("0" * 32)


def test_many_may_follow_one_job(opened: Open, tmp_path: Path) -> None:
    engine = opened()
    job_id = engine.submit("gated", gate(tmp_path) | {"steps": 1})
    ends: list[Job] = []
    followers = [threading.Thread(target=lambda: ends.append(last(engine, job_id))) for _ in range(20)]
    for follower in followers:
        follower.start()
    (tmp_path / "1").touch()
    for follower in followers:
        follower.join(recipes.LIMIT)
    assert [job.state for job in ends] == ["done"] * 20
