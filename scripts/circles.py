"""The learning run of docs/training.md: from nothing to a control that follows circles, on little data.

    python -m scripts.circles [FOLDER] [--write]

    1  draws 1,000 pairs of the tutorial's set (`dataset fill50k`) at 64 pixels
    2  trains a small autoencoder, and puts a base together: it, a small CLIP, a U-Net of random weights
    3  trains the base on the targets, and 4 a control on that base, both with the trainer as anybody would
       (docs/training/circles-base.toml and circles-control.toml)

Every stage goes on where it was interrupted. `--write` puts figures, curve and sheets into the docs.
"""

import argparse
import re
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from models import torchvision_ops
from models.store import Store
from pipelines import durable
from scripts.soak import machine
from training import config, fill50k
from training.convergence import Convergence
from training.data import DataConfig, open_pairs
from training.feed import pictures_of
from training.journal import SHEETS, entries
from training.run import Finished, train
from training.trainer import Taken
from training.watch import Looked
from training.words import text_encoder, tokenizer

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "circles"
CONFIGS = {name: ROOT / "docs" / "training" / f"circles-{name}.toml" for name in ("base", "control")}
PAGE, IMAGES = ROOT / "docs" / "training.md", ROOT / "docs" / "images"
BEGIN, END = "<!-- circles -->", "<!-- end of circles -->"

COUNT, SIDE, WIDTH = 1000, 64, 64
# of the autoencoder: it learns from squares of 32 pixels first, of which one costs a quarter of a picture
STEPS, BATCH, RATE, CROP, CROPPED = 5500, 16, 4e-3, 32, 5000
SMOOTHNESS = 1e-5  # the weight of the latents' distance to plain noise
LITTLE_SPREAD = (
    -6.0
)  # the logarithm of the variance that latents begin with: little noise, to learn shapes first


def main(arguments: Sequence[str]) -> int:
    """Run every stage that is not done."""
    parser = argparse.ArgumentParser(prog="python -m scripts.circles", description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="where all of it goes")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/training.md")
    given = parser.parse_args(arguments)
    seconds: dict[str, float] = {}
    began = time.monotonic()
    fill50k.make(given.folder / "data", fill50k.Recipe(size=SIDE), COUNT)
    base = given.folder / "start"
    if not base.exists():
        start(base, given.folder / "data")
        (base / "seconds").write_text(f"{time.monotonic() - began:.0f}")
    seconds["autoencoder"] = float((base / "seconds").read_text())
    finished = {}
    for name, path in CONFIGS.items():
        finished[name] = trained(name, path, given.folder)
        seconds[name] = sum(float(line["seconds"]) for line in spent(given.folder, name))
    text = figures(finished["control"], given.folder, seconds)
    print(text)
    if given.write:
        write(text, finished["control"], given.folder)
    return 0


def trained(name: str, path: Path, folder: Path) -> Finished:
    """One stage by the trainer."""
    settings = config.load(path)
    settings = replace(
        settings,
        data=replace(settings.data, path=folder / "data"),
        base=replace(settings.base, model=str(folder / settings.base.model)),
    )
    for event in train(settings, store=Store(folder / "weights"), runs=folder / "runs", device="cpu"):
        match event:
            case Taken(step=step) if step % 50 == 0:
                say(f"{name}: step {step}, loss {event.loss:.3f}, {event.seconds:.2f} s")
            case Looked():
                say(f"{name}: step {event.step}, held-out loss {event.held_out_loss:.4f}, {event.agreement}")
            case Finished():
                return event
    raise AssertionError("a run that ends has finished")


def spent(folder: Path, name: str) -> list[dict[str, Any]]:
    """The lines of a run's log that say how long a step took; every one does in these runs."""
    return [line for line in entries(folder / "runs" / f"circles-{name}") if "seconds" in line]


# the base to begin with


