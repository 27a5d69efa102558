"""What the tests share: a calm torch, and a tiny random model family in the layout of the real ones."""

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before torch is imported: waiting threads of OpenMP spin, and starve whatever else runs on a small machine.
os.environ.update(GOMP_SPINCOUNT="0", OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")

import numpy as np
import pytest

from annotators.base import Pixels
from models.store import Store
from pipelines.pictures import PictureStore
from pipelines.request import ControlUnit, GenerateRequest

MakeRequest = Callable[..., GenerateRequest]

# Warnings are errors, save these of others, which nobody here can mend.
FOREIGN_WARNINGS = (
    # diffusers 0.42's Euler schedulers give a torch tensor to numpy 2.
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning:diffusers",
)


def pytest_configure(config: pytest.Config) -> None:
    """Let the warnings of others pass."""
    for line in FOREIGN_WARNINGS:
        config.addinivalue_line("filterwarnings", line)


def pytest_collection_finish() -> None:
    """Half a million objects, modules and tests, stay to the end."""
    settle()


def settle() -> None:
    """From now on no search for garbage looks through what is there; it stays to the end.

    The program searches whenever a model makes room, and that would be most of what some tests do.
    """
    gc.collect()
    gc.freeze()


def drawn_map(width: int, height: int) -> Pixels:
    """White lines on black, RGB uint8 (height, width, 3)."""
    map = np.zeros((height, width, 3), np.uint8)
    map[height // 4] = map[:, width // 3] = map[height // 2 : height // 2 + 3, : width // 2] = 255
    return map


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The weights of the tiny family, written once."""
    from tests import tiny_family

    weights: Path = tmp_path_factory.mktemp("weights")
    tiny_family.write(weights)
    settle()  # diffusers and transformers have come by now
    return Store(weights)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> PictureStore:
    """An empty picture store."""
    return PictureStore(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="session")
def cpu() -> Any:
    """This machine's CPU in float32, with more room than any test needs."""
    import torch

    from models.device import Device

    return Device(name="cpu", title="CPU", dtype=torch.float32, budget=10**9)


@pytest.fixture(scope="session")
def cache(store: Store, pictures: PictureStore, cpu: Any) -> Any:
    """A cache with the tiny family; shared, so that it is loaded once."""
    from pipelines.cache import ModelCache

    return ModelCache(store, pictures, cpu)


@pytest.fixture(scope="session")
def make_request(pictures: PictureStore) -> MakeRequest:
    """A small request for the tiny family, with any fields and any settings of its one control changed."""

    def make(
        *, strength: float = 1.0, start: float = 0.0, end: float = 1.0, **fields: Any
    ) -> GenerateRequest:
        size = {"width": 64, "height": 64} | fields
        digest = pictures.put(drawn_map(size["width"], size["height"]))
        unit = ControlUnit(condition="canny", map=digest, strength=strength, start=start, end=end)
        wanted: dict[str, Any] = {
            "prompt": "a red house by the sea",
            "negative_prompt": "fog",
            "controls": (unit,),
            "steps": 4,
            "seed": 7,
        }
        return GenerateRequest(**(wanted | size | fields))

    return make
