"""Settings that belong together: what a LoRA that paints in few steps was trained for."""

from dataclasses import dataclass

from params import Param, Value
from pipelines.request.controls import GUIDANCE, SCHEDULER, STEPS

PRESET_PARAMS: tuple[Param, ...] = (STEPS, GUIDANCE, SCHEDULER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Steps, guidance and scheduler, set together. At a guidance of 1 each step costs half."""

    name: str
    label: str
    steps: int
    guidance: float
    scheduler: str
    help: str

    @property
    def values(self) -> dict[str, Value]:
        """Its settings by the names of their controls."""
        return {STEPS.name: self.steps, GUIDANCE.name: self.guidance, SCHEDULER.name: self.scheduler}


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="usual",
            label="As usual",
            steps=int(STEPS.default),
            guidance=float(GUIDANCE.default),
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
        ),
        Preset(
            name="tcd",
            label="For a TCD or Hyper-SD LoRA",
            steps=8,
            guidance=1.0,
            scheduler="tcd",
            help="for a LoRA of TCD, or Hyper-SD's of one for all numbers of steps",
        ),
    )
}
