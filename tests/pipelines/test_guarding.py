"""Pictures that are held back: closed without the checker, one by one with it, and nothing of them stays."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from errors import ArmatureError
from gate import LIMITS
from models.loading import load
from models.safety import Checker
from models.store import Store
from pipelines import guarding, home
from pipelines.bundles import named
from pipelines.cache import ModelCache
from pipelines.fetching import Fetching
from pipelines.generate import generate
from pipelines.metadata import memory_from_png
from pipelines.pictures import PictureStore
from pipelines.request import GenerateRequest, Result, Saved
from pipelines.request.intake import Desk
from pipelines.request.safety import is_checked
from pipelines.runner import KeepFinished
from pipelines.shelf import WeightsShelf
from pipelines.worker import Worker
from settings import Settings
from tests import tiny_family, tiny_safety
from tests.conftest import MakeRequest


@pytest.fixture
def weights(tmp_path: Path, store: Store) -> Store:
    """The tiny family, without a checker."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "pocket").symlink_to(store.weights / "pocket")
    return Store(tmp_path / "weights")


@pytest.fixture
def lively(weights: Store, pictures: PictureStore, cpu: Any) -> ModelCache:
    """A cache of its own, since each test has another checker."""
    return ModelCache(weights, pictures, cpu)


def at_work(
    cache: ModelCache, folder: Path, request: GenerateRequest, *, safety: bool = False
) -> Iterator[Any]:
    """What a worker says of a job."""
    worker = Worker(
        weights=cache.store.weights,
        outputs=folder,
        folder=folder,
        device="cpu",
        family="pocket",
        safety=safety,
    )
    return worker._generate("0" * 32, request, cache)


def threshold_between(cache: ModelCache, images: list[Any]) -> float:
    """A threshold of all concepts that flags the picture which is nearest to any, and no other."""
    tiny_safety.write(cache.store)
    checker = load(cache.store, guarding.KEY, torch.float32)
    assert isinstance(checker, Checker)
    first, second, *_ = sorted(checker.nearness(images)[1].max(axis=1), reverse=True)
    assert first - second > 0.002, "far enough apart to be told by three digits"
    return float(first + second) / 2


def unchecked(cache: ModelCache, request: GenerateRequest) -> list[Any]:
    """The pictures of a request that nobody checks, RGB uint8 (H, W, 3)."""
    *_, result = generate(request, cache)
    assert isinstance(result, Result)
    return list(result.images)


def test_without_the_checker_nothing_is_even_loaded(
    make_request: MakeRequest, lively: ModelCache, tmp_path: Path
) -> None:
    events = at_work(lively, tmp_path / "out", make_request(safety=True))
    with pytest.raises(ArmatureError) as refusal:
        list(events)
    assert refusal.value.code.name == "MODEL_MISSING"
    assert "weights get safety" in refusal.value.message
    assert lively.resident == ()
    assert not (tmp_path / "out").exists()


def test_a_flagged_picture_is_left_out_and_named_and_the_others_stay(
    make_request: MakeRequest, lively: ModelCache, tmp_path: Path
) -> None:
    request = make_request(count=3, safety=True, width=128, height=128)
    images = unchecked(lively, request)
    tiny_safety.write(lively.store, threshold=threshold_between(lively, images))
    checker = load(lively.store, guarding.KEY, torch.float32)
    assert isinstance(checker, Checker)
    (bad,) = [index for index, image in enumerate(images) if checker.flags(image)]
    *events, saved = at_work(lively, tmp_path / "out", request)
    assert isinstance(saved, Saved)
    assert [image.seed for image in saved.images] == [s for i, s in enumerate(request.seeds) if i != bad]
    (notice,) = saved.notices
    assert notice.startswith("CONTENT_BLOCKED: ")
    assert f"picture {bad + 1}, of seed {request.seeds[bad]}." in notice
    assert len(list((tmp_path / "out").glob("*-seed*.png"))) == 2
    for image in saved.images:
        memory = memory_from_png(image.path)
        assert memory.request.seeds[memory.image] == memory.seed == image.seed
    assert "checking" in [event.stage for event in events]


def test_before_it_is_checked_nothing_is_shown(
    make_request: MakeRequest, lively: ModelCache, tmp_path: Path
) -> None:
    tiny_safety.write(lively.store)
    request = make_request(steps=3)
    for safety, shown in ((False, True), (True, False)):
        *events, saved = at_work(lively, tmp_path / "out", replace(request, safety=safety))
        assert any(event.preview is not None for event in events) is shown
        assert not any(event.made for event in events)
        assert len(saved.images) == 1


def test_where_all_are_flagged_the_job_fails_with_its_code_and_leaves_no_file(
    make_request: MakeRequest, lively: ModelCache, tmp_path: Path
) -> None:
    tiny_safety.write(lively.store, threshold=tiny_safety.ALWAYS)
    with pytest.raises(ArmatureError, match="seeds 7, 8") as refusal:
        list(at_work(lively, tmp_path / "out", make_request(count=2, safety=True)))
    assert refusal.value.code.name == "CONTENT_BLOCKED"
    assert refusal.value.code.status == 451
    assert not list(tmp_path.glob("out/**/*.png"))
    tiny_safety.write(lively.store)


