"""Small pictures from latents, without the decoder."""

import numpy as np
import pytest
import torch

from models.store import Store
from pipelines import schedulers
from pipelines.preview import estimate, preview, to_pixels

RGB = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("latent", "picture"),
    [
        ((64, 64), (256, 256)),
        ((96, 64), (256, 170)),
        ((16, 32), (128, 256)),
        ((256, 8), (256, 8)),
        ((16, 16), (128, 128)),
    ],
)
def test_a_preview_keeps_the_shape_within_256_pixels(
    latent: tuple[int, int], picture: tuple[int, int]
) -> None:
    pixels = preview(RGB, torch.zeros((1, 4, *latent)))
    assert pixels.shape == (*picture, 3)
    assert pixels.dtype == np.uint8


def test_a_preview_has_the_colours_of_the_linear_map() -> None:
    x_0 = torch.zeros((1, 4, 4, 4))
    x_0[:, 0], x_0[:, 1], x_0[:, 2], x_0[:, 3] = 1, -1, 0.5, 99
    assert preview(RGB, x_0)[5, 5].tolist() == [255, 0, 191]
    shifted = RGB.clone()
    shifted[4] = torch.tensor([0.0, 1.0, 0.0])
    assert preview(shifted.bfloat16(), x_0)[5, 5].tolist() == [255, 128, 191]


def test_pixels_are_clamped_and_rounded() -> None:
    picture = torch.tensor([-9.0, -1.0, 0.0, 1.0, 9.0]).expand(1, 3, 1, 5)
    assert to_pixels(picture)[0, :, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("name", list(schedulers.SCHEDULERS))
def test_the_estimate_finds_the_picture_under_known_noise(name: str, store: Store) -> None:
    scheduler = schedulers.build(name, store.scheduler_config("pocket"))
    scheduler.set_timesteps(10)
    random = torch.Generator().manual_seed(0)
    x_0, eps = torch.randn((2, 1, 4, 8, 8), generator=random)
    t = scheduler.timesteps[4]
    x_t = scheduler.add_noise(x_0, eps, t[None])
    x = scheduler.scale_model_input(x_t, t)
    found = estimate(scheduler, float(t), x, eps)
    assert (found - x_0).abs().max() < 0.02
