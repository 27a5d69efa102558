"""Another VAE: it takes the place of the model's while it is asked for, and what does not fit is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from annotators.base import Pixels
from errors import ArmatureError
from models.store import Store
from pipelines import a1111, own_files
from pipelines.cache import ModelCache
from pipelines.generate import generate
from pipelines.pictures import PictureStore
from pipelines.request import GenerateRequest, Result
from tests import tiny_family
from tests.conftest import MakeRequest
from tests.models import made_files
from tests.models.made_files import write

FILE = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The tiny family, its own VAE as a file beside it, and one whose last layer answers the opposite."""
    weights: Path = tmp_path_factory.mktemp("weights")
    tiny_family.write(weights)
    tensors = load_file(Store(weights).base("pocket") / "vae" / FILE)
    folder = weights / "vaes"
    folder.mkdir()
    save_file(tensors, folder / "same.safetensors")
    opposite = {name: -one if name.startswith("decoder.conv_out.") else one for name, one in tensors.items()}
    save_file(opposite, folder / "opposite.safetensors")
    spoilt = {name: one / 0 if name == "decoder.conv_in.bias" else one for name, one in tensors.items()}
    save_file(spoilt, folder / "spoilt.safetensors")
    return Store(weights)


@pytest.fixture
def cache(store: Store, pictures: PictureStore, cpu: Any) -> ModelCache:
    """A cache for that family."""
    return ModelCache(store, pictures, cpu)


def painted(request: GenerateRequest, cache: ModelCache) -> Pixels:
    """The picture of a request that has gone through JSON."""
    *_, result = generate(GenerateRequest.from_json(request.to_json()), cache)
    assert isinstance(result, Result)
    return result.images[0]


def test_the_same_in_a_file_makes_the_same_picture(cache: ModelCache, make_request: MakeRequest) -> None:
    plain, same = (painted(make_request(vae=vae), cache) for vae in (None, "same"))
    assert np.array_equal(plain, same)


def test_another_one_decodes_and_the_models_own_again(cache: ModelCache, make_request: MakeRequest) -> None:
    """Its last layer has the other sign: each pixel is the negative of what it was."""
    before, negative, after = (painted(make_request(vae=vae), cache) for vae in (None, "opposite", None))
    assert np.abs(before.astype(int) + negative - 255).max() <= 1
    assert np.array_equal(before, after)
    assert [key.name for key in cache.resident if key.part == "unet"] == [""]


def test_a_file_that_was_replaced_is_read_anew(
    store: Store, cache: ModelCache, make_request: MakeRequest
) -> None:
    place = store.weights / "vaes" / "new.safetensors"
    place.write_bytes((place.parent / "same.safetensors").read_bytes())
    first = painted(make_request(vae="new"), cache)
    place.unlink()
    place.write_bytes((place.parent / "opposite.safetensors").read_bytes())
    assert not np.array_equal(painted(make_request(vae="new"), cache), first)
    place.unlink()


def wide(path: Path) -> None:
    """Of another family: 16 channels."""
    write(path, made_files.vae(16)[1])


def large(path: Path) -> None:
    """Stable Diffusion's, which is not the tiny family's."""
    write(path, made_files.vae()[1])


def unlike(path: Path) -> None:
    """No VAE at all."""
    write(path, made_files.control()[1])


@pytest.mark.parametrize(
    ("made", "code"), [(wide, "MODEL_PAIRING"), (large, "MODEL_KEYS"), (unlike, "MODEL_ARCH")]
)
def test_what_does_not_fit_is_refused(
    made: Callable[[Path], None], code: str, store: Store, cache: ModelCache, make_request: MakeRequest
) -> None:
    made(store.weights / "vaes" / "wrong.safetensors")
    with pytest.raises(ArmatureError) as refusal:
        painted(make_request(vae="wrong"), cache)
    assert refusal.value.code.name == code
    assert refusal.value.todo


@pytest.mark.parametrize("name", ["sam", "../vaes/same", "same.safetensors", "/etc/passwd"])
def test_a_name_that_is_not_there_is_refused_before_it_waits(
    name: str, store: Store, make_request: MakeRequest
) -> None:
    with pytest.raises(ArmatureError) as refusal:
        own_files.require(store, make_request(vae=name))
    assert refusal.value.code.name == "MODEL_MISSING"
    assert "same" in refusal.value.allowed


def test_row_79_numbers_that_are_none_never_make_a_black_picture(
    cache: ModelCache, make_request: MakeRequest
) -> None:
    with pytest.raises(ArmatureError) as refusal:
        painted(make_request(vae="spoilt"), cache)
    assert refusal.value.code.name == "MODEL_NUMERIC"


def test_other_tools_are_told_its_name_and_the_skipped_layers(make_request: MakeRequest) -> None:
    request = replace(make_request(vae="opposite"), clip_skip=1)
    said = a1111.parameters(request, 7)
    assert "VAE: opposite" in said
    assert "Clip skip: 2" in said
