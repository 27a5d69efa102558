"""Work beside the loop that the device has no memory for: freed and tried once more, or said in words."""

import weakref
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from torch import nn

from errors import ArmatureError
from models.loading import ModelKey
from models.store import Store
from pipelines.cache import ModelCache
from pipelines.pictures import PictureStore
from pipelines.relief import relieved
from pipelines.worker import Worker
from tests.conftest import MakeRequest

IDLE = ModelKey(family="pocket", part="control", name="idle")


@pytest.fixture
def full(store: Store, pictures: PictureStore, cpu: Any) -> ModelCache:
    """A cache with a model that nobody uses."""
    cache = ModelCache(store, pictures, cpu, load=lambda store, key, dtype: nn.Linear(2, 2))
    with cache.use([IDLE]):
        pass
    return cache


def test_what_is_idle_and_what_was_computed_half_is_gone_at_the_second_try(full: ModelCache) -> None:
    halves: list[weakref.ref[torch.Tensor]] = []

    def act() -> str:
        if halves:
            assert (halves[0](), full.resident) == (None, ())
            return "a map"
        half = torch.zeros(1000)
        halves.append(weakref.ref(half))
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert relieved(full, act, "this", todo="Choose less") == "a map"


def test_what_needs_no_relief_costs_nobody_his_place(full: ModelCache) -> None:
    assert relieved(full, lambda: None, "this", todo="Choose less") is None
    assert full.resident == (IDLE,)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_memory_that_stays_missing_is_said(error: Exception, full: ModelCache) -> None:
    act = mock.Mock(side_effect=error)
    with pytest.raises(ArmatureError) as refusal:
        relieved(full, act, "this", todo="Choose less")
    assert refusal.value.code.name == "GPU_OOM"
    assert refusal.value.message == "CPU has not enough memory for this. Choose less."
    assert act.call_count == 2


def test_another_failure_is_no_want_of_memory(full: ModelCache) -> None:
    act = mock.Mock(side_effect=RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        relieved(full, act, "this", todo="Choose less")
    assert (act.call_count, full.resident) == (1, (IDLE,))


def test_whatever_of_a_job_lacks_memory_the_next_begins_on_an_empty_device(
    full: ModelCache, tmp_path: Path, make_request: MakeRequest
) -> None:
    worker = Worker(weights=full.store.weights, outputs=tmp_path, device="cpu", family="pocket")
    error = torch.OutOfMemoryError("CUDA out of memory")
    with (
        mock.patch("pipelines.generate.generate", side_effect=error),
        pytest.raises(ArmatureError) as refusal,
    ):
        list(worker._generate("0" * 32, make_request(), full))
    assert refusal.value.code.name == "GPU_OOM"
    assert full.resident == ()
