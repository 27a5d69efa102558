"""A prompt as CLIP reads it: in chunks of 75 tokens, as many as it takes, and with the weights of its words.

What CLIP makes of the chunks stands one after the other, and the U-Net looks at all of it. A prompt of at
most 75 tokens without weights comes to what diffusers' own pipeline makes of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from models.loading import Text
from models.lora import beside
from pipelines import prompts
from pipelines.outfit import Outfit
from pipelines.prompts import Span

PROMPT_TOKENS = 75  # CLIP takes 77 with the start and the end
KEPT_CHUNKS = 128  # of 118 KB each in Stable Diffusion's size
# A mean of less than this part of the deviation is none that could be kept: it may be of either sign.
SMALLEST_MEAN = 0.01


@dataclass(frozen=True, slots=True)
class Chunk:
    """What CLIP reads at once: 77 token ids with start, end and padding, and how much each counts."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]

    @property
    def is_plain(self) -> bool:
        """Whether all of it counts alike."""
        return set(self.weights) == {1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How the prompts of one request are read: by which encoder, and what it wears meanwhile."""

    text: Text
    outfit: Outfit = field(default_factory=Outfit)

    def encode(self, *texts: str) -> tuple[torch.Tensor, ...]:
        """CLIP's states (1, N, C) of some prompts that are to stand side by side: N is the same for all.

        The shorter ones are filled up with what CLIP makes of an empty prompt.
        """
        states = [self._states(prompt) for prompt in texts]
        longest = max(state.shape[1] for state in states)
        return tuple(self._filled(state, longest) for state in states)

    def _filled(self, states: torch.Tensor, tokens: int) -> torch.Tensor:
        lacking = tokens - states.shape[1]
        if not lacking:
            return states
        empty = self._states("")
        return torch.cat((states, empty.repeat(1, lacking // empty.shape[1], 1)), dim=1)

    def _states(self, prompt: str) -> torch.Tensor:
        """A prompt through CLIP, unless that was lately."""
        kept, key = self.text.kept, (prompt, self.outfit.text_key)
        states = kept.pop(key, None)
        if states is None:
            states = self._read(prompt)
        kept[key] = states
        while len(kept) > 1 and sum(state.shape[1] for state in kept.values()) > KEPT_CHUNKS * 77:
            del kept[next(iter(kept))]
        return states

    @torch.no_grad()
    def _read(self, prompt: str) -> torch.Tensor:
        chunks = chunked(self.text.tokenizer, prompts.parse(prompt))
        ids = torch.tensor([chunk.ids for chunk in chunks], device=next(self.text.parameters()).device)
        with beside(self.outfit.text):
            states = self.text(ids)
        read = zip(states, chunks, strict=True)
        return torch.cat([_weighed(state, chunk) for state, chunk in read])[None]


def _weighed(state: torch.Tensor, chunk: Chunk) -> torch.Tensor:
    """The states (77, C) of a chunk times the weights of its tokens, and with the mean that they had."""
    if chunk.is_plain:
        return state
    plain = state.float()
    weighed = plain * torch.tensor(chunk.weights, device=state.device)[:, None]
    before, after, least = plain.mean(), weighed.mean(), SMALLEST_MEAN * plain.std()
    if before * after > 0 and min(abs(before), abs(after)) > least:
        weighed *= before / after
    return weighed.type(state.dtype)


def chunked(tokenizer: Any, parts: Sequence[Sequence[Span]]) -> tuple[Chunk, ...]:
    """The chunks of a prompt; each part begins a new one."""
    chunks = []
    for part in parts:
        tokens = list(_tokens(tokenizer, part))
        for first in range(0, max(len(tokens), 1), PROMPT_TOKENS):
            some = tokens[first : first + PROMPT_TOKENS]
            ids = framed(tokenizer, [token for token, _ in some])
            weights = [1.0, *(weight for _, weight in some)]
            chunks.append(Chunk(tuple(ids), (*weights, *[1.0] * (len(ids) - len(weights)))))
    return tuple(chunks)


def _tokens(tokenizer: Any, part: Sequence[Span]) -> Iterator[tuple[int, float]]:
    """The token ids of a part, each with its weight."""
    for span in part:
        for token in tokenizer(span.text, add_special_tokens=False, verbose=False).input_ids:
            yield token, span.weight


def tokenize(tokenizer: Any, prompt: str) -> list[int]:
    """The 77 ids of one chunk of plain words, as diffusers gives them to CLIP: what is longer is cut off."""
    tokens = tokenizer(prompt, add_special_tokens=False, verbose=False)
    return framed(tokenizer, tokens.input_ids[:PROMPT_TOKENS])


def framed(tokenizer: Any, ids: Sequence[int]) -> list[int]:
    """At most 75 token ids with start and end, and padding up to 77."""
    padding = [tokenizer.pad_token_id] * (PROMPT_TOKENS - len(ids))
    return [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id, *padding]
