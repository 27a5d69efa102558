"""A prompt as CLIP reads it: in chunks of 75 tokens, as many as it takes, and with the weights of its words.

What CLIP makes of the chunks stands one after the other, and the U-Net looks at all of it. A prompt of at
most 75 tokens without weights comes to what diffusers' own pipeline makes of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import torch

from models import embeddings, extras, formats
from models.extras import NO_WORDS, Words
from models.loading import Text
from models.lora import beside
from models.store import Store
from pipelines import prompts
from pipelines.outfit import Outfit
from pipelines.prompts import Span
from pipelines.request import GenerateRequest

PROMPT_TOKENS = 75  # CLIP takes 77 with the start and the end
KEPT_CHUNKS = 128  # of 118 KB each in Stable Diffusion's size
# A mean of less than this part of the deviation is none that could be kept: it may be of either sign.
SMALLEST_MEAN = 0.01


class Token(NamedTuple):
    """One token, how much it counts, and the row (C) that stands in for the encoder's own, if any does."""

    id: int
    weight: float = 1.0
    row: torch.Tensor | None = None


Rows: TypeAlias = Mapping[Path, torch.Tensor]  # (n, C), by the file of a textual inversion
Chunk: TypeAlias = tuple[Token, ...]  # 77 tokens with start, end and padding: what CLIP reads at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How the prompts of one request are read: by which encoder, what it wears, and how much of it.

    The last `skip` layers are left out; `words` are the textual inversions that there are.
    """

    text: Text
    outfit: Outfit = field(default_factory=Outfit)
    skip: int = 0
    words: Words = NO_WORDS

    def encode(self, *texts: str) -> tuple[torch.Tensor, ...]:
        """CLIP's states (1, N, C) of some prompts that are to stand side by side: N is the same for all.

        The shorter ones are filled up with what CLIP makes of an empty prompt.
        """
        states = [self._states(prompt) for prompt in texts]
        longest = max(state.shape[1] for state in states)
        return tuple(self._filled(state, longest) for state in states)

    def notices(self, *texts: str) -> tuple[str, ...]:
        """What to tell of the files of the textual inversions in some prompts."""
        dtype = next(self.text.parameters()).dtype
        told = (formats.notice(path.name, [path], dtype) for path in self.words.named("\n".join(texts)))
        return tuple(filter(None, told))

    def _filled(self, states: torch.Tensor, tokens: int) -> torch.Tensor:
        lacking = tokens - states.shape[1]
        if not lacking:
            return states
        empty = self._states("")
        return torch.cat((states, empty.repeat(1, lacking // empty.shape[1], 1)), dim=1)

    def _states(self, prompt: str) -> torch.Tensor:
        """A prompt through CLIP, unless that was lately."""
        files = {path: extras.stamp(path) for path in self.words.named(prompt)}
        kept, key = self.text.kept, (prompt, self.skip, self.outfit.text_key, tuple(files.items()))
        states = kept.pop(key, None)
        if states is None:
            states = self._read(prompt, {path: embeddings.read(path) for path in files})
        kept[key] = states
        while len(kept) > 1 and sum(state.shape[1] for state in kept.values()) > KEPT_CHUNKS * 77:
            del kept[next(iter(kept))]
        return states

    @torch.no_grad()
    def _read(self, prompt: str, rows: Rows) -> torch.Tensor:
        parts = prompts.parse(prompt)
        chunks = [chunk for part in parts for chunk in self._chunks(self._tokens(part, rows))]
        ids = torch.tensor([[token.id for token in chunk] for chunk in chunks])
        places = {
            (n, i): token.row
            for n, chunk in enumerate(chunks)
            for i, token in enumerate(chunk)
            if token.row is not None
        }
        device = next(self.text.parameters()).device
        with beside(self.outfit.text):
            states = self.text(torch.as_tensor(ids, device=device), skip=self.skip, rows=places)
        read = zip(states, chunks, strict=True)
        return torch.cat([_weighed(state, chunk) for state, chunk in read])[None]

    def _tokens(self, part: Sequence[Span], rows: Rows) -> Iterator[list[Token]]:
        """The tokens of a part, those together that must not be parted."""
        tokenizer = self.text.tokenizer
        for span in part:
            for text, path in self.words.pieces(span.text):
                for token in tokenizer(text, add_special_tokens=False, verbose=False).input_ids:
                    yield [Token(token, span.weight)]
                if path:
                    yield [Token(tokenizer.pad_token_id, span.weight, row) for row in rows[path]]

    def _chunks(self, tokens: Iterator[list[Token]]) -> Iterator[Chunk]:
        """The chunks of a part; there is one at least."""
        some: list[Token] = []
        for together in tokens:
            if len(some) + len(together) > PROMPT_TOKENS:
                yield self._framed(some)
                some = []
            some += together
        yield self._framed(some)

    def _framed(self, some: Sequence[Token]) -> Chunk:
        ids = framed(self.text.tokenizer, [token.id for token in some])
        return (Token(ids[0]), *some, *map(Token, ids[len(some) + 1 :]))


def reader(request: GenerateRequest, text: Text, outfit: Outfit, store: Store) -> Reader:
    """The reader for the prompts of a request."""
    return Reader(text=text, outfit=outfit, skip=request.clip_skip, words=extras.words(store))


def _weighed(state: torch.Tensor, chunk: Chunk) -> torch.Tensor:
    """The states (77, C) of a chunk times the weights of its tokens, and with the mean that they had."""
    weights = [token.weight for token in chunk]
    if set(weights) == {1.0}:
        return state
    plain = state.float()
    weighed = plain * torch.tensor(weights, device=state.device)[:, None]
    before, after, least = plain.mean(), weighed.mean(), SMALLEST_MEAN * plain.std()
    if before * after > 0 and min(abs(before), abs(after)) > least:
        weighed *= before / after
    return weighed.type(state.dtype)


def tokenize(tokenizer: Any, prompt: str) -> list[int]:
    """The 77 ids of one chunk of plain words, as diffusers gives them to CLIP: what is longer is cut off."""
    tokens = tokenizer(prompt, add_special_tokens=False, verbose=False)
    return framed(tokenizer, tokens.input_ids[:PROMPT_TOKENS])


def framed(tokenizer: Any, ids: Sequence[int]) -> list[int]:
    """At most 75 token ids with start and end, and padding up to 77."""
    padding = [tokenizer.pad_token_id] * (PROMPT_TOKENS - len(ids))
    return [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id, *padding]
