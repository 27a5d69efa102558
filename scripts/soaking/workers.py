"""Only the worker is killed, at any moment: its job is told so, the next one runs, and the queue is whole."""

import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from gate import LIMITS
from pipelines import results
from pipelines.engine import Engine
from pipelines.home import lasting_engine
from pipelines.homes import ProcessHome
from pipelines.jobs import FINAL, Job
from scripts.soaking.tools import LIMIT, Figures, any_request, check_saved, mark, wait_for, worker


def run(folder: Path, times: float) -> Figures:
    """Kill the worker that often; the figures of what became of the jobs."""
    recipe = worker(folder)
    chance = random.Random(12)
    engine = lasting_engine(recipe, LIMITS["local"], in_process=False)
    engine.start()
    ends: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    noticed: list[float] = []
    again: list[float] = []
    pids = {pid_of(engine)}
    for turn in range(round(times)):
        jobs = [engine.submit("generate", any_request(recipe.outputs, chance)) for _ in range(4)]
        if turn % 5:  # else as it starts
            wait_for(lambda: engine.look(jobs[0]).state not in ("queued", "loading"))  # noqa: B023
        time.sleep(chance.uniform(0.0, 0.5))
        states = [engine.look(job_id).state for job_id in jobs]
        began = time.monotonic()
        os.kill(pid_of(engine), signal.SIGKILL)
        wait_for(lambda: engine.state.detail == "again" or engine.state.phase != "ready", within=10)
        noticed.append(time.monotonic() - began)
        jobs.append(engine.submit("generate", any_request(recipe.outputs, chance)))
        over = [ended(engine, job_id) for job_id in jobs]
        again.append(time.monotonic() - began)
        caught.update(state for state in states if state not in (*FINAL, "queued"))
        codes = ["" if job.error is None else job.error.code.name for job in over]
        assert codes.count("WORKER_LOST") <= 1, "it fails the job that it ran, and no other"
        assert set(codes) <= {"", "WORKER_LOST"}
        assert over[-1].state == "done", "the next one works"
        for job in over:
            if job.state == "done":
                check_saved(job.outcome)
        ends.update(job.state for job in over)
        pids.add(pid_of(engine))
        print(f"kill {turn + 1}: {[job.state for job in over]}", file=sys.stderr, flush=True)
    assert len(pids) == round(times) + 1
    files = {path for job in engine.history(limit=10_000) for path in mark(job.outcome)}
    shown = set((recipe.outputs / results.IMAGES).rglob("*.png"))
    assert shown == files, "every picture in sight is of a job that is done"
    engine.close(patience=5)
    return {
        "kills of the worker": f"{times:.0f}",
        "jobs": str(ends.total()),
        "their ends": ", ".join(f"{count} {state}" for state, count in sorted(ends.items())),
        "failed without the code `WORKER_LOST`, lost, or left waiting": "0",
        "jobs that the worker held when it was killed": ", ".join(
            f"{count} {state}" for state, count in caught.most_common()
        ),
        "longest until the loss was noticed": f"{max(noticed):.2f} s",
        "until a new worker had done all that waited, median": f"{sorted(again)[len(again) // 2]:.1f} s",
    }


def pid_of(engine: Engine) -> int:
    """The process of its worker."""
    home = engine._device.home
    assert isinstance(home, ProcessHome)
    pid: int = wait_for(lambda: home.pid)
    return pid


def ended(engine: Engine, job_id: str) -> Job:
    """The job when it is over."""
    job: Job = wait_for(lambda: (job := engine.look(job_id)).over and job, within=2 * LIMIT)
    return job
