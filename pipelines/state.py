"""One picture on its way from noise: what it asks the networks, and the step it makes of their answer."""

from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import torch

from pipelines.conditioning import Hint
from pipelines.preview import estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question: which noise is in x (1, 4, h, w) at time t, given a text (1, 77, C) and hints?"""

    x: torch.Tensor
    t: float
    text: torch.Tensor
    hints: tuple[Hint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What inpainting brings back after each step: the latents x_0 (1, 4, h, w) of a picture, under the noise
    (1, 4, h, w) of that step, where the mask (1, 1, h, w) is 0; 1 is made anew.
    """

    x_0: torch.Tensor
    noise: torch.Tensor
    mask: torch.Tensor

    def around(self, inner: torch.Tensor, outer: torch.Tensor) -> torch.Tensor:
        """The inner latents in the hole, the outer ones around it."""
        return (1 - self.mask) * outer + self.mask * inner


@dataclass(slots=True, kw_only=True)
class PictureState:
    """Latents x_t (1, 4, h, w) in float32, and all that the next steps of this one picture need.

    Scheduler and generator are its own. `negative` is None without guidance. `first` is the place in the
    schedule where it begins, `x_0` where the last step saw the picture going.
    """

    x_t: torch.Tensor
    scheduler: Any
    generator: torch.Generator
    guidance: float
    positive: torch.Tensor
    negative: torch.Tensor | None
    hints: tuple[Hint, ...]
    first: int = 0
    kept: Kept | None = None
    step: int = 0
    x_0: torch.Tensor = field(init=False)

    @property
    def steps(self) -> int:
        """How many steps there are from the first latents to the picture."""
        return len(self.scheduler.timesteps) - self.first

    @property
    def t(self) -> torch.Tensor:
        """The time of the next step, a scalar on the CPU."""
        t: torch.Tensor = self.scheduler.timesteps[self.first + self.step]
        return t

    @property
    def x(self) -> torch.Tensor:
        """The latents as the U-Net takes them, whatever the scheduler's own scale."""
        x: torch.Tensor = self.scheduler.scale_model_input(self.x_t, self.t)
        return x

    def rows(self) -> list[Row]:
        """What is asked for the next step: under the prompt, then under the negative prompt."""
        x, t = self.x, float(self.t)
        hints = tuple(hint for hint in self.hints if hint.holds(self.step, self.steps))
        rows = [Row(x=x, t=t, text=self.positive, hints=hints)]
        if self.negative is not None:
            hints = tuple(hint for hint in hints if hint.on_both)
            rows.append(Row(x=x, t=t, text=self.negative, hints=hints))
        return rows

    def noise(self, answers: torch.Tensor) -> torch.Tensor:
        """The noise (1, 4, h, w) to follow, from the answers to `rows`: away from the negative prompt."""
        if self.negative is None:
            return answers
        eps_pos, eps_neg = answers[:1], answers[1:]
        return eps_neg + self.guidance * (eps_pos - eps_neg)

    def advance(self, eps: torch.Tensor) -> None:
        """One step of the solver against the noise eps (1, 4, h, w)."""
        chance = {"generator": self.generator}
        taken = chance if "generator" in signature(self.scheduler.step).parameters else {}
        self.x_0 = estimate(self.scheduler, float(self.t), self.x, eps)
        self.x_t = self.scheduler.step(eps, self.t, self.x_t, **taken, return_dict=False)[0]
        self.step += 1
        if self.kept is not None:
            self.x_t = self.kept.around(self.x_t, self._brought_back(self.kept))
            self.x_0 = self.kept.around(self.x_0, self.kept.x_0)

    def _brought_back(self, kept: Kept) -> torch.Tensor:
        """What is kept, under the noise of the step that comes next."""
        if self.step == self.steps:
            return kept.x_0
        noised: torch.Tensor = self.scheduler.add_noise(kept.x_0, kept.noise, self.t[None])
        return noised
