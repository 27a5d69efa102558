"""A damaged job book, from the pictures: what they remember is in its place."""

import secrets
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gate import LIMITS
from pipelines import home, metadata, rebuilding, results, rows
from pipelines.jobs import Job, JobBook
from pipelines.kinds import kinds
from pipelines.request import GenerateRequest, Result, Saved
from pipelines.rows import Rows
from pipelines.worker import Worker
from tests.pipelines import test_metadata

LIMIT = 60.0


@pytest.fixture
def kept() -> Iterator[list[Any]]:
    """Locks that this process would keep to its end."""
    before = list(rows.HELD)
    yield rows.HELD
    while len(rows.HELD) > len(before):
        rows.HELD.pop().close()


def a_result(prompt: str, count: int = 2) -> Result:
    request = test_metadata.REQUEST
    made = GenerateRequest(
        prompt=prompt, controls=request.controls, width=128, height=128, seed=5, count=count
    )
    pixels = test_metadata.PIXELS
    images = tuple(np.roll(pixels, shift, axis=0) for shift in range(count))
    return Result(images=images, seeds=made.seeds, maps=(test_metadata.MAP,), request=made)


def one_job(book: JobBook, outputs: Path, prompt: str, count: int = 2) -> Job:
    """A job that is done, with its pictures."""
    result = a_result(prompt, count)
    job_id = book.add("generate", result.request)
    return book.change(job_id, state="done", outcome=results.save_today(result, outputs, job_id, 1.0))


def worker(outputs: Path) -> Worker:
    return Worker(weights=outputs, outputs=outputs, device="cpu", family="pocket")


def test_row_106_a_damaged_book_is_rebuilt_from_the_pictures(tmp_path: Path, kept: list[Any]) -> None:
    path = tmp_path / "jobs.sqlite3"
    with closing(JobBook(kinds(tmp_path), path)) as book:
        before = [one_job(book, tmp_path, prompt, count) for prompt, count in (("a house", 2), ("a boat", 8))]
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "000000-0123456789ab-0-seed1.png")  # of somebody else
    path.write_bytes(bytes(100) + path.read_bytes()[100:])

    engine = home.lasting_engine(worker(tmp_path), LIMITS["local"], in_process=True)

    found = {job.payload.prompt: job for job in engine.history()}
    assert set(found) == {"a house", "a boat"}
    for job in before:
        again = found[job.payload.prompt]
        assert (again.state, again.id[: results.MARK]) == ("done", job.id[: results.MARK])
        assert again.payload == job.payload
        assert (again.outcome.images, again.outcome.maps) == (job.outcome.images, job.outcome.maps)
        assert again.outcome.request == job.outcome.request
    assert len(list(tmp_path.glob("jobs.sqlite3.corrupt-*"))) == 1
    assert list((tmp_path / "images").rglob("*-seed*.png")), "they stay where they are"
    engine.close(patience=0)


def test_row_106_a_book_that_is_whole_is_not_rebuilt(tmp_path: Path, kept: list[Any]) -> None:
    with closing(JobBook(kinds(tmp_path), tmp_path / "jobs.sqlite3")) as book:
        job = one_job(book, tmp_path, "a house")
    engine = home.lasting_engine(worker(tmp_path), LIMITS["local"], in_process=True)
    assert [known.id for known in engine.history()] == [job.id]
    engine.close(patience=0)


def test_the_newest_pictures_come_first_and_there_is_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day, prompt in (("2026-01-02", "newest"), ("2025-12-31", "older"), ("2025-01-01", "oldest")):
        results.save(a_result(prompt, 1), tmp_path / "images" / day, secrets.token_hex(16), 1.0)
    assert [saved.request.prompt for saved in rebuilding.remembered(tmp_path)] == [
        "newest",
        "older",
        "oldest",
    ]
    monkeypatch.setattr(rebuilding, "MOST", 2)
    assert [saved.request.prompt for saved in rebuilding.remembered(tmp_path)] == ["newest", "older"]


def test_a_picture_of_another_name_is_nobodys_job(tmp_path: Path, kept: list[Any]) -> None:
    """Two copies under one long name in two folders would be two jobs of one id, and no book at all."""
    saved = results.save(a_result("a house", 1), tmp_path / "images" / "2026-01-02", "b" * 32, 1.0)
    for folder in ("one", "two"):
        copy = tmp_path / "images" / folder / f"mine-{'x' * 40}-0-seed5.png"
        copy.parent.mkdir()
        shutil.copy(saved.images[0].path, copy)
    (tmp_path / "jobs.sqlite3").write_bytes(b"damaged" * 1000)
    engine = home.lasting_engine(worker(tmp_path), LIMITS["local"], in_process=True)
    assert [job.outcome.images for job in engine.history()] == [saved.images]
    engine.close(patience=0)


@pytest.mark.parametrize("name", ["", ".", "..", "/", "../jobs.sqlite3", "a/b.png"])
def test_a_map_of_a_strange_name_is_left_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = results.save(a_result("a house", 1), tmp_path / "images", "b" * 32, 1.0)
    memory = metadata.memory_from_png(saved.images[0].path)
    strange = replace(memory, maps=(replace(memory.maps[0], file=name),))
    monkeypatch.setattr(metadata, "memory_from_png", lambda path: strange)
    [found] = rebuilding.remembered(tmp_path)
    assert (found.images, found.maps) == (saved.images, ())


def test_a_picture_that_was_removed_is_missed_and_the_others_come(tmp_path: Path) -> None:
    saved = results.save(a_result("a house", 3), tmp_path / "images", "b" * 32, 1.0)
    saved.images[1].path.unlink()
    [found] = rebuilding.remembered(tmp_path)
    assert found.images == (saved.images[0], saved.images[2])
    assert isinstance(found, Saved)


def test_row_106_a_book_that_is_locked_for_six_seconds_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite3"
    book = Rows(path)
    other = sqlite3.connect(path, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(6.0, other.rollback)
    release.start()
    job = Job(id="c" * 32, kind="generate", payload=0)
    book.insert(job, "{}")
    release.join(LIMIT)
    row = book.one(job.id)
    assert row is not None
    assert row["state"] == "queued"
    other.close()
    book.close()
