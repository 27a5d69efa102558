"""A request made ready: prompts encoded, maps read, and each picture's first latents."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

import conditions
from annotators.base import Pixels
from pipelines import schedulers
from pipelines.cache import ModelCache
from pipelines.conditioning import Hint, Prompt, check_size, encode, to_hint
from pipelines.request import ControlUnit, GenerateRequest
from pipelines.state import PictureState

if TYPE_CHECKING:
    from pipelines.generate import Models

LATENT = 8  # pixels of a picture to one of its latents, along a side


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Its pictures before the first step, its maps, and what the artist should know."""

    states: tuple[PictureState, ...]
    maps: tuple[Pixels, ...]
    notices: tuple[str, ...]


def begin(request: GenerateRequest, models: "Models", cache: ModelCache) -> Batch:
    """The request with its prompts encoded, its maps read, and each picture's noise drawn from its seed."""
    positive = encode(models.text, request.prompt)
    negative = encode(models.text, request.negative_prompt) if request.guidance > 1 else None
    maps = tuple(_fitting(request, cache, unit.map, "map") for unit in request.controls)
    hints = tuple(
        _hint(unit, map, request, models, cache) for unit, map in zip(request.controls, maps, strict=True)
    )
    shape = (1, models.unet.config.in_channels, request.height // LATENT, request.width // LATENT)
    states = []
    for seed in request.seeds:
        generator = torch.Generator().manual_seed(seed)  # of the CPU: the same noise on every device
        noise = torch.randn(shape, generator=generator)
        config = cache.scheduler_config(request.family)
        scheduler = schedulers.build(request.scheduler, config, request.steps)
        state = PictureState(
            x_t=torch.as_tensor(noise, device=models.unet.device) * scheduler.init_noise_sigma,
            scheduler=scheduler,
            generator=generator,
            guidance=request.guidance,
            positive=positive.states,
            negative=negative.states if negative else None,
            hints=hints,
        )
        states.append(state)
    return Batch(states=tuple(states), maps=maps, notices=_dropped(positive, negative))


def _hint(
    unit: ControlUnit, map: Pixels, request: GenerateRequest, models: "Models", cache: ModelCache
) -> Hint:
    control = conditions.find(unit.condition).control(request.family).name
    region = None if unit.region is None else _fitting(request, cache, unit.region, "region")
    return to_hint(unit, control, models.controls[control], map, region)


def _fitting(request: GenerateRequest, cache: ModelCache, digest: str, what: str) -> Pixels:
    """A picture of the request, RGB uint8 (H, W, 3), in the size of its results."""
    pixels = cache.pictures.get(digest)
    check_size(pixels, request.width, request.height, what)
    return pixels


def _dropped(positive: Prompt, negative: Prompt | None) -> tuple[str, ...]:
    """What of the prompts was not read."""
    prompts = (("prompt", positive), ("negative prompt", negative))
    return tuple(
        f"The {name} is longer than the model can read. It did not see: “{prompt.dropped}”"
        for name, prompt in prompts
        if prompt and prompt.dropped
    )
