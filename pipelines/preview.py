"""Small pictures of what is still being made, for next to nothing: a tiny decoder, or a linear map."""

from typing import Any

import torch
from torch.nn.functional import interpolate

from annotators.base import Pixels
from models.loading import Decoder

SIDE = 256
LATENT = 8  # pixels of a picture to one of its latents, along a side


def estimate(scheduler: Any, t: float, x: torch.Tensor, answer: torch.Tensor) -> torch.Tensor:
    """The clean latents x_0 that the answer of the U-Net to its own input `x` at time `t` leaves.

    The answer is the noise eps, and this the inverse of x = sqrt(a) x_0 + sqrt(1 - a) eps, equation 4 of
    https://arxiv.org/abs/2006.11239, which is what every scheduler makes of its latents before they enter the
    U-Net; or, where the base learnt so, v = sqrt(a) eps - sqrt(1 - a) x_0 of https://arxiv.org/abs/2202.00512.
    """
    a = float(scheduler.alphas_cumprod[round(t)])
    x_0: torch.Tensor
    if scheduler.config.prediction_type == "v_prediction":
        x_0 = a**0.5 * x - (1 - a) ** 0.5 * answer
    else:
        x_0 = (x - (1 - a) ** 0.5 * answer) / a**0.5
    return x_0


@torch.no_grad()
def preview(rgb: torch.Tensor, x_0: torch.Tensor, small: Decoder | None = None) -> Pixels:
    """The picture, RGB uint8 (h, w, 3) of at most 256 pixels a side, of latents (1, 4, h, w).

    `rgb` (5, 3) is the decoder's linear map, from a latent and a one to a colour from -1 to 1. A `small`
    decoder knows better, and is given no more latents than it makes 256 pixels of.
    """
    height, width = x_0.shape[-2:]
    scale = min(float(LATENT), SIDE / max(height, width))  # pixels to a latent, along a side
    if small is not None:
        size = (max(1, round(height * scale / LATENT)), max(1, round(width * scale / LATENT)))
        return to_pixels(small.decode(interpolate(x_0, size=size, mode="area")))
    size = (max(1, int(height * scale)), max(1, int(width * scale)))
    weight, bias = rgb.float().split((len(rgb) - 1, 1))
    colours = (x_0.float().movedim(1, -1) @ weight + bias).movedim(-1, 1)
    return to_pixels(interpolate(colours, size=size, mode="bilinear"))


def to_pixels(picture: torch.Tensor) -> Pixels:
    """A picture (1, 3, H, W) from -1 to 1 as RGB uint8 (H, W, 3)."""
    values = (picture[0].float() / 2 + 0.5).clamp(0, 1) * 255
    pixels: Pixels = values.round().byte().movedim(0, -1).cpu().contiguous().numpy()
    return pixels
