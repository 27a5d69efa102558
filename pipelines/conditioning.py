"""What steers a picture beside its prompt: maps as hints, and when a hint holds."""

from dataclasses import dataclass, field
from typing import Any

import torch

from annotators.base import Pixels
from errors import PARAM_RANGE
from pipelines.masking import HOLE, Mask
from pipelines.modes import MODES
from pipelines.request import ControlUnit


@dataclass(slots=True, kw_only=True)
class Hint:
    """One control on one picture: the name of its network, its map (1, 3, H, W) from 0 to 1, and its hold.

    It holds from the part `start` to the part `end` of the run, with `strength`; where it is `on_both`, under
    the negative prompt too. `layers` are factors of what it adds, the shallowest layer first, none for 1
    throughout; `region` (1, 1, H, W) is where it acts, from 0 to 1, None for everywhere. `features` and
    `regions` are what was computed of these once, at the sizes of the layers.
    """

    control: str
    map: torch.Tensor
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    on_both: bool = True
    layers: tuple[float, ...] = ()
    region: torch.Tensor | None = None
    features: torch.Tensor | None = field(default=None, init=False, repr=False)
    regions: dict[tuple[int, int], torch.Tensor] = field(default_factory=dict, init=False, repr=False)

    def holds(self, step: int, steps: int) -> bool:
        """Whether it has an effect in step `step` (from 0) of `steps`."""
        inside = not (step / steps < self.start or (step + 1) / steps > self.end)
        return inside and self.strength != 0 and (any(self.layers) or not self.layers)


def to_hint(
    unit: ControlUnit,
    control: str,
    network: Any,
    pixels: Pixels,
    *,
    region: Pixels | None = None,
    hole: Mask | None = None,
) -> Hint:
    """A control of a request with its network, its map and its region, RGB uint8 (H, W, 3).

    Where a `hole` (H, W) is beyond a half, the map says nothing, which is -1. One that is pooled over the
    whole picture (shuffle) was trained to steer under the prompt only.
    """
    map = torch.tensor(pixels).movedim(-1, 0)[None].float() / 255
    if hole is not None:
        map[..., torch.tensor(hole > HOLE)] = -1
    return Hint(
        control=control,
        map=torch.as_tensor(map, device=network.device, dtype=network.dtype),
        strength=unit.strength,
        start=unit.start,
        end=unit.end,
        on_both=MODES[unit.mode].on_both and not is_pooled(network),
        layers=_layers(unit, network),
        region=None if region is None else grey(region),
    )


def _layers(unit: ControlUnit, network: Any) -> tuple[float, ...]:
    """The factor of each layer: as the request has it, else as its mode does.

    What is pooled has no place to guess from: as in diffusers, that mode leaves it as strong everywhere.
    """
    count = layers_of(network)
    if not unit.layer_weights:
        mode = MODES[unit.mode]
        return () if mode.falloff == "logarithmic" and is_pooled(network) else mode.factors(count)
    if len(unit.layer_weights) != count:
        raise PARAM_RANGE(
            "The layer weights do not fit this model",
            found=f"{len(unit.layer_weights)} weights",
            allowed=f"{count}, the shallowest layer first and the middle last",
            todo="Change layer_weights",
        )
    return unit.layer_weights


def grey(pixels: Pixels) -> torch.Tensor:
    """A grey picture, RGB uint8 (H, W, 3), as one plane (1, 1, H, W) from 0, black, to 1, white."""
    return torch.tensor(pixels[..., 0])[None, None].float() / 255


def is_pooled(control: Any) -> bool:
    """Whether a control averages over the whole picture, and was trained to steer under the prompt only."""
    return bool(control.config.global_pool_conditions)


def layers_of(control: Any) -> int:
    """To how many layers of the U-Net a control adds: 13 in Stable Diffusion."""
    return len(control.controlnet_down_blocks) + 1


def check_size(pixels: Pixels, width: int, height: int, what: str = "map") -> None:
    """Refuse a map, RGB uint8 (H, W, 3), of another size than its picture: maps are never resampled here."""
    found_height, found_width = pixels.shape[:2]
    if (found_width, found_height) != (width, height):
        raise PARAM_RANGE(
            f"The {what} has another size than the picture",
            found=f"{found_width}x{found_height}",
            allowed=f"{width}x{height}",
            todo=f"Make the {what} anew at the picture's size",
        )
