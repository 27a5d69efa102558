"""How long the built-in family makes one wait: a picture, one in few steps, and the first after a cold start.

`make bench ARGS=speed`. Each series comes from a process of its own, with the threads that a user's has;
`python -m benchmarks.speed FOLDER` is the one that makes pictures with everything loaded.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.table import Row
from tests.browsing import draw_scene
from tests.serving import ROOT

WEIGHTS = ROOT / "weights"
FAMILY, SIDE, STEPS = "pocket", 256, 20
FEW_STEPS, FEW_SCHEDULER = 6, "unipc"  # no other weights: a solver that gets by with so few
RUNS, COLD_RUNS = 5, 3
SLOWEST, SLOWEST_COLD, SLOWEST_FEW = 3.0, 8.0, 1.0  # seconds on two cores
PROMPT = "a flat illustration of a house with a red roof, at sunset"
LIBRARIES = "import torch, diffusers, transformers"
ONE_THREAD = "OMP_NUM_THREADS"  # which the other benchmarks run with


def measure(folder: Path, weights: Path) -> list[Row]:
    """The shipped family, which is not what other benchmarks have in `weights`."""
    if not (WEIGHTS / FAMILY / "base").is_dir():
        return [Row(what="speed: the family", unit="s", ours=(), other=(), beside="no weights are here")]
    scene = draw_scene(folder / "scene.png", SIDE, SIDE)
    cold = [_seconds(_first(scene, folder / "out")) for _ in range(COLD_RUNS + 1)][1:]
    bare = [_seconds([sys.executable, "-c", LIBRARIES]) for _ in range(COLD_RUNS)]
    found = json.loads(_run([sys.executable, "-m", "benchmarks.speed", str(folder)]))
    whole = f"speed: {SIDE}x{SIDE}, guidance, one control, "
    return [
        Row(
            what=f"{whole}{STEPS} steps",
            unit="s",
            ours=found["whole"],
            other=found["free"],
            beside="the same without the control",
            bound=SLOWEST,
        ),
        Row(
            what=f"{whole}{FEW_STEPS} steps",
            unit="s",
            ours=found["few"],
            other=found["whole"],
            beside=f"{STEPS} steps",
            bound=SLOWEST_FEW,
        ),
        Row(
            what="speed: the first picture, from the command on",
            unit="s",
            ours=cold,
            other=bare,
            beside="importing the libraries alone",
            bound=SLOWEST_COLD,
        ),
    ]


def made(folder: Path) -> dict[str, list[float]]:
    """Seconds of pictures with everything loaded: with the control, without it, and in few steps."""
    from models.device import choose
    from models.store import Store
    from pipelines.cache import ModelCache
    from pipelines.generate import generate
    from pipelines.pictures import PictureStore

    pictures = PictureStore(folder)
    whole = _request(folder, pictures)
    requests = {
        "whole": whole,
        "free": replace(whole, controls=(replace(whole.controls[0], strength=0.0),)),
        "few": replace(whole, steps=FEW_STEPS, scheduler=FEW_SCHEDULER),
    }
    cache = ModelCache(Store(WEIGHTS), pictures, choose("cpu"))
    series: dict[str, list[float]] = {name: [] for name in requests}
    for _ in range(RUNS + 1):  # the first only loads
        for name, request in requests.items():
            began = time.perf_counter()
            for _ in generate(request, cache):
                pass
            series[name].append(time.perf_counter() - began)
    return {name: seconds[1:] for name, seconds in series.items()}


def _request(folder: Path, pictures: Any) -> Any:
    """A house by its edges."""
    import gate
    from annotators import annotate
    from gate import OWN_FILES
    from models.catalogue import FAMILIES
    from pipelines.request import ControlUnit, GenerateRequest

    picture = gate.open_picture(draw_scene(folder / "scene.png", SIDE, SIDE), OWN_FILES).pixels
    unit = ControlUnit(
        condition="canny", map=pictures.put(annotate("canny", picture).map), mode=FAMILIES[FAMILY].mode
    )
    return GenerateRequest(
        prompt=PROMPT,
        controls=(unit,),
        family=FAMILY,
        guidance=FAMILIES[FAMILY].guidance,
        width=SIDE,
        height=SIDE,
        steps=STEPS,
        seed=1,
    )


def _first(scene: Path, out: Path) -> list[str]:
    """The command whose picture is the first after a cold start."""
    flags = {
        "condition": "canny",
        "image": scene,
        "prompt": PROMPT,
        "model": FAMILY,
        "size": f"{SIDE}x{SIDE}",
        "steps": STEPS,
        "seed": 1,
        "out": out,
        "weights": WEIGHTS,
    }
    return [sys.executable, "cli.py", "generate", *(f"--{name}={value}" for name, value in flags.items())]


def _seconds(command: Sequence[str]) -> float:
    """How long a process takes, from its start to its end."""
    began = time.perf_counter()
    _run(command)
    return time.perf_counter() - began


def _run(command: Sequence[str]) -> str:
    """What a process says, with the threads that it would have of a user."""
    environment = {name: value for name, value in os.environ.items() if name != ONE_THREAD}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


if __name__ == "__main__":
    sys.stdout.write(json.dumps(made(Path(sys.argv[1]))))
