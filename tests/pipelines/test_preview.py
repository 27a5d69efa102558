"""Small pictures from latents, without the large decoder."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from models.device import Device
from models.loading import Decoder
from models.store import Store
from pipelines import schedulers
from pipelines.beginning import begin
from pipelines.cache import ModelCache
from pipelines.generate import borrow, denoise, generate
from pipelines.pictures import PictureStore
from pipelines.preview import estimate, preview, to_pixels
from pipelines.request import Progress
from tests.conftest import MakeRequest

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


class Enlarging(Decoder):
    """A decoder that shows the first three channels, eight times as large, and notes what it was given."""

    def __init__(self) -> None:
        super().__init__(None)
        self.given: list[tuple[int, ...]] = []

    def decode(self, x_0: torch.Tensor) -> torch.Tensor:
        self.given.append(tuple(x_0.shape))
        assert not torch.is_grad_enabled()
        return x_0[:, :3].repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)


@pytest.mark.parametrize(
    ("latent", "given"),
    [((64, 64), (32, 32)), ((96, 64), (32, 21)), ((16, 32), (16, 32)), ((256, 2), (32, 1)), ((8, 8), (8, 8))],
)
def test_a_small_decoder_gets_no_more_than_makes_256_pixels(
    latent: tuple[int, int], given: tuple[int, int]
) -> None:
    x_0 = torch.zeros((1, 4, *latent))
    x_0[:, 0], x_0[:, 1] = 1, -1
    small = Enlarging()
    picture = preview(RGB, x_0, small)
    assert small.given == [(1, 4, *given)]
    assert picture.shape == (8 * given[0], 8 * given[1], 3)
    assert picture[0, 0].tolist() == picture[-1, -1].tolist() == [255, 0, 128]


def test_the_tiny_autoencoder_shows_the_pictures_where_it_is_there(
    tmp_path: Path, store: Store, pictures: PictureStore, cpu: Device, make_request: MakeRequest
) -> None:
    from diffusers import AutoencoderTiny

    shutil.copytree(store.weights, tmp_path / "weights")
    with torch.random.fork_rng(devices=[]):
        tiny = AutoencoderTiny(
            encoder_block_out_channels=(8,) * 4,
            decoder_block_out_channels=(8,) * 4,
            num_encoder_blocks=(1,) * 4,
            num_decoder_blocks=(1,) * 4,
        )
    tiny.save_pretrained(tmp_path / "weights" / "pocket" / "preview")
    cache = ModelCache(Store(tmp_path / "weights"), pictures, cpu)
    request = make_request(steps=3)
    shown = [event.preview for event in generate(request, cache) if isinstance(event, Progress)]
    assert "preview" in [key.part for key in cache.resident]
    [last] = [picture for picture in shown if picture is not None]
    with borrow(request, cache) as models:
        [state] = begin(request, models, cache).states
        for _ in denoise(models, [state]):
            pass
        with torch.no_grad():
            expected = to_pixels(tiny.decode(state.x_0).sample)
    assert np.array_equal(last, expected)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("name", list(schedulers.SCHEDULERS))
def test_the_estimate_finds_the_picture_under_known_noise(name: str, prediction: str, store: Store) -> None:
    config = {**store.scheduler_config("pocket"), "prediction_type": prediction}
    scheduler = schedulers.build(name, config)
    scheduler.set_timesteps(10)
    random = torch.Generator().manual_seed(0)
    x_0, eps = torch.randn((2, 1, 4, 8, 8), generator=random)
    t = scheduler.timesteps[4]
    x_t = scheduler.add_noise(x_0, eps, t[None])
    x = scheduler.scale_model_input(x_t, t)
    a = scheduler.alphas_cumprod[round(float(t))]
    answer = eps if prediction == "epsilon" else a**0.5 * eps - (1 - a) ** 0.5 * x_0
    found = estimate(scheduler, float(t), x, answer)
    assert (found - x_0).abs().max() < 0.02
