"""The start of a picture: from noise alone, from another picture, or from one with a hole.

Image to image as in SDEdit (https://arxiv.org/abs/2108.01073); inpainting brings back, after each step, what
is kept, at the noise of that step, as in RePaint (https://arxiv.org/abs/2201.09865) without its detours.
"""

from dataclasses import dataclass
from typing import Any

import torch

from annotators.base import Pixels
from models.loading import Spread, Vae
from pipelines import masking
from pipelines.fills import FILLS
from pipelines.masking import Mask
from pipelines.preview import LATENT
from pipelines.request import GenerateRequest
from pipelines.state import Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A start picture, RGB uint8 (H, W, 3), the latents that it may have, and what of it is made anew.

    `filled` are the latents of the picture whose hole was filled from around. `latent_mask` is (1, 1, h, w).
    """

    original: Pixels
    spread: Spread
    mask: Mask | None = None
    latent_mask: torch.Tensor | None = None
    filled: Spread | None = None


@torch.no_grad()
def open_scene(
    request: GenerateRequest, original: Pixels, mask: Mask | None, vae: Vae, *, in_strips: bool = False
) -> Scene:
    """The start picture of a request through the encoder, once for all that is made from it."""
    spread = vae.encode(to_picture(original), in_strips=in_strips)
    if mask is None:
        return Scene(original=original, spread=spread)
    filled = None
    if request.denoise < 1 and FILLS[request.fill].from_around:
        around = to_picture(masking.filled_from_around(original, mask))
        filled = vae.encode(around, in_strips=in_strips)
    small = torch.tensor(masking.latent_mask(mask, LATENT), device=spread.mean.device)
    return Scene(original=original, spread=spread, mask=mask, latent_mask=small[None, None], filled=filled)


def to_picture(pixels: Pixels) -> torch.Tensor:
    """RGB uint8 (H, W, 3) as a picture (1, 3, H, W) from -1 to 1."""
    return torch.tensor(pixels).movedim(-1, 0)[None].float() / 255 * 2 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """First latents x_t (1, 4, h, w), the place of their time in the schedule, and what is brought back."""

    x_t: torch.Tensor
    first: int = 0
    kept: Kept | None = None


def from_noise(
    shape: tuple[int, ...], scheduler: Any, generator: torch.Generator, device: torch.device
) -> Start:
    """A picture of text alone."""
    return Start(x_t=_noise(shape, generator, device) * scheduler.init_noise_sigma)


def from_scene(scene: Scene, request: GenerateRequest, scheduler: Any, generator: torch.Generator) -> Start:
    """A picture that begins as another, under so much noise as `denoise` says.

    What is drawn comes in diffusers' order: the latents of the picture, then its noise.
    """
    first = (request.steps - request.taken) * scheduler.order
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    x_0 = scene.spread.draw(generator)
    noise = _noise(x_0.shape, generator, x_0.device)
    if scene.latent_mask is None:
        return Start(x_t=_noised(scheduler, x_0, noise, first), first=first)
    kept = Kept(x_0=x_0, noise=noise, mask=scene.latent_mask)
    if request.denoise == 1:
        return Start(x_t=noise * scheduler.init_noise_sigma, kept=kept)
    begun = _filled(scene, request, x_0, generator)
    return Start(x_t=_noised(scheduler, begun, noise, first), first=first, kept=kept)


def _filled(
    scene: Scene, request: GenerateRequest, x_0: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """The latents of the start with the hole as the request wants it filled."""
    fill = FILLS[request.fill]
    assert scene.latent_mask is not None
    begun = scene.filled.draw(generator) if scene.filled else x_0
    if fill.empties:
        begun = begun * (1 - scene.latent_mask)
    if fill.adds_noise:
        begun = begun + scene.latent_mask * _noise(x_0.shape, generator, x_0.device)
    return begun


def _noised(scheduler: Any, x_0: torch.Tensor, noise: torch.Tensor, place: int) -> torch.Tensor:
    x_t: torch.Tensor = scheduler.add_noise(x_0, noise, scheduler.timesteps[place : place + 1])
    return x_t


def _noise(shape: tuple[int, ...], generator: torch.Generator, device: torch.device) -> torch.Tensor:
    """Noise from a generator of the CPU, the same on every device."""
    return torch.as_tensor(torch.randn(shape, generator=generator), device=device)
