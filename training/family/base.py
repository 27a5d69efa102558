"""The base before it has learnt: the autoencoder, a small CLIP over the world's words, a random U-Net."""

import shutil
from pathlib import Path
from typing import Any

import torch

from models import torchvision_ops
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
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=recipe.width,
        attention_head_dim=32,
        norm_num_groups=16,
    )
