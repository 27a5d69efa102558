"""From pairs to batches: which samples a step learns from, what is drawn for each, pictures opened ahead."""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from annotators.base import Pixels
from training import chance
from training.config import Config
from training.data import Pairs
from training.latents import Latents
from training.parts import Parts

LATENT, CHANNELS = 8, 4  # pixels of a picture to one of its latents along a side, and a latent's channels
AHEAD = 3  # batches that are opened while one is learnt from


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Which of all devices this is."""

    rank: int = 0
    of: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What chance gives a sample: its time t, its noise eps and its place in the autoencoder's spread, both
    (4, h, w), whether its prompt is kept, and whether a base learns it alone, without what stands beside."""

    t: int
    eps: torch.Tensor
    spread: torch.Tensor
    keeps_prompt: bool
    alone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is learnt from at one place of a run: a hint, RGB float32 (H, W, 3), and how the target begins.

    That is either the picture, RGB uint8 (H, W, 3), and the prompt; or what was kept: the latents' mean
    and deviation (8, h, w), and CLIP's states (77, C) unless the text encoder learns. `emphasis` (h, w) is
    how much each latent counts, None for all alike.
    """

    hint: NDArray[np.float32]
    prompt: str
    drawn: Drawn
    picture: Pixels | None = None
    moments: torch.Tensor | None = None
    states: torch.Tensor | None = None
    emphasis: NDArray[np.float32] | None = None
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Latents x_0 and noise eps (N, 4, h, w), times t (N), texts, hints, emphasis (N, 1, h, w) or None, and
    which samples are learnt `alone` (N), as the learner takes them."""

    x_0: torch.Tensor
    t: torch.Tensor
    eps: torch.Tensor
    text: torch.Tensor
    hint: torch.Tensor
    emphasis: torch.Tensor | None
    alone: torch.Tensor


class Feed:
    """The samples of a run on one device, from any step on; and which are held out, and never learnt."""

    def __init__(
        self, pairs: Pairs, config: Config, *, times: int, share: Share, latents: Latents | None = None
    ) -> None:
        settings = config.train
        shuffled = chance.order(len(pairs), settings.seed, "held out")
        self.held_out = shuffled[: config.watch.held_out]
        self.learnt = tuple(sorted(shuffled[config.watch.held_out :]))
        self._pairs = pairs
        self._latents = latents
        self._settings = settings
        self._alone = config.base.alone if config.base.beside else 1.0
        self._times = times
        self._share = share
        self._side = config.data.size // LATENT
        self._at_once = settings.at_once or settings.batch // share.of

    @property
    def parts(self) -> int:
        """Into how many parts a step is divided on each device."""
        return self._settings.batch // (self._at_once * self._share.of)

    def samples(self, step: int) -> Generator[list[Sample], None, None]:
        """The samples of one part of a step after the other, from `step` on, without end."""
        threads = ThreadPoolExecutor(self._settings.workers)
        waiting: deque[list[Future[Sample]]] = deque()
        numbers = self._numbers(step)
        try:
            while True:
                while len(waiting) <= AHEAD:
                    waiting.append([threads.submit(self.sample, number) for number in next(numbers)])
                yield [future.result() for future in waiting.popleft()]
        finally:
            threads.shutdown(cancel_futures=True)

    def sample(self, number: int) -> Sample:
        """The sample of that number in the run."""
        within, epoch = chance.place(number, len(self.learnt), self._settings.seed)
        index, drawn = self.learnt[within], self.drawn("sample", number)
        emphasis = self._pairs.emphasis(index)
        if self._latents is None:
            return replace(self._opened(index, epoch, drawn), emphasis=emphasis)
        prompt = self._pairs.prompts[index] if drawn.keeps_prompt else ""
        return Sample(
            hint=self._pairs.hint(index, epoch),
            prompt=prompt,
            drawn=drawn,
            moments=self._latents.moments(index),
            states=self._latents.states(prompt) if self._latents.rows else None,
            emphasis=emphasis,
        )

    def held(self) -> Iterator[Sample]:
        """What is held out: each time the same, with the same drawn for it, its prompt and no emphasis."""
        for index in self.held_out:
            yield self._opened(index, 0, self.drawn("held out", index, dropout=0.0))

    def _opened(self, index: int, epoch: int, drawn: Drawn) -> Sample:
        example = self._pairs.at(index, epoch)
        return Sample(
            hint=example.hint,
            prompt=example.prompt if drawn.keeps_prompt else "",
            drawn=drawn,
            picture=example.target,
            name=example.name,
        )

    def drawn(self, *words: chance.Word, dropout: float | None = None) -> Drawn:
        """What chance gives the sample that these words name."""
        generator = chance.generator(*words, self._settings.seed)
        shape = (CHANNELS, self._side, self._side)
        dropped = self._settings.prompt_dropout if dropout is None else dropout
        found = Drawn(
            t=int(torch.randint(self._times, (), generator=generator)),
            keeps_prompt=float(torch.rand((), generator=generator)) >= dropped,
            eps=torch.randn(shape, generator=generator),
            spread=torch.randn(shape, generator=generator),
            alone=float(torch.rand((), generator=generator)) < self._alone,
        )
        if found.alone:
            return found
        # beside a control shapes are told, and early, in much noise, is when words choose the colours
        earlier = int(torch.randint(self._times, (), generator=generator))
        return replace(found, t=max(found.t, earlier))

    def _numbers(self, step: int) -> Iterator[list[int]]:
        """For each part of each step, the samples that are this device's: all devices share a step evenly."""
        while True:
            for part in range(self.parts):
                first = (part * self._share.of + self._share.rank) * self._at_once
                first += step * self._settings.batch
                yield list(range(first, first + self._at_once))
            step += 1


