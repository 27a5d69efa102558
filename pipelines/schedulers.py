"""The table of schedulers: a name, a label, and a recipe on diffusers' own classes.

Listing it imports nothing; `build` makes a fresh object, one for each picture, since a scheduler keeps state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """A class of diffusers by name, and what differs from the base's own configuration."""

    name: str
    label: str
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)


SCHEDULERS: dict[str, Scheduler] = {
    scheduler.name: scheduler
    for scheduler in (
        Scheduler(name="unipc", label="UniPC", kind="UniPCMultistepScheduler"),
        Scheduler(
            name="dpmpp_2m_karras",
            label="DPM++ 2M Karras",
            kind="DPMSolverMultistepScheduler",
            config={"algorithm_type": "dpmsolver++", "use_karras_sigmas": True},
        ),
        Scheduler(name="euler", label="Euler", kind="EulerDiscreteScheduler"),
        Scheduler(name="euler_a", label="Euler a", kind="EulerAncestralDiscreteScheduler"),
        Scheduler(name="ddim", label="DDIM", kind="DDIMScheduler"),
    )
}


def build(name: str, base_config: Mapping[str, Any]) -> Any:
    """A fresh scheduler on the base's noise schedule."""
    import diffusers

    entry = SCHEDULERS[name]
    kind = getattr(diffusers, entry.kind)
    return kind.from_config(dict(base_config), **entry.config)
