"""Following a job without holding a thread: any number of visitors may wait at once."""

import asyncio
from collections.abc import AsyncIterator

from pipelines.engine import Engine, Job

GLANCE = 0.1  # seconds between two looks: a step is rarely shorter, and a look costs microseconds


async def watch(engine: Engine, job_id: str) -> AsyncIterator[Job]:
    """The job now and after every change that a glance catches, until it is over."""
    seen: Job | None = None
    while seen is None or not seen.over:
        job = engine.look(job_id)
        if job is seen:
            await asyncio.sleep(GLANCE)
            continue
        seen = job
        yield job


async def ended(engine: Engine, job_id: str) -> Job:
    """The job when it is over, or its own error."""
    async for job in watch(engine, job_id):
        last = job
    if last.error is not None:
        raise last.error
    return last
