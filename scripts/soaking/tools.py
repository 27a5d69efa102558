"""What the trials share: a tiny family, requests for it, and what must hold of an outputs folder."""

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from pipelines.metadata import CHUNK
from pipelines.pictures import PICTURES, PictureStore
from pipelines.request import ControlUnit, GenerateRequest, Saved
from pipelines.worker import Worker

Figures: TypeAlias = dict[str, str]

LIMIT = 60.0  # seconds after which whoever waits has failed
FAMILY = "pocket"


def calm() -> None:
    """Leave room for others on the machine: torch reads this when a process first imports it."""
    os.environ.update(GOMP_SPINCOUNT="0", OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")


def wait_for(what: Callable[[], Any], within: float = LIMIT) -> Any:
    """The first true answer; fails when none comes in time."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if answer := what():
            return answer
        time.sleep(0.01)
    raise AssertionError("it did not come in time")


def worker(folder: Path) -> Worker:
    """A worker for the tiny family of a folder, which is written where it is not there yet."""
    weights = folder / "weights"
    if not weights.exists():
        from tests import tiny_family

        tiny_family.write(weights, FAMILY)
    return Worker(weights=weights, outputs=folder / "outputs", device="cpu", family=FAMILY)


def request(outputs: Path, seed: int, *, steps: int = 3, count: int = 1, side: int = 64) -> GenerateRequest:
    """A small request; its map is in the picture store from now on."""
    map = np.zeros((side, side, 3), np.uint8)
    map[side // 4] = map[:, side // 3] = 255
    unit = ControlUnit(condition="canny", map=PictureStore(outputs / PICTURES).put(map))
    return GenerateRequest(
        prompt=f"a red house by the sea, {seed}",
        controls=(unit,),
        family=FAMILY,
        width=side,
        height=side,
        steps=steps,
        seed=seed,
        count=count,
    )


def any_request(outputs: Path, chance: random.Random) -> GenerateRequest:
    """A request of one or two pictures, a few steps, and a seed that none other has."""
    return request(
        outputs, chance.randrange(2**32), steps=chance.randint(2, 5), count=chance.randint(1, 2), side=128
    )


def check_saved(saved: Saved) -> None:
    """Every picture is there, whole, of the right size, and carries the request that it answers."""
    wanted = saved.request
    assert [image.seed for image in saved.images] == list(wanted.seeds)
    for image in saved.images:
        with Image.open(image.path, formats=["PNG"]) as picture:
            picture.load()
            assert picture.size == (wanted.width, wanted.height)
            said = json.loads(picture.info[CHUNK])["request"]
            assert GenerateRequest.from_json(json.dumps(said)) == wanted
    for _, path in saved.maps:
        with Image.open(path, formats=["PNG"]) as picture:
            picture.load()


def mark(saved: Saved) -> set[Path]:
    """The files of a finished request."""
    return {*(image.path for image in saved.images), *(path for _, path in saved.maps)}
