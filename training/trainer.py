"""The loop: fetch, noise, predict, loss, backward, clip, step; then whoever follows logs and saves.

One step learns from `batch` pictures, whichever way they are divided over parts and devices: each sample
draws the same, and the gradients are the mean over all of them.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from errors import PARAM_RANGE, TRAIN_DIVERGED
from training import chance, latents, optimizers
from training.checkpoint import Checkpoint, Tensors
from training.config import Config
from training.data import Pairs
from training.feed import Batch, Feed, Sample, Share, batch_of
from training.latents import Latents
from training.learner import Learner
from training.optimizers import Average
from training.parts import Parts

MOST_SKIPPED = 10  # steps in a row whose loss or gradients are not finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One step that was taken, or `skipped` since its loss or its gradients were not finite."""

    step: int
    loss: float
    norm: float
    learning_rate: float
    seconds: float
    skipped: bool


class Trainer:
    """A run in memory: what learns, its optimiser, its average, and how far it has come."""

    def __init__(
        self,
        config: Config,
        parts: Parts,
        pairs: Pairs,
        accelerator: Accelerator,
        cache: Path = Path("latents"),
    ) -> None:
        """`cache` is the folder of what is computed once, where the config asks for that."""
        self.config = config
        self.parts = parts
        self.accelerator = accelerator
        self.step = 0
        self.skipped = 0  # steps in a row
        self._is_alone = accelerator.num_processes == 1
        share = Share(rank=accelerator.process_index, of=accelerator.num_processes)
        check_batch(config, share)
        self.learner = Learner(parts, config)
        self._settle()
        kept = self._kept(pairs, cache) if config.train.cached else None
        self.feed = Feed(pairs, config, times=self.learner.times, share=share, latents=kept)
        self.learning = self.learner.learning()
        settings = config.train
        group = _group(settings.learning_rate, list(self.learning.values()))
        self._plain = optimizers.build(settings.optimizer, [group], settings.weight_decay)
        self._optimizer: Any = accelerator.prepare_optimizer(self._plain)
        self._model: Any = accelerator.prepare_model(self.learner)
        self.average = Average(self.learning, settings.ema) if settings.ema else None

    def steps(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Taken]:
        """Learn, one step after the other, from wherever the run stands to its last step.

        Where one device works alone it is asked to `stop` within a step too, which then was not taken.
        """
        settings = self.config.train
        with closing(self.feed.samples(self.step)) as samples:
            while self.step < settings.steps:
                began = time.monotonic()
                self._enter_stage(self.step)
                rate = self._set_rates()
                torch.manual_seed(chance.seed_of("step", settings.seed, self.step))
                loss = torch.zeros((), device=self.accelerator.device)
                for part in range(self.feed.parts):
                    batch = self.batch(next(samples))
                    is_last = part == self.feed.parts - 1
                    with nullcontext() if is_last else self.accelerator.no_sync(self._model):
                        share = self._model(**vars(batch))
                        self.accelerator.backward(share / self.feed.parts)
                    loss += share.detach() / self.feed.parts
                    if self._is_alone and not is_last and stop():
                        self._optimizer.zero_grad()
                        return
                norm = self.accelerator.clip_grad_norm_(self.learning.values(), settings.clip or math.inf)
                loss = self.accelerator.reduce(loss, reduction="mean")
                skipped = self._step(float(loss), float(norm))
                self.step += 1
                yield Taken(
                    step=self.step,
                    loss=float(loss),
                    norm=float(norm),
                    learning_rate=rate,
                    seconds=time.monotonic() - began,
                    skipped=skipped,
                )

    def batch(self, samples: Sequence[Sample]) -> Batch:
        """The samples as the learner takes them."""
        return batch_of(samples, self.parts, self.accelerator.device, ids=self.learner.text is not None)

    @contextmanager
    def parts_here(self) -> Iterator[None]:
        """The base's text encoder and autoencoder on the device, where they are not for the whole run."""
        if not self.config.train.cached:
            yield
            return
        self._place_parts(self.accelerator.device)
        try:
            yield
        finally:
            self._place_parts(torch.device("cpu"))

    def _step(self, loss: float, norm: float) -> bool:
        """Move what learns against its gradients, unless they are not finite; whether they were not."""
        finite = math.isfinite(loss) and math.isfinite(norm)
        if finite or self.accelerator.scaler is not None:  # the scaler has to see an overflow to scale down
            self._optimizer.step()
        self._optimizer.zero_grad()
        if finite:
            self.skipped = 0
            if self.average is not None:
                self.average.update(self.learning)
            return False
        self.skipped += 1
        if self.skipped > MOST_SKIPPED:
            raise TRAIN_DIVERGED(
                "The training left the range of numbers, and did not come back",
                found=f"loss {loss:.3g}, gradients {norm:.3g} in {self.skipped} steps after another",
                todo="Lower train.learning_rate, and go on from the last checkpoint, which is finite",
            )
        return True

    def _set_rates(self) -> float:
        """Set the learning rates of this step; answers the first."""
        settings = self.config.train
        rising = (self.step + 1) / (settings.warmup + 1)
        falling = (settings.steps - self.step) / (settings.cooldown + 1)
        share = min(1.0, rising, falling)
        for group in self._optimizer.param_groups:
            group["lr"] = group["full"] * share
        return float(self._optimizer.param_groups[0]["lr"])

    def _enter_stage(self, step: int) -> None:
        """Unlock the base's decoder where that step, counted from 0, belongs to stage 2."""
        after = self.config.stage2.after
        if not after or step < after or self.learner.unlocked:
            return
        self.learner.unlock()
        before = self.learning
        self.learning = self.learner.learning()
        added = [parameter for name, parameter in self.learning.items() if name not in before]
        self._optimizer.add_param_group(_group(self.config.stage2.learning_rate, added))
        if not self._is_alone:
            self._share_anew()

    def _share_anew(self) -> None:
        """Let the devices add up the gradients of what learns now; the old sharing must be gone by then."""
        self.accelerator.unwrap_model(self._model, keep_fp32_wrapper=False)
        self._model = self._optimizer = None
        self.accelerator.free_memory()
        self._optimizer = self.accelerator.prepare_optimizer(self._plain)
        self._model = self.accelerator.prepare_model(self.learner)

    def _settle(self) -> None:
        """Bring every network to its device and its precision."""
        dtype = PRECISIONS[self.accelerator.mixed_precision]
        self.learner.settle(dtype)
        self.learner.to(self.accelerator.device)
        for network in (self.parts.vae, self.parts.text):
            if network is not self.learner.text:
                torch.nn.Module.to(network, self.accelerator.device, dtype)

    def _kept(self, pairs: Pairs, cache: Path) -> Latents:
        """Latents, and the states of texts whose encoder is locked, computed once by one of the devices.

        What made them then makes room.
        """
        parts, main = self.parts, self.accelerator.is_main_process
        texts = self.learner.text is None
        base = latents.fingerprint(parts.vae, parts.text) if texts else latents.fingerprint(parts.vae)
        if main:
            latents.keep(pairs, parts, cache, base=base, texts=texts)
        self.accelerator.wait_for_everyone()
        kept = latents.keep(pairs, parts, cache, base=base, texts=texts)
        self._place_parts(torch.device("cpu"))
        return kept

    def _place_parts(self, device: torch.device) -> None:
        for network in (self.parts.vae, self.parts.text):
            if network is not self.learner.text:
                network.to(device)

    # going on

    def checkpoint(self) -> Checkpoint:
        """Everything that the next step needs."""
        plain, tensors = self._optimizer_state()
        groups: dict[str, Tensors] = {"weights": dict(self.learning), "optimizer": tensors}
        if self.average is not None:
            groups["average"] = dict(self.average.tensors)
        scaler = self.accelerator.scaler
        state = {
            "step": self.step,
            "skipped": self.skipped,
            "optimizer": plain,
            "average": self.average.updates if self.average else 0,
            "scaler": scaler.state_dict() if scaler else {},
        }
        return Checkpoint(state=state, tensors=groups)

    @torch.no_grad()
    def restore(self, checkpoint: Checkpoint) -> None:
        """Stand where the checkpoint stood."""
        self.step = checkpoint.step
        self.skipped = int(checkpoint.state["skipped"])
        self._enter_stage(self.step - 1)
        for name, parameter in self.learning.items():
            parameter.copy_(checkpoint.tensors["weights"][name])
        if self.average is not None:
            self.average.updates = int(checkpoint.state["average"])
            device = self.accelerator.device
            self.average.tensors = {
                name: tensor.to(device) for name, tensor in checkpoint.tensors["average"].items()
            }
        self._restore_optimizer(checkpoint.state["optimizer"], checkpoint.tensors["optimizer"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(dict(checkpoint.state["scaler"]))

    def _optimizer_state(self) -> tuple[dict[str, dict[str, Any]], Tensors]:
        """The optimiser's plain values and its tensors, by the names of the parameters they belong to."""
        plain: dict[str, dict[str, Any]] = {}
        tensors: Tensors = {}
        names = list(self.learning)
        for index, values in self._plain.state_dict()["state"].items():
            name = names[index]
            plain[name] = {key: value for key, value in values.items() if not torch.is_tensor(value)}
            found = {key: value for key, value in values.items() if torch.is_tensor(value)}
            tensors |= {f"{name}|{key}": value for key, value in found.items()}
        return plain, tensors

    def _restore_optimizer(self, plain: dict[str, dict[str, Any]], tensors: Tensors) -> None:
        state = self._plain.state_dict()
        by_name: dict[str, dict[str, Any]] = {name: dict(values) for name, values in plain.items()}
        for key, tensor in tensors.items():
            name, _, kind = key.partition("|")
            by_name[name][kind] = tensor
        state["state"] = {i: by_name[name] for i, name in enumerate(self.learning) if name in by_name}
        self._plain.load_state_dict(state)


PRECISIONS = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def _group(rate: float, parameters: list[torch.nn.Parameter]) -> dict[str, Any]:
    """Parameters with their own learning rate, which `full` keeps while the real one warms up."""
    return {"params": parameters, "lr": rate, "full": rate}


def check_batch(config: Config, share: Share) -> None:
    """Refuse a batch that can't be divided evenly."""
    settings = config.train
    at_once = settings.at_once or max(1, settings.batch // share.of)
    if settings.batch % (at_once * share.of):
        raise PARAM_RANGE(
            "The batch can't be divided evenly",
            found=f"{settings.batch} pictures over {share.of} devices with {at_once} at once",
            allowed="a batch that is a multiple of the devices times what each holds at once",
            todo="Change train.batch or train.at_once",
        )
