"""A tiny random model family in the real layout: `python -m tests.tiny_family DIR` writes it to `DIR/pocket`.

The architecture is Stable Diffusion's with ControlNet, only small. The ControlNet's zero convolutions are
random here, since a network of fresh zero convolutions has no effect that a test could see.
"""

import sys
from pathlib import Path
from typing import Any

import torch

from models import torchvision_ops

TEXT_WIDTH = 32


def write(weights: Path, family: str = "pocket", control: str = "lines", *, pooled: bool = False) -> None:
    """Write `<weights>/<family>/base` and one control; always the same bytes of weights."""
    torchvision_ops.define_missing()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = _unet()
        parts = {"unet": unet, "vae": _vae(), "text_encoder": _text(), "tokenizer": tokenizer()}
        pipeline(parts).save_pretrained(weights / family / "base")
        control_net = _control(unet, pooled=pooled)
        control_net.save_pretrained(weights / family / "controls" / control)


def add_control(
    weights: Path, name: str, family: str = "pocket", *, seed: int = 1, pooled: bool = False
) -> None:
    """Write one more control, which differs from the others by its seed."""
    from diffusers import UNet2DConditionModel

    unet = UNet2DConditionModel.from_pretrained(weights / family / "base" / "unet", local_files_only=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _control(unet, pooled=pooled).save_pretrained(weights / family / "controls" / name)


def pipeline(parts: dict[str, Any]) -> Any:
    """The parts of a base as diffusers keeps them, with the noise schedule of Stable Diffusion."""
    from diffusers import PNDMScheduler, StableDiffusionPipeline

    scheduler = PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        set_alpha_to_one=False,
        skip_prk_steps=True,
        steps_offset=1,
    )
    return StableDiffusionPipeline(
        **parts,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _unet() -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=32,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def _control(unet: Any, *, pooled: bool) -> Any:
    from diffusers import ControlNetModel

    control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 8, 16, 16))
    control.register_to_config(global_pool_conditions=pooled)
    for convolution in (*control.controlnet_down_blocks, control.controlnet_mid_block):
        torch.nn.init.normal_(convolution.weight, std=0.2)
    hint_network = control.controlnet_cond_embedding
    for convolution in (hint_network.conv_in, *hint_network.blocks, hint_network.conv_out):
        torch.nn.init.kaiming_normal_(convolution.weight)  # else it matters little what the map shows
    return control


def _vae() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
        sample_size=256,
    )


def _text() -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    start, end = len(_vocabulary()) - 2, len(_vocabulary()) - 1
    config = CLIPTextConfig(
        vocab_size=len(_vocabulary()),
        hidden_size=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        bos_token_id=start,
        eos_token_id=end,
        pad_token_id=end,
    )
    return CLIPTextModel(config)


def tokenizer() -> Any:
    """A tokenizer of CLIP's kind that makes a token of every letter."""
    from transformers import CLIPTokenizer

    vocabulary = {token: index for index, token in enumerate(_vocabulary())}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def _vocabulary() -> list[str]:
    """CLIP's alphabet of bytes, inside a word and at its end, without any merges: one token a byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]
    return [*alphabet, *(f"{letter}</w>" for letter in alphabet), "<|startoftext|>", "<|endoftext|>"]


if __name__ == "__main__":
    write(Path(sys.argv[1]))
