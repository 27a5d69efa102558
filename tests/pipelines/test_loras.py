"""LoRAs in a request: as diffusers would paint with them merged in, and taken back to the last bit."""

from collections.abc import Generator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from errors import ArmatureError
from gate import LIMITS
from models.loading import ModelKey, Text
from models.store import Store
from pipelines import a1111, own_files
from pipelines.cache import ModelCache
from pipelines.generate import borrow, generate
from pipelines.metadata import request_from_png, texts
from pipelines.pictures import PictureStore
from pipelines.request import GenerateRequest, Result
from pipelines.request.intake import Desk
from pipelines.results import write_png
from tests import made_loras, tiny_family
from tests.conftest import MakeRequest
from tests.made_loras import RANK, factors, kohya, merge, peft
from tests.pipelines.references import bound, distance, ours
from tests.pipelines.test_equality import loaded_pipeline, theirs


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The tiny family with LoRAs beside it: `ink` for both networks, `oil` and `wet` for one."""
    weights: Path = tmp_path_factory.mktemp("weights")
    tiny_family.write(weights)
    found = Store(weights)
    pipeline = loaded_pipeline(found)
    of_unet, of_text = factors(pipeline.unet), factors(pipeline.text_encoder, seed=1)
    made_loras.write(place(found, "ink"), kohya("unet", of_unet), kohya("text", bare(of_text)))
    made_loras.write(place(found, "oil"), peft("unet", factors(pipeline.unet, seed=2, convolutions=False)))
    made_loras.write(place(found, "wet"), peft("text", bare(factors(pipeline.text_encoder, seed=3))))
    return found


@pytest.fixture(scope="module")
def cache(store: Store, pictures: PictureStore, cpu: Any) -> ModelCache:
    """A cache for that family."""
    return ModelCache(store, pictures, cpu)


def place(store: Store, name: str) -> Path:
    """Where a LoRA of that name belongs."""
    return store.weights / "loras" / f"{name}.safetensors"


def bare(found: made_loras.Factors) -> made_loras.Factors:
    """The layers of a text encoder by their names inside of it, whichever version of transformers made it."""
    return {name.removeprefix("text_model."): pair for name, pair in found.items()}


def result(request: GenerateRequest, cache: ModelCache) -> Result:
    """What a request makes."""
    *_, last = generate(request, cache)
    assert isinstance(last, Result)
    return last


def merged(store: Store, weights: Mapping[str, float]) -> Any:
    """diffusers' own pipeline with the same numbers merged into its weights."""
    pipeline = loaded_pipeline(store)
    of_unet, of_text = factors(pipeline.unet), factors(pipeline.text_encoder, seed=1)
    oil = factors(pipeline.unet, seed=2, convolutions=False)
    wet = factors(pipeline.text_encoder, seed=3)
    merge(pipeline.unet, of_unet, weights.get("ink", 0) * 2 / RANK)
    merge(pipeline.text_encoder, of_text, weights.get("ink", 0) * 2 / RANK)
    merge(pipeline.unet, oil, weights.get("oil", 0))
    merge(pipeline.text_encoder, wet, weights.get("wet", 0))
    return pipeline


@pytest.mark.parametrize(
    "weights",
    [{"ink": 0.8}, {"ink": -0.5}, {"oil": 1.0}, {"wet": 1.0}, {"ink": 0.5, "oil": 0.3, "wet": 0.2}],
    ids=lambda weights: "-".join(weights),
)
def test_pictures_equal_those_of_diffusers_with_the_same_merged_in(
    weights: Mapping[str, float], store: Store, cache: ModelCache, make_request: MakeRequest
) -> None:
    request = make_request(scheduler="ddim", count=2, loras=tuple(weights.items()))
    plain = ours(replace(request, loras=()), cache)
    expected = theirs(merged(store, weights), request)
    assert distance(ours(request, cache), expected) <= bound(expected)
    assert distance(plain, expected) > 100 * bound(expected)


def test_afterwards_all_is_as_it_was_to_the_last_bit(cache: ModelCache, make_request: MakeRequest) -> None:
    request = make_request()
    base = [ModelKey(family="pocket", part=part) for part in ("unet", "text")]
    with cache.use(base) as lent:
        before = [{name: tensor.clone() for name, tensor in lent[key].state_dict().items()} for key in base]
    first = ours(request, cache)
    cast(Text, lent[base[1]]).kept.clear()
    for loras in ((("ink", 1.0),), (("oil", 0.7), ("ink", 0.2)), (("wet", 1.0),)):
        assert not torch.equal(ours(replace(request, loras=loras), cache), first)
        assert torch.equal(ours(request, cache), first)
    assert all(
        torch.equal(tensor, known[name])
        for key, known in zip(base, before, strict=True)
        for name, tensor in lent[key].state_dict().items()
    )
    assert not any(module._forward_hooks for key in base for module in lent[key].modules())


def test_a_run_that_is_left_in_the_middle_leaves_nothing_on(
    cache: ModelCache, make_request: MakeRequest
) -> None:
    first = ours(make_request(), cache)
    run = cast(Generator[Any], generate(make_request(loras=(("ink", 1.0),)), cache))
    for _ in range(3):
        next(run)
    assert torch.equal(ours(make_request(), cache), first)  # beside it
    run.close()
    assert torch.equal(ours(make_request(), cache), first)


