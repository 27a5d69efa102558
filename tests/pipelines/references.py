"""What ours is held against: diffusers' own pipelines, and a small loop that is written out in full."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from annotators.base import Pixels
from models.device import Device
from models.store import Store
from pipelines import schedulers
from pipelines.beginning import begin
from pipelines.cache import ModelCache
from pipelines.generate import Models, borrow, denoise
from pipelines.pictures import PictureStore
from pipelines.request import ControlUnit, GenerateRequest
from pipelines.schedulers import SCHEDULERS
from tests import tiny_family
from tests.tolerances import NOTES

SIDE = 64
CONTROLS = {
    "canny": "lines",
    "depth": "depth",
    "normal": "normal",
    "inpaint": "inpaint",
}  # of the family "pocket", by condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """A tiny family with several controls, its pictures, and diffusers' own networks beside ours."""

    store: Store
    cache: ModelCache
    pictures: PictureStore
    maps: dict[str, Pixels]

    def unit(self, condition: str, **fields: Any) -> ControlUnit:
        """A control with its map."""
        return ControlUnit(condition=condition, map=self.pictures.put(self.maps[condition]), **fields)

    def request(self, *units: ControlUnit, **fields: Any) -> GenerateRequest:
        """A small request for these controls."""
        wanted: dict[str, Any] = {
            "prompt": "a red house by the sea",
            "negative_prompt": "fog",
            "width": SIDE,
            "height": SIDE,
            "steps": 4,
            "seed": 7,
            "scheduler": "ddim",
        }
        return GenerateRequest(controls=units, **(wanted | fields))

    def network(self, condition: str) -> Any:
        """diffusers' own ControlNet of a condition, in float32."""
        from diffusers import ControlNetModel

        folder = self.store.control("pocket", CONTROLS[condition])
        return ControlNetModel.from_pretrained(folder, local_files_only=True)

    def pipeline(self, kind: str, conditions: Sequence[str]) -> Any:
        """A pipeline of diffusers by its name, with the controls of these conditions."""
        import diffusers

        networks = [self.network(condition) for condition in conditions]
        pipeline = getattr(diffusers, kind).from_pretrained(
            self.store.base("pocket"),
            controlnet=networks if len(networks) > 1 else networks[0],
            safety_checker=None,
            local_files_only=True,
        )
        pipeline.set_progress_bar_config(disable=True)
        pipeline.noise_schedule = dict(pipeline.scheduler.config)
        return pipeline


def studio(folder: Path, *, pooled: str = "") -> Studio:
    """A tiny family in a folder, with a control for each of CONTROLS; that of one condition may be pooled."""
    tiny_family.write(folder / "weights")
    for seed, (condition, name) in enumerate(CONTROLS.items()):
        tiny_family.add_control(folder / "weights", name, seed=seed, pooled=condition == pooled)
    store, pictures = Store(folder / "weights"), PictureStore(folder / "pictures")
    cpu = Device(name="cpu", title="CPU", dtype=torch.float32, budget=10**9)
    cache = ModelCache(store, pictures, cpu)
    chance = np.random.default_rng(5)
    maps = {condition: blurred(chance) for condition in CONTROLS}
    return Studio(store=store, cache=cache, pictures=pictures, maps=maps)


def blurred(chance: np.random.Generator) -> Pixels:
    """A soft coloured picture, RGB uint8 (64, 64, 3)."""
    small = chance.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)


def ours(request: GenerateRequest, cache: ModelCache, *, drawn: int = 0) -> torch.Tensor:
    """What our loop makes of a request: latents (N, 4, h, w).

    Of each picture's chance so many are `drawn` before the first step as diffusers draws for nothing.
    """
    with borrow(request, cache) as models:
        states = begin(request, models, cache).states
        for state in states * drawn:
            torch.randn(state.x_t.shape, generator=state.generator)
        for _ in denoise(models, states):
            pass
        return torch.cat([state.x_t for state in states])


