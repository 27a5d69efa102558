"""The loop equals diffusers' own pipeline, and the test that says so notices small mistakes."""

from dataclasses import replace
from inspect import signature
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from models.store import Store
from pipelines import schedulers
from pipelines.beginning import begin
from pipelines.cache import ModelCache
from pipelines.generate import Models, borrow, decode, denoise
from pipelines.request import GenerateRequest
from pipelines.schedulers import SCHEDULERS
from tests.conftest import MakeRequest, drawn_map
from tests.pipelines.references import bound, distance, hold


@pytest.fixture(scope="module")
def diffusers_pipeline(store: Store) -> Any:
    """diffusers' own pipeline on the files of the tiny family."""
    return loaded_pipeline(store)


def loaded_pipeline(store: Store) -> Any:
    """diffusers' StableDiffusionControlNetPipeline on the files of a store, in float32."""
    from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

    pipeline = StableDiffusionControlNetPipeline.from_pretrained(
        store.base("pocket"),
        controlnet=ControlNetModel.from_pretrained(store.control("pocket", "lines"), local_files_only=True),
        safety_checker=None,
        local_files_only=True,
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.noise_schedule = dict(pipeline.scheduler.config)
    return pipeline


def theirs(pipeline: Any, request: GenerateRequest, output: str = "latent") -> Any:
    """What diffusers makes of a request: latents (N, 4, h, w), or pictures (N, H, W, 3) from 0 to 1."""
    unit = request.controls[0]
    pipeline.scheduler = schedulers.build(request.scheduler, pipeline.noise_schedule)
    timesteps = list(SCHEDULERS[request.scheduler].timesteps) or None
    eta = signature(pipeline.scheduler.step).parameters.get("eta")
    return pipeline(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        image=Image.fromarray(drawn_map(request.width, request.height)),
        width=request.width,
        height=request.height,
        num_inference_steps=request.steps,
        timesteps=timesteps,
        eta=eta.default if eta else 0.0,  # the pipeline's own is DDIM's, also for TCD
        guidance_scale=request.guidance,
        num_images_per_prompt=request.count,
        generator=[torch.Generator().manual_seed(seed) for seed in request.seeds],
        controlnet_conditioning_scale=unit.strength,
        control_guidance_start=unit.start,
        control_guidance_end=unit.end,
        output_type=output,
    ).images


def latents(request: GenerateRequest, cache: ModelCache, unet: Any = None) -> torch.Tensor:
    """What our loop makes of a request: latents (N, 4, h, w). Another U-Net may take the place of the own."""
    with borrow(request, cache) as models:
        return finished(request, replace(models, unet=unet) if unet else models, cache)


def finished(request: GenerateRequest, models: Models, cache: ModelCache) -> torch.Tensor:
    """The latents (N, 4, h, w) of a request after its last step."""
    states = begin(request, models, cache).states
    for _ in denoise(models, states):
        pass
    return torch.cat([state.x_t for state in states])


def steps(scheduler: str) -> int:
    """As few steps as a scheduler does with here."""
    return len(SCHEDULERS[scheduler].timesteps) or 4


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("strength", [0.5, 1.0])
@pytest.mark.parametrize("guidance", [1.0, 7.5])
@pytest.mark.parametrize("scheduler", list(SCHEDULERS))
def test_equals_diffusers(
    scheduler: str,
    guidance: float,
    strength: float,
    count: int,
    make_request: MakeRequest,
    cache: ModelCache,
    diffusers_pipeline: Any,
) -> None:
    request = make_request(
        scheduler=scheduler, guidance=guidance, strength=strength, count=count, steps=steps(scheduler)
    )
    hold(latents(request, cache), theirs(diffusers_pipeline, request))


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.5), (0.25, 1.0), (0.3, 0.7), (0.4, 0.45)])
def test_equals_diffusers_in_a_window(
    start: float, end: float, make_request: MakeRequest, cache: ModelCache, diffusers_pipeline: Any
) -> None:
    request = make_request(steps=7, start=start, end=end, scheduler="ddim")
    hold(latents(request, cache), theirs(diffusers_pipeline, request))


def test_decoded_pictures_equal_those_of_diffusers(
    make_request: MakeRequest, cache: ModelCache, diffusers_pipeline: Any
) -> None:
    request = make_request(width=128, height=64)
    expected = np.rint(theirs(diffusers_pipeline, request, "np")[0] * 255).astype(int)
    with borrow(request, cache) as models:
        picture = decode(models.vae, finished(request, models, cache))
    assert picture.shape == (64, 128, 3)
    assert picture.dtype == np.uint8
    assert np.abs(picture.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("guidance", [1.0, 7.5])
@pytest.mark.parametrize("scheduler", list(SCHEDULERS))
def test_a_dropped_control_would_be_noticed(
    scheduler: str, guidance: float, make_request: MakeRequest, cache: ModelCache, diffusers_pipeline: Any
) -> None:
    request = make_request(scheduler=scheduler, guidance=guidance, strength=0.5, steps=steps(scheduler))
    expected = theirs(diffusers_pipeline, request)
    dropped = latents(replace(request, controls=()), cache)
    assert distance(dropped, expected) > 10 * bound(expected)


class OneStepLate:
    """A U-Net that is told the time of its second step one too late."""

    def __init__(self, unet: Any) -> None:
        self.unet = unet
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unet, name)

    def __call__(self, x: torch.Tensor, t: torch.Tensor, **given: Any) -> Any:
        self.calls += 1
        return self.unet(x, t - 1 if self.calls == 2 else t, **given)


@pytest.mark.parametrize("guidance", [1.0, 7.5])
@pytest.mark.parametrize("scheduler", list(SCHEDULERS))
def test_one_shifted_timestep_would_be_noticed(
    scheduler: str, guidance: float, make_request: MakeRequest, cache: ModelCache, diffusers_pipeline: Any
) -> None:
    request = make_request(scheduler=scheduler, guidance=guidance, steps=steps(scheduler))
    expected = theirs(diffusers_pipeline, request)
    with borrow(request, cache) as models:
        shifted = latents(request, cache, OneStepLate(models.unet))
    assert distance(shifted, expected) > 3 * bound(expected)


@pytest.mark.parametrize("scheduler", list(SCHEDULERS))
def test_a_picture_of_a_batch_is_the_same_alone(
    scheduler: str, make_request: MakeRequest, cache: ModelCache
) -> None:
    largest = 2**32 - 1
    length = steps(scheduler)
    batch = latents(make_request(scheduler=scheduler, seed=largest - 1, count=3, steps=length), cache)
    for index, seed in enumerate((largest - 1, largest, 0)):
        alone = latents(make_request(scheduler=scheduler, seed=seed, steps=length), cache)
        hold(batch[index : index + 1], alone)
    assert distance(batch[:1], batch[1:2]) > 0.1
