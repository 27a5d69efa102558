"""The safety checker: its rule is diffusers', with random weights, and nothing gets past it by being odd."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from errors import ArmatureError
from models.loading import ModelKey, load
from models.safety import Checker, is_flagged, views
from models.store import Store
from tests import tiny_safety

KEY = ModelKey(part="safety")
Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("weights"))
    tiny_safety.write(store)
    return store


@pytest.fixture(scope="module")
def checker(store: Store) -> Checker:
    found = load(store, KEY, torch.bfloat16)
    assert isinstance(found, Checker)
    return found


def drawn(seed: int, height: int = 64, width: int = 64) -> Pixels:
    """A picture of large random patches, RGB uint8 (height, width, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.NEAREST))


def theirs(checker: Checker, pictures: list[Pixels]) -> list[bool]:
    """What diffusers' own class says, as its pipeline asks it."""
    images = [Image.fromarray(picture) for picture in pictures]
    pixels = checker.processor(images, return_tensors="pt").pixel_values
    black = [np.zeros((1, 1, 3)) for _ in pictures]
    _, flagged = checker.network(clip_input=pixels, images=black)
    return [bool(one) for one in flagged]


def test_it_is_loaded_from_the_names_on_the_hub_in_float32_and_frozen(checker: Checker) -> None:
    parameters = list(checker.parameters())
    assert parameters
    assert all(one.dtype == torch.float32 and not one.requires_grad for one in parameters)
    assert checker.processor.crop_size["height"] == tiny_safety.SIDE
    assert checker.network.vision_model.embeddings.position_embedding.weight.shape == (5, 32)
    assert str(KEY) == "safety checker"


def test_its_weights_are_those_of_the_file(store: Store, checker: Checker) -> None:
    from safetensors.torch import load_file

    wrote = load_file(store.safety / "safety_checker" / "model.safetensors")
    name = "encoder.layers.0.mlp.fc1.weight"
    assert torch.equal(
        checker.network.vision_model.get_parameter(name), wrote[f"vision_model.vision_model.{name}"]
    )
    assert torch.equal(checker.network.concept_embeds, wrote["concept_embeds"])


@pytest.mark.parametrize("seed", range(6))
def test_the_rule_is_that_of_diffusers(seed: int, checker: Checker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thresholds near what the pictures have, so that each decides about some, and care tips others."""
    pictures = [drawn(100 * seed + index) for index in range(12)]
    special, concepts = checker.nearness(pictures)
    chance = torch.Generator().manual_seed(seed)

    def near(seen: NDArray[np.float32]) -> torch.Tensor:
        highest = torch.as_tensor(seen).quantile(0.95, dim=0)
        return highest + 0.01 * torch.randn(highest.shape, generator=chance)

    network: Any = checker.network
    monkeypatch.setattr(network.special_care_embeds_weights, "data", near(special))
    monkeypatch.setattr(network.concept_embeds_weights, "data", near(concepts))
    wanted = theirs(checker, pictures)
    assert 0 < sum(wanted) < len(pictures), "some are flagged and some are not"
    assert [checker.flags(picture) for picture in pictures] == wanted


def test_special_care_lowers_every_threshold_by_a_hundredth() -> None:
    concepts, thresholds = np.full(17, 0.2, np.float32), np.full(17, 0.208, np.float32)
    cares = np.full(3, 0.3, np.float32)
    assert not is_flagged(np.full(3, 0.29, np.float32), concepts, cares, thresholds)
    assert is_flagged(np.array([0.29, 0.29, 0.31], np.float32), concepts, cares, thresholds)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", ["special", "concepts"])
def test_numbers_that_are_none_flag_a_picture(odd: float, place: str) -> None:
    numbers = {"special": np.zeros(3, np.float32), "concepts": np.zeros(17, np.float32)}
    bounds = np.ones(3, np.float32), np.ones(17, np.float32)
    assert not is_flagged(numbers["special"], numbers["concepts"], *bounds)
    numbers[place][1] = odd
    assert is_flagged(numbers["special"], numbers["concepts"], *bounds)


@pytest.mark.parametrize(
    ("height", "width", "count"), [(64, 64, 1), (64, 96, 3), (96, 64, 3), (64, 192, 4), (256, 100, 4)]
)
def test_every_part_of_a_picture_is_in_a_view(height: int, width: int, count: int) -> None:
    picture = np.arange(height * width, dtype=np.uint32).reshape(height, width)
    whole, *squares = views(picture)  # type: ignore[arg-type]
    assert whole is picture
    assert len(squares) + 1 == count
    side = min(height, width)
    assert all(square.shape == (side, side) for square in squares)
    seen = set().union(*(square.ravel().tolist() for square in squares)) if squares else set()
    assert not squares or seen == set(range(height * width))


def test_what_is_at_the_edge_of_a_wide_picture_counts(
    checker: Checker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """diffusers looks at the middle square alone."""
    bad, good = drawn(1), np.full((64, 64, 3), 128, np.uint8)
    wide = np.concatenate((bad, good, good), axis=1)
    (near_bad, near_good) = checker.nearness([bad, good])[1]
    concept = int((near_bad - near_good).argmax())
    thresholds = torch.full((17,), tiny_safety.NEVER)
    thresholds[concept] = float(near_bad[concept] + near_good[concept]) / 2
    network: Any = checker.network
    monkeypatch.setattr(network.concept_embeds_weights, "data", thresholds)
    assert theirs(checker, [bad, wide]) == [True, False]
    assert checker.flags(wide)
    assert not checker.flags(np.concatenate((good, good, good), axis=1))


def test_half_precision_files_load_under_their_own_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    tiny_safety.write(store, threshold=tiny_safety.ALWAYS, half=True)
    found = load(store, KEY, torch.float32)
    assert isinstance(found, Checker)
    assert next(found.parameters()).dtype == torch.float32
    assert found.flags(drawn(1))


def test_without_its_files_it_is_refused_with_the_way_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(ArmatureError) as refusal:
        load(Store(tmp_path / "weights"), KEY, torch.float32)
    assert refusal.value.code.name == "MODEL_MISSING"
    assert "cli.py weights get safety in the project's folder" in refusal.value.message
    assert "safety_checker/model.safetensors" in refusal.value.message
    assert str(tmp_path) not in refusal.value.message


@pytest.mark.parametrize(
    "name",
    [
        "safety_checker/model.safetensors",
        "safety_checker/config.json",
        "feature_extractor/preprocessor_config.json",
    ],
)
def test_a_damaged_file_is_refused_in_words(name: str, store: Store, tmp_path: Path) -> None:
    shutil.copytree(store.weights, tmp_path / "weights")
    copy = Store(tmp_path / "weights")
    (copy.safety / name).write_text("{")
    with pytest.raises(ArmatureError, match="safety checker can't be read") as refusal:
        load(copy, KEY, torch.float32)
    assert refusal.value.code.name == "MODEL_CORRUPT"


def test_a_file_without_some_tensor_is_refused(store: Store, tmp_path: Path) -> None:
    """Else random numbers would take its place, and the checker would pass anything."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(store.weights, tmp_path / "weights")
    path = Store(tmp_path / "weights").safety / "safety_checker" / "model.safetensors"
    tensors = load_file(path)
    del tensors["concept_embeds_weights"]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ArmatureError) as refusal:
        load(Store(tmp_path / "weights"), KEY, torch.float32)
    assert refusal.value.code.name == "MODEL_CORRUPT"
