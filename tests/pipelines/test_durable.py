"""Every way to the disk, with every single call on it failing once: full, broken, forbidden.

As SQLite is tested: the first call fails, then the second, and so on, until nothing is left to fail. Each
time the old file is there or the new one, nothing unfinished is in sight, and the error has a code.
"""

import errno
import os
import resource
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image

from errors import DIR_READONLY, DISK_FAILED, DISK_FULL, ArmatureError, Code, ours
from pipelines import durable, results
from pipelines.engine import Engine
from pipelines.homes import ThreadHome
from pipelines.jobs import DEVICE, Job, JobBook
from pipelines.messages import EngineState
from pipelines.pictures import PictureStore
from pipelines.request import GenerateRequest, Progress, Result, Saved
from pipelines.rows import Rows, hold
from tests.pipelines.recipes import wait_for

FAULTS: dict[int, Code] = {errno.ENOSPC: DISK_FULL, errno.EIO: DISK_FAILED, errno.EACCES: DIR_READONLY}
every_fault = pytest.mark.parametrize("number", FAULTS, ids=[errno.errorcode[number] for number in FAULTS])
PIXELS = np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8)
JOB = "0123456789abcdef"


class Faults:
    """Counts the calls that reach the disk, and lets one of them fail."""

    def __init__(self, nth: int, error: Exception) -> None:
        self.nth, self.error, self.calls = nth, error, 0

    def call(self) -> None:
        self.calls += 1
        if self.calls == self.nth:
            raise self.error

    @property
    def over(self) -> bool:
        """Whether there was nothing left to fail."""
        return self.calls < self.nth


