"""Textual inversions and skipped layers: read as diffusers reads them, and nobody else's prompt changed."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import save_file

from errors import ArmatureError
from models import extras
from models.loading import ModelKey, Text, load
from models.store import Store
from pipelines import own_files
from pipelines.cache import ModelCache
from pipelines.generate import generate
from pipelines.outfit import Outfit
from pipelines.pictures import PictureStore
from pipelines.reading import Reader, reader
from tests import tiny_family
from tests.conftest import MakeRequest
from tests.pipelines.references import bound, distance, ours
from tests.pipelines.test_equality import loaded_pipeline, theirs

WIDTH = tiny_family.TEXT_WIDTH


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The tiny family with textual inversions of one, three and eighty tokens."""
    weights: Path = tmp_path_factory.mktemp("weights")
    tiny_family.write(weights)
    found = Store(weights)
    put(found, "cat-toy", {"<cat-toy>": rows(1)[0]})
    put(found, "Bad Hands-5", {"emb_params": rows(3)})
    put(found, "endless", {"emb_params": rows(80)})
    put(found, "clip", {"clip_l": rows(2)})
    return found


@pytest.fixture(scope="module")
def cache(store: Store, pictures: PictureStore, cpu: Any) -> ModelCache:
    """A cache for that family."""
    return ModelCache(store, pictures, cpu)


@pytest.fixture(scope="module")
def text(store: Store) -> Text:
    """Its text encoder."""
    return cast(Text, load(store, ModelKey(family="pocket", part="text"), torch.float32))


def rows(count: int, width: int = WIDTH, seed: int = 0) -> torch.Tensor:
    """Some rows of random numbers."""
    return torch.randn((count, width), generator=torch.Generator().manual_seed(seed + count))


def put(store: Store, name: str, tensors: Mapping[str, torch.Tensor]) -> Path:
    """A textual inversion of that name."""
    path = store.weights / "embeddings" / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file(dict(tensors), path)
    return path


def encode(text: Text, store: Store, prompt: str) -> torch.Tensor:
    """A prompt as it is read where those files are."""
    (states,) = Reader(text=text, words=extras.words(store)).encode(prompt)
    return states


@pytest.mark.parametrize(
    ("name", "word", "count"),
    [("cat-toy", "<cat-toy>", 1), ("Bad Hands-5", "<bad>", 3), ("clip", "<clip>", 2)],
)
@pytest.mark.parametrize("prompt", ["a {} house", "{}", "house, {}, sea. {}"])
def test_it_is_read_as_diffusers_reads_it(
    prompt: str, name: str, word: str, count: int, store: Store, text: Text
) -> None:
    pipeline = loaded_pipeline(store)
    found = rows(count)
    pipeline.load_textual_inversion({word: found[0] if count == 1 else found}, token=word)
    expected, _ = pipeline.encode_prompt(prompt.format(word, word), "cpu", 1, False)
    assert torch.equal(encode(text, store, prompt.format(name, name)), expected)
    assert torch.equal(encode(text, store, prompt.format(f"<{name}>", name.lower())), expected)


@pytest.mark.parametrize(
    "prompt", ["a cat toy", "cat-toys", "my-cat-toy", "bad hands", "Bad Hands-52", "a house", ""]
)
def test_other_words_mean_what_they_meant(prompt: str, store: Store, text: Text) -> None:
    before = len(text.tokenizer), text.encoder.get_input_embeddings().weight.clone()  # type: ignore[operator]
    encode(text, store, "a cat-toy")
    (plain,) = Reader(text=text).encode(prompt)
    text.kept.clear()
    assert torch.equal(encode(text, store, prompt), plain)
    assert len(text.tokenizer) == before[0]
    table = text.encoder.get_input_embeddings()  # type: ignore[operator]
    assert torch.equal(table.weight, before[1])
    assert not table._forward_hooks


def test_it_counts_as_much_as_it_is_said_to(store: Store, text: Text) -> None:
    plain, weighed = encode(text, store, "a cat-toy b"), encode(text, store, "a (cat-toy:1.5) b")
    torch.testing.assert_close(weighed[0, 2], 1.5 * plain[0, 2])
    assert torch.equal(weighed[0, :2], plain[0, :2])


def test_its_tokens_stay_together(store: Store, text: Text) -> None:
    """With 73 tokens before it, three do not fit into the first chunk, and the next one begins with them."""
    both = encode(text, store, "x " * 73 + "bad hands-5 y")
    assert both.shape == (1, 2 * 77, WIDTH)
    apart = [encode(text, store, words) for words in ("x " * 73, "bad hands-5 y")]
    torch.testing.assert_close(both, torch.cat(apart, dim=1))


