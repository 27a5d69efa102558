"""The one memory interface, with small modules on the CPU."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from errors import MODEL_CORRUPT, ArmatureError
from models.carrying import bytes_of
from models.device import Device
from models.loading import ModelKey
from models.store import Store
from pipelines.cache import ModelCache, in_words
from pipelines.pictures import PictureStore

KB = 1000
MakeCache = Callable[..., ModelCache]


def key(name: str) -> ModelKey:
    """The key of a small module; its first letter, a digit, is its size in KB, at least 1."""
    return ModelKey(family="pocket", part="control", name=name)


A, B, C, D = key("1a"), key("1b"), key("1c"), key("1d")
THREE, BROKEN = key("3x"), key("broken")


class Loader:
    """Makes small modules and counts; a key named "broken" fails."""

    def __init__(self) -> None:
        self.loads: list[ModelKey] = []
        self.pause = 0.0

    def __call__(self, store: Store, key: ModelKey, dtype: torch.dtype) -> nn.Module:
        self.loads.append(key)
        time.sleep(self.pause)
        if key == BROKEN:
            raise MODEL_CORRUPT("broken")
        module = nn.Module()
        module.register_buffer("weight", torch.zeros(250 * int(key.name[0]), dtype=dtype))
        return module


@pytest.fixture
def loader() -> Loader:
    """What the caches of a test load with."""
    return Loader()


@pytest.fixture
def make_cache(loader: Loader, store: Store, pictures: PictureStore, cpu: Device) -> MakeCache:
    """An empty cache with a budget in KB."""

    def make(budget: int = 3, **given: Any) -> ModelCache:
        settings = {"load": loader} | given
        return ModelCache(store, pictures, replace(cpu, budget=budget * KB), **settings)

    return make


def test_one_block_lends_all_that_it_asked_for(make_cache: MakeCache, loader: Loader) -> None:
    cache = make_cache()
    with cache.use([A, B, A]) as models:
        assert set(models) == {A, B}
        assert all(isinstance(module, nn.Module) for module in models.values())
        assert cache.used == 2 * KB
    with cache.use([B]) as again:
        assert again[B] is models[B]
    assert loader.loads == [A, B]


def test_twenty_users_of_one_key_load_it_once(make_cache: MakeCache, loader: Loader) -> None:
    cache = make_cache()
    loader.pause = 0.05
    together = threading.Barrier(20)

    def user(_: int) -> nn.Module:
        together.wait(timeout=10)
        with cache.use([A]) as models:
            together.wait(timeout=10)  # all twenty hold it at the same time
            return models[A]

    with ThreadPoolExecutor(20) as pool:
        lent = set(pool.map(user, range(20)))
    assert len(lent) == 1
    assert loader.loads == [A]


def test_the_least_recently_used_goes_first(make_cache: MakeCache, loader: Loader) -> None:
    cache = make_cache(3)
    for name in (A, B, C, A):
        with cache.use([name]):
            pass
    assert cache.resident == (B, C, A)
    with cache.use([D]):
        pass
    assert cache.resident == (C, A, D)
    with cache.use([B]):
        pass
    assert cache.resident == (A, D, B)
    assert loader.loads == [A, B, C, D, B]


def test_what_was_given_back_last_counts_as_used_last(make_cache: MakeCache) -> None:
    cache = make_cache(3)
    with cache.use([A]):
        with cache.use([B]):
            pass
        with cache.use([C]):
            pass
    assert cache.resident == (B, C, A)


def test_no_more_is_evicted_than_is_needed(make_cache: MakeCache) -> None:
    cache = make_cache(4)
    for name in (A, B, C, D, key("2x")):
        with cache.use([name]):
            pass
    assert cache.resident == (C, D, key("2x"))


def test_what_is_asked_for_is_not_evicted_for_its_neighbour(make_cache: MakeCache, loader: Loader) -> None:
    cache = make_cache(3)
    for name in (A, B, C):
        with cache.use([name]):
            pass
    with cache.use([A, D]):
        assert set(cache.resident) == {A, C, D}
    assert loader.loads == [A, B, C, D]


def test_what_is_lent_is_never_evicted(make_cache: MakeCache) -> None:
    cache = make_cache(3)
    with cache.use([A]) as models:
        for name in (B, C, D, B, C, D):
            with cache.use([name]):
                assert A in cache.resident
                assert cache.used <= 3 * KB
        assert models[A] is not None
    with cache.use([A]) as again:
        assert again[A] is models[A]


def test_a_failure_while_loading_leaves_everything_as_it_was(make_cache: MakeCache, loader: Loader) -> None:
    cache = make_cache(3)
    with cache.use([A, B, C]):
        pass
    before = cache.resident
    with pytest.raises(ArmatureError, match="broken"), cache.use([D, BROKEN]):
        pass
    assert (cache.resident, cache.used) == (before, 3 * KB)
    with cache.use([A, B, C]):
        pass
    assert loader.loads == [A, B, C, D, BROKEN]


def test_a_failure_while_moving_leaves_a_cache_that_works(make_cache: MakeCache, loader: Loader) -> None:
    class Unmovable(nn.Module):
        def to(self, *given: Any, **named: Any) -> Any:
            raise torch.OutOfMemoryError("no room")

    def load(store: Store, key: ModelKey, dtype: torch.dtype) -> nn.Module:
        return Unmovable() if key == B else loader(store, key, dtype)

    cache = make_cache(1, load=load)
    with cache.use([A]):
        pass
    with pytest.raises(torch.OutOfMemoryError), cache.use([B]):
        pass
    assert B not in cache.resident
    with cache.use([A]) as models:
        assert models[A] is not None


def test_an_error_in_the_block_gives_the_models_back(make_cache: MakeCache) -> None:
    cache = make_cache(1)
    with pytest.raises(ZeroDivisionError), cache.use([A]):
        raise ZeroDivisionError
    with cache.use([B]):
        assert cache.resident == (B,)


def test_what_can_never_fit_is_refused_in_words(make_cache: MakeCache) -> None:
    cache = make_cache(2)
    with cache.use([A]):
        pass
    with pytest.raises(ArmatureError, match=r"3\.0 KB.*2\.0 KB") as refusal, cache.use([THREE]):
        pass
    assert refusal.value.code.name == "MODEL_TOO_LARGE"
    with pytest.raises(ArmatureError), cache.use([A, B, C]):
        pass
    assert cache.resident == (A,)


def test_what_does_not_fit_beside_others_waits_for_them(make_cache: MakeCache) -> None:
    cache = make_cache(1)
    held, done = threading.Event(), threading.Event()

    def later() -> None:
        held.wait(timeout=10)
        with cache.use([B]):
            assert cache.resident == (B,)
            done.set()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(later)
        with cache.use([A]):
            held.set()
            assert not done.wait(timeout=0.2)
            assert cache.resident == (A,)
        waiting.result(timeout=10)
    assert done.is_set()


def test_a_thread_never_waits_for_itself(make_cache: MakeCache) -> None:
    cache = make_cache(1)
    with cache.use([A]):
        with cache.use([A]):
            pass
        with pytest.raises(ArmatureError, match="holds already") as refusal, cache.use([B]):
            pass
        assert refusal.value.code.name == "MODEL_TOO_LARGE"
    with cache.use([B]):
        assert cache.resident == (B,)


def test_a_block_may_be_left_by_another_thread(make_cache: MakeCache) -> None:
    cache = make_cache(1)
    block = cache.use([A])
    block.__enter__()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(block.__exit__, None, None, None).result(timeout=10)
    with cache.use([B]):  # this thread holds nothing any more
        assert cache.resident == (B,)


def test_many_users_keep_the_budget_and_never_lose_what_they_hold(
    make_cache: MakeCache, loader: Loader
) -> None:
    cache = make_cache(4)
    names = [key(f"{size}{letter}") for size in (1, 2) for letter in "abc"]

    def user(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(6):
            wanted = chance.sample(names, k=chance.choice((1, 2)))
            with cache.use(wanted) as models:
                assert set(wanted) <= set(cache.resident)
                assert set(models) == set(wanted)
                assert cache.used <= 4 * KB
                time.sleep(0.0005)

    with ThreadPoolExecutor(5) as pool:
        for outcome in [pool.submit(user, seed) for seed in range(5)]:
            outcome.result(timeout=60)
    assert cache.used <= 4 * KB


def test_it_says_what_it_loads_and_when_that_is_over(make_cache: MakeCache) -> None:
    heard: list[str] = []
    cache = make_cache(on_load=heard.append, on_ready=lambda: heard.append("ready"))
    with cache.use([A, B]):
        pass
    with cache.use([A]):
        pass
    with pytest.raises(ArmatureError), cache.use([BROKEN]):
        pass
    assert heard == [
        *("Pocket: control 1a", "Pocket: control 1b", "ready"),
        *("Pocket: control broken", "ready"),
    ]


def test_low_precision_is_laid_out_with_channels_last(
    store: Store, pictures: PictureStore, cpu: Device
) -> None:
    low = replace(cpu, dtype=torch.bfloat16, channels_last=True)
    cache = ModelCache(store, pictures, low, load=lambda store, key, dtype: nn.Conv2d(4, 8, 3, dtype=dtype))
    with cache.use([A]) as models:
        weight = models[A].get_parameter("weight")
        assert weight.dtype == torch.bfloat16
        assert weight.is_contiguous(memory_format=torch.channels_last)


def test_shared_tensors_count_once() -> None:
    first, second = nn.Linear(10, 10, bias=False), nn.Linear(10, 10, bias=False)
    assert bytes_of(nn.ModuleList([first, second])) == 800
    second.weight = first.weight
    assert bytes_of(nn.ModuleList([first, second])) == 400


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0.0 KB"), (1500, "1.5 KB"), (2_000_000, "2.0 MB"), (5e9, "5.0 GB")]
)
def test_bytes_are_written_for_people(size: int, words: str) -> None:
    assert in_words(size) == words
