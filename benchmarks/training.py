"""What control costs: a step of ours beside a fine-tuning step of the base, in Stable Diffusion 1.5's size.

The same trainer, batch, precision and pictures on both sides; weights are random, which costs the same. It
needs an NVIDIA GPU of 24 GB or more for the base's own side; without one every row says "not measured".
"""

import gc
import importlib.util
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.table import Row
from models import control as paper
from models import torchvision_ops
from models.loading import Text, Vae
from tests.training.made import Made
from training import config
from training.config import Config
from training.parts import Parts
from training.trainer import Trainer
from training.words import tokenizer

WARM, RUNS = 3, 10
GIB, TERA = 2**30, 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The size of what is trained: the networks' configurations, the pictures, the batch."""

    side: int = 512
    batch: int = 4
    precision: str = "bfloat16"
    unet: Mapping[str, Any] = field(
        default_factory=lambda: {"cross_attention_dim": 768, "attention_head_dim": 8}
    )
    vae: Mapping[str, Any] = field(
        default_factory=lambda: {
            "block_out_channels": (128, 256, 512, 512),
            "down_block_types": ("DownEncoderBlock2D",) * 4,
            "up_block_types": ("UpDecoderBlock2D",) * 4,
            "layers_per_block": 2,
        }
    )
    text: Mapping[str, Any] = field(
        default_factory=lambda: {
            "vocab_size": 49408,
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way to train, by what it changes of the run; `bounds` are of time and memory, beside the base's."""

    what: str
    changes: Mapping[str, Any]
    bounds: tuple[float | None, float | None] = (None, None)
    limit: float | None = None  # GiB
    needs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds of each step, and the most memory in GiB at any time."""

    seconds: tuple[float, ...] = ()
    memory: tuple[float, ...] = ()


BASE = Case(what="the base fine-tuned", changes={"objective": "base"})
CASES = (
    Case(what="control, nothing cached", changes={}, bounds=(0.97, 0.70)),
    Case(what="control, cached", changes={"train": {"cached": True}}, bounds=(0.70, None)),
    Case(what="control, stage 2", changes={"stage2": {"after": 1}}),
    Case(
        what="control, cached, checkpointed, one picture at once",
        changes={"train": {"cached": True, "checkpointing": True, "at_once": 1}},
        limit=12,
    ),
    Case(
        what="the same with the 8-bit optimiser",
        changes={"train": {"cached": True, "checkpointing": True, "at_once": 1, "optimizer": "adamw8bit"}},
        limit=8,
        needs="bitsandbytes",
    ),
)


def measure(folder: Path, weights: Path) -> list[Row]:
    """Time and memory of every case beside the base's; "not measured" without a GPU."""
    size = Size()
    if not torch.cuda.is_available():
        print("training: time and memory are not measured: there is no NVIDIA GPU here", file=sys.stderr)
        return [*counted(size), *rows(lambda case: Cost())]
    return [*counted(size), *rows(lambda case: cost(case, size, folder, "cuda"))]


def counted(size: Size) -> list[Row]:
    """The arithmetic of a step for one picture, forwards and backwards: counted, and nothing computed."""
    torchvision_ops.define_missing()
    from diffusers import AutoencoderKL, UNet2DConditionModel

    with torch.device("meta"):
        unet = UNet2DConditionModel(**size.unet)
        control = paper.from_base(unet)
        vae = AutoencoderKL(latent_channels=4, **size.vae).requires_grad_(False)
        x_t = torch.zeros(1, 4, size.side // 8, size.side // 8)
        asked = (torch.zeros(1), torch.zeros(1, 77, size.unet["cross_attention_dim"]))
        hint = torch.zeros(1, 3, size.side, size.side)
    encoding = _flops(lambda: vae.encode(hint))
    base = _flops(lambda: paper.predict(unet, None, x_t, *asked, hint).mean().backward())
    unet.requires_grad_(False)
    locked = _flops(lambda: paper.predict(unet, control, x_t, *asked, hint).mean().backward())
    for module in paper.decoder(unet):
        module.requires_grad_(True)
    both = _flops(lambda: paper.predict(unet, control, x_t, *asked, hint).mean().backward())
    shares = {
        "nothing cached": locked + encoding,
        "cached": locked,
        "stage 2, nothing cached": both + encoding,
    }
    return [
        Row(
            what=f"training: arithmetic of a control's step, {what}",
            unit="TFLOP",
            ours=[ours / TERA],
            other=[(base + encoding) / TERA],
            beside=BASE.what,
        )
        for what, ours in shares.items()
    ]


def _flops(run: Callable[[], Any]) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())


def rows(of: Callable[[Case], Cost]) -> list[Row]:
    """Each case beside the base: as shares of it, and its memory beside what a card has."""
    base = of(BASE)
    found = []
    for case in CASES:
        missing = case.needs and importlib.util.find_spec(case.needs) is None
        ours = Cost() if missing else of(case)
        for what, unit, mine, theirs, bound in (
            ("time of a step", "s", ours.seconds, base.seconds, case.bounds[0]),
            ("peak memory", "GiB", ours.memory, base.memory, case.bounds[1]),
        ):
            shares = tuple(a / b for a, b in zip(mine, theirs, strict=False))
            name = f"training: {case.what}, {what}"
            found.append(Row(what=name, unit=unit, ours=mine, other=theirs, beside=BASE.what))
            if bound is not None:
                ones = tuple(1.0 for _ in shares)
                share = f"{name}, as a share"
                found.append(
                    Row(what=share, unit="x", ours=shares, other=ones, beside=BASE.what, bound=bound)
                )
        if case.limit is not None:
            name = f"training: {case.what}, fits a card"
            limit = (case.limit,) if ours.memory else ()
            found.append(
                Row(
                    what=name,
                    unit="GiB",
                    ours=ours.memory,
                    other=limit,
                    beside="the card's memory",
                    bound=case.limit,
                )
            )
    return found


def cost(case: Case, size: Size, folder: Path, device: str) -> Cost:
    """Train a few steps in that way, on random weights, and count."""
    settings = config_of(case, size)
    accelerator = Accelerator(
        cpu=device == "cpu", mixed_precision={"bfloat16": "bf16", "float32": "no"}[size.precision]
    )
    trainer = Trainer(
        settings, parts_of(size, device), Made(count=8, side=size.side), accelerator, cache=folder / "latents"
    )
    seconds = []
    steps = trainer.steps()
    for step in range(WARM + RUNS):
        if step == WARM and device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        began = time.perf_counter()
        next(steps)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    steps.close()  # type: ignore[attr-defined]
    memory = torch.cuda.max_memory_allocated() / GIB if device == "cuda" else None
    accelerator.free_memory()
    del trainer, steps
    AcceleratorState._reset_state()
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
    return Cost(seconds=tuple(seconds[WARM:]), memory=() if memory is None else (memory,))


def config_of(case: Case, size: Size) -> Config:
    """The run of a case."""
    table: dict[str, Any] = {
        "name": "cost",
        "data": {"path": "made", "condition": "canny", "size": size.side},
        "train": {"batch": size.batch, "steps": 10**6, "precision": size.precision, "workers": 4},
        "watch": {"held_out": 0},
    }
    for name, change in case.changes.items():
        table[name] = {**table.get(name, {}), **change} if isinstance(change, Mapping) else change
    return config.read(table)


def parts_of(size: Size, device: str) -> Parts:
    """A base of that size with random weights."""
    torchvision_ops.define_missing()
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    words = tokenizer(" ".join(Made(count=8).prompts).split())
    with torch.device(device):
        unet = UNet2DConditionModel(**size.unet).requires_grad_(False)
        vae = AutoencoderKL(latent_channels=4, **size.vae).requires_grad_(False)
        special = {name: getattr(words, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
        text = CLIPTextModel(CLIPTextConfig(**size.text, **special)).requires_grad_(False)
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    return Parts(
        folder=Path("random"),
        family=None,
        text=Text(words, text.eval()),
        unet=unet.eval(),
        vae=_vae(vae.eval()),
        schedule=schedule,
    )


def _vae(autoencoder: Any) -> Vae:
    """Without the colours of previews, which nobody sees here."""
    vae = Vae.__new__(Vae)
    torch.nn.Module.__init__(vae)
    vae.autoencoder = autoencoder
    vae.register_buffer("rgb", torch.zeros(5, 3, device=next(autoencoder.parameters()).device))
    return vae
