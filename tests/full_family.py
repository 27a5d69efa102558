"""Stable Diffusion 1.5 in its own size, with random weights, laid out as the real one is."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from models import torchvision_ops
from models.store import Store
from tests import tiny_family

START, END = "<|startoftext|>", "<|endoftext|>"
WORDS = 49_408  # CLIP's vocabulary


def write(weights: Path) -> None:
    """Base, control for edges and tiny autoencoder in float32, 6 GB, where the store looks for them."""
    torchvision_ops.define_missing()
    from diffusers import AutoencoderTiny, ControlNetModel

    torch.manual_seed(0)
    base = _base()
    store = Store(weights)
    base.save_pretrained(store.base("sd15"))
    ControlNetModel.from_unet(base.unet).save_pretrained(store.control("sd15", "canny"))
    AutoencoderTiny().save_pretrained(store.preview("sd15"))


def write_as_on_the_hub(folder: Path, controls: Iterable[str]) -> None:
    """`<folder>/base` and a folder for each control, in half precision, 2.1 GB and 0.7 GB each.

    The tokenizer is in the files that the real one has.
    """
    torchvision_ops.define_missing()
    from diffusers import ControlNetModel

    torch.manual_seed(0)
    base = _base()
    for name in controls:
        control = ControlNetModel.from_unet(base.unet)
        for convolution in (*control.controlnet_down_blocks, control.controlnet_mid_block):
            torch.nn.init.normal_(convolution.weight, std=0.02)
        control.half().save_pretrained(folder / name, variant="fp16")
        del control
    base.to(torch.float16).save_pretrained(folder / "base", variant="fp16")
    place = folder / "base" / "tokenizer"
    for path in place.iterdir():
        path.unlink()
    words = {word: index for index, word in enumerate(_words())}
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True} | special
    (place / "vocab.json").write_text(json.dumps(words), "utf-8")
    (place / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    (place / "special_tokens_map.json").write_text(json.dumps(special), "utf-8")
    (place / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")


def _base() -> Any:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
    )
    # CLIP ViT-L/14's text side, with a small tokenizer that knows its vocabulary's first words only
    text = CLIPTextModel(
        CLIPTextConfig(
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
            projection_dim=768,
        )
    )
    parts = {"unet": unet, "vae": vae, "text_encoder": text, "tokenizer": tiny_family.tokenizer()}
    return tiny_family.pipeline(parts)


def _words() -> list[str]:
    """The letters that the tiny tokenizer knows, as many words as there are, and the two ends of a text."""
    letters = list(tiny_family.tokenizer().get_vocab())
    letters = [letter for letter in letters if letter not in (START, END)]
    return [*letters, *(f"word{index}</w>" for index in range(WORDS - 2 - len(letters))), START, END]
