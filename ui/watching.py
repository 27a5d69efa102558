"""Following a job without holding a thread: any number of visitors may wait at once."""

import asyncio
import time
from collections.abc import AsyncIterator

from pipelines.engine import Engine, Job

GLANCE = 0.1  # seconds between two looks: a step is rarely shorter, and a look costs microseconds
PACE = 0.4  # seconds between two answers while nothing ends: each costs the browser far more than a look


async def watch(engine: Engine, job_id: str) -> AsyncIterator[Job]:
    """The job now, as it has changed after each pace, and as soon as a glance finds it over."""
    seen: Job | None = None
    told = float("-inf")
    while seen is None or not seen.over:
        job = engine.look(job_id)
        if job is seen or (not job.over and time.monotonic() - told < PACE):
            await asyncio.sleep(GLANCE)
            continue
        seen, told = job, time.monotonic()
        yield job


async def ended(engine: Engine, job_id: str) -> Job:
    """The job when it is over, or its own error."""
    async for job in watch(engine, job_id):
        last = job
    if last.error is not None:
        raise last.error
    return last
