"""A training run is killed at any moment, a third of the time while it saves, and must lose nothing.

One run on the tiny family is killed (SIGKILL) again and again, and taken up by the same command. After each
kill the newest checkpoint that was said to be saved must be there whole, or a newer one. Whenever the run
comes to its end, its weights must be those of a run that nobody interrupted, bit for bit; then it begins
anew.
"""

import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from models.store import Store
from pipelines import durable
from scripts.soaking.kills import program, say
from scripts.soaking.tools import FAMILY, Figures, wait_for
from tests import tiny_family
from tests.training import made
from tests.training.made import Made
from training.config import Config
from training.resume import resumable
from training.run import CHECKPOINTS, Event, Finished, Saved, Told, train
from training.trainer import Taken

STEPS = 200
AIMED = 0.45  # the share of kills that are aimed at the writing of a checkpoint; some come a moment late
STARTING = 0.1  # and at the start of the program
NAME = "killed"


def run(folder: Path, times: float) -> Figures:
    """Kill a run of 200 steps that often; what was found."""
    return killed(folder, round(times), STEPS)


def killed(folder: Path, times: int, steps: int) -> Figures:
    """Kill a run of so many steps that often, and let it finish; what was found."""
    straight = finished(folder / "straight", steps)
    chance = random.Random(7)
    found: Counter[str] = Counter()
    place = folder / "runs"
    for turn in range(times):
        moment = chance.choices(("saving", "starting", "any"), (AIMED, STARTING, 1 - AIMED - STARTING))[0]
        with program(place, str(steps), module=__name__) as (process, heard):
            strike_at(moment, place, heard, process, chance)
            process.kill()
            process.wait()
        found[moment] += 1
        if any("finished" in line for line in heard):
            compare(place, straight, found)
        else:
            check(place, steps, heard, found)
        print(f"kill {turn + 1}, {moment}: {dict(found)}", file=sys.stderr, flush=True)
    finished(place, steps)
    compare(place, straight, found)
    return {
        "kills of a training run": str(times),
        "of these while a checkpoint was written": str(found["caught in a write"]),
        "as it started": str(found["starting"]),
        "checkpoints that were said to be saved and were not there whole": str(found["lost"]),
        "repairs by hand": "0",
        "most steps that had to be taken again": str(found["most again"]),
        f"runs of {steps} steps that came to their end": str(found["ends"]),
        "of these with other weights than a run without interruptions": str(found["different"]),
    }


def strike_at(
    moment: str, place: Path, heard: list[dict[str, Any]], process: Any, chance: random.Random
) -> None:
    """Wait for the moment, or for the end of the run."""
    if moment == "starting":
        time.sleep(chance.uniform(0.0, 4.0))
        return
    wait_for(lambda: any("step" in line for line in heard) or process.poll() is not None)
    if moment == "saving":
        wait_for(lambda: in_write(place) or process.poll() is not None)
        time.sleep(chance.choice((0.0, 0.0, 0.001, 0.003, 0.006)))
    else:
        time.sleep(chance.uniform(0.0, 0.6))


def in_write(place: Path) -> bool:
    """Whether a checkpoint is being written, or one was when the run was killed."""
    return bool(list((place / NAME / CHECKPOINTS).glob(f"*{durable.ASIDE}*")))


def check(place: Path, steps: int, heard: list[dict[str, Any]], found: Counter[str]) -> None:
    """Look at the folder as the next start will find it. Fails at the first thing that is wrong."""
    found["caught in a write"] += in_write(place)
    said = [int(line["saved"]) for line in heard if "saved" in line]
    taken = [int(line["step"]) for line in heard if "step" in line]
    again, _ = resumable(place / NAME / CHECKPOINTS, settings(steps), Made().fingerprint)
    stands = 0 if again is None else again.step
    lost = bool(said) and stands < said[-1]
    found["lost"] += lost
    assert not lost, f"step {said[-1]} was saved, and the run stands at {stands}"
    if taken:
        found["most again"] = max(found["most again"], taken[-1] - stands)


def compare(place: Path, straight: dict[str, torch.Tensor], found: Counter[str]) -> None:
    """The weights of a run that came to its end, beside those of the straight one; then it goes."""
    weights = result(place)
    same = all(torch.equal(tensor, weights[name]) for name, tensor in straight.items())
    found["ends"] += 1
    found["different"] += not same
    assert same, "an interrupted run learnt something else"
    shutil.rmtree(place / NAME)


def finished(place: Path, steps: int) -> dict[str, torch.Tensor]:
    """Train to the end, from wherever the run stands; the weights."""
    for _ in events(place, steps):
        pass
    return result(place)


def result(place: Path) -> dict[str, torch.Tensor]:
    """The control that was handed out."""
    folder = place / "weights" / "controls" / "canny" / NAME
    return load_file(folder / "diffusion_pytorch_model.safetensors")


def settings(steps: int) -> Config:
    """A run that saves every few steps, with an average, in both stages."""
    return made.settings(
        name=NAME,
        train={"steps": steps, "ema": 0.9},
        stage2={"after": steps // 2, "learning_rate": 1e-4},
        watch={"save_every": 2, "sample_every": 50},
    )


def events(place: Path, steps: int) -> Iterator[Event]:
    """The run itself."""
    weights = place / "weights"
    if not weights.exists():
        tiny_family.write(weights, FAMILY)
    return train(settings(steps), store=Store(weights), runs=place, device="cpu", pairs=Made())


def go(place: Path, steps: int) -> None:
    """The program that is killed: it says what it does."""
    for event in events(place, steps):
        match event:
            case Taken():
                say(step=event.step)
            case Saved():
                say(saved=int(event.path.name.removeprefix("step-")))
            case Told():
                say(told=event.words)
            case Finished():
                say(finished=event.steps)


if __name__ == "__main__":
    go(Path(sys.argv[1]), int(sys.argv[2]))
