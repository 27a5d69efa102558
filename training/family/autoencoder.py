"""The family's KL autoencoder: factor 8, four channels, no attention, learnt from drawn pictures.

It learns from squares first, of which one costs less than a picture, and from whole pictures in its last
quarter, since its normalisation sees how large a picture is. Then the encoder stays, and the decoder alone
learns on: what was learnt in its latents stays right.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from models import torchvision_ops
from training.chance import generator
from training.family.drawn import Drawn
from training.family.fitting import Told, fit
from training.family.recipe import Autoencoder

WHOLE = 0.75  # the share of the steps after which whole pictures are learnt
SMOOTHNESS = 2e-4  # the weight of the latents' distance to plain noise, per value
LEAST_SPREAD = 0.025  # of the noise in latents as they are decoded, so that the decoder forgives a little
LITTLE_SPREAD = -6.0  # the logarithm of the variance that latents begin with
SAMPLE = 256  # pictures whose latents are measured


def learn(recipe: Autoencoder, drawn: Drawn, size: int, folder: Path, *, device: str, told: Told) -> Any:
    """An autoencoder that has learnt; it goes on from the newest checkpoint in `folder`."""
    vae = network(recipe, size).to(device)

    def loss_of(step: int) -> torch.Tensor:
        return _loss(vae, batch(recipe, drawn, size, step).to(device))

    fit(vae, recipe.learning, loss_of, folder / "whole", told)
    _learn_decoder(vae, recipe, drawn, folder / "decoder", told)
    return _scaled(vae.eval().requires_grad_(False), drawn)


class _Decoder(nn.Module):
    """An autoencoder's second half, which shares its weights."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.post_quant_conv, self.decoder = vae.post_quant_conv, vae.decoder

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        pictures: torch.Tensor = self.decoder(self.post_quant_conv(latents))
        return pictures


def _learn_decoder(vae: Any, recipe: Autoencoder, drawn: Drawn, folder: Path, told: Told) -> None:
    decoder = _Decoder(vae)

    def loss_of(step: int) -> torch.Tensor:
        chance = generator("decoder", step)
        rows = torch.randint(len(drawn), (recipe.decoder.batch,), generator=chance).tolist()
        x = as_input(torch.stack([drawn.layer("picture", row) for row in rows]), step).to(vae.device)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=x.is_cuda):
            with torch.no_grad():
                latents = vae.encode(x).latent_dist.sample()
            y = decoder(latents)
        return difference(y.float(), x)

    fit(decoder, recipe.decoder, loss_of, folder, told)


def network(recipe: Autoencoder, size: int) -> Any:
    """An autoencoder of random weights, each block of which begins as nothing beside its shortcut."""
    torchvision_ops.define_missing()
    from diffusers import AutoencoderKL

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        vae = AutoencoderKL(
            block_out_channels=recipe.channels,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=1,
            norm_num_groups=1,
            latent_channels=4,
            sample_size=size,
            mid_block_add_attention=False,
        )
        spread = slice(vae.config.latent_channels, None)
        vae.quant_conv.bias[spread] = LITTLE_SPREAD
        vae.quant_conv.weight[spread] *= 0.1
        for module in vae.modules():
            if type(module).__name__ == "ResnetBlock2D":
                torch.nn.init.zeros_(module.conv2.weight)
                torch.nn.init.zeros_(module.conv2.bias)
    return vae.to(memory_format=torch.channels_last)


def batch(recipe: Autoencoder, drawn: Drawn, size: int, step: int) -> torch.Tensor:
    """What a step learns from, (N, 3, side, side) from -1 to 1: as many pixels in squares as in pictures."""
    chance, crop = generator("autoencoder", step), min(recipe.crop, size)
    side = size if step >= WHOLE * recipe.learning.steps else crop
    count = max(1, recipe.learning.batch * crop**2 // side**2)
    rows = torch.randint(len(drawn), (count,), generator=chance).tolist()
    corners = torch.randint(size - side + 1, (count, 2), generator=chance).tolist()
    squares = [
        drawn.layer("picture", row)[:, top : top + side, left : left + side]
        for row, (top, left) in zip(rows, corners, strict=True)
    ]
    return as_input(torch.stack(squares), step)


def as_input(pictures: torch.Tensor, step: int) -> torch.Tensor:
    """Pictures, uint8 (N, 3, H, W), from -1 to 1; every other step sees them in a mirror."""
    x = pictures.float() / 127.5 - 1
    return (x.flip(-1) if step % 2 else x).contiguous(memory_format=torch.channels_last)


def difference(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """How far pictures (N, 3, H, W) are apart, and their slopes, for sharp edges."""
    apart = ours - theirs
    across, down = apart.diff(dim=-1), apart.diff(dim=-2)
    return apart.abs().mean() + across.abs().mean() + down.abs().mean()


def _loss(vae: Any, x: torch.Tensor) -> torch.Tensor:
    with torch.autocast(x.device.type, torch.bfloat16, enabled=x.is_cuda):
        spread = vae.encode(x).latent_dist
        deviation = (spread.var + LEAST_SPREAD**2).sqrt()
        y = vae.decode(spread.mean + deviation * torch.randn_like(spread.mean)).sample
    distance = spread.kl().mean() / spread.mean[0].numel()
    loss: torch.Tensor = difference(y.float(), x) + SMOOTHNESS * distance.float()
    return loss


@torch.no_grad()
def _scaled(vae: Any, drawn: Drawn) -> Any:
    """The same, whose latents have a deviation of 1."""
    pictures = drawn.pictures(0, min(SAMPLE, len(drawn))).to(vae.device)
    found = [vae.encode(part.float() / 127.5 - 1).latent_dist.mean for part in pictures.split(16)]
    vae.register_to_config(scaling_factor=1 / float(torch.cat(found).std()))
    return vae
