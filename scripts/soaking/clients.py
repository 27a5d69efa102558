"""Many visitors at once: every job of theirs has one end, and nobody gets what is another's."""

import random
import threading
import time
from collections import Counter
from pathlib import Path

from errors import ArmatureError
from gate import LIMITS
from pipelines import results
from pipelines.home import lasting_engine
from pipelines.jobs import Job
from scripts.soaking.tools import LIMIT, Figures, check_saved, mark, request, wait_for, worker

JOBS_EACH = 4


def run(folder: Path, clients: float, jobs_each: int = JOBS_EACH) -> Figures:
    """So many clients with their jobs, all at once; the figures of who got what."""
    recipe = worker(folder)
    engine = lasting_engine(recipe, LIMITS["local"], in_process=False)
    engine.start()
    wait_for(lambda: engine.state.phase == "ready")
    seeds = iter(random.Random(13).sample(range(2**32), round(clients) * jobs_each))
    answers: list[tuple[str, int, Job | ArmatureError]] = []
    together = threading.Barrier(round(clients))

    def client(owner: str, mine: list[int]) -> None:
        requests = [request(recipe.outputs, seed) for seed in mine]
        together.wait(LIMIT)
        waiting: list[tuple[int, str]] = []
        for seed, wanted in zip(mine, requests, strict=True):
            try:
                waiting.append((seed, engine.submit("generate", wanted, owner=owner)))
            except ArmatureError as error:
                answers.append((owner, seed, error))
        for seed, job_id in waiting:
            *_, job = engine.follow(job_id)
            answers.append((owner, seed, job))

    began = time.monotonic()
    threads = [
        threading.Thread(
            target=client, args=(f"client {number}", [next(seeds) for _ in range(jobs_each)]), daemon=True
        )
        for number in range(round(clients))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10 * LIMIT)
        assert not thread.is_alive(), "a client waits for ever"
    seconds = time.monotonic() - began
    figures = accounted(answers, round(clients) * jobs_each)
    files = [path for _, _, job in answers if isinstance(job, Job) for path in mark(job.outcome)]
    assert len(files) == len(set(files)), "no picture is of two jobs"
    assert set(files) == set((recipe.outputs / results.IMAGES).rglob("*.png"))
    assert engine._book.counts() == {"done": len(answers)} or "refused" in figures
    engine.close(patience=5)
    return {
        "clients, each with so many jobs": f"{clients:.0f}, {jobs_each}",
        "jobs with one end": ", ".join(f"{count} {end}" for end, count in figures.items()),
        "lost, doubled or crossed": "0, 0, 0",
        "jobs a second": f"{len(answers) / seconds:.1f}",
    }


def accounted(answers: list[tuple[str, int, Job | ArmatureError]], wanted: int) -> Counter[str]:
    """The ends of all jobs: each asked for once and answered once, with its own picture."""
    assert len(answers) == wanted
    ends: Counter[str] = Counter()
    ids: set[str] = set()
    for owner, seed, job in answers:
        if isinstance(job, ArmatureError):
            assert job.code.name == "QUEUE_FULL", job
            ends["refused"] += 1
            continue
        assert job.state == "done", job.error
        assert (job.owner, job.payload.seed, job.outcome.request.seed) == (owner, seed, seed)
        assert job.id not in ids
        check_saved(job.outcome)
        ids.add(job.id)
        ends["done"] += 1
    return ends