def theirs(pipeline: Any, request: GenerateRequest, maps: Sequence[Any], **given: Any) -> torch.Tensor:
    """What a pipeline of diffusers makes of the text, the controls and the schedule of a request.

    A map is RGB uint8 (H, W, 3), or (1, 3, H, W) from 0 to 1 with -1 in its holes.
    """
    pipeline.scheduler = schedulers.build(request.scheduler, pipeline.noise_schedule)
    if timesteps := list(SCHEDULERS[request.scheduler].timesteps):
        spaced = partial(pipeline.scheduler.set_timesteps, timesteps=timesteps)
        pipeline.scheduler.set_timesteps = lambda steps, device=None: spaced(device=device)
    eta = signature(pipeline.scheduler.step).parameters.get("eta")
    units, alone = request.controls, len(request.controls) == 1
    name = "image" if type(pipeline).__name__ == "StableDiffusionControlNetPipeline" else "control_image"
    pictures = [map if isinstance(map, torch.Tensor) else Image.fromarray(map) for map in maps]
    latents: torch.Tensor = pipeline(
        **{name: pictures[0] if alone else pictures},
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        width=request.width,
        height=request.height,
        num_inference_steps=request.steps,
        guidance_scale=request.guidance,
        num_images_per_prompt=request.count,
        generator=[torch.Generator().manual_seed(seed) for seed in request.seeds],
        controlnet_conditioning_scale=units[0].strength if alone else [unit.strength for unit in units],
        control_guidance_start=units[0].start if alone else [unit.start for unit in units],
        control_guidance_end=units[0].end if alone else [unit.end for unit in units],
        eta=eta.default if eta else 0.0,  # the pipelines' own is DDIM's, also for TCD
        output_type="latent",
        **given,
    ).images
    return latents


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """One control of the loop by hand: a factor for each layer, where it acts, and under which prompt."""

    network: Any
    map: Pixels
    factors: Sequence[float]
    region: Pixels | None = None
    on_both: bool = True


@torch.no_grad()
def by_hand(models: Models, request: GenerateRequest, controls: Sequence[Added], schedule: Any) -> Any:
    """Latents (1, 4, h, w): DDIM with guidance, one row at a time, with diffusers' ControlNet as it is."""
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler.from_config(schedule, clip_sample=False)
    scheduler.set_timesteps(request.steps)
    noise = torch.Generator().manual_seed(request.seed)
    x = torch.randn((1, 4, request.height // 8, request.width // 8), generator=noise)
    for t in scheduler.timesteps:
        answers = []
        for prompt, is_negative in ((request.prompt, False), (request.negative_prompt, True)):
            ids = models.text.tokenizer(
                prompt, padding="max_length", max_length=77, truncation=True
            ).input_ids
            text = models.text(torch.tensor([ids]))
            heard = [control for control in controls if control.on_both or not is_negative]
            parts = [_added(control, x, t, text) for control in heard]
            *down, mid = [sum(layer) for layer in zip(*parts, strict=True)] or (None,)
            answers.append(
                models.unet(
                    x,
                    t,
                    encoder_hidden_states=text,
                    down_block_additional_residuals=down or None,
                    mid_block_additional_residual=mid,
                ).sample
            )
        positive, negative = answers
        x = scheduler.step(negative + request.guidance * (positive - negative), t, x).prev_sample
    return x


def _added(control: Added, x: torch.Tensor, t: torch.Tensor, text: torch.Tensor) -> list[torch.Tensor]:
    map = torch.tensor(control.map).permute(2, 0, 1)[None] / 255
    down, mid = control.network(x, t, encoder_hidden_states=text, controlnet_cond=map, return_dict=False)
    parts = [part * factor for part, factor in zip((*down, mid), control.factors, strict=True)]
    if control.region is None:
        return parts
    sizes = [(8, 8), (8, 8), (4, 4), (4, 4), (4, 4)]  # of the tiny U-Net's layers, at 64 pixels
    plane = control.region[..., 0].astype(np.float32) / 255
    shrunk = [torch.tensor(_bilinear(plane, *size)) for size in sizes]
    return [part * region for part, region in zip(parts, shrunk, strict=True)]


def _bilinear(plane: Any, height: int, width: int) -> Any:
    """A plane (H, W) sampled between its four nearest values at the centres of a coarser grid."""
    answer = np.zeros((height, width), np.float32)
    for row in range(height):
        for column in range(width):
            y = (row + 0.5) * plane.shape[0] / height - 0.5
            x = (column + 0.5) * plane.shape[1] / width - 0.5
            top, left = int(y), int(x)
            down, right = y - top, x - left
            answer[row, column] = (
                plane[top, left] * (1 - down) * (1 - right)
                + plane[top, left + 1] * (1 - down) * right
                + plane[top + 1, left] * down * (1 - right)
                + plane[top + 1, left + 1] * down * right
            )
    return answer


def bound(expected: torch.Tensor) -> float:
    """How far two results of the same arithmetic may differ in float32, when only its order differs."""
    return 1e-4 * max(1.0, float(expected.std()))


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """The largest difference of two results."""
    return float((a - b).abs().max())


def hold(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Fail where two results differ by more than the order of the arithmetic can explain."""
    assert expected.std() > 0.1
    apart, allowed = distance(found, expected), bound(expected)
    NOTES.note(apart, allowed)
    if apart > allowed:
        pytest.fail(f"{apart:.2g} apart, and {allowed:.2g} is allowed")
