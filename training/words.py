"""A small CLIP for a small vocabulary: a token for each known word, and bytes for the rest."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from models import torchvision_ops

START, END, LAST = "<|startoftext|>", "<|endoftext|>", "</w>"
Merge = tuple[str, str]


def tokenizer(words: Iterable[str]) -> Any:
    """CLIP's own kind of tokenizer in which each of the words is one token."""
    torchvision_ops.define_missing()
    from transformers import CLIPTokenizer

    merges = merges_for(words)
    names = [*_alphabet(), *("".join(merge) for merge in merges), START, END]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(names))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def text_encoder(tokenizer: Any, width: int, layers: int, heads: int = 4) -> Any:
    """A CLIP text encoder of random weights for a tokenizer."""
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def merges_for(words: Iterable[str]) -> list[Merge]:
    """Merges of byte pairs after which each word is one token. A later one never undoes an earlier word."""
    merges: list[Merge] = []
    for word in dict.fromkeys(words):
        letters = [*word[:-1], word[-1] + LAST]
        while len(pieces := _merged(letters, merges)) > 1:
            merges.append((pieces[0], pieces[1]))
    return merges


def _merged(pieces: list[str], merges: list[Merge]) -> list[str]:
    """The pieces after byte-pair encoding: the earliest merge that applies goes first."""
    rank = {merge: place for place, merge in enumerate(merges)}
    while pairs := [pair for pair in pairwise(pieces) if pair in rank]:
        best = min(pairs, key=rank.__getitem__)
        joined: list[str] = []
        for piece in pieces:
            if joined and (joined[-1], piece) == best:
                joined[-1] += piece
            else:
                joined.append(piece)
        pieces = joined
    return pieces


def _alphabet() -> list[str]:
    """CLIP's bytes as characters, inside a word and at its end."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]
    return [*letters, *(f"{letter}{LAST}" for letter in letters)]
