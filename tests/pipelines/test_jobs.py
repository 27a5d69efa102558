"""The job book: order, fairness, places, limits, and what is found again after the program was gone."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import CANCELLED, GPU_OOM, ArmatureError
from pipelines import jobs
from pipelines.jobs import Job, JobBook
from pipelines.rows import HELD, VERSION, hold
from tests.gate.made import CALM
from tests.pipelines.recipes import KINDS, LIMIT, wait_for

ROOT = Path(__file__).parents[2]


@pytest.fixture
def book() -> JobBook:
    return JobBook(KINDS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outputs" / "jobs.sqlite3"


def run_next(book: JobBook, *, urgent: bool = False) -> Job:
    """The job whose turn it is, run to its end."""
    job = book.next(urgent=urgent)
    assert job is not None
    book.change(job.id, state="denoising", step=1, total=1)
    return book.change(job.id, state="done", outcome={"of": job.payload})


def owners(book: JobBook) -> str:
    return "".join(job.owner for job in book.waiting())


# Order and fairness


def test_jobs_of_one_owner_run_in_their_order(book: JobBook) -> None:
    for number in range(5):
        book.add("echo", number)
    assert [run_next(book).payload for _ in range(5)] == list(range(5))
    assert book.next(urgent=False) is None


def test_places_count_those_ahead_and_the_one_that_runs(book: JobBook) -> None:
    ids = [book.add("echo", number) for number in range(3)]
    assert [book.get(job_id).place for job_id in ids] == [0, 1, 2]
    running = book.next(urgent=False)
    assert running is not None
    assert [book.get(job_id).place for job_id in ids] == [0, 1, 2]
    book.change(running.id, state="done", outcome=1)
    assert [book.get(job_id).place for job_id in ids[1:]] == [0, 1]


@pytest.mark.parametrize("already_running", [False, True])
def test_row_133_who_comes_with_one_job_waits_for_one_other_at_most(
    book: JobBook, already_running: bool
) -> None:
    for number in range(40):
        book.add("echo", number, owner="A")
    if already_running:
        assert book.next(urgent=False) is not None
    mine = book.add("echo", "mine", owner="B")
    assert book.get(mine).place <= 1
    turns = [run_next(book).owner for _ in range(2)]
    assert "B" in turns


def test_turns_go_round(book: JobBook) -> None:
    for owner in "AAAABBBC":
        book.add("echo", 0, owner=owner)
    assert owners(book) == "ABCABABA"
    assert "".join(run_next(book).owner for _ in range(8)) == "ABCABABA"


def test_new_owners_do_not_overtake_for_ever(book: JobBook) -> None:
    book.add("echo", 0, owner="returning")
    run_next(book)
    book.add("echo", 1, owner="returning")
    for number in range(5):
        book.add("echo", 0, owner=f"new {number}")
        if run_next(book).owner == "returning":
            break
    else:
        raise AssertionError("every new visitor came first")


def test_urgent_jobs_are_taken_apart_and_cost_no_turn(book: JobBook) -> None:
    for number in range(3):
        book.add("quick", number, owner="A")
    book.add("echo", "generation", owner="A")
    assert book.next(urgent=True) is not None
    book.add("echo", "later", owner="B")
    assert [run_next(book, urgent=True).payload for _ in range(2)] == [1, 2]
    assert run_next(book).payload == "generation", "who looks at maps does not lose his turn to generate"


@CALM
@given(st.lists(st.sampled_from("ABC?"), max_size=60))
def test_nobody_is_served_twice_before_everybody_who_waits(arrivals: list[str]) -> None:
    book = JobBook(KINDS)
    passed: Counter[str] = (
        Counter()
    )  # by waiting owner: turns of each other owner since he was served or came
    for arrival in [*arrivals, *"?" * 60]:
        if arrival != "?":
            if not any(job.owner == arrival for job in book.waiting()):
                passed = Counter({pair: n for pair, n in passed.items() if pair[0] != arrival})
            book.add("echo", 0, owner=arrival)
        elif book.waiting():
            served = run_next(book).owner
            passed = Counter({pair: n for pair, n in passed.items() if pair[0] != served})
            for other in {job.owner for job in book.waiting()} - {served}:
                passed[other + served] += 1
                assert passed[other + served] <= 1


def test_memory_of_turns_does_not_grow_with_visitors(book: JobBook) -> None:
    for number in range(300):
        book.add("echo", 0, owner=f"visitor {number}")
        run_next(book)
    assert len(book._served) <= 2
    assert not book._came


# Limits


def test_row_134_a_full_queue_is_refused_with_place_and_time() -> None:
    book = JobBook(KINDS, most_waiting=2)
    book.add("echo", 0)
    job = book.next(urgent=False)
    assert job is not None
    book.change(job.id, state="denoising", step=1, total=1, first_step_at=time.monotonic() - 10)
    book.change(job.id, state="done", outcome=1)
    quick = book.add("quick", 0)
    book.change(quick, state="denoising", first_step_at=time.monotonic())
    book.change(quick, state="done", outcome=1)  # says nothing about how long pictures take
    for _ in range(2):
        book.add("echo", 0)
    with pytest.raises(ArmatureError) as refusal:
        book.add("echo", 0)
    assert refusal.value.code.name == "QUEUE_FULL"
    assert refusal.value.code.retry
    assert refusal.value.found == "yours would be number 3, about 30 s away"
    assert refusal.value.allowed == "2 waiting"
    assert len(book.waiting()) == 2
    run_next(book)
    book.add("echo", 0)


def test_each_owner_has_a_limit_of_his_own() -> None:
    book = JobBook(KINDS, most_waiting=10, most_each=3)
    for _ in range(3):
        book.add("echo", 0, owner="A")
    with pytest.raises(ArmatureError, match="3 of yours") as refusal:
        book.add("echo", 0, owner="A")
    assert refusal.value.code.name == "QUEUE_FULL"
    book.add("echo", 0, owner="B")
    run_next(book)
    book.add("echo", 0, owner="A")


# A double click


def test_a_double_click_is_one_job(book: JobBook, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    first = book.add("echo", 0, owner="A", wish="w")
    assert book.add("echo", 0, owner="A", wish="w") == first
    assert book.add("echo", 0, owner="A") != first
    now += jobs.DOUBLE_CLICK
    assert book.add("echo", 0, owner="A", wish="w") != first


def test_who_wishes_something_else_in_between_did_not_click_twice(book: JobBook) -> None:
    first = book.add("echo", 0, owner="A", wish="w")
    assert book.add("echo", 0, owner="A", wish="other") != first
    book.add("echo", 0, owner="B", wish="w")
    assert book.add("echo", 0, owner="A", wish="w") != first


def test_the_same_wish_of_somebody_else_is_another_job(book: JobBook) -> None:
    assert book.add("echo", 0, owner="A", wish="w") != book.add("echo", 0, owner="B", wish="w")


def test_who_cancels_and_starts_again_gets_a_new_job(book: JobBook) -> None:
    first = book.add("echo", 0, wish="w")
    book.change(first, state="cancelled", error=CANCELLED("The job was cancelled"))
    assert book.add("echo", 0, wish="w") != first


# Changes


def test_what_is_over_stays_as_it_is(book: JobBook) -> None:
    job = book.add("echo", 0)
    book.change(job, state="cancelled", error=CANCELLED("The job was cancelled"))
    assert book.change(job, state="done", outcome=1).state == "cancelled"
    assert book.get(job).outcome is None


def test_what_is_forgotten_in_memory_is_over_and_stays_known(
    book: JobBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "KEPT_IN_MEMORY", 3)
    first = book.add("echo", "first")
    book.change(first, state="cancelled", error=CANCELLED("The job was cancelled"))
    for _ in range(5):
        book.add("echo", 0)
        run_next(book)
    assert first not in book._jobs
    # its worker may still tell of it
    assert book.change(first, state="denoising", step=3).state == "cancelled"
    assert [job.state for job in book.follow(first)] == ["cancelled"]


def test_memory_is_bounded_and_previews_do_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "KEPT_IN_MEMORY", 20)
    book = JobBook(KINDS)
    for number in range(100):
        book.add("echo", number)
        run_next(book)
    assert len(book._jobs) <= 21
    assert len(book.history(1000)) == 100


def test_unknown_jobs_are_refused(book: JobBook) -> None:
    with pytest.raises(ArmatureError, match="INPUT_GONE"):
        book.get("0" * 32)
    with pytest.raises(ArmatureError, match="INPUT_GONE"):
        book.change("0" * 32, state="done")


def test_closing_lets_go_whoever_follows(book: JobBook) -> None:
    job_id = book.add("echo", 0)
    seen: list[str] = []
    follower = threading.Thread(target=lambda: seen.extend(job.state for job in book.follow(job_id)))
    follower.start()
    wait_for(lambda: seen == ["queued"])
    book.close()
    follower.join(LIMIT)
    assert not follower.is_alive()
    assert seen == ["queued"]


def test_steps_and_time_left(book: JobBook) -> None:
    job = Job(id="", kind="echo", payload=0, state="denoising", step=3, total=7, first_step_at=10, step_at=14)
    assert job.seconds_left == 8
    assert Job(id="", kind="echo", payload=0, state="denoising", step=1, total=7).seconds_left is None


# The file


def test_the_book_is_found_again(path: Path) -> None:
    book = JobBook(KINDS, path)
    done, failed, cancelled, running, first, second = (
        book.add("echo", {"number": number}, owner="A" if number % 2 else "B") for number in range(6)
    )
    order = [job.id for job in book.waiting()]
    for job_id, fields in (
        (done, {"state": "done", "outcome": {"a": "ü"}}),
        (failed, {"state": "failed", "error": GPU_OOM("Too large", found="9 GB", todo="Smaller")}),
        (cancelled, {"state": "cancelled", "error": CANCELLED("The job was cancelled")}),
        (running, {"state": "denoising", "step": 3, "preview": np.zeros((2, 2, 3), np.uint8)}),
    ):
        book.change(job_id, **fields)
    book.close()

    book = JobBook(KINDS, path)
    assert book.get(done).outcome == {"a": "ü"}
    error = book.get(failed).error
    assert error is not None
    assert (error.code, error.message) == (GPU_OOM, "Too large (found: 9 GB). Smaller.")
    assert book.get(cancelled).state == "cancelled"
    cut = book.get(running)
    assert (cut.state, cut.error and cut.error.code.name) == ("interrupted", "INTERRUPTED")
    assert book.interrupted == (running,)
    assert [job.id for job in book.waiting()] == [job_id for job_id in order if job_id in (first, second)]
    assert book.get(second).payload == {"number": 5}
    assert book.counts() == {"done": 1, "failed": 1, "cancelled": 1, "interrupted": 1, "queued": 2}
    assert book.undone() == {failed, cancelled, running, first, second}
    third = book.add("echo", 6)
    assert book.get(third).seq > book.get(second).seq, "places in all time go on"
    book.close()
    book = JobBook(KINDS, path)
    assert book.interrupted == (), "nobody is told twice"
    book.close()


def test_history_is_the_newest_first_and_only_what_is_done(path: Path) -> None:
    book = JobBook(KINDS, path)
    for number in range(5):
        book.add("echo", number)
        run_next(book)
    book.change(book.add("echo", 5), state="cancelled", error=CANCELLED("The job was cancelled"))
    assert [job.payload for job in book.history(3)] == [4, 3, 2]
    assert all(job.outcome == {"of": job.payload} for job in book.history())
    book.close()


def damaged_header(data: bytearray) -> None:
    data[:100] = bytes(100)


def damaged_middle(data: bytearray) -> None:
    """All pages but the first are nonsense: only a look at all of them finds it."""
    data[4096:] = b"\xa5" * (len(data) - 4096)


def cut_short(data: bytearray) -> None:
    del data[len(data) // 2 :]


def other_text(data: bytearray) -> None:
    data[:] = b"<html>not a database at all</html>" * 100


@pytest.mark.parametrize("damage", [damaged_header, damaged_middle, cut_short, other_text])
def test_a_broken_file_is_put_aside_and_a_new_book_begins(path: Path, damage: Any) -> None:
    book = JobBook(KINDS, path)
    for number in range(50):
        book.add("echo", str(number) * 500)
    book.close()
    data = bytearray(path.read_bytes())
    damage(data)
    path.write_bytes(data)
    book = JobBook(KINDS, path)
    assert book.counts() == {}
    book.add("echo", 1)
    book.close()
    [kept] = path.parent.glob("jobs.sqlite3.corrupt-*")
    assert kept.read_bytes() == bytes(data)


def test_a_newer_book_is_refused_and_untouched(path: Path) -> None:
    JobBook(KINDS, path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ArmatureError, match="newer") as refusal:
        JobBook(KINDS, path)
    assert refusal.value.code.name == "NOT_ALLOWED"
    assert path.read_bytes() == before


def test_a_row_that_nobody_can_read_does_not_keep_the_program_from_starting(path: Path) -> None:
    book = JobBook(KINDS, path)
    strange, good, gone = book.add("echo", 1), book.add("echo", 2), book.add("echo", 3)
    book.change(gone, state="done", outcome=1)
    book.close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE jobs SET payload = '{\"half' WHERE id = ?", (strange,))
    connection.execute("UPDATE jobs SET outcome = '[' WHERE id = ?", (gone,))
    connection.commit()
    connection.close()
    book = JobBook(KINDS, path)
    assert [job.id for job in book.waiting()] == [good]
    assert book.history() == ()
    book.close()


SECOND = """
import sys
from pathlib import Path
from errors import ArmatureError
from pipelines.rows import hold
try:
    hold(Path(sys.argv[1]))
