"""The base before it has learnt: the autoencoder, a small CLIP over the world's words, a random U-Net."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models import loading, torchvision_ops
from pipelines import durable
from training.family.recipe import Base
from training.words import text_encoder, tokenizer
from training.world.words import WORDS

SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "prediction_type": "v_prediction",
}
ATTENTION = ".attentions."
HEAD = 32  # channels of an attention's head
FIRST_WORDS = "and , . a an the of in on at by with under through some".split()


def begin(recipe: Base, vae: Any, captions: tuple[str, ...], size: int, folder: Path) -> None:
    """Put a base together in diffusers' layout, whole or not at all."""
    torchvision_ops.define_missing()
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        words = tokenizer(vocabulary(captions))
        pipeline = StableDiffusionPipeline(
            vae=vae,
            tokenizer=words,
            text_encoder=text_encoder(words, width=recipe.width, layers=recipe.layers),
            unet=unet(recipe, size),
            scheduler=DDIMScheduler.from_config(SCHEDULE),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    aside = folder.with_name(f"{folder.name}{durable.ASIDE}")
    shutil.rmtree(aside, ignore_errors=True)
    pipeline.save_pretrained(aside)
    aside.rename(folder)


def grow(recipe: Base, old: Path, size: int, folder: Path) -> None:
    """A base that has learnt, with the U-Net of the recipe, which takes over what it has of the old one's.

    An attention that the old one has not, or with other heads, begins as nothing beside its shortcut.
    """
    learnt: Any = loading.read(old, "unet", torch.float32, what="The base that was learnt: U-Net")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        grown = unet(recipe, size)
    same = np.array_equal(learnt.config.attention_head_dim, grown.config.attention_head_dim)
    known = {name: x for name, x in learnt.state_dict().items() if same or ATTENTION not in name}
    for name in grown.load_state_dict(known, strict=False).missing_keys:
        if name.endswith(("proj_out.weight", "proj_out.bias")):
            torch.nn.init.zeros_(grown.get_parameter(name))
    aside = folder.with_name(f"{folder.name}{durable.ASIDE}")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(old, aside, ignore=lambda _, names: {"unet"} & set(names))
    grown.save_pretrained(aside / "unet")
    aside.rename(folder)


def vocabulary(captions: tuple[str, ...]) -> list[str]:
    """Every word of the world and of the captions, each of which becomes one token."""
    texts = (*captions, *WORDS)
    spoken = {part for text in texts for part in text.replace(",", " , ").split()}
    return [*FIRST_WORDS, *sorted(spoken - set(FIRST_WORDS))]


def unet(recipe: Base, size: int) -> Any:
    """A U-Net whose encoder and middle are small, since each control copies them, and read no text."""
    torchvision_ops.define_missing()
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=size // 8,
        block_out_channels=recipe.channels,
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * 3,
        mid_block_type="UNetMidBlock2D",
        up_block_types=("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=recipe.width,
        # in spite of its name this is how many heads there are, not how wide they are
        attention_head_dim=tuple(channels // HEAD for channels in recipe.channels),
        norm_num_groups=16,
    )