def start(base: Path, data: Path) -> None:
    """A base in diffusers' layout: an autoencoder that was trained on the targets, and random networks."""
    torchvision_ops.define_missing()
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    torch.manual_seed(0)
    pairs = open_pairs(DataConfig(path=data, condition="canny", size=SIDE))
    pictures = pictures_of([pairs.target(index, 0) for index in range(len(pairs))], torch.device("cpu"))
    vae = autoencoder(pictures)
    words = tokenizer(word for prompt in pairs.prompts for word in prompt.split())
    pipeline = StableDiffusionPipeline(
        vae=vae,
        tokenizer=words,
        text_encoder=text_encoder(words, width=WIDTH, layers=2),
        unet=unet(),
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    aside = base.with_name(f"{base.name}{durable.ASIDE}")
    shutil.rmtree(aside, ignore_errors=True)
    pipeline.save_pretrained(aside)
    aside.rename(base)


def unet() -> Any:
    """A U-Net of Stable Diffusion's kind, 200 times as small."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=SIDE // 8,
        block_out_channels=(64, 128),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def autoencoder(pictures: torch.Tensor) -> Any:
    """A small KL autoencoder, trained on pictures (N, 3, H, W) from -1 to 1; latents have deviation 1."""
    from diffusers import AutoencoderKL

    vae = AutoencoderKL(
        block_out_channels=(8, 16, 32, 64),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=1,
        latent_channels=4,
        sample_size=SIDE,
        mid_block_add_attention=False,
    )
    for step, loss in enumerate(_fitted(vae, pictures), 1):
        if step % 100 == 0:
            say(f"autoencoder: step {step}, loss {loss:.4f}")
    vae.eval().requires_grad_(False)
    with torch.no_grad():
        deviation = float(vae.encode(pictures[:256]).latent_dist.mean.std())
    vae.register_to_config(scaling_factor=1 / deviation)
    return vae


def _fitted(vae: Any, pictures: torch.Tensor) -> Iterator[float]:
    """Train an autoencoder, a loss for each step: of what differs, and of slopes that do, for sharp edges."""
    with torch.no_grad():
        spread = slice(vae.config.latent_channels, None)
        vae.quant_conv.bias[spread] = LITTLE_SPREAD
        vae.quant_conv.weight[spread] *= 0.1
        for module in vae.modules():
            if type(module).__name__ == "ResnetBlock2D":  # each begins as nothing beside its shortcut
                torch.nn.init.zeros_(module.conv2.weight)
                torch.nn.init.zeros_(module.conv2.bias)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=RATE, weight_decay=0)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS, pct_start=0.1)
    for step in range(STEPS):
        side = CROP if step < CROPPED else SIDE
        picked = pictures[torch.randint(len(pictures), (BATCH,))]
        top, left = torch.randint(SIDE - side + 1, (2,)).tolist()
        x = picked[:, :, top : top + side, left : left + side]
        x = x.flip(-1) if step % 2 else x
        x = x.transpose(2, 3) if step % 4 > 1 else x
        spread_of = vae.encode(x).latent_dist
        error = vae.decode(spread_of.sample()).sample - x
        slopes = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
        loss = error.abs().mean() + slopes + SMOOTHNESS * spread_of.kl().mean() / spread_of.mean[0].numel()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        rates.step()
        yield float(loss.detach())


# what is said about it


def figures(end: Finished, folder: Path, seconds: dict[str, float]) -> str:
    """What was measured, as a table for people."""
    curve = dict(end.curve)
    first, last = curve[min(curve)], curve[max(curve)]
    best = max(curve.values())
    rows = {
        "held-out edge F1 without control (step 0)": f"{first:.3f}",
        f"with it, after {end.steps:,} steps": f"{last:.3f}",
        "the best on the way": f"{best:.3f}",
        "as many times the value without control": f"{last / first:.1f}" if first else "",
        "sudden convergence": in_words(end.convergence),
        "autoencoder, base, control": ", ".join(f"{value / 60:.0f} min" for value in seconds.values()),
    }
    table = "\n".join(f"| {what} | {value} |" for what, value in rows.items())
    return f"`python -m scripts.circles` on {machine()}:\n\n| measured | figure |\n| --- | --- |\n{table}"


def in_words(found: Convergence | None) -> str:
    """The convergence for people."""
    if found is None:
        return "none found"
    return (
        f"between step {found.after:,} and step {found.by:,}, "
        f"from {found.level_before:.2f} to {found.level_after:.2f}"
    )


def write(text: str, end: Finished, folder: Path) -> None:
    """Put the figures into the page, and the curve and the sheets beside it."""
    marks = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    page = PAGE.read_text("utf-8")
    assert len(marks.findall(page)) == 1, "the page has one place for the figures"
    PAGE.write_text(marks.sub(lambda _: f"{BEGIN}\n{text}\n{END}", page), "utf-8")
    (IMAGES / "training-curve.svg").write_text(drawn(end), "utf-8")
    steps = [step for step, _ in end.curve]
    shown = [steps[0], end.convergence.by if end.convergence else steps[len(steps) // 2], steps[-1]]
    sheets = [
        Image.open(folder / "runs" / "circles-control" / SHEETS / f"step-{step:08d}.png") for step in shown
    ]
    joined = np.concatenate(
        [np.pad(np.asarray(sheet), ((0, 0), (0, 24), (0, 0)), constant_values=255) for sheet in sheets],
        axis=1,
    )
    Image.fromarray(joined[:, :-24]).save(IMAGES / "training-sheets.png")


WIDE, HIGH, EDGE = 640, 260, 40


def drawn(end: Finished) -> str:
    """The curve of agreement as SVG, with a line where the control converged."""

    def place(step: float, value: float) -> str:
        return (
            f"{EDGE + step / end.steps * (WIDE - 2 * EDGE):.1f},{HIGH - EDGE - value * (HIGH - 2 * EDGE):.1f}"
        )

    points = " ".join(place(step, value) for step, value in end.curve)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDE}" height="{HIGH}" fill="#fff"/>',
    ]
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = place(0, value).split(",")
        lines.append(f'<path d="M{x},{y}H{WIDE - EDGE}" stroke="#ddd"/><text x="8" y="{y}">{value:g}</text>')
    for step in range(0, end.steps + 1, max(1, end.steps // 5)):
        x = place(step, 0).split(",")[0]
        lines.append(f'<text x="{x}" y="{HIGH - 14}" text-anchor="middle">{step:,}</text>')
    if end.convergence is not None:
        x = place((end.convergence.after + end.convergence.by) / 2, 0).split(",")[0]
        lines.append(f'<path d="M{x},{EDGE}V{HIGH - EDGE}" stroke="#c60" stroke-dasharray="4"/>')
    lines.append(f'<polyline points="{points}" fill="none" stroke="#246" stroke-width="2"/>')
    lines.append(
        f'<text x="{EDGE}" y="22">agreement of held-out circles (edge F1) by steps of the control</text>'
    )
    return "\n".join([*lines, "</svg>", ""])


def say(words: str) -> None:
    """A line for whoever waits."""
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
