"""Only what is needed runs: the calls of every network in a run, and models that are loaded once."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from conditions import CONDITIONS
from errors import ArmatureError
from models.catalogue import FAMILIES
from models.device import Device
from models.store import Store
from pipelines.cache import ModelCache
from pipelines.generate import generate
from pipelines.pictures import PictureStore
from pipelines.request import ControlUnit, GenerateRequest, Result
from tests import tiny_family
from tests.conftest import drawn_map
from tests.pipelines.counting import counting
from tests.pipelines.references import Studio, studio
from tests.serving import ROOT

SHIPPED = Store(ROOT / "weights")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A tiny family with three controls."""
    return studio(tmp_path_factory.mktemp("crowd"))


def calls(request: GenerateRequest, cache: ModelCache) -> dict[str, list[int]]:
    """The rows of each call of each network in a run; the networks that were not called are left out."""
    with counting(request, cache) as counted:
        *_, result = generate(request, cache)
    assert isinstance(result, Result)
    return {name: rows for name, rows in counted.items() if rows}


def test_a_picture_in_four_steps(crowd: Studio) -> None:
    request = crowd.request(crowd.unit("canny"), prompt="a new prompt", negative_prompt="another")
    expected = {
        "text": [1, 1],
        "lines hint": [1],
        "lines encoder": [2] * 4,
        "unet": [2] * 4,
        "decode": [1],
    }
    assert calls(request, crowd.cache) == expected
    del expected["text"]  # the same prompts again
    assert calls(request, crowd.cache) == expected


def test_pictures_of_one_map_share_what_its_hint_network_saw(crowd: Studio) -> None:
    counted = calls(crowd.request(crowd.unit("canny"), count=3), crowd.cache)
    assert counted["lines hint"] == [1]
    assert counted["lines encoder"] == counted["unet"] == [6] * 4
    assert counted["decode"] == [1] * 3


