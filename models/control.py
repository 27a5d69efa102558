"""A ControlNet in the words of the paper (https://arxiv.org/abs/2302.05543): a trained copy of a locked base.

    copied encoder      the base's encoder and middle, weights and all, as a second network that is trained
    hint network        a few convolutions that bring the hint, (N, 3, H, W), to the size of the latents
    zero convolutions   weight and bias zero: after the hint network, before each skip, and before the middle

Zero convolutions make the start harmless: an untrained control adds exactly nothing. Then it grows from the
outputs inwards. The first backward pass reaches the output zero convolutions alone, the second the copied
encoder and the hint's own zero convolution, the third the rest of the hint network.

The network is diffusers' `ControlNetModel`, so whatever reads one reads ours. Importing this imports torch.
"""

import copy
from typing import Any

import torch
from torch import nn

from errors import MODEL_PAIRING
from models import torchvision_ops

HINT_CHANNELS = (16, 32, 96, 256)  # of the hint network in Stable Diffusion's size, at 1/1, 1/2, 1/4 and 1/8


def from_base(unet: Any, *, pooled: bool = False) -> Any:
    """A fresh control for a base's U-Net. It copies the encoder and shares nothing with it.

    `pooled` averages what it adds over the whole picture, for what has a mood and no place (shuffle).
    """
    torchvision_ops.define_missing()
    from diffusers import ControlNetModel

    widest = unet.config.block_out_channels[0]
    channels = tuple(min(channels, widest) for channels in HINT_CHANNELS)
    control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=channels)
    control.register_to_config(global_pool_conditions=pooled)
    return control.float()


def output_zero_convolutions(control: Any) -> tuple[nn.Conv2d, ...]:
    """The zero convolutions before the skips, the shallowest first, and last the one for the middle."""
    return (*control.controlnet_down_blocks, control.controlnet_mid_block)


def hint_zero_convolution(control: Any) -> nn.Conv2d:
    """The zero convolution through which the hint enters the copied encoder."""
    convolution: nn.Conv2d = control.controlnet_cond_embedding.conv_out
    return convolution


def hint_network(control: Any) -> tuple[nn.Module, ...]:
    """The convolutions of the hint network in front of its zero convolution."""
    embedding = control.controlnet_cond_embedding
    return (embedding.conv_in, *embedding.blocks)


def copied_encoder(control: Any) -> tuple[nn.Module, ...]:
    """What is copied from the base: the first convolution, the embedding of time, the encoder, the middle."""
    return (control.conv_in, control.time_embedding, control.down_blocks, control.mid_block)


def decoder(unet: Any) -> tuple[nn.Module, ...]:
    """The part of a base that is unlocked for stage 2: all behind the middle."""
    return (unet.up_blocks, unet.conv_norm_out, unet.conv_out)


def only_middle(control: Any) -> Any:
    """The same control, which from now on learns through the base's middle alone: faster, and weaker."""
    for convolution in control.controlnet_down_blocks:
        nn.init.zeros_(convolution.weight)
        nn.init.zeros_(convolution.bias)
        convolution.requires_grad_(False)
    return control


def predict(
    unet: Any, control: Any | None, x_t: torch.Tensor, t: torch.Tensor, text: torch.Tensor, hint: torch.Tensor
) -> torch.Tensor:
    """The base's answer (N, 4, h, w) to latents x_t (N, 4, h, w) at times t (N), with what the control adds.

    `text` is (N, 77, C); `hint` is (N, 3, 8h, 8w) from 0 to 1, with -1 in the holes of an inpainting hint.
    """
    return answer(unet, x_t, t, text, added(control, x_t, t, text, hint) if control is not None else None)


def added(
    control: Any, x_t: torch.Tensor, t: torch.Tensor, text: torch.Tensor, hint: torch.Tensor
) -> list[torch.Tensor]:
    """What a control adds to each skip of its base, and last to the middle; arguments as of `predict`."""
    down, mid = control(x_t, t, encoder_hidden_states=text, controlnet_cond=hint, return_dict=False)
    return [*down, mid]


def answer(
    unet: Any, x_t: torch.Tensor, t: torch.Tensor, text: torch.Tensor, added: list[torch.Tensor] | None = None
) -> torch.Tensor:
    """The base's answer (N, 4, h, w), with `added` to its skips and its middle; arguments as of `predict`."""
    *down, mid = (part.type(unet.dtype) for part in added) if added else (None,)
    noise: torch.Tensor = unet(
        x_t.type(unet.dtype),
        t,
        encoder_hidden_states=text.type(unet.dtype),
        down_block_additional_residuals=down or None,
        mid_block_additional_residual=mid,
    ).sample
    return noise


@torch.no_grad()
def transfer(control: Any, original: Any, other: Any) -> Any:
    """The control for another base: its copied encoder becomes control + other - original, the rest stays.

    `original` is the U-Net that the control was trained on, `other` one of the same architecture.
    """
    ours, theirs = original.state_dict(), other.state_dict()
    _refuse_others(ours, theirs)
    moved = copy.deepcopy(control)
    tensors = moved.state_dict()
    copied = {name: tensors[name] for name in tensors if name in ours}  # diffusers keeps the base's own names
    _refuse_others(copied, {name: ours[name] for name in copied})
    for name, tensor in copied.items():
        tensor.copy_(tensor.double() + theirs[name].double() - ours[name].double())
    return moved


def _refuse_others(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    """Refuse to move between networks that are not built alike."""
    different = [
        name
        for name in first.keys() | second.keys()
        if name not in first or name not in second or first[name].shape != second[name].shape
    ]
    if different:
        raise MODEL_PAIRING(
            "This control was made for a base of another architecture",
            found=f"{len(different)} tensors that differ, such as {min(different)}",
            allowed="bases that are built alike",
            todo="Choose a base of the control's own kind",
        )
