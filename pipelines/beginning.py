"""A request made ready: prompts encoded, maps read, and each picture's first latents."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

import conditions
from annotators.base import Pixels
from pipelines import masking, prompts, schedulers
from pipelines.cache import ModelCache
from pipelines.conditioning import Hint, check_size, to_hint
from pipelines.masking import Mask
from pipelines.preview import LATENT
from pipelines.reading import reader
from pipelines.request import GenerateRequest, presets
from pipelines.scene import Scene, Start, from_noise, from_scene, open_scene
from pipelines.state import PictureState

if TYPE_CHECKING:
    from pipelines.generate import Models


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Its pictures before the first step, its maps, and what the artist should know.

    `scene` is what the pictures begin with, where that is not noise alone.
    """

    states: tuple[PictureState, ...]
    maps: tuple[Pixels, ...]
    notices: tuple[str, ...]
    scene: Scene | None = None

    def finished(self, made: Pixels) -> Pixels:
        """A picture as it was decoded, RGB uint8 (H, W, 3), with what is kept put back into it."""
        if self.scene is None or self.scene.mask is None:
            return made
        return masking.paste(made, self.scene.original, self.scene.mask)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """The pictures of a request, RGB uint8 (H, W, 3) in the size of its results, and its mask (H, W)."""

    maps: tuple[Pixels, ...]
    regions: tuple[Pixels | None, ...]
    init: Pixels | None
    mask: Mask | None


def begin(request: GenerateRequest, models: "Models", cache: ModelCache, *, in_strips: bool = False) -> Batch:
    """The request with its prompts encoded, its pictures read, and each picture's noise from its seed."""
    texts = (request.prompt, request.negative_prompt) if request.guidance > 1 else (request.prompt,)
    read = reader(request, models.text, models.outfit, cache.store)
    positive, *negative = read.encode(*texts)
    brought = bring(request, cache)
    scene = None
    if brought.init is not None:
        scene = open_scene(request, brought.init, brought.mask, models.vae, in_strips=in_strips)
    hints = _hints(request, brought, models)
    states = []
    for seed in request.seeds:
        generator = torch.Generator().manual_seed(seed)
        scheduler = schedulers.build(request.scheduler, cache.scheduler_config(request.model), request.steps)
        start = _start(request, scene, scheduler, generator, models.unet, positive.device)
        state = PictureState(
            x_t=start.x_t,
            scheduler=scheduler,
            generator=generator,
            guidance=request.guidance,
            positive=positive,
            negative=negative[0] if negative else None,
            hints=hints,
            first=start.first,
            kept=start.kept,
        )
        states.append(state)
    notices = (
        *(*models.notices, *read.notices(*texts), *models.outfit.notices),
        *(*presets.few_steps(request), *prompts.unread(*texts), *_idle(request, hints, states[0].first)),
    )
    return Batch(states=tuple(states), maps=brought.maps, notices=notices, scene=scene)


def bring(request: GenerateRequest, cache: ModelCache) -> Brought:
    """All pictures that a request names; one of another size is refused."""

    def fitting(digest: str, what: str) -> Pixels:
        pixels = cache.pictures.get(digest)
        check_size(pixels, request.width, request.height, what)
        return pixels

    mask = fitting(request.mask, "mask") if request.mask else None
    return Brought(
        maps=tuple(fitting(unit.map, "map") for unit in request.controls),
        regions=tuple(fitting(unit.region, "region") if unit.region else None for unit in request.controls),
        init=fitting(request.init, "start picture") if request.init else None,
        mask=None if mask is None else masking.final_mask(mask, request.mask_blur),
    )


def _hints(request: GenerateRequest, brought: Brought, models: "Models") -> tuple[Hint, ...]:
    hints = []
    for unit, map, region in zip(request.controls, brought.maps, brought.regions, strict=True):
        control = unit.network(request.family)
        hole = brought.mask if conditions.find(unit.condition).has_hole else None
        hints.append(to_hint(unit, control, models.controls[control], map, region=region, hole=hole))
    return tuple(hints)


def _idle(request: GenerateRequest, hints: tuple[Hint, ...], first: int) -> Iterator[str]:
    """Words about each control that holds in no step, its window being too short."""
    for unit, hint in zip(request.controls, hints, strict=True):
        steps = range(first, request.steps)
        if hint.strength and not any(hint.holds(step, request.steps) for step in steps):
            title = conditions.find(unit.condition).title
            yield (
                f"{title} was not followed: from {unit.start:g} until {unit.end:g} there is no whole one of "
                f"the {len(steps)} steps. Let it hold for longer, or take more steps."
            )


def _start(
    request: GenerateRequest,
    scene: Scene | None,
    scheduler: Any,
    generator: torch.Generator,
    unet: Any,
    device: torch.device,
) -> Start:
    if scene is not None:
        return from_scene(scene, request, scheduler, generator)
    shape = (1, unet.config.in_channels, request.height // LATENT, request.width // LATENT)
    return from_noise(shape, scheduler, generator, device)