def test_pictures_one_after_the_other_share_it_too(crowd: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.generate.PIXELS_AT_ONCE", {"cpu": 64 * 64})
    counted = calls(crowd.request(crowd.unit("canny"), count=3), crowd.cache)
    assert counted["lines hint"] == [1]
    assert counted["unet"] == [2] * 12


def test_without_guidance_there_is_no_other_half(crowd: Studio) -> None:
    request = crowd.request(crowd.unit("canny"), guidance=1.0, prompt="p1", negative_prompt="p2")
    counted = calls(request, crowd.cache)
    assert counted["text"] == [1]
    assert counted["unet"] == counted["lines encoder"] == [1] * 4


@pytest.mark.parametrize("mode", ["control", "strict", "guess"])
def test_a_control_that_acts_on_one_half_runs_on_one(mode: str, crowd: Studio) -> None:
    counted = calls(crowd.request(crowd.unit("canny", mode=mode), count=2), crowd.cache)
    assert counted["unet"] == [4] * 4
    assert counted["lines encoder"] == [2] * 4


def test_a_control_runs_while_it_holds(crowd: Studio) -> None:
    units = (
        crowd.unit("canny", end=0.5),
        crowd.unit("depth", start=0.75),
        crowd.unit("normal", strength=0),
        crowd.unit("canny", layer_weights=(0.0,) * 5),
    )
    counted = calls(crowd.request(*units, steps=8), crowd.cache)
    assert counted["lines hint"] == counted["depth hint"] == [1]
    assert len(counted["lines encoder"]) == 4
    assert len(counted["depth encoder"]) == 2
    assert "normal hint" not in counted
    assert "normal encoder" not in counted
    assert len(counted["unet"]) == 8


def test_a_control_that_holds_in_no_step_is_told(crowd: Studio) -> None:
    request = crowd.request(crowd.unit("canny", start=0.4, end=0.6), crowd.unit("depth"), steps=6)
    *_, result = generate(request, crowd.cache)
    assert isinstance(result, Result)
    (words,) = result.notices
    assert words.startswith("Canny was not followed: from 0.4 until 0.6")
    (longer,) = (replace(unit, end=0.7) for unit in request.controls[:1])
    for silent in (longer, replace(request.controls[0], strength=0.0)):
        *_, result = generate(replace(request, controls=(silent,)), crowd.cache)
        assert isinstance(result, Result)
        assert not result.notices


@pytest.fixture(scope="module", params=["pocket", "sd15"])
def everything(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Store, list[str]]:
    """A tiny family with all of its controls, under the names of a real one; and what it can do."""
    family = request.param
    weights = tmp_path_factory.mktemp(family)
    able = [name for name, condition in CONDITIONS.items() if family in condition.controls]
    first, *others = dict.fromkeys(CONDITIONS[name].control(family).name for name in able)
    tiny_family.write(weights, family, first)
    store = Store(weights)
    for other in others:
        shutil.copytree(store.control(family, first), store.control(family, other))
    return family, store, able


def wander(family: str, able: list[str], cache: ModelCache, most: int, side: int = 64) -> None:
    """A picture of each condition, twice; never is more resident than `most` bytes."""
    digest = cache.pictures.put(drawn_map(side, side))
    for condition in able * 2:
        hole = digest if CONDITIONS[condition].has_hole else None
        request = GenerateRequest(
            prompt="a house",
            controls=(ControlUnit(condition=condition, map=digest),),
            width=side,
            height=side,
            family=family,
            steps=1,
            seed=7,
            init=hole,
            mask=hole,
        )
        for _ in generate(request, cache):
            assert cache.used <= most


def made_cache(store: Store, folder: Path, budget: int) -> tuple[ModelCache, list[str]]:
    """A cache with a budget, and what it says that it loads."""
    loads: list[str] = []
    device = Device(name="cpu", title="CPU", dtype=torch.float32, budget=budget)
    return ModelCache(store, PictureStore(folder), device, on_load=loads.append), loads


def test_every_model_is_loaded_once_where_all_have_room(
    everything: tuple[str, Store, list[str]], tmp_path: Path
) -> None:
    family, store, able = everything
    assert family != "sd15" or len(able) == len(CONDITIONS) == 15
    cache, loads = made_cache(store, tmp_path, 10**9)
    wander(family, able, cache, 10**9)
    controls = {CONDITIONS[name].control(family).name for name in able}
    assert len(loads) == len(set(loads)) == 3 + len(controls)


def test_the_budget_is_kept_where_they_have_not(
    everything: tuple[str, Store, list[str]], tmp_path: Path
) -> None:
    family, store, able = everything
    cache, _ = made_cache(store, tmp_path, 10**9)
    wander(family, able[:1], cache, 10**9)
    base_and_one = cache.used
    roomy, loads = made_cache(store, tmp_path, int(base_and_one * 1.3))
    wander(family, able, roomy, int(base_and_one * 1.3))
    base = [name for name in loads if "control" not in name]
    assert len(base) == len(set(base)) == 3, "the base stays, since every picture needs it"
    assert len(loads) > 3 + len(able) or family != "sd15", "controls came and went"


@pytest.mark.skipif(not SHIPPED.has("pocket"), reason="the built-in family is not here")
def test_the_built_in_family_is_loaded_once_and_keeps_its_budget(tmp_path: Path) -> None:
    """Through all fifteen tabs, twice: what it lacks is refused in words, and nothing is loaded for that."""
    able = [name for name, condition in CONDITIONS.items() if "pocket" in condition.controls]
    side = FAMILIES["pocket"].side
    cache, loads = made_cache(SHIPPED, tmp_path, 10**9)
    wander("pocket", able, cache, 10**9, side)
    for name in (name for name in CONDITIONS if name not in able):
        unit = ControlUnit(condition=name, map=cache.pictures.put(drawn_map(side, side)))
        request = GenerateRequest(prompt="a house", controls=(unit,), width=side, height=side, seed=7)
        with pytest.raises(ArmatureError, match=f"has no control for {CONDITIONS[name].title}") as refusal:
            list(generate(request, cache))
        assert refusal.value.code.name == "MODEL_MISSING"
        assert refusal.value.todo
    controls = {CONDITIONS[name].control("pocket").name for name in able}
    assert 3 + len(controls) == len(loads) == len(set(loads))
    tight = int(cache.used * 0.6)
    narrow, again = made_cache(SHIPPED, tmp_path, tight)
    wander("pocket", able, narrow, tight, side)
    base = [name for name in again if "control" not in name]
    assert len(base) == len(set(base)) == 3
    assert len(again) > len(loads), "controls came and went"
