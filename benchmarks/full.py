"""Stable Diffusion 1.5 in its own size, with random weights: this engine beside diffusers' pipeline."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.table import Row
from tests import full_family
from tests.serving import ROOT

RUNS, STEPS = 3, 20
STEP, MEMORY, HALF, PREVIEWS = 0.286, 0.6, 0.88, 3.0  # promised: the step on a processor with AMX
BESIDE = "StableDiffusionControlNetPipeline, default"


def measure(folder: Path, steps: int = STEPS, runs: int = RUNS) -> list[Row]:
    """Seconds and GB of 512x512 pixels with guidance and one control, in turns; the first runs do not count.

    Each side is a process of its own with as many threads as there are cores.
    """
    weights = folder / "weights"
    full_family.write(weights)
    with side("ours", weights, steps) as ours, side("diffusers", weights, steps) as theirs:
        whole, half, other = [], [], []
        for _ in range(runs + 1):
            whole.append(ask(ours, 1.0))
            other.append(ask(theirs, 1.0))
            half.append(ask(ours, 0.5))
    del whole[0], half[0], other[0]
    name = f"full: {{}}, SD 1.5 size, {steps} steps"

    def row(
        what: str, unit: str, mine: list[float], its: list[float], beside: str = BESIDE, **promised: float
    ) -> Row:
        return Row(what=name.format(what), unit=unit, ours=mine, other=its, beside=beside, **promised)

    def series(answers: list[dict[str, Any]], key: str) -> list[float]:
        return [float(answer[key]) for answer in answers]

    def each_step(answers: list[dict[str, Any]]) -> list[float]:
        return [seconds for answer in answers for seconds in answer["steps"]]

    shares = [100 * answer["previews"] / answer["seconds"] for answer in whole]
    return [
        row("a picture", "s", series(whole, "seconds"), series(other, "seconds")),
        row("a step", "s", each_step(whole), each_step(other), times=STEP),
        row("peak memory", "GB", series(whole, "peak")[-1:], series(other, "peak")[-1:], times=MEMORY),
        row(
            "control for half of the steps",
            "s",
            series(half, "seconds"),
            series(whole, "seconds"),
            "ours, control at every step",
            times=HALF,
        ),
        row("previews, of the run", "%", shares, [0.0], "none in diffusers", bound=PREVIEWS),
    ]


@contextmanager
def side(name: str, weights: Path, steps: int) -> Iterator[subprocess.Popen[str]]:
    """A process that makes pictures when asked to."""
    threads = {"OMP_NUM_THREADS": str(os.cpu_count()), "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.side", name, str(weights), str(steps)],
        cwd=ROOT,
        env=os.environ | threads,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ask(process: "subprocess.Popen[str]", end: float) -> dict[str, Any]:
    """A picture by one side, measured; its control holds until this part of the run."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{end}\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer
