"""The table of schedulers: a name, a label, and a recipe on diffusers' own classes.

Listing it imports nothing; `build` makes a fresh object, one for each picture, since a scheduler keeps state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_STEPS = 1000  # of which the base's own schedule consists


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """A class of diffusers by name, and what differs from the base's own configuration.

    `timesteps` are given where a schedule consists of just these; `most_steps` is how many there can be where
    they are chosen among those that a model was distilled with.
    """

    name: str
    label: str
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)
    timesteps: tuple[int, ...] = ()
    most_steps: int = MOST_STEPS

    @property
    def allowed_steps(self) -> range:
        """The numbers of steps that it can be asked for."""
        only = len(self.timesteps)
        return range(only, only + 1) if only else range(1, self.most_steps + 1)


KARRAS = {"use_karras_sigmas": True}  # equation 5 of https://arxiv.org/abs/2206.00364
DPM_ODE = {"algorithm_type": "dpmsolver++"}  # https://arxiv.org/abs/2211.01095
DPM_SDE = {"algorithm_type": "sde-dpmsolver++"}
UNCLIPPED = {"clip_sample": False}  # latents go beyond 1, and not every base says so
DISTILLED = 50  # steps of the teacher from which LCM and TCD learnt

# Of https://arxiv.org/abs/2404.14507 for Stable Diffusion 1.5; diffusers' AysSchedules has the same.
ALIGNED_STEPS = (999, 850, 736, 645, 545, 455, 343, 233, 124, 24)

SCHEDULERS: dict[str, Scheduler] = {
    scheduler.name: scheduler
    for scheduler in (
        Scheduler(name="unipc", label="UniPC", kind="UniPCMultistepScheduler"),
        Scheduler(name="dpmpp_2m", label="DPM++ 2M", kind="DPMSolverMultistepScheduler", config=DPM_ODE),
        Scheduler(
            name="dpmpp_2m_karras",
            label="DPM++ 2M Karras",
            kind="DPMSolverMultistepScheduler",
            config=DPM_ODE | KARRAS,
        ),
        Scheduler(
            name="dpmpp_2m_sde_karras",
            label="DPM++ 2M SDE Karras",
            kind="DPMSolverMultistepScheduler",
            config=DPM_SDE | KARRAS,
        ),
        Scheduler(
            name="ays",
            label="Align Your Steps (10 steps)",
            kind="DPMSolverMultistepScheduler",
            config=DPM_ODE,
            timesteps=ALIGNED_STEPS,
        ),
        Scheduler(name="euler", label="Euler", kind="EulerDiscreteScheduler"),
        Scheduler(name="euler_a", label="Euler a", kind="EulerAncestralDiscreteScheduler"),
        Scheduler(name="heun", label="Heun", kind="HeunDiscreteScheduler"),
        Scheduler(name="ddim", label="DDIM", kind="DDIMScheduler", config=UNCLIPPED),
        Scheduler(name="ddpm", label="DDPM", kind="DDPMScheduler", config=UNCLIPPED),
        Scheduler(name="pndm", label="PNDM", kind="PNDMScheduler", config={"skip_prk_steps": True}),
        Scheduler(
            name="lcm",
            label="LCM (few steps)",
            kind="LCMScheduler",
            config=UNCLIPPED | {"original_inference_steps": DISTILLED},
            most_steps=DISTILLED,
        ),
        Scheduler(
            name="tcd",
            label="TCD (few steps)",
            kind="TCDScheduler",
            config=UNCLIPPED | {"original_inference_steps": DISTILLED},
            most_steps=DISTILLED,
        ),
    )
}


def build(name: str, base_config: Mapping[str, Any], steps: int | None = None) -> Any:
    """A fresh scheduler on the base's noise schedule; with `steps` it is ready to begin."""
    import diffusers

    entry = SCHEDULERS[name]
    scheduler = getattr(diffusers, entry.kind).from_config(dict(base_config), **entry.config)
    if steps is not None and entry.timesteps:
        assert steps == len(entry.timesteps), "checked with the request"
        scheduler.set_timesteps(timesteps=list(entry.timesteps))
    elif steps is not None:
        scheduler.set_timesteps(steps)
    return scheduler