class Failing:
    """A file whose writes may fail, half of what they were to write being written."""

    def __init__(self, file: Any, faults: Faults) -> None:
        self._file, self._faults = file, faults

    def write(self, data: bytes) -> int:
        try:
            self._faults.call()
        except OSError:
            self._file.write(bytes(data)[: len(data) // 2])
            raise
        return int(self._file.write(data))

    def flush(self) -> None:
        self._faults.call()
        self._file.flush()

    def __enter__(self) -> "Failing":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def failing(nth: int, number: int) -> Iterator[Faults]:
    """Let the nth call of open, write, flush, fsync, replace, mkdir, or open of a folder fail."""
    faults = Faults(nth, OSError(number, os.strerror(number), "/secret/place"))

    def wrapped(call: Callable[..., Any]) -> Callable[..., Any]:
        def made(*args: Any, **kwargs: Any) -> Any:
            faults.call()
            return call(*args, **kwargs)

        return made

    with pytest.MonkeyPatch.context() as patch:
        really_open = open
        patch.setattr(
            durable, "open", lambda *args: Failing(wrapped(really_open)(*args), faults), raising=False
        )
        for name in ("fsync", "replace", "open", "mkdir"):
            patch.setattr(os, name, wrapped(getattr(os, name)))
        yield faults


def until_nothing_fails(number: int, tried: Callable[[], object], check: Callable[[bool], None]) -> int:
    """Try with the first call failing, then the second, and so on; how many there were to fail."""
    for nth in range(1, 200):
        with failing(nth, number) as faults:
            error: Exception | None = None
            try:
                tried()
            except OSError as caught:
                error = caught
        if faults.over:
            assert error is None
            check(True)
            return nth - 1
        if error is not None:  # a call may also be such that its failure does no harm
            mine = ours(error)
            assert mine.code is FAULTS[number]
            assert "secret" not in mine.message
        check(error is None)
    raise AssertionError("it never succeeds")


def whole(path: Path) -> bool:
    """Whether a PNG can be decoded to its last pixel."""
    with Image.open(path, formats=["PNG"]) as picture:
        picture.load()
        return picture.size == (64, 48)


def saved_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# Files


@every_fault
@pytest.mark.parametrize("before", [None, b"the old content" * 100])
def test_g11_a_file_is_the_old_one_or_the_new_one(tmp_path: Path, number: int, before: bytes | None) -> None:
    path, new = tmp_path / "a" / "b" / "file", b"the new content" * 100

    def prepare() -> None:
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
        if before is not None:
            path.parent.mkdir(parents=True)
            path.write_bytes(before)

    def fill(file: BinaryIO) -> None:
        file.write(new[:700])
        file.write(new[700:])

    def check(succeeded: bool) -> None:
        there = path.read_bytes() if path.exists() else None
        assert there in ((new,) if succeeded else (before, new))
        durable.clear_unfinished(tmp_path)
        assert saved_files(tmp_path) == ([] if there is None else [path])
        prepare()

    prepare()
    calls = until_nothing_fails(number, lambda: durable.write(path, fill), check)
    assert calls >= (9 if before else 14)  # open, 2 writes, flush, fsync, replace, folders


@every_fault
def test_g11_a_picture_in_the_store_is_whole_or_not_there(tmp_path: Path, number: int) -> None:
    pictures = PictureStore(tmp_path)
    digest = pictures.put(PIXELS)
    path = pictures.path(digest)
    path.unlink()

    def check(succeeded: bool) -> None:
        assert path.exists() or not succeeded
        if path.exists():
            assert np.array_equal(pictures.get(digest), PIXELS)
            path.unlink()
        durable.clear_unfinished(tmp_path)
        assert saved_files(tmp_path) == []

    assert until_nothing_fails(number, lambda: pictures.put(PIXELS), check) > 6


def a_result() -> Result:
    request = GenerateRequest(prompt="a house", controls=(), width=64, height=48, seed=9, count=2)
    return Result(images=(PIXELS, 255 - PIXELS), seeds=(9, 10), maps=(), request=request)


@every_fault
def test_g11_finished_pictures_are_whole_and_those_of_a_failed_job_step_aside(
    tmp_path: Path, number: int
) -> None:
    kept: list[Saved] = []

    def tried() -> None:
        kept.append(results.save(a_result(), results.todays(tmp_path), JOB, 1.0))

    def check(succeeded: bool) -> None:
        shown = list((tmp_path / results.IMAGES).rglob("*.png"))
        assert all(whole(path) for path in shown)
        assert len(shown) == 2 or not succeeded
        assert succeeded == bool(kept)
        kept.clear()
        results.set_aside(tmp_path, JOB)
        assert list((tmp_path / results.IMAGES).rglob("*.*")) == []
        for path in saved_files(tmp_path):
            assert whole(path)
            path.unlink()

    assert until_nothing_fails(number, tried, check) > 14


@every_fault
def test_g11_what_can_not_step_aside_does_so_at_the_next_start(tmp_path: Path, number: int) -> None:
    """Moving an orphan can fail too: that is logged, hurts nobody, and is done again."""

    def save_again() -> None:
        shutil.rmtree(tmp_path / results.UNFINISHED, ignore_errors=True)
        results.save(a_result(), results.todays(tmp_path), JOB, 1.0)

    save_again()

    def check(succeeded: bool) -> None:
        assert succeeded, "it never raises"
        assert all(whole(path) for path in tmp_path.rglob("*.png"))
        results.reconcile(tmp_path, [JOB])
        assert list((tmp_path / results.IMAGES).rglob("*.png")) == []
        assert len(list((tmp_path / results.UNFINISHED).iterdir())) == 2
        save_again()

    assert until_nothing_fails(number, lambda: results.set_aside(tmp_path, JOB), check) >= 2


def test_only_pictures_of_jobs_that_the_book_knows_as_undone_step_aside(tmp_path: Path) -> None:
    for job_id in (JOB, "f" * 32, "e" * 32):
        results.save(a_result(), results.todays(tmp_path), job_id, 1.0)
    (tmp_path / results.IMAGES / "holiday.png").write_bytes(b"brought by hand")
    (results.todays(tmp_path) / f"x.png{durable.ASIDE}1234").touch()
    assert results.reconcile(tmp_path, [JOB, "d" * 32]) == 2
    shown = [path.name for path in (tmp_path / results.IMAGES).rglob("*.*")]
    assert len(shown) == 5
    assert not any(JOB[:12] in name or durable.ASIDE in name for name in shown)


@contextmanager
def small_disk(largest: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: what the system says then is real."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_real_refusal_in_the_middle_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fill(file: BinaryIO) -> None:
        file.write(bytes(1_000_000))

    with small_disk(100_000), pytest.raises(OSError, match="large"):
        durable.write(path, fill)
    assert saved_files(tmp_path) == [path]
    assert path.read_bytes() == b"old"


# Rows

SQLITE_FAULTS: dict[str, Code] = {
    "database or disk is full": DISK_FULL,
    "disk I/O error": DISK_FAILED,
    "attempt to write a readonly database": DIR_READONLY,
    "unable to open database file": DIR_READONLY,
}


class FailingConnection:
    """A connection whose statements and commits may fail."""

    def __init__(self, connection: sqlite3.Connection, faults: Faults) -> None:
        self._connection, self._faults = connection, faults

    def execute(self, *args: Any) -> sqlite3.Cursor:
        self._faults.call()
        return self._connection.execute(*args)

    def __enter__(self) -> "FailingConnection":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._connection.rollback()
            return
        try:
            self._faults.call()
        except sqlite3.Error:
            self._connection.rollback()
            raise
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()


class Pictures:
    """A kind of job whose outcome is what was saved."""

    urgent, lane, shared = False, DEVICE, False

    def payload_text(self, payload: int) -> str:
        return str(payload)

    def payload(self, text: str) -> int:
        return int(text)

    def outcome_text(self, outcome: Saved) -> str:
        return "\n".join(str(image.path) for image in outcome.images)

    def outcome(self, text: str) -> list[Path]:
        return [Path(line) for line in text.splitlines()]


class Studio:
    """An engine on an outputs folder, with a worker that only saves, in a thread: all can be made to fail."""

    def __init__(self, outputs: Path) -> None:
        self.outputs = outputs
        self.book = JobBook({"save": Pictures()}, outputs / "jobs.sqlite3")
        results.reconcile(outputs, self.book.undone())
        self.dropped: list[str] = []
        self.engine = Engine(ThreadHome(self.prepare), self.book, dropped=self.drop)
        self.engine.start()
        wait_for(lambda: self.engine.state.phase == "ready")

    def prepare(self, report: Callable[[EngineState], None]) -> Any:
        report(EngineState(phase="ready"))
        return {"save": self.save}

    def save(self, job_id: str, payload: int) -> Iterator[Any]:
        yield Progress(step=1, total=1)
        yield Progress(stage="saving", step=1, total=1)
        yield results.save_today(a_result(), self.outputs, job_id, 1.0)

    def drop(self, job_id: str) -> None:
        results.set_aside(self.outputs, job_id)
        self.dropped.append(job_id)

    def job(self) -> Job:
        *_, job = self.engine.follow(self.engine.submit("save", 1))
        if job.state != "done":
            wait_for(lambda: job.id in self.dropped)
        return job

    def answer(self) -> Job | ArmatureError:
        """The job at its end, or why it was not taken."""
        try:
            return self.job()
        except ArmatureError as refusal:
            return refusal

    def shown(self) -> set[Path]:
        return set((self.outputs / results.IMAGES).rglob("*.png"))


def check_agreement(outputs: Path) -> None:
    """What the next start finds: every row that is done has its files, and every file its row."""
    durable.clear_unfinished(outputs)
    book = JobBook({"save": Pictures()}, outputs / "jobs.sqlite3")
    results.reconcile(outputs, book.undone())
    files = {path for job in book.history(10_000) for path in job.outcome if path.is_relative_to(outputs)}
    assert files == set((outputs / results.IMAGES).rglob("*.png"))
    assert all(whole(path) for path in files)
    book.close()


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, beside the outputs."""
    folder = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def remove(folder: Path) -> None:
    """Remove what is in a folder."""
    for path in folder.iterdir():
        shutil.rmtree(path)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM], ids=errno.errorcode.get)
def test_row_105_pictures_that_can_not_be_kept_are_still_shown_and_it_is_said(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    studio = Studio(tmp_path)
    really_open = open

    def forbidden(path: Path, mode: str) -> Any:
        if Path(path).is_relative_to(tmp_path):
            raise OSError(number, os.strerror(number), str(path))
        return really_open(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "open", forbidden, raising=False)
        job = studio.job()
    assert job.state == "done"
    saved = job.outcome
    assert all(image.path.is_relative_to(elsewhere) and whole(image.path) for image in saved.images)
    assert len(saved.images) == 2
    assert ["DIR_READONLY" in notice for notice in saved.notices] == [True]
    assert str(elsewhere) not in saved.notices[0], "guests read it too"
    assert studio.shown() == set()
    assert studio.job().outcome.notices == ()
    assert len(studio.shown()) == 2
    studio.engine.close(patience=0)
    check_agreement(tmp_path)


def test_row_105_a_folder_that_was_removed_is_made_anew(tmp_path: Path, elsewhere: Path) -> None:
    studio = Studio(tmp_path / "outputs")
    assert studio.job().state == "done"
    shutil.rmtree(tmp_path / "outputs")
    job = studio.job()
    assert (job.state, job.outcome.notices) == ("done", ())
    assert len(studio.shown()) == 2
    assert list(elsewhere.iterdir()) == []
    studio.engine.close(patience=0)


@every_fault
def test_g11_a_job_whose_picture_fails_is_failed_and_the_next_one_is_done(
    tmp_path: Path, elsewhere: Path, number: int
) -> None:
    studio = Studio(tmp_path)
    assert studio.job().state == "done"
    for nth in range(1, 100):
        shown = studio.shown()
        with failing(nth, number) as faults:
            job = studio.job()
        if faults.over:
            break
        if job.state == "done":
            added = studio.shown() - shown | set(elsewhere.rglob("*.png"))
            assert added == {image.path for image in job.outcome.images}
            assert len(added) == 2
            remove(elsewhere)
        else:
            assert job.state == "failed"
            assert job.error is not None
            assert job.error.code is FAULTS[number]
            assert studio.shown() == shown, "nothing of it is in sight"
        assert not list(tmp_path.rglob(f"*{durable.ASIDE}*"))
    assert nth > 14
    assert studio.job().state == "done"
    studio.engine.close(patience=0)
    check_agreement(tmp_path)


@pytest.mark.parametrize("words", SQLITE_FAULTS)
def test_g11_a_job_whose_row_fails_is_refused_or_failed_or_done(tmp_path: Path, words: str) -> None:
    for nth in range(1, 100):
        studio = Studio(tmp_path)
        really = studio.book._rows._connection
        faults = Faults(nth, sqlite3.OperationalError(words))
        studio.book._rows._connection = FailingConnection(really, faults)  # type: ignore[assignment]
        answer = studio.answer()
        if isinstance(answer, ArmatureError):
            assert answer.code is SQLITE_FAULTS[words]
        elif answer.state == "done":
            row = really.execute("SELECT state FROM jobs WHERE id = ?", (answer.id,)).fetchone()
            assert row["state"] == "done"
        else:
            assert answer.state == "failed"
            assert answer.error is not None
            assert answer.error.code is SQLITE_FAULTS[words]
        studio.book._rows._connection = really
        assert studio.job().state == "done", "the engine lives"
        assert studio.book._behind == set(), "what could not be written is written with the next"
        studio.engine.close(patience=0)
        check_agreement(tmp_path)
        if faults.over:
            break
    assert nth > 8


def test_a_full_disk_under_the_book_refuses_and_fails_with_its_code(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    assert studio.job().state == "done"
    pages = studio.book._rows._asked("PRAGMA page_count")[0][0]
    studio.book._rows._asked(f"PRAGMA max_page_count = {pages + 1}")
    answers = [studio.answer() for _ in range(50)]
    jobs = [answer for answer in answers if isinstance(answer, Job)]
    refusals = [answer for answer in answers if isinstance(answer, ArmatureError)]
    assert {refusal.code for refusal in refusals} == {DISK_FULL}
    assert {job.state for job in jobs} <= {"done", "failed"}
    assert {job.error.code for job in jobs if job.error} <= {DISK_FULL}
    studio.book._rows._asked("PRAGMA max_page_count = 100000")
    assert studio.job().state == "done"
    studio.engine.close(patience=0)
    check_agreement(tmp_path)


def test_a_file_that_may_not_grow_is_a_coded_refusal_too(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    assert studio.job().state == "done"
    with small_disk((tmp_path / "jobs.sqlite3-wal").stat().st_size):
        answers = [studio.answer() for _ in range(5)]
    refusals = [answer for answer in answers if isinstance(answer, ArmatureError)]
    assert refusals
    assert {refusal.code for refusal in refusals} <= {DISK_FULL, DISK_FAILED}
    assert studio.job().state == "done"
    studio.engine.close(patience=0)
    check_agreement(tmp_path)


def test_a_cancelled_job_whose_row_failed_does_not_come_back(tmp_path: Path) -> None:
    book = JobBook({"save": Pictures()}, tmp_path / "jobs.sqlite3")
    job_id = book.add("save", 1)
    really = book._rows._connection
    faults = Faults(1, sqlite3.OperationalError("disk I/O error"))
    book._rows._connection = FailingConnection(really, faults)  # type: ignore[assignment]
    book.change(job_id, state="cancelled")
    assert book.counts() == {"queued": 1}
    other = book.add("save", 2)
    book.next(urgent=False)
    book.close()
    book = JobBook({"save": Pictures()}, tmp_path / "jobs.sqlite3")
    assert book.waiting() == ()
    assert (book.get(job_id).state, book.get(other).state) == ("cancelled", "interrupted")
    book.close()


@pytest.mark.parametrize("opened", [Rows, hold])
def test_a_folder_that_is_a_file_is_a_coded_refusal(tmp_path: Path, opened: Callable[[Path], object]) -> None:
    (tmp_path / "outputs").write_text("in the way")
    with pytest.raises(ArmatureError):
        opened(tmp_path / "outputs" / "jobs.sqlite3")
