"""Settings that belong together: what suits a model, and what a LoRA of few steps was trained for."""

from dataclasses import dataclass, replace

from models.catalogue import FAMILIES
from params import Param, Value
from pipelines.modes import AUTO
from pipelines.request import GenerateRequest
from pipelines.request.controls import GUIDANCE, SCHEDULER, STEPS
from pipelines.schedulers import SCHEDULERS

SUITING = frozenset(family.guidance for family in FAMILIES.values())  # each suits a family
PRESET_PARAMS: tuple[Param, ...] = (STEPS, GUIDANCE, SCHEDULER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Steps, guidance and scheduler, set together. At a guidance of 1 each step costs half.

    Without a guidance of its own it takes the one that suits the model. One `of_lora` needs such a LoRA.
    """

    name: str
    label: str
    steps: int
    guidance: float | None
    scheduler: str
    help: str
    of_lora: bool = False

    def values(self, model: object) -> dict[str, Value]:
        """Its settings for a model, by the names of their controls."""
        guidance = guidance_for(model) if self.guidance is None else self.guidance
        return {STEPS.name: self.steps, GUIDANCE.name: guidance, SCHEDULER.name: self.scheduler}


def guidance_for(model: object) -> float:
    """What suits a model; of one that is not known, which is refused elsewhere, the usual one."""
    family = FAMILIES.get(model.partition("/")[0]) if isinstance(model, str) else None
    return float(GUIDANCE.default) if family is None else family.guidance


def steps_for(scheduler: object, steps: float | None = None) -> int:
    """So many steps, or the usual ones, as near as a scheduler comes: some are made for just so many."""
    usual = int(STEPS.default)
    wanted = usual if steps is None else int(steps)
    known = SCHEDULERS.get(scheduler) if isinstance(scheduler, str) else None
    if known is None:  # which is refused elsewhere
        return wanted
    return max(known.allowed_steps.start, min(wanted, known.allowed_steps.stop - 1))


def in_modes(request: GenerateRequest) -> GenerateRequest:
    """The request with each control in a mode: in the model's own where none was chosen."""
    mode = FAMILIES[request.family].mode
    units = (replace(unit, mode=mode) if unit.mode == AUTO else unit for unit in request.controls)
    return replace(request, controls=tuple(units))


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="usual",
            label="As usual",
            steps=int(STEPS.default),
            guidance=None,
            scheduler=str(SCHEDULER.default),
            help="without such a LoRA",
        ),
        Preset(
            name="lcm",
            label="For an LCM LoRA",
            steps=4,
            guidance=1.0,
            scheduler="lcm",
            help="for a LoRA of latent consistency (LCM)",
            of_lora=True,
        ),
        Preset(
            name="tcd",
            label="For a TCD or Hyper-SD LoRA",
            steps=8,
            guidance=1.0,
            scheduler="tcd",
            help="for a LoRA of TCD, or Hyper-SD's of one for all numbers of steps",
            of_lora=True,
        ),
    )
}


def few_steps(request: GenerateRequest) -> tuple[str, ...]:
    """A hint where somebody seems to have set a preset for a LoRA, and to have forgotten the LoRA.

    A base may have learnt few steps itself, which nothing of its file tells; and as many steps as usual are
    enough for any base.
    """
    named = any(weight for _, weight in request.loras)
    if named or not FAMILIES[request.family].few_steps_by_lora or request.steps >= PRESETS["usual"].steps:
        return ()
    return tuple(
        f"{SCHEDULERS[preset.scheduler].label} is {preset.help}, and the prompt names no LoRA. Add one, such "
        "as <lora:NAME:1>, or choose another scheduler, unless your base itself has learnt to paint so."
        for preset in PRESETS.values()
        if preset.of_lora and preset.scheduler == request.scheduler
    )
