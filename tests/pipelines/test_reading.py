"""Prompts as CLIP reads them: as diffusers does it, in chunks, and with weights computed here once more."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
import torch

from models.loading import ModelKey, Text, load
from models.store import Store
from pipelines import reading
from pipelines.cache import ModelCache
from pipelines.generate import generate
from pipelines.reading import Reader, tokenize
from pipelines.request import Result
from tests.conftest import MakeRequest


@pytest.fixture(scope="module")
def text(store: Store) -> Text:
    """The tiny text encoder, whose tokenizer makes a token of every letter; its states have a mean."""
    loaded = cast(Text, load(store, ModelKey(family="pocket", part="text"), torch.float32))
    torch.nn.init.constant_(loaded.encoder.final_layer_norm.bias, -0.1)  # type: ignore[union-attr, arg-type]
    return loaded


def encode(text: Text, *prompts: str) -> tuple[torch.Tensor, ...]:
    """Prompts as they are read without anything else."""
    return Reader(text=text).encode(*prompts)


def theirs(text: Text, prompt: str) -> torch.Tensor:
    """What diffusers makes of a prompt that is short enough."""
    ids = text.tokenizer(prompt, padding="max_length", max_length=77, truncation=True).input_ids
    with torch.no_grad():
        states: torch.Tensor = text(torch.tensor([ids]))
    return states


@pytest.mark.parametrize(
    "prompt",
    ["", "a", "A red house, by the sea: 7:30", "ünïcode 中", "x" * 75, "word " * 18, "(a:1) b", "  "],
)
def test_a_prompt_is_read_as_diffusers_reads_it(prompt: str, text: Text) -> None:
    (states,) = encode(text, prompt)
    assert states.shape == (1, 77, 32)
    assert torch.equal(states, theirs(text, prompt.replace("(a:1)", "a")))
    assert not states.requires_grad


@pytest.mark.parametrize("prompt", ["", "a", "word " * 40, "(a:1.5) [b]"])
def test_training_reads_the_first_chunk_of_plain_words(prompt: str, text: Text) -> None:
    ids = text.tokenizer(prompt, padding="max_length", max_length=77, truncation=True).input_ids
    assert tokenize(text.tokenizer, prompt) == ids


def by_hand(text: Text, chunks: Sequence[Sequence[tuple[str, float]]]) -> torch.Tensor:
    """The states (1, N, C) of chunks of words with weights, each word and each chunk on its own."""
    tokenizer = text.tokenizer
    states = []
    for chunk in chunks:
        row: list[tuple[int, float]] = [(tokenizer.bos_token_id, 1.0)]
        for words, weight in chunk:
            row += [(i, weight) for i in tokenizer(words, add_special_tokens=False).input_ids]
        row.append((tokenizer.eos_token_id, 1.0))
        row += [(tokenizer.pad_token_id, 1.0)] * (77 - len(row))
        with torch.no_grad():
            z = text(torch.tensor([[i for i, _ in row]]))
        weights = torch.tensor([weight for _, weight in row]).reshape(1, 77, 1)
        states.append(z * weights * (z.mean() / (z * weights).mean()))
    return torch.cat(states, dim=1)


@pytest.mark.parametrize(
    ("prompt", "chunks"),
    [
        ("a (red:1.3) house", [[("a", 1), ("red", 1.3), ("house", 1)]]),
        ("((sea)) [fog]", [[("sea", 1.21), ("fog", 1 / 1.1)]]),
        (r"(a \(b\):0.5) c", [[("a (b)", 0.5), ("c", 1)]]),
        ("a BREAK (b:2) BREAK c", [[("a", 1)], [("b", 2)], [("c", 1)]]),
        ("(night:0)", [[("night", 0)]]),
        ("x " * 75 + "(y:1.5) z", [[("x " * 75, 1)], [("y", 1.5), ("z", 1)]]),
        ("(" + "x " * 80 + ":1.5) y", [[("x " * 75, 1.5)], [("x " * 5, 1.5), ("y", 1)]]),
        ("x " * 300, [[("x " * 75, 1)]] * 4),
    ],
)
def test_weights_and_chunks_equal_an_independent_computation(
    prompt: str, chunks: Sequence[Sequence[tuple[str, float]]], text: Text
) -> None:
    (states,) = encode(text, prompt)
    expected = by_hand(text, chunks)
    assert states.shape == expected.shape
    torch.testing.assert_close(states, expected, rtol=1e-5, atol=1e-5)  # chunks are read at once, and alone


def test_a_weight_changes_what_it_should(text: Text) -> None:
    plain, weighed = encode(text, "a red house", "a (red:1.3) house")
    ratio = weighed / plain
    words, rest = ratio[0, 2:5].mean(), torch.cat((ratio[0, :2], ratio[0, 5:])).mean()
    assert words / rest == pytest.approx(1.3, rel=1e-3)
    assert weighed.mean() == pytest.approx(float(plain.mean()), rel=1e-3)


def test_a_mean_that_is_none_is_not_kept(store: Store) -> None:
    """Fresh norms make the mean of all states nothing but the last bits, of either sign."""
    fresh = cast(Text, load(store, ModelKey(family="pocket", part="text"), torch.float32))
    plain, weighed = encode(fresh, "a red house", "a (red:1.3) house")
    assert torch.equal(weighed[0, :2], plain[0, :2])
    torch.testing.assert_close(weighed[0, 2:5], 1.3 * plain[0, 2:5])


def test_prompts_side_by_side_are_equally_long(text: Text) -> None:
    long, short = encode(text, "x" * 160, "fog")
    assert long.shape == short.shape == (1, 3 * 77, 32)
    empty = theirs(text, "")
    assert torch.equal(short, torch.cat((theirs(text, "fog"), empty, empty), dim=1))
    again, other = encode(text, "fog", "sea")
    assert again.shape == other.shape == (1, 77, 32)


def test_a_prompt_is_read_once_while_it_is_kept(text: Text, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "KEPT_CHUNKS", 3)
    text.kept.clear()
    read: list[int] = []
    hook = text.encoder.register_forward_hook(lambda module, args, output: read.append(len(args[0])))
    (first,) = encode(text, "a")
    assert encode(text, "a")[0] is first
    assert read == [1]
    encode(text, "b" * 76)
    encode(text, "a")  # the latest again
    assert read == [1, 2]
    encode(text, "c")  # four chunks are too many
    assert list(text.kept) == [("a", 0, (), ()), ("c", 0, (), ())]
    encode(text, "d" * 300)  # of one prompt as many as it takes
    assert list(text.kept) == [("d" * 300, 0, (), ())]
    hook.remove()


def test_row_68_a_long_prompt_makes_a_picture_and_all_of_it_counts(
    make_request: MakeRequest, cache: ModelCache
) -> None:
    def made(**fields: Any) -> Result:
        *_, result = generate(make_request(steps=2, **fields), cache)
        assert isinstance(result, Result)
        return result

    words = "a small house " * 40
    long = made(prompt=words + "by the sea")
    assert long.notices == ()
    other = made(prompt=words + "in a wood")
    assert (long.images[0] != other.images[0]).any()
