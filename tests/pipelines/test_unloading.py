"""What is in memory is known outside the worker, and leaves it when asked to, except what a job needs."""

import gc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from models.loading import ModelKey
from models.store import Store
from pipelines.cache import ModelCache
from pipelines.engine import Engine
from pipelines.homes import ProcessHome, ThreadHome
from pipelines.jobs import JobBook
from pipelines.kinds import kinds
from pipelines.messages import EngineState, Held
from pipelines.pictures import PICTURES, PictureStore
from pipelines.request import GenerateRequest
from pipelines.request.unloading import Unloaded, UnloadRequest
from pipelines.worker import Worker
from tests.conftest import MakeRequest, drawn_map
from tests.pipelines import recipes
from tests.pipelines.recipes import wait_for

A, B = (ModelKey(family="pocket", part="control", name=name) for name in "ab")
CONTROL_A, CONTROL_B = str(A), str(B)
BASE = ("Pocket: text encoder", "Pocket: U-Net", "Pocket: decoder")


def small(store: Store, key: ModelKey, dtype: torch.dtype) -> nn.Module:
    """A module of 1000 bytes that holds on to itself, as CLIP does."""
    module = nn.Module()
    module.register_buffer("weight", torch.zeros(250))
    module.__dict__["itself"] = module
    return module


@pytest.fixture
def told() -> list[tuple[Held, ...]]:
    return []


@pytest.fixture
def small_cache(store: Store, pictures: PictureStore, cpu: Any, told: list[tuple[Held, ...]]) -> ModelCache:
    """A cache of small modules, which has told what it held after each change."""

    def changed() -> None:
        told.append(cache.held)

    cache = ModelCache(store, pictures, cpu, load=small, on_change=changed)
    return cache


def test_it_tells_what_it_holds_after_each_change(
    small_cache: ModelCache, told: list[tuple[Held, ...]]
) -> None:
    with small_cache.use([A]), small_cache.use([A]):
        pass
    with small_cache.use([B]):
        pass
    small_cache.unload()
    a, b = Held(CONTROL_A, 1000), Held(CONTROL_B, 1000)
    assert told == [(a,), (a, b), ()]


def test_what_is_unloaded_is_gone_from_memory_at_once(small_cache: ModelCache) -> None:
    gc.disable()
    try:
        with small_cache.use([A, B]) as models:
            gone, kept = weakref.ref(models[A]), weakref.ref(models[B])
            del models
        assert small_cache.unload([CONTROL_A]) == Unloaded(gone=(CONTROL_A,), size=1000)
        assert (gone(), small_cache.used) == (None, 1000)
        assert kept() is not None
    finally:
        gc.enable()
    with small_cache.use([A]) as again:
        assert A in again


def test_what_is_lent_stays(small_cache: ModelCache) -> None:
    with small_cache.use([A]):
        pass
    with small_cache.use([B]):
        assert small_cache.unload() == Unloaded(gone=(CONTROL_A,), size=1000, kept=(CONTROL_B,))
        assert small_cache.unload([CONTROL_B]) == Unloaded(gone=(), size=0, kept=(CONTROL_B,))
    assert small_cache.unload([CONTROL_B]).gone == (CONTROL_B,)


def test_what_is_not_there_is_no_trouble(small_cache: ModelCache, told: list[tuple[Held, ...]]) -> None:
    assert small_cache.unload() == small_cache.unload(["banana"]) == Unloaded(gone=(), size=0)
    assert told == []


def test_what_only_rests_is_told_and_leaves_as_well(
    store: Store, pictures: PictureStore, cpu: Any, told: list[tuple[Held, ...]]
) -> None:
    """On a GPU: the machine's memory is the second place where models are."""
    device = replace(cpu, resting=1500)
    gc.disable()
    try:
        cache = ModelCache(store, pictures, device, load=small, on_change=lambda: told.append(cache.held))
        with cache.hold([A]) as models:
            rests = weakref.ref(models[A])
            del models
            with cache.use([A]):
                pass
            cache.clear()
        assert told == [(at_rest(A),), (Held(CONTROL_A, 1000),), (at_rest(A),)]
        assert cache.unload([CONTROL_A]) == Unloaded(gone=(CONTROL_A,), size=1000)
        assert (told[3:], rests()) == ([()], None)
    finally:
        gc.enable()
    with cache.hold([A]):
        pass
    with cache.hold([B]):
        pass
    assert told[-1] == (at_rest(B),), "there is no room for both"
    cache.clear()
    assert not told[-1]


