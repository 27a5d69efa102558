"""The loop: pictures from noise, step by step, under a text and a map.

Latent diffusion (https://arxiv.org/abs/2112.10752) with ControlNet (https://arxiv.org/abs/2302.05543) and
classifier-free guidance (https://arxiv.org/abs/2207.12598). State and evaluation are apart: a `PictureState`
keeps all that one picture needs, `evaluate` asks the networks about any number of pictures and keeps nothing.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

import torch

from annotators.base import Pixels
from errors import NUMERIC
from models import extras
from models.catalogue import family_of
from models.loading import Decoder, ModelKey, Part, Text, Vae
from models.lora import beside
from models.memory import Stage, fitting
from models.store import Store
from pipelines import outfit, own_files
from pipelines.beginning import Batch, begin
from pipelines.cache import ModelCache
from pipelines.outfit import Outfit
from pipelines.preview import LATENT, preview, to_pixels
from pipelines.request import GenerateRequest, Made, Progress, Result
from pipelines.residuals import residuals
from pipelines.state import PictureState
from pipelines.workplace import Workplace

log = logging.getLogger(__name__)
T = TypeVar("T")
PREVIEW_EVERY = 3
PIXELS_AT_ONCE = {"cpu": 512 * 512, "mps": 512 * 512, "cuda": 8 * 512 * 512}


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The networks of one request; the controls by their names, and a small decoder if any.

    `outfit` are the LoRAs that U-Net and text encoder wear while they are asked, `notices` are about the
    files they all came from. Without a `place` they are all on one device already, and nobody helps when that
    has no memory.
    """

    text: Text
    unet: Any
    vae: Vae
    controls: Mapping[str, Any]
    small: Decoder | None = None
    outfit: Outfit = field(default_factory=Outfit)
    notices: tuple[str, ...] = ()
    place: Workplace | None = None

    def work(self, stage: Stage, act: Callable[[bool], T]) -> T:
        """What `act` answers with the models of a stage on the device; see `Workplace.work`."""
        return act(False) if self.place is None else self.place.work(stage, act)

    def is_large(self, height: int, width: int) -> bool:
        """Whether coding a picture of so many pixels at once would need more than is left on the device."""
        room = self.place.room if self.place else None
        return room is not None and self.vae.bytes_at_once(height, width) > room


def generate(request: GenerateRequest, cache: ModelCache) -> Iterator[Progress | Result]:
    """Make the pictures of a request. Yields before loading, after every step and before every decoding.

    The result comes last. Closing the generator at any yield gives every model back.
    """
    yield Progress(stage="loading", step=0, total=request.steps)
    with borrow(request, cache) as models:
        batch = models.work("begin", partial(_begun, request, models, cache))
        groups = together(batch.states, request, cache.device.kind)
        total = sum(group[0].steps for group in groups)
        images: list[Pixels] = []
        before = 0
        for group in groups:
            for step in denoise(models, group):
                shown = step % PREVIEW_EVERY == 0 or step == group[0].steps
                picture = models.work("step", partial(_preview, models, group[0])) if shown else None
                yield Progress(stage="denoising", step=before + step, total=total, preview=picture)
            before += group[0].steps
            for state in group:
                yield Progress(stage="decoding", step=before, total=total)
                pixels = batch.finished(models.work("decode", partial(_decoded, models, state)))
                made = Made(pixels=pixels, seed=request.seeds[len(images)], notices=batch.notices)
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
        for state, eps in zip(running, models.work("step", partial(_asked, models, running)), strict=True):
            state.advance(eps)
        step += 1
        yield step


def _asked(models: Models, states: Sequence[PictureState], thrifty: bool) -> list[torch.Tensor]:
    """The noise to take out of each picture; with thrift, one picture is asked about after the other."""
    if not thrifty:
        return evaluate(models, states)
    return [eps for state in states for eps in evaluate(models, [state])]


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
def decode(vae: Vae, x_0: torch.Tensor, *, in_strips: bool = False) -> Pixels:
    """The picture, RGB uint8 (H, W, 3), of latents (1, 4, h, w); one that is not finite is refused.

    Where the decoder's number format is to blame, float32 has a try as well.
    """
    picture = vae.decode_in_strips(x_0) if in_strips else vae.decode(x_0)
    if torch.isfinite(picture).all():
        return to_pixels(picture)
    exact = vae.in_float32() if torch.isfinite(x_0).all() else None
    if exact is None:
        raise NUMERIC(
            "The numbers of this picture left the range of the device",
            todo="Lower the guidance or the control strength, or choose another seed or scheduler",
        )
    log.warning("the decoder left the range of %s, and is asked once more in float32", vae.autoencoder.dtype)
    return decode(exact, x_0, in_strips=in_strips)


def _preview(models: Models, state: PictureState, thrifty: bool) -> Pixels:
    return preview(models.vae.rgb, state.x_0, models.small)


def _begun(request: GenerateRequest, models: Models, cache: ModelCache, thrifty: bool) -> Batch:
    in_strips = thrifty or models.is_large(request.height, request.width)
    return begin(request, models, cache, in_strips=in_strips)


def _decoded(models: Models, state: PictureState, thrifty: bool) -> Pixels:
    height, width = state.x_t.shape[-2:]
    return decode(
        models.vae, state.x_t, in_strips=thrifty or models.is_large(LATENT * height, LATENT * width)
    )


@contextmanager
def borrow(request: GenerateRequest, cache: ModelCache) -> Iterator[Models]:
    """The models of a request, held until the block ends; on the device while they `work`."""
    names = {unit.network(request.family) for unit in request.controls}
    controls = {name: control_key(request.family, name, cache.store) for name in sorted(names)}
    own_files.require(cache.store, request)
    text, unet, vae, *small = base_keys(request.model, cache.store)
    if request.vae:
        stamp = extras.stamp(extras.find(cache.store, extras.VAE, request.vae))
        vae = ModelKey(family=request.model, part="vae", name=request.vae, stamp=stamp)
    loras = outfit.keys(request, cache.store)
    keys = (text, unet, vae, *small, *controls.values(), *loras)
    with cache.hold(keys) as lent:
        encoder = cast(Text, lent[text])
        yield Models(
            text=encoder,
            unet=lent[unet],
            vae=cast(Vae, lent[vae]),
            controls={name: lent[key] for name, key in controls.items()},
            small=cast(Decoder, lent[small[0]]) if small else None,
            outfit=outfit.dressed(loras, lent, unet=lent[unet], text=encoder),
            notices=cache.notices(keys),
            place=Workplace(request, cache, keys, width=cast(Any, lent[unet]).config.block_out_channels[0]),
        )


def base_keys(model: str, store: Store) -> tuple[ModelKey, ...]:
    """The text encoder, the U-Net and the decoder of a model, and its family's small decoder, if any."""
    parts: tuple[Part, ...] = ("text", "unet", "vae")
    keys = tuple(ModelKey(family=model, part=part) for part in parts)
    small = ModelKey(family=family_of(model).name, part="preview")
    return (*keys, small) if store.has_preview(model) else keys


def control_key(family: str, name: str, store: Store) -> ModelKey:
    """The key of a family's control, or of one of one's own, which training may replace."""
    stamp = extras.stamp(store.control(family, name)) if "/" in name else ""
    return ModelKey(family=family, part="control", name=name, stamp=stamp)


def warm(family: str, cache: ModelCache) -> None:
    """Load a family's base ahead of the first request, and bring it to the device where all of it fits."""
    keys = base_keys(family, cache.store)
    with cache.hold(keys):
        if fitting(cache.sizes(keys), cache.device.budget).together:
            with cache.use(keys):
                pass