@torch.no_grad()
def batch_of(samples: Sequence[Sample], parts: Parts, device: torch.device, *, ids: bool) -> Batch:
    """The samples on a device; with token ids for texts where the text encoder learns."""
    mean, deviation = _moments(samples, parts, device).chunk(2, dim=1)
    spread = torch.stack([sample.drawn.spread for sample in samples]).to(device)
    return Batch(
        x_0=mean + deviation * spread,
        t=torch.tensor([sample.drawn.t for sample in samples], device=device),
        eps=torch.stack([sample.drawn.eps for sample in samples]).to(device),
        text=_text(samples, parts, device, ids),
        hint=hints_of([sample.hint for sample in samples], device),
        emphasis=_emphasis(samples, device),
        alone=torch.tensor([sample.drawn.alone for sample in samples], device=device),
    )


def _emphasis(samples: Sequence[Sample], device: torch.device) -> torch.Tensor | None:
    maps = [sample.emphasis for sample in samples if sample.emphasis is not None]
    return torch.from_numpy(np.stack(maps)).to(device)[:, None] if maps else None


def _moments(samples: Sequence[Sample], parts: Parts, device: torch.device) -> torch.Tensor:
    kept = [sample.moments for sample in samples if sample.moments is not None]
    if kept:
        return torch.stack(kept).to(device)
    pictures = [sample.picture for sample in samples if sample.picture is not None]
    return parts.moments(pictures_of(pictures, device))


def _text(samples: Sequence[Sample], parts: Parts, device: torch.device, ids: bool) -> torch.Tensor:
    kept = [sample.states for sample in samples if sample.states is not None]
    if kept:
        return torch.stack(kept).to(device)
    prompts = [sample.prompt for sample in samples]
    return parts.ids(prompts).to(device) if ids else parts.states(prompts)


def pictures_of(pixels: Sequence[Pixels], device: torch.device) -> torch.Tensor:
    """Pictures, RGB uint8 (H, W, 3), as (N, 3, H, W) from -1 to 1."""
    return torch.from_numpy(np.stack(pixels)).to(device).movedim(-1, 1).float() / 127.5 - 1


def hints_of(hints: Sequence[NDArray[np.float32]], device: torch.device) -> torch.Tensor:
    """Hints, RGB (H, W, 3) from 0 to 1 with -1 in holes, as (N, 3, H, W)."""
    return torch.from_numpy(np.stack(hints)).to(device).movedim(-1, 1).contiguous()