def test_what_was_finished_when_it_was_stopped_is_checked_too(
    make_request: MakeRequest, lively: ModelCache, tmp_path: Path
) -> None:
    for threshold, kept in ((tiny_safety.NEVER, 1), (tiny_safety.ALWAYS, 0)):
        tiny_safety.write(lively.store, threshold=threshold)
        cache = ModelCache(lively.store, lively.pictures, lively.device)
        events = at_work(
            cache, tmp_path / f"out{kept}", make_request(count=2, width=512, height=512, safety=True)
        )
        assert sum(event.stage == "decoding" for event in _until_one_is_made(events)) == 2
        if kept:
            saved = events.throw(KeepFinished())  # type: ignore[attr-defined]
            assert len(saved.images) == kept
        else:
            with pytest.raises(ArmatureError, match="CONTENT_BLOCKED"):
                events.throw(KeepFinished())  # type: ignore[attr-defined]
        assert len(list((tmp_path / f"out{kept}").glob("*-seed*.png"))) == kept


def _until_one_is_made(events: Iterator[Any]) -> Iterator[Any]:
    seen = 0
    for event in events:
        yield event
        seen += event.stage == "decoding"
        if seen == 2:
            return


def test_a_checker_that_is_damaged_is_closed_too(
    make_request: MakeRequest, lively: ModelCache, tmp_path: Path
) -> None:
    tiny_safety.write(lively.store)
    (lively.store.safety / "safety_checker" / "model.safetensors").write_bytes(b"")
    with pytest.raises(ArmatureError, match="MODEL_CORRUPT"):
        list(at_work(lively, tmp_path / "out", make_request(safety=True)))
    assert lively.resident == ()


def test_what_ships_is_exempt_and_anything_of_ones_own_beside_it_is_not(make_request: MakeRequest) -> None:
    request = make_request()
    own = replace(request.controls[0], control="mine")
    assert not is_checked(request, demanded=True)
    assert is_checked(replace(request, safety=True), demanded=False)
    for other in (
        replace(request, family="sd15"),
        replace(request, base="mine.safetensors"),
        replace(request, vae="mine.safetensors"),
        replace(request, loras=(("mine", 0.8),)),
        replace(request, controls=(own,)),
    ):
        assert is_checked(other, demanded=True)
        assert not is_checked(other, demanded=False), "at home it is a choice"


def test_a_worker_that_is_told_to_checks_whatever_the_request_says(
    make_request: MakeRequest, lively: ModelCache, tmp_path: Path
) -> None:
    """A job may have waited since a start that was for its owner."""
    *_, saved = at_work(lively, tmp_path / "out", make_request(), safety=True)
    assert len(saved.images) == 1, "the built-in family works without the checker"
    with pytest.raises(ArmatureError, match="weights get safety"):
        list(at_work(lively, tmp_path / "out", make_request(family="sd15"), safety=True))


# Before a job is made


def desk_of(store: Store, folder: Path, profile: Any) -> Desk:
    """A desk of a profile over a folder of weights."""
    return Desk(PictureStore(folder), LIMITS[profile], require_safety=store.require_safety)


@pytest.mark.parametrize("profile", ["local", "lan", "public"])
def test_only_the_public_profile_demands_it(profile: Any, make_request: MakeRequest, tmp_path: Path) -> None:
    store = Store(tmp_path / "weights")
    desk = desk_of(store, tmp_path, profile)
    full, pocket = make_request(family="sd15", width=256, height=256), make_request(width=128, height=128)
    assert desk.accepted(pocket) == pocket
    if profile != "public":
        assert desk.accepted(full) == full
        with pytest.raises(ArmatureError, match="MODEL_MISSING"):
            desk.accepted(replace(full, safety=True))
    else:
        with pytest.raises(ArmatureError, match="MODEL_MISSING"):
            desk.accepted(full)
    tiny_safety.write(store)
    assert desk.accepted(full).safety is (profile == "public")
    assert desk.accepted(replace(full, safety=True)).safety


def test_a_tab_lacks_the_checker_where_it_is_demanded(tmp_path: Path) -> None:
    store = Store(tmp_path / "weights")
    tiny_family.write(store.weights, "sd15", "canny")
    tiny_family.write(store.weights, "pocket", "lines")
    shelf = WeightsShelf(fetching=Fetching(weights=store.weights, hub=Settings().hub), open=True, safety=True)
    lack = home.lack(store, "sd15", "canny", safety=True)
    assert lack is not None
    assert "weights get safety" in lack.message
    assert shelf.lacking_of_model("sd15", "canny")[-1] == "safety"
    assert home.lack(store, "sd15", "canny") is None
    assert home.lack(store, "pocket", "canny", safety=True) is None
    assert "safety" not in shelf.lacking_of_model("pocket", "canny")
    tiny_safety.write(store)
    assert home.lack(store, "sd15", "canny", safety=True) is None
    assert "safety" not in shelf.lacking_of_model("sd15", "canny")


def test_it_can_be_fetched_by_its_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "weights")
    (bundle,) = named(store, ["safety"])
    assert [file.path for file in bundle.missing] == [
        "feature_extractor/preprocessor_config.json",
        "safety_checker/config.json",
        "safety_checker/model.fp16.safetensors",
    ]
    assert {file.repo for file in bundle.files} == {"stable-diffusion-v1-5/stable-diffusion-v1-5"}
    tiny_safety.write(store, half=True)
    assert bundle.missing == (), "half precision serves as well"
    assert store.safety_missing() == ()