def test_prompts_that_were_read_under_a_lora_are_kept_apart(
    cache: ModelCache, make_request: MakeRequest
) -> None:
    read: list[int] = []
    with borrow(make_request(), cache) as models:
        models.text.kept.clear()
        hook = models.text.encoder.register_forward_hook(lambda *_: read.append(1))
    for loras, reads in (
        ((), 2),
        ((("oil", 1.0),), 2),  # of the U-Net only: the text is what it was
        ((("wet", 1.0),), 4),
        ((("wet", 0.5),), 6),
        ((("wet", 1.0), ("oil", 0.1)), 6),
        ((), 6),
    ):
        ours(make_request(steps=1, loras=loras), cache)
        assert len(read) == reads
    hook.remove()


def test_a_lora_is_one_of_the_models_of_the_cache(cache: ModelCache, make_request: MakeRequest) -> None:
    ours(make_request(steps=1, loras=(("ink", 1.0),)), cache)
    (key,) = (key for key in cache.resident if key.name == "ink")
    assert str(key) == "LoRA ink"
    before = cache.used
    loads: list[str] = []
    cache._on_load = loads.append
    ours(make_request(steps=1, loras=(("ink", 0.1),)), cache)
    assert (loads, cache.used) == ([], before)


def test_a_file_that_was_replaced_is_read_anew(
    store: Store, cache: ModelCache, make_request: MakeRequest
) -> None:
    request = make_request(loras=(("new", 1.0),))
    unet = loaded_pipeline(store).unet
    answers = []
    for seed in (7, 8):
        made_loras.write(place(store, "new"), peft("unet", factors(unet, seed=seed, convolutions=seed == 7)))
        answers.append(ours(request, cache))
    assert not torch.equal(*answers)
    expected = loaded_pipeline(store)
    merge(expected.unet, factors(unet, seed=8, convolutions=False), 1.0)
    drawn = theirs(expected, replace(request, scheduler="ddim"))
    assert distance(ours(replace(request, scheduler="ddim"), cache), drawn) <= bound(drawn)


def test_what_has_no_place_in_the_model_is_said(
    store: Store, cache: ModelCache, make_request: MakeRequest
) -> None:
    found = factors(loaded_pipeline(store).unet)
    (name, pair), *_ = found.items()
    strange = {"down_blocks.9.attentions.0.proj_in": pair, "conv_norm_in": pair}
    made_loras.write(place(store, "half"), peft("unet", {name: pair} | strange))
    (notice,) = result(make_request(steps=1, loras=(("half", 1.0),)), cache).notices
    assert "2 parts of the LoRA half" in notice
    made_loras.write(place(store, "none"), peft("unet", strange))
    with pytest.raises(
        ArmatureError, match=r"none has no layer that this model has.*down_blocks\.9"
    ) as refusal:
        result(make_request(steps=1, loras=(("none", 1.0),)), cache)
    assert refusal.value.code.name == "MODEL_ARCH"


def test_a_lora_that_does_not_fit_is_refused_before_anything_is_loaded(
    store: Store, pictures: PictureStore, cpu: Any, make_request: MakeRequest
) -> None:
    wide = {"lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k": torch.zeros(RANK, 2048)}
    made_loras.write(place(store, "xl"), ((f"{stem}.lora_down.weight", down) for stem, down in wide.items()))
    fresh = ModelCache(store, pictures, cpu)
    for name, code in (("xl", "MODEL_PAIRING"), ("inc", "MODEL_MISSING")):
        request = make_request(loras=((name, 1.0),))
        for refuse in (lambda asked: result(asked, fresh), lambda asked: own_files.require(store, asked)):
            with pytest.raises(ArmatureError) as refusal:
                refuse(request)
            assert refusal.value.code.name == code
    assert fresh.resident == ()


def asked(desk: Desk, prompt: str, **values: Any) -> GenerateRequest:
    """The request that a page makes of a prompt."""
    chance = np.random.default_rng(0)
    picture = chance.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    draft = desk.draft("canny", cast(Any, Picture(picture)), family="pocket", size="128x128")
    return desk.request(draft, family="pocket", values={"prompt": prompt, "seed": 7, **values})


class Picture:
    """As much of a picture as a desk asks for."""

    notices = ()

    def __init__(self, pixels: Any) -> None:
        self.pixels = pixels


def test_a_prompt_with_tags_becomes_a_request_with_loras(store: Store, pictures: PictureStore) -> None:
    desk = Desk(pictures, LIMITS["local"], own_files=partial(own_files.require, store))
    words = "a house <lora:ink:.8>, <LORA:oil> by the sea<lora:ink:-0.3>"
    request = asked(desk, words)
    assert request.prompt == words
    assert dict(request.loras) == pytest.approx({"ink": 0.5, "oil": 1.0})
    assert asked(desk, "a house").loras == ()
    with pytest.raises(ArmatureError, match="ink") as refusal:
        asked(desk, "a house <lora:inc:1>")
    assert refusal.value.code.name == "MODEL_MISSING"


def test_tags_are_no_words(cache: ModelCache, make_request: MakeRequest) -> None:
    plain = make_request(loras=(("ink", 0.8),))
    tagged = replace(plain, prompt=f"{plain.prompt}<lora:ink:0.8>")
    assert torch.equal(ours(tagged, cache), ours(plain, cache))


def test_metadata_has_the_loras_and_gives_them_back(
    cache: ModelCache, make_request: MakeRequest, tmp_path: Path
) -> None:
    size = {"width": 128, "height": 128}
    tagged = make_request(
        prompt="a <lora:ink:.8> house", loras=(("ink", 0.8), ("oil", 1 / 3)), steps=1, **size
    )
    made = result(tagged, cache)
    assert a1111.parameters(tagged, 7).startswith("a <lora:ink:.8> house <lora:oil:0.3333333333>\n")
    path = tmp_path / "made.png"
    write_png(path, made.images[0], texts(made, 0, ["map.png"]))
    assert request_from_png(path) == tagged
