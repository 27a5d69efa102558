"""The table of schedulers: what a base's own configuration must not change, and schedules of their own."""

from dataclasses import replace

import pytest
import torch

from errors import ArmatureError
from gate import LIMITS
from pipelines import schedulers
from pipelines.request import GenerateRequest
from pipelines.request.checks import checked
from pipelines.schedulers import SCHEDULERS

SD15 = {
    "_class_name": "PNDMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}
REQUEST = GenerateRequest(prompt="", controls=(), width=256, height=256, seed=7)


def test_every_scheduler_of_the_plan_is_there() -> None:
    assert set(SCHEDULERS) == {
        *("ddim", "ddpm", "pndm", "euler", "euler_a", "heun", "dpmpp_2m", "dpmpp_2m_karras"),
        *("dpmpp_2m_sde_karras", "unipc", "lcm", "tcd", "ays"),
    }


@pytest.mark.parametrize("name", list(SCHEDULERS))
def test_latents_are_never_clipped(name: str) -> None:
    """A base may say nothing about it, and then some classes of diffusers cut everything beyond 1."""
    config = schedulers.build(name, SD15).config
    assert not config.get("clip_sample", False)
    assert not config.get("thresholding", False)


@pytest.mark.parametrize("name", list(SCHEDULERS))
def test_a_scheduler_comes_down_from_noise_step_by_step(name: str) -> None:
    steps = len(SCHEDULERS[name].timesteps) or 8
    timesteps = schedulers.build(name, SD15, steps).timesteps
    assert timesteps[0] > 850
    assert (timesteps.diff() <= 0).all()
    assert timesteps[-1] < 150


def test_align_your_steps_has_the_timesteps_of_its_authors() -> None:
    from diffusers.schedulers.scheduling_utils import AysSchedules

    assert list(SCHEDULERS["ays"].timesteps) == AysSchedules["StableDiffusionTimesteps"]
    scheduler = schedulers.build("ays", SD15, 10)
    assert scheduler.timesteps.tolist() == AysSchedules["StableDiffusionTimesteps"]
    sigmas = torch.tensor(AysSchedules["StableDiffusionSigmas"])
    assert (scheduler.sigmas - sigmas).abs().max() < 0.01


def test_the_stochastic_solver_takes_the_noise_of_a_generator() -> None:
    """`DPMSolverSDEScheduler` would not: its pictures could not be made again alone."""
    x, eps = torch.randn((2, 1, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    stepped = []
    for seed in (1, 1, 2):
        scheduler = schedulers.build("dpmpp_2m_sde_karras", SD15, 8)
        chance = torch.Generator().manual_seed(seed)
        stepped.append(scheduler.step(eps, scheduler.timesteps[0], x, generator=chance).prev_sample)
    assert torch.equal(stepped[0], stepped[1])
    assert not torch.equal(stepped[0], stepped[2])


@pytest.mark.parametrize(
    ("scheduler", "steps", "allowed"),
    [("ays", 9, "10 steps"), ("ays", 20, "10 steps"), ("lcm", 51, "up to 50"), ("tcd", 51, "up to 50")],
)
def test_steps_that_a_schedule_has_not_are_refused(scheduler: str, steps: int, allowed: str) -> None:
    with pytest.raises(ArmatureError, match=allowed) as refusal:
        checked(replace(REQUEST, scheduler=scheduler, steps=steps), LIMITS["local"])
    assert refusal.value.code.name == "PARAM_RANGE"