def test_what_comes_in_pieces_rests(
    store: Store, pictures: PictureStore, cpu: Any, told: list[tuple[Held, ...]]
) -> None:
    device = replace(cpu, resting=1500)
    cache = ModelCache(store, pictures, device, load=small, on_change=lambda: told.append(cache.held))
    with cache.use([A], in_pieces=[A]):
        assert told == [(at_rest(A),)]
    with cache.use([A]):
        assert told[-1] == (Held(CONTROL_A, 1000),)


def at_rest(key: ModelKey) -> Held:
    return Held(str(key), 1000, resting=True)


def test_the_request_and_its_answer_are_written_down(tmp_path: Path) -> None:
    kind = kinds(tmp_path)["unload"]
    request, answer = UnloadRequest(names=BASE), Unloaded(gone=BASE, size=7, kept=("a control",))
    assert kind.payload(kind.payload_text(request)) == request
    assert kind.outcome(kind.outcome_text(answer)) == answer


# In a worker


@pytest.fixture
def request_here(make_request: MakeRequest, tmp_path: Path) -> Callable[..., GenerateRequest]:
    """Requests whose map the workers of this test have."""
    PictureStore(tmp_path / PICTURES).put(drawn_map(64, 64))
    return make_request


def worker(store: Store, tmp_path: Path) -> Worker:
    return Worker(weights=store.weights, outputs=tmp_path, device="cpu", family="pocket")


@pytest.fixture
def engine(store: Store, tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(ThreadHome(worker(store, tmp_path)), JobBook(kinds(tmp_path)))
    engine.start()
    yield engine
    engine.close(patience=5)


def names(state: EngineState) -> set[str]:
    return {held.name for held in state.held}


def test_after_unloading_the_next_job_works(
    engine: Engine, request_here: Callable[..., GenerateRequest]
) -> None:
    first = engine.outcome(engine.submit("generate", request_here()))
    state = wait_for(lambda: engine.state if engine.state.phase == "ready" else None)
    assert names(state) == {*BASE, "Pocket: control lines"}
    assert 0 < sum(held.size for held in state.held) < state.budget
    gone = engine.outcome(engine.submit("unload", UnloadRequest(names=("Pocket: U-Net",))))
    assert gone.gone == ("Pocket: U-Net",)
    assert names(engine.state) == {*BASE, "Pocket: control lines"} - {"Pocket: U-Net"}
    everything = engine.outcome(engine.submit("unload", UnloadRequest()))
    assert set(everything.gone) == names(state) - {"Pocket: U-Net"}
    assert engine.state.held == ()
    again = engine.outcome(engine.submit("generate", request_here()))
    assert again.images[0].path.read_bytes()[:4] == first.images[0].path.read_bytes()[:4] == b"\x89PNG"
    assert names(engine.state) == names(state)


def test_between_two_steps_it_leaves_what_the_running_job_needs(
    store: Store, tmp_path: Path, request_here: Callable[..., GenerateRequest]
) -> None:
    """On the worker's own thread, as an urgent job is run there."""
    handlers = worker(store, tmp_path)(lambda state: None)
    run = handlers["generate"]("a" * 32, request_here(steps=6))
    while next(run).stage != "denoising":
        pass
    (answer,) = handlers["unload"]("b" * 32, UnloadRequest())
    assert {"Pocket: U-Net", "Pocket: control lines"} <= set(answer.kept)
    *_, saved = run
    assert saved.images[0].path.is_file()
    (answer,) = handlers["unload"]("c" * 32, UnloadRequest())
    assert (answer.kept, set(answer.gone) >= {"Pocket: U-Net"}) == ((), True)


def test_a_worker_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    home = ProcessHome(recipes.holding)
    engine = Engine(home, JobBook(kinds(tmp_path)))
    engine.start()
    try:
        wait_for(lambda: names(engine.state) == {"a network"})
        home.kill()
        wait_for(lambda: engine.state.phase == "starting")
        assert engine.state.held == ()
    finally:
        engine.close(patience=1)
