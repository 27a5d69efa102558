"""The loop: pictures from noise, step by step, under a text and a map.

Latent diffusion (https://arxiv.org/abs/2112.10752) with ControlNet (https://arxiv.org/abs/2302.05543) and
classifier-free guidance (https://arxiv.org/abs/2207.12598). State and evaluation are apart: a `PictureState`
keeps all that one picture needs, `evaluate` asks the networks about any number of pictures and keeps nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import torch

from annotators.base import Pixels
from errors import NUMERIC
from models import extras
from models.catalogue import family_of
from models.loading import Decoder, ModelKey, Part, Text, Vae
from models.lora import beside
from models.store import Store
from pipelines import outfit, own_files
from pipelines.beginning import begin
from pipelines.cache import ModelCache
from pipelines.outfit import Outfit
from pipelines.preview import preview, to_pixels
from pipelines.request import GenerateRequest, Made, Progress, Result
from pipelines.residuals import residuals
from pipelines.state import PictureState

PREVIEW_EVERY = 3
PIXELS_AT_ONCE = {"cpu": 512 * 512, "mps": 512 * 512, "cuda": 8 * 512 * 512}


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The networks of one request on one device; the controls by their names, and a small decoder if any.

    `outfit` are the LoRAs that U-Net and text encoder wear while they are asked.
    """

    text: Text
    unet: Any
    vae: Vae
    controls: Mapping[str, Any]
    small: Decoder | None = None
    outfit: Outfit = field(default_factory=Outfit)


def generate(request: GenerateRequest, cache: ModelCache) -> Iterator[Progress | Result]:
    """Make the pictures of a request. Yields before loading, after every step and before every decoding.

    The result comes last. Closing the generator at any yield gives every model back.
    """
    yield Progress(stage="loading", step=0, total=request.steps)
    with borrow(request, cache) as models:
        batch = begin(request, models, cache)
        groups = together(batch.states, request, cache.device.kind)
        total = sum(group[0].steps for group in groups)
        images: list[Pixels] = []
        before = 0
        for group in groups:
            for step in denoise(models, group):
                shown = step % PREVIEW_EVERY == 0 or step == group[0].steps
                picture = preview(models.vae.rgb, group[0].x_0, models.small) if shown else None
                yield Progress(stage="denoising", step=before + step, total=total, preview=picture)
            before += group[0].steps
            for state in group:
                yield Progress(stage="decoding", step=before, total=total)
                pixels = batch.finished(decode(models.vae, state.x_t))
                made = Made(pixels=pixels, seed=request.seeds[len(images)])
                images.append(made.pixels)
                yield Progress(stage="decoding", step=before, total=total, made=made)
    yield Result(
        images=tuple(images),
        seeds=request.seeds,
        maps=batch.maps,
        request=request,
        others=tuple(cache.pictures.get(digest) for digest in request.others.values()),
        notices=batch.notices,
    )


def together(
    states: Sequence[PictureState], request: GenerateRequest, kind: str
) -> list[Sequence[PictureState]]:
    """The pictures in groups that step together; one group is finished before the next begins.

    A processor that one picture fills gains nothing by more at once, and the first one is there sooner.
    """
    size = max(1, PIXELS_AT_ONCE[kind] // (request.width * request.height))
    return [states[i : i + size] for i in range(0, len(states), size)]


@torch.no_grad()
def denoise(models: Models, states: Sequence[PictureState]) -> Iterator[int]:
    """Take every picture to its end, a step of each at a time; yields how many steps were taken."""
    step = 0
    while running := [state for state in states if state.step < state.steps]:
        for state, eps in zip(running, evaluate(models, running), strict=True):
            state.advance(eps)
        step += 1
        yield step


def evaluate(models: Models, states: Sequence[PictureState]) -> list[torch.Tensor]:
    """The noise (1, 4, h, w), in float32, to take out of each picture: one call of the U-Net for all.

    Time, guidance, strength and control are each picture's own; they share only the size of the latents.
    """
    asked = [state.rows() for state in states]
    rows = [row for questions in asked for row in questions]
    x = torch.cat([row.x for row in rows]).type(models.unet.dtype)
    t = torch.tensor([row.t for row in rows], device=x.device)
    text = torch.cat([row.text for row in rows])
    *down, mid = residuals(models.controls, rows, x, t, text) or (None,)
    with beside(models.outfit.unet):
        eps = models.unet(
            x,
            t,
            encoder_hidden_states=text,
            down_block_additional_residuals=down or None,
            mid_block_additional_residual=mid,
        ).sample.float()
    answers = eps.split([len(questions) for questions in asked])
    return [state.noise(answer) for state, answer in zip(states, answers, strict=True)]


@torch.no_grad()
def decode(vae: Vae, x_0: torch.Tensor) -> Pixels:
    """The picture, RGB uint8 (H, W, 3), of latents (1, 4, h, w); one that is not finite is refused."""
    picture = vae.decode(x_0)
    if not torch.isfinite(picture).all():
        raise NUMERIC(
            "The numbers of this picture left the range of the device",
            todo="Lower the guidance or the control strength, or choose another seed or scheduler",
        )
    return to_pixels(picture)


@contextmanager
def borrow(request: GenerateRequest, cache: ModelCache) -> Iterator[Models]:
    """The models of a request, on the device until the block ends."""
    names = {unit.network(request.family) for unit in request.controls}
    controls = {name: ModelKey(family=request.family, part="control", name=name) for name in sorted(names)}
    own_files.require(cache.store, request)
    text, unet, vae, *small = base_keys(request.model, cache.store)
    if request.vae:
        stamp = extras.stamp(extras.find(cache.store, extras.VAE, request.vae))
        vae = ModelKey(family=request.model, part="vae", name=request.vae, stamp=stamp)
    loras = outfit.keys(request, cache.store)
    with cache.use((text, unet, vae, *small, *controls.values(), *loras)) as lent:
        encoder = cast(Text, lent[text])
        yield Models(
            text=encoder,
            unet=lent[unet],
            vae=cast(Vae, lent[vae]),
            controls={name: lent[key] for name, key in controls.items()},
            small=cast(Decoder, lent[small[0]]) if small else None,
            outfit=outfit.dressed(loras, lent, unet=lent[unet], text=encoder),
        )


def base_keys(model: str, store: Store) -> tuple[ModelKey, ...]:
    """The text encoder, the U-Net and the decoder of a model, and its family's small decoder, if any."""
    parts: tuple[Part, ...] = ("text", "unet", "vae")
    keys = tuple(ModelKey(family=model, part=part) for part in parts)
    small = ModelKey(family=family_of(model).name, part="preview")
    return (*keys, small) if store.has_preview(model) else keys


def warm(family: str, cache: ModelCache) -> None:
    """Load a family's base ahead of the first request."""
    with cache.use(base_keys(family, cache.store)):
        pass
