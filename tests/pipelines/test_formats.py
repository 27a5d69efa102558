"""Files whose numbers are stored in an unusual format: converted, and told with each picture."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.store import Store
from pipelines.cache import ModelCache
from pipelines.generate import generate
from pipelines.pictures import PictureStore
from pipelines.request import GenerateRequest, Result
from tests import tiny_family
from tests.conftest import MakeRequest
from tests.made_loras import factors, peft
from tests.models.test_single_file import checkpoint_of
from tests.pipelines.test_equality import loaded_pipeline

F64, F32, F16 = torch.float64, torch.float32, torch.float16
FILE = "diffusion_pytorch_model.safetensors"
Tensors = dict[str, torch.Tensor]


@pytest.fixture
def weights(store: Store, tmp_path: Path) -> Store:
    """The tiny family, free to be changed."""
    return Store(Path(shutil.copytree(store.weights, tmp_path / "weights")))


@pytest.fixture
def cache(weights: Store, pictures: PictureStore, cpu: Any) -> ModelCache:
    """A cache for that family."""
    return ModelCache(weights, pictures, cpu)


def stored(tensors: Tensors, path: Path, dtype: torch.dtype, *, every: int = 1) -> None:
    """A file of these tensors; one of `every` so many of those with a point is in a format."""
    names = [name for name, tensor in tensors.items() if tensor.is_floating_point()][::every]
    path.parent.mkdir(exist_ok=True)
    changed = tensors | {name: tensors[name].to(dtype) for name in names}
    save_file({name: tensor.contiguous() for name, tensor in changed.items()}, path)


def told(request: GenerateRequest, cache: ModelCache) -> tuple[str, ...]:
    """The notices of a request's result."""
    *_, result = generate(request, cache)
    assert isinstance(result, Result)
    return result.notices


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (torch.float64, "float64"),
        (torch.float8_e4m3fn, "float8 (E4M3)"),
        (torch.float8_e5m2, "float8 (E5M2)"),
    ],
)
def test_row_88_a_base_in_an_unusual_format_is_told_with_every_picture(
    dtype: torch.dtype, name: str, weights: Store, cache: ModelCache, make_request: MakeRequest
) -> None:
    """Three parts of it are loaded, and it is said once; also of what is in memory already."""
    words = f"mine.safetensors is stored in {name}, and was converted to float32."
    stored(checkpoint_of(weights.base("pocket")), weights.own_bases / "mine.safetensors", dtype)
    request = make_request(steps=1, base="mine.safetensors")
    assert told(request, cache) == told(request, cache) == (words,)
    assert told(make_request(steps=1), cache) == ()


def test_row_88_formats_that_are_mixed_are_told(
    weights: Store, cache: ModelCache, make_request: MakeRequest
) -> None:
    tensors = load_file(weights.base("pocket") / "vae" / FILE)
    stored(tensors, weights.weights / "vaes" / "mine.safetensors", torch.bfloat16, every=2)
    (words,) = told(make_request(steps=1, vae="mine"), cache)
    assert words.startswith("mine.safetensors is stored in ")
    assert words.endswith(", and was converted to float32.")
    assert {"float32", "bfloat16"} <= set(words.partition(", ")[0].split())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_row_88_a_usual_format_is_not_worth_a_word(
    dtype: torch.dtype, weights: Store, cache: ModelCache, make_request: MakeRequest
) -> None:
    stored(checkpoint_of(weights.base("pocket")), weights.own_bases / "mine.safetensors", dtype)
    assert told(make_request(steps=1, base="mine.safetensors"), cache) == ()


def test_row_88_the_parts_of_a_folder_may_differ_and_each_is_told_by_its_name(
    weights: Store, cache: ModelCache, make_request: MakeRequest
) -> None:
    """The Hub has some parts in half precision only, and others not: that is as usual."""
    vae, unet = (weights.base("pocket") / part / FILE for part in ("vae", "unet"))
    stored(load_file(vae), vae, F16)
    assert told(make_request(steps=1), cache) == ()
    cache.unload()
    stored(load_file(unet), unet, F64)
    control = weights.control("pocket", "lines") / FILE
    stored(load_file(control), control, F64)
    assert told(make_request(steps=1), cache) == (
        "Pocket: U-Net is stored in float64, and was converted to float32.",
        "Pocket: control lines is stored in float64, and was converted to float32.",
    )


def test_row_88_loras_and_textual_inversions_are_told_as_well(
    weights: Store, cache: ModelCache, make_request: MakeRequest
) -> None:
    found = dict(peft("unet", factors(loaded_pipeline(weights).unet)))
    stored(found, weights.weights / "loras" / "ink.safetensors", F64)
    toy = torch.ones(1, tiny_family.TEXT_WIDTH)
    stored({"toy": toy}, weights.weights / "embeddings" / "toy.safetensors", F64)
    request = make_request(steps=1, loras=(("ink", 1.0),))
    assert [notice.split()[0] for notice in told(request, cache)] == ["ink.safetensors"]
    notices = told(replace(request, prompt="a toy"), cache)
    assert [notice.split()[0] for notice in notices] == ["ink.safetensors", "toy.safetensors"]


def test_row_88_what_is_told_is_about_what_was_loaded(
    weights: Store, cache: ModelCache, make_request: MakeRequest
) -> None:
    """A base stays in use when another file takes its place, or none: row 92."""
    path = weights.own_bases / "mine.safetensors"
    stored(checkpoint_of(weights.base("pocket")), path, F64)
    request = make_request(steps=1, base="mine.safetensors")
    (words,) = told(request, cache)
    stored(checkpoint_of(weights.base("pocket")), path, F32)
    assert told(request, cache) == (words,)
    cache.unload()
    assert told(request, cache) == ()
