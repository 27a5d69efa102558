"""A base that can't be loaded at the start: the worker is ready all the same, and the jobs say why."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
from safetensors.torch import load_file, save_file

from errors import MODEL_TOO_LARGE
from models.store import Store
from pipelines.engine import Engine
from pipelines.homes import ThreadHome
from pipelines.jobs import JobBook
from pipelines.kinds import kinds
from pipelines.messages import EngineState
from pipelines.pictures import PICTURES, PictureStore
from pipelines.request import GenerateRequest
from pipelines.worker import Worker
from tests.conftest import MakeRequest, drawn_map
from tests.pipelines.recipes import wait_for


@pytest.fixture
def request_here(make_request: MakeRequest, tmp_path: Path) -> GenerateRequest:
    """A request whose map the workers of this test have."""
    PictureStore(tmp_path / PICTURES).put(drawn_map(64, 64))
    return make_request()


@pytest.fixture
def weights(store: Store, tmp_path: Path) -> Store:
    """The tiny family, and a base of one's own whose U-Net has a number that is none."""
    folder = tmp_path / "weights"
    shutil.copytree(store.weights, folder)
    shutil.copytree(store.base("pocket"), folder / "bases" / "mine")
    file = folder / "bases" / "mine" / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors["conv_in.weight"][0] = float("nan")
    save_file(tensors, file, metadata={"format": "pt"})
    return Store(folder)


@contextmanager
def at_work(store: Store, folder: Path, family: str = "pocket") -> Iterator[Engine]:
    """An engine whose worker begins with a family."""
    worker = Worker(weights=store.weights, outputs=folder, device="cpu", family=family)
    engine = Engine(ThreadHome(worker), JobBook(kinds(folder)))
    engine.start()
    try:
        yield engine
    finally:
        engine.close(patience=5)


def code(engine: Engine, request: GenerateRequest) -> str:
    """The code with which a request ends, or nothing where it makes its picture."""
    *_, job = engine.follow(engine.submit("generate", request))
    return job.error.code.name if job.error else ""


def test_a_damaged_base_at_the_start_is_told_by_its_jobs_and_others_work(
    weights: Store, tmp_path: Path, request_here: GenerateRequest
) -> None:
    with at_work(weights, tmp_path, "pocket/mine") as engine:
        wait_for(lambda: engine.state.phase in ("ready", "failed"))
        assert code(engine, replace(request_here, base="mine")) == "MODEL_NUMERIC"
        assert code(engine, request_here) == ""
        assert engine.state.phase == "ready"


@pytest.mark.parametrize(
    "error", [MODEL_TOO_LARGE("too large"), torch.OutOfMemoryError("CUDA out of memory"), MemoryError()]
)
def test_a_full_device_at_the_start_stops_nobody(
    error: Exception, store: Store, tmp_path: Path, request_here: GenerateRequest
) -> None:
    with mock.patch("pipelines.generate.warm", side_effect=error), at_work(store, tmp_path) as engine:
        assert code(engine, request_here) == ""


def test_what_nobody_foresaw_is_still_a_failure(store: Store, tmp_path: Path) -> None:
    told: list[EngineState] = []
    prepare: Callable[..., object] = Worker(
        weights=store.weights, outputs=tmp_path, device="cpu", family="pocket"
    )
    fault = RuntimeError("CUDA error: an illegal memory access was encountered")
    with mock.patch("pipelines.generate.warm", side_effect=fault), pytest.raises(RuntimeError):
        prepare(told.append)
