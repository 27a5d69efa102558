"""What learns: a base's U-Net, or a control on one that is locked, as one module that answers with its loss.

Diffusion's own objective (https://arxiv.org/abs/2006.11239, and https://arxiv.org/abs/2202.00512 for v): the
network sees latents with noise in them, and says what the noise was.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from models import control as paper
from models import loading
from training.chance import seed_of
from training.config import Config
from training.parts import Parts


class Learner(nn.Module):
    """The U-Net, a control or None, and the text encoder where it learns too. Called, it gives the loss."""

    def __init__(self, parts: Parts, config: Config) -> None:
        super().__init__()
        from diffusers import DDPMScheduler

        self.unet = parts.unet
        self.control = _control(parts, config) if config.objective == "control" else None
        self.text = parts.text if config.base.train_text else None
        self.beside = _read(config.base.beside) if config.base.beside else None
        self.only_middle = config.control.only_middle
        self.schedule = DDPMScheduler.from_config(dict(parts.schedule))
        self.unlocked = self.control is None
        self.requires_grad_(False)
        self._set_learning()
        if config.train.checkpointing:
            for network in filter(None, (self.unet, self.control)):
                network.enable_gradient_checkpointing()

    @property
    def times(self) -> int:
        """How many times there are, from no noise to nothing else."""
        return int(self.schedule.config.num_train_timesteps)

    def unlock(self) -> None:
        """Stage 2: the base's decoder learns from now on, beside the control, in float32."""
        self.unlocked = True
        self._set_learning()

    def settle(self, dtype: torch.dtype) -> None:
        """Bring what is locked into the precision in which it computes; what learns stays in float32."""
        if self.control is not None and not self.unlocked:
            nn.Module.to(self.unet, dtype)  # diffusers' own warns of what this architecture does not have

    def learning(self) -> dict[str, nn.Parameter]:
        """What learns now, by name, the control before the base's decoder."""
        named = {name: tensor for name, tensor in self.named_parameters() if tensor.requires_grad}
        return dict(sorted(named.items(), key=lambda entry: entry[0].startswith("unet.")))

    def forward(
        self,
        x_0: torch.Tensor,
        t: torch.Tensor,
        eps: torch.Tensor,
        text: torch.Tensor,
        hint: torch.Tensor,
        emphasis: torch.Tensor | None = None,
        alone: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The loss, a scalar, of latents x_0 (N, 4, h, w) that get the noise eps at times t (N).

        `text` is (N, 77, C), or token ids (N, 77) where the text encoder learns; `hint` is (N, 3, 8h, 8w);
        `emphasis` (N, 1, h, w) is how much each latent counts, None for all alike; `alone` (N) are those
        to which the control that stands beside a base adds nothing.
        """
        x_t = self.schedule.add_noise(x_0, eps, t)
        states = text if self.text is None else self.text(text)
        added = self._added(x_t, t, states, hint, alone)
        # a base that is locked lies in the precision in which it computes, and nothing need be converted
        with torch.autocast(x_t.device.type, enabled=self.unlocked and _is_mixed(x_t)):
            answer = paper.answer(self.unet, x_t, t, states, added)
        apart = (answer.float() - self.wanted(x_0, t, eps)) ** 2
        return (apart if emphasis is None else apart * emphasis).mean()

    def wanted(self, x_0: torch.Tensor, t: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
        """What the network should answer: the noise, or v where the schedule says so."""
        if self.schedule.config.prediction_type == "v_prediction":
            v: torch.Tensor = self.schedule.get_velocity(x_0, eps, t)
            return v
        return eps

    def _added(
        self,
        x_t: torch.Tensor,
        t: torch.Tensor,
        text: torch.Tensor,
        hint: torch.Tensor,
        alone: torch.Tensor | None,
    ) -> list[torch.Tensor] | None:
        """What the control that learns adds, or the one that stands beside a base; None without either."""
        if self.control is not None:
            added = paper.added(self.control, x_t, t, text, hint)
            return [*(part.detach() for part in added[:-1]), added[-1]] if self.only_middle else added
        if self.beside is None or alone is None:
            return None
        with torch.no_grad():
            lent = paper.added(self.beside, x_t, t, text, hint)
        return [part * ~alone[:, None, None, None] for part in lent]

    def _set_learning(self) -> None:
        learning = [self.unet if self.control is None else self.control]
        if self.text is not None:
            learning.append(self.text)
        if self.control is not None and self.unlocked:
            learning += paper.decoder(self.unet)
        for module in learning:
            nn.Module.float(module).requires_grad_(True).train()
        if self.only_middle and self.control is not None:
            paper.only_middle(self.control)


def _control(parts: Parts, config: Config) -> Any:
    """A fresh control, or the one that is learnt onwards."""
    if not config.control.onwards:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of("control", config.train.seed))
            return paper.from_base(parts.unet, pooled=config.control.pooled)
    return _read(config.control.onwards)


def _read(folder: str) -> Any:
    return loading.read(Path(folder), "control", torch.float32, what=f"The control {Path(folder).name}")


def _is_mixed(tensor: torch.Tensor) -> bool:
    """Whether what is computed with this tensor is computed in half precision."""
    return torch.is_autocast_enabled(tensor.device.type)
