"""Looking at what has been learnt: held-out pairs are sampled at fixed seeds, and measured.

Samples go through the loop that the studio has. `agreement` says how well they keep their hints.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import torch

from annotators.base import Pixels
from pipelines import schedulers
from pipelines.conditioning import Hint
from pipelines.generate import PIXELS_AT_ONCE, Models, denoise
from pipelines.preview import to_pixels
from pipelines.state import PictureState
from training import chance
from training.feed import Sample, hints_of
from training.trainer import Trainer

GAP = 4  # white pixels between the pictures of a sheet
ROWS = 8  # of a sheet at most
CONTROL = "learnt"

Measure = Callable[[Sample, Pixels], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was seen at a step; `agreement` is None without a control or a measure, 1 is best.

    `sheet` is RGB uint8 (H, W, 3): a row for each held-out pair, with hint, result and target.
    """

    step: int
    held_out_loss: float
    agreement: float | None
    sheet: Pixels

    @property
    def score(self) -> float:
        """The more, the better: agreement where there is one, else the loss turned about."""
        return -self.held_out_loss if self.agreement is None else self.agreement


def look(trainer: Trainer, measure: Measure, stop: Callable[[], bool]) -> Looked | None:
    """Sample and measure what is held out, with the average where one is kept; None when stopped."""
    held = list(trainer.feed.held())
    average = trainer.average
    with (
        average.applied(trainer.learning) if average else nullcontext(),
        trainer.parts_here(),
        _at_rest(trainer.learner),
        trainer.accelerator.autocast(),
    ):
        loss = _loss(trainer, held)
        results: list[Pixels] = []
        at_once = max(1, PIXELS_AT_ONCE[trainer.parts.device.type] // trainer.config.data.size**2)
        for first in range(0, len(held), at_once):
            results += _sampled(trainer, held[first : first + at_once], stop)
    if len(results) < len(held):
        return None
    agreements = [measure(sample, result) for sample, result in zip(held, results, strict=True)]
    known = [value for value in agreements if value is not None]
    has_control = trainer.learner.control is not None
    hints = [[shown(sample.hint)] if has_control else [] for sample in held]
    return Looked(
        step=trainer.step,
        held_out_loss=loss,
        agreement=fmean(known) if known and has_control else None,
        sheet=sheet_of(
            [
                (*hint, result, _picture(sample))
                for hint, result, sample in zip(hints, results, held, strict=True)
            ][:ROWS]
        ),
    )


@contextmanager
def _at_rest(network: torch.nn.Module) -> Iterator[None]:
    """Without dropout, where a base has any."""
    learning = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in learning:
            module.training = True


@torch.no_grad()
def _loss(trainer: Trainer, held: Sequence[Sample]) -> float:
    """The mean loss of what is held out, at the times and with the noise that it always has."""
    losses = []
    for sample in held:
        batch = trainer.batch([sample])
        losses.append(float(trainer.learner(**vars(batch))))
    return fmean(losses)


@torch.no_grad()
def _sampled(trainer: Trainer, held: Sequence[Sample], stop: Callable[[], bool]) -> list[Pixels]:
    """What comes of held-out hints and prompts, RGB uint8 (H, W, 3); nothing when stopped on the way."""
    learner, parts = trainer.learner, trainer.parts
    controls = {} if learner.control is None else {CONTROL: learner.control}
    models = Models(text=parts.text, unet=learner.unet, vae=parts.vae, controls=controls)
    states = [_state(trainer, sample) for sample in held]
    for _ in denoise(models, states):
        if stop():
            return []
    return [to_pixels(torch.nan_to_num(models.vae.decode(state.x_t))) for state in states]


def _state(trainer: Trainer, sample: Sample) -> PictureState:
    learner, parts, watch = trainer.learner, trainer.parts, trainer.config.watch
    scheduler = schedulers.build(watch.scheduler, parts.schedule)
    scheduler.set_timesteps(watch.sample_steps)
    generator = chance.generator("shown", watch.seed, sample.name)
    noise = torch.randn(sample.drawn.eps[None].shape, generator=generator).to(parts.device)
    hints: tuple[Hint, ...] = ()
    if learner.control is not None:
        map = hints_of([sample.hint], parts.device)
        hints = (Hint(control=CONTROL, map=map, on_both=not learner.control.config.global_pool_conditions),)
    positive, negative = parts.states([sample.prompt, ""]).split(1)
    return PictureState(
        x_t=noise * scheduler.init_noise_sigma,
        scheduler=scheduler,
        generator=generator,
        guidance=watch.guidance,
        positive=positive,
        negative=negative if watch.guidance > 1 else None,
        hints=hints,
    )


def _picture(sample: Sample) -> Pixels:
    assert sample.picture is not None, "what is held out is opened"
    return sample.picture


def shown(hint: Any) -> Pixels:
    """A hint (H, W, 3) from 0 to 1, its holes black, as RGB uint8 (H, W, 3)."""
    pixels: Pixels = np.rint(np.clip(hint, 0, 1) * 255).astype(np.uint8)
    return pixels


def sheet_of(rows: Sequence[Sequence[Pixels]]) -> Pixels:
    """Pictures, RGB uint8 (H, W, 3), side by side in rows, with white between them."""
    return _joined([_joined(row, axis=1) for row in rows], axis=0)


def _joined(pictures: Sequence[Pixels], axis: int) -> Pixels:
    shape = list(pictures[0].shape)
    shape[axis] = GAP
    gap = np.full(shape, 255, np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)]
    joined: Pixels = np.concatenate(parts[1:], axis=axis)
    return joined
