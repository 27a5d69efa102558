"""Following a job: how often the page hears of it."""

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from pipelines.engine import Engine
from pipelines.jobs import Job
from ui import watching

RUNNING = Job(id="0" * 32, kind="generate", payload=None, state="denoising", total=100)


class Stepping:
    """An engine whose job has made one more step at each look, and a clock that only waiting moves.

    `now` counts glances.
    """

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.now = 0
        self.job = RUNNING

    def look(self, job_id: str) -> Job:
        self.left -= 1
        self.job = replace(self.job, step=self.job.step + 1, state="denoising" if self.left else "done")
        return self.job

    async def sleep(self, seconds: float) -> None:
        self.now += round(seconds / watching.GLANCE)


def followed(engine: Stepping, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Job]]:
    """What a follower hears, and when."""
    monkeypatch.setattr("ui.watching.time.monotonic", lambda: engine.now * watching.GLANCE)
    monkeypatch.setattr("ui.watching.asyncio.sleep", engine.sleep)

    async def all_of_it() -> list[tuple[int, Job]]:
        return [(engine.now, job) async for job in watching.watch(cast(Engine, engine), RUNNING.id)]

    heard = asyncio.run(all_of_it())
    monkeypatch.undo()
    return heard


def test_a_quick_job_is_told_at_the_pace_and_its_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = followed(Stepping(14), monkeypatch)
    assert [when for when, _ in heard] == [0, 4, 8, 10]
    assert [job.over for _, job in heard] == [False, False, False, True]


def test_a_job_that_is_over_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [job.over for _, job in followed(Stepping(1), monkeypatch)] == [True]
