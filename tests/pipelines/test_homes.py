"""A worker and the program that it works for: neither outlives the other for long, and words cross whole."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipelines.engine import Engine
from pipelines.homes import ProcessHome
from pipelines.jobs import JobBook
from pipelines.messages import Stop
from tests.pipelines import recipes
from tests.pipelines.recipes import KINDS, wait_for

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
from pipelines.engine import Engine
from pipelines.homes import ProcessHome
from pipelines.jobs import JobBook
from tests.pipelines import recipes

if __name__ == "__main__":
    home = ProcessHome(recipes.ready)
    engine = Engine(home, JobBook(recipes.KINDS))
    engine.start()
    job = engine.submit("hang", None)
    recipes.wait_for(lambda: engine.look(job).step == 1)
    print(home.pid, flush=True)
    sys.stdin.read()
"""


def test_a_worker_in_a_long_step_leaves_with_its_program(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    program = subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    worker = psutil.Process(int(program.stdout.readline()))
    assert worker.is_running()
    program.kill()
    program.communicate(timeout=recipes.LIMIT)
    began = time.monotonic()
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, within=10)
    assert time.monotonic() - began < 10, "a second, ten times as wide; the step would have taken thirty"


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_group_is_for_the_program_to_hear_not_for_its_worker(name: signal.Signals) -> None:
    home = ProcessHome(recipes.ready)
    engine = Engine(home, JobBook(KINDS))
    engine.start()
    wait_for(lambda: engine.state.phase == "ready")
    pid = home.pid
    assert pid is not None
    os.kill(pid, name)
    *_, job = engine.follow(engine.submit("echo", 1))
    assert (job.state, home.pid) == ("done", pid)
    engine.close(patience=5)


def test_a_stop_that_comes_too_late_does_not_cost_the_worker_its_life() -> None:
    """Somebody cancels just as the job ends: the next one must not pay for it."""
    home = ProcessHome(recipes.ready)
    engine = Engine(home, JobBook(KINDS), patience=0.0)
    engine.start()
    *_, job = engine.follow(engine.submit("echo", 1))
    pid = home.pid
    engine._signals.put(Stop(job.id))
    *_, job = engine.follow(engine.submit("echo", 2))
    assert (job.state, home.pid, engine._device.late) == ("done", pid, {})
    engine.close(patience=5)


def test_a_worker_that_was_told_to_end_and_forgotten_ends_by_itself() -> None:
    home = ProcessHome(recipes.impatient)
    engine = Engine(home, JobBook(KINDS))
    engine.start()
    wait_for(lambda: engine.state.phase == "ready")
    pid = home.pid
    assert pid is not None
    worker = psutil.Process(pid)
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    engine.close(patience=5)