except ArmatureError as error:
    sys.exit(error.code.name)
print("held", flush=True)
sys.stdin.read()
"""


def second(path: Path) -> subprocess.Popen[str]:
    """Another program on the same folder."""
    return subprocess.Popen(
        [sys.executable, "-c", SECOND, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_row_139_two_programs_on_one_folder_are_refused(path: Path) -> None:
    first = second(path)
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    later = second(path)
    _, words = later.communicate(timeout=LIMIT)
    assert (later.returncode, words) == (1, "NOT_ALLOWED\n")
    with pytest.raises(ArmatureError, match="Another Armature"):
        hold(path)
    first.kill()  # no crash leaves the lock behind
    first.communicate(timeout=LIMIT)
    hold(path)
    later = second(path)
    _, words = later.communicate(timeout=LIMIT)
    assert words == "NOT_ALLOWED\n"
    HELD.pop().close()


def test_fifty_threads_lose_nothing(path: Path) -> None:
    book = JobBook(KINDS, path, most_waiting=1000)
    ends: list[Job] = []

    def visit(owner: str) -> None:
        for number in range(4):
            *_, job = book.follow(book.add("echo", [owner, number], owner=owner))
            ends.append(job)

    def serve() -> None:
        for _ in range(200):
            job: Job = wait_for(lambda: book.next(urgent=False))
            book.change(job.id, state="denoising", step=1, total=1)
            book.change(job.id, state="done", outcome=job.payload)

    threads = [threading.Thread(target=visit, args=(f"owner {number}",)) for number in range(50)]
    threads.append(threading.Thread(target=serve))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * LIMIT)
    assert not any(thread.is_alive() for thread in threads)
    assert sorted(job.outcome for job in ends) == sorted(
        [f"owner {owner}", number] for owner in range(50) for number in range(4)
    )
    assert all(job.outcome[0] == job.owner for job in ends)
    assert book.counts() == {"done": 200}
    book.close()