def test_a_file_that_was_replaced_is_read_anew(store: Store, text: Text) -> None:
    put(store, "new", {"emb_params": rows(1)})
    first = encode(text, store, "a new house")
    assert encode(text, store, "a new house") is first
    os.utime(put(store, "new", {"emb_params": rows(1, seed=5)}), ns=(1, 1))
    second = encode(text, store, "a new house")
    assert not torch.equal(first, second)
    (store.weights / "embeddings" / "new.safetensors").unlink()
    assert torch.equal(encode(text, store, "a new house"), Reader(text=text).encode("a new house")[0])


@pytest.mark.parametrize(
    ("name", "tensors", "code", "said"),
    [
        ("wide", {"emb_params": rows(2, 768)}, "MODEL_PAIRING", "768 numbers to a token"),
        ("xl", {"clip_l": rows(2), "clip_g": rows(2, 1280)}, "MODEL_PAIRING", "Stable Diffusion XL"),
        ("endless", None, "MODEL_TOO_LARGE", "80 tokens"),
        ("vae", {"decoder.conv_in.weight": rows(1), "encoder.conv_in.weight": rows(1)}, "MODEL_ARCH", "VAE"),
        ("spoilt", {"emb_params": rows(2) / 0}, "MODEL_NUMERIC", "spoilt"),
    ],
)
@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_what_does_not_fit_is_refused_in_words(
    field: str,
    name: str,
    tensors: Mapping[str, torch.Tensor] | None,
    code: str,
    said: str,
    store: Store,
    cache: ModelCache,
    make_request: MakeRequest,
) -> None:
    if tensors:
        put(store, name, tensors)
    with pytest.raises(ArmatureError, match=said) as refusal:
        list(generate(make_request(**{field: f"a {name} house"}, steps=1), cache))
    assert refusal.value.code.name == code
    assert refusal.value.todo


def test_a_pickled_one_is_no_word_either(store: Store, make_request: MakeRequest) -> None:
    path = store.weights / "embeddings" / "easynegative.pt"
    path.write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(ArmatureError) as refusal:
        own_files.require(store, make_request(negative_prompt="EasyNegative, fog"))
    assert refusal.value.code.name == "MODEL_UNSAFE"
    path.unlink()
    own_files.require(store, make_request(negative_prompt="EasyNegative, fog"))


def test_a_prompt_with_one_makes_another_picture(cache: ModelCache, make_request: MakeRequest) -> None:
    plain = ours(make_request(prompt="a bad hands house"), cache)
    assert not torch.equal(ours(make_request(prompt="a bad hands-5 house"), cache), plain)
    assert torch.equal(ours(make_request(prompt="a bad hands house"), cache), plain)


def test_skipped_layers_are_those_that_diffusers_skips(
    store: Store, cache: ModelCache, make_request: MakeRequest
) -> None:
    request = make_request(scheduler="ddim", clip_skip=1)
    pipeline = loaded_pipeline(store)
    plain = theirs(pipeline, request)
    run = pipeline.__call__
    pipeline_type = type(pipeline)

    class Skipping(pipeline_type):  # type: ignore[misc, valid-type]
        def __call__(self, **given: Any) -> Any:
            # it leaves nothing out of the negative prompt by itself, as A1111 and we do
            negative, *_ = self.encode_prompt(given.pop("negative_prompt"), "cpu", 1, False, clip_skip=1)
            return run(**given, negative_prompt_embeds=negative, clip_skip=1)

    pipeline.__class__ = Skipping
    # diffusers looks for the norm where it was before transformers 5 (a module can't hold itself)
    pipeline.text_encoder.__dict__["text_model"] = pipeline.text_encoder
    expected = theirs(pipeline, request)
    assert distance(ours(request, cache), expected) <= bound(expected)
    assert distance(plain, expected) > 100 * bound(expected)


@pytest.mark.parametrize("prompt", ["a house", "(a:1.5) house", "x " * 80])
def test_what_was_read_with_fewer_layers_is_kept_apart(
    prompt: str, store: Store, text: Text, make_request: MakeRequest
) -> None:
    whole, short, again = (
        reader(make_request(clip_skip=skip), text, Outfit(), store).encode(prompt)[0] for skip in (0, 1, 0)
    )
    assert whole.shape == short.shape
    assert not torch.equal(whole, short)
    assert again is whole


def test_not_all_layers_can_be_skipped(cache: ModelCache, make_request: MakeRequest) -> None:
    with pytest.raises(ArmatureError, match="at most 1") as refusal:
        next(iter(own_files_of(cache, make_request(clip_skip=2))))
    assert refusal.value.code.name == "PARAM_RANGE"


def own_files_of(cache: ModelCache, request: Any) -> Any:
    """The whole road, up to the first thing that happens after the files were looked at."""
    events = generate(request, cache)
    next(events)
    yield next(events)
