"""The picture itself as a map: what the controls for instructions, tiles and codes are given."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from annotators.base import Pixels
from gate import LIMITS
from models.store import Store
from pipelines.beginning import begin
from pipelines.cache import ModelCache
from pipelines.conditioning import Hint
from pipelines.generate import borrow
from pipelines.pictures import PictureStore
from pipelines.request import GenerateRequest
from pipelines.request.intake import Desk
from tests import tiny_family
from tests.pipelines.references import ours

SIDE = 256  # the least that Stable Diffusion is asked for
RUN = {"prompt": "make it snow", "steps": 1, "seed": 7, "scheduler": "ddim"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny family under the names of the real one."""
    folder = tmp_path_factory.mktemp("weights")
    tiny_family.write(folder, "sd15", "ip2p")
    store = Store(folder)
    for name in ("tile", "qr"):
        shutil.copytree(store.control("sd15", "ip2p"), store.control("sd15", name))
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> PictureStore:
    return PictureStore(tmp_path / "pictures")


@pytest.fixture
def room(weights: Path, pictures: PictureStore, cpu: Any) -> ModelCache:
    return ModelCache(Store(weights), pictures, cpu)


def scene(side: int = SIDE) -> Pixels:
    """A picture that is nowhere the same and different in each colour: RGB uint8 (side, side, 3)."""
    return np.random.default_rng(3).integers(0, 256, (side, side, 3), dtype=np.uint8)


def requested(
    pictures: PictureStore, folder: Path, condition: str, pixels: Pixels | None, **given: Any
) -> GenerateRequest:
    """The request that a file with a picture, or a text, becomes."""
    desk = Desk(pictures, LIMITS["local"])
    picture = None
    if pixels is not None:
        Image.fromarray(pixels).save(folder / "picture.png")
        picture = desk.picture(folder / "picture.png")
    draft = desk.draft(condition, picture, family="sd15", size=f"{SIDE}x{SIDE}", **given)
    return desk.request(draft, family="sd15", values=RUN)


def hint_of(request: GenerateRequest, room: ModelCache) -> Hint:
    """What the one control of a request is given."""
    with borrow(request, room) as models:
        [state] = begin(request, models, room).states
    [hint] = state.hints
    return hint


def as_diffusers_has_it(pixels: Pixels) -> torch.Tensor:
    """A picture of the final size, prepared by diffusers for a control: (1, 3, H, W)."""
    from diffusers.image_processor import VaeImageProcessor

    processor = VaeImageProcessor(vae_scale_factor=8, do_convert_rgb=True, do_normalize=False)
    prepared: torch.Tensor = processor.preprocess(Image.fromarray(pixels), height=SIDE, width=SIDE)
    return prepared


@pytest.mark.parametrize("condition", ["ip2p", "tile", "qr"])
def test_a_picture_of_the_final_size_is_fed_as_diffusers_feeds_it(
    condition: str, room: ModelCache, pictures: PictureStore, tmp_path: Path
) -> None:
    """From 0 to 1, red first, neither inverted nor with a hole, under both prompts and in every layer."""
    hint = hint_of(requested(pictures, tmp_path, condition, scene(), annotator="none"), room)
    assert torch.equal(hint.map, as_diffusers_has_it(scene()))
    assert (float(hint.map.min()), float(hint.map.max())) == (0, 1)
    assert (hint.on_both, set(hint.layers), hint.region) == (True, {1.0}, None)


@pytest.mark.parametrize("condition", ["ip2p", "tile"])
def test_a_larger_picture_becomes_the_mean_of_its_pixels(
    condition: str, room: ModelCache, pictures: PictureStore, tmp_path: Path
) -> None:
    large = scene(2 * SIDE)
    hint = hint_of(requested(pictures, tmp_path, condition, large, annotator="none"), room)
    means = large.reshape(SIDE, 2, SIDE, 2, 3).mean((1, 3)) / 255
    assert np.abs(hint.map[0].movedim(0, -1).numpy() - means).max() <= 0.51 / 255


def test_instructions_have_nothing_but_the_picture(
    room: ModelCache, pictures: PictureStore, tmp_path: Path
) -> None:
    request = requested(pictures, tmp_path, "ip2p", scene())
    assert request.controls[0].annotator == "none", "by default too"
    assert torch.equal(hint_of(request, room).map, as_diffusers_has_it(scene()))


@pytest.mark.parametrize("factor", [2.0, 4.0, 8.0])
def test_a_tile_has_the_picture_without_its_detail(
    factor: float, room: ModelCache, pictures: PictureStore, tmp_path: Path
) -> None:
    request = requested(pictures, tmp_path, "tile", scene(), annotator="tile", values={"factor": factor})
    found = hint_of(request, room).map[0].movedim(0, -1).numpy()
    small = cv2.resize(scene(), None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    back = cv2.resize(found, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    assert np.corrcoef(back.ravel(), small.ravel())[0, 1] > 0.95, "what is coarse stays"
    fine = np.abs(np.diff(found, axis=0)).mean()
    assert fine < np.abs(np.diff(scene() / 255, axis=0)).mean() / factor


def test_a_tile_is_painted_over_its_own_picture(
    room: ModelCache, pictures: PictureStore, tmp_path: Path
) -> None:
    """As in the original: the whole picture as the start, the same picture as the map."""
    request = requested(pictures, tmp_path, "tile", scene(), annotator="none")
    request = replace(request, init=request.controls[0].map, denoise=0.5, steps=4)
    with_tile, alone = ours(request, room), ours(replace(request, controls=()), room)
    assert float((with_tile - alone).abs().max()) > 0.01
    assert request.taken == 2


def test_a_code_is_black_and_white_with_its_dark_modules_dark(
    room: ModelCache, pictures: PictureStore, tmp_path: Path
) -> None:
    request = requested(pictures, tmp_path, "qr", None, annotator="qr", typed="https://armature.example")
    map = hint_of(request, room).map
    assert set(map.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(map[:, 0], map[:, 2])
    assert (map[..., 0, :] == 1).all(), "light around it"
    code = (map[0].movedim(0, -1).numpy() * 255).astype(np.uint8)
    assert cv2.QRCodeDetector().detectAndDecode(code)[0] == "https://armature.example"


def test_a_code_of_the_users_stays_black_and_white_at_any_size(
    room: ModelCache, pictures: PictureStore, tmp_path: Path
) -> None:
    bits = np.random.default_rng(1).integers(0, 2, (29, 29), dtype=np.uint8) * 255
    own = np.repeat(bits.repeat(10, 0).repeat(10, 1)[..., None], 3, axis=-1)
    map = hint_of(requested(pictures, tmp_path, "qr", own, annotator="none"), room).map
    assert set(map.unique().tolist()) == {0.0, 1.0}


def test_a_white_map_and_a_black_one_are_the_ends_of_the_range(
    room: ModelCache, pictures: PictureStore, tmp_path: Path
) -> None:
    """Were a map brought to -1 to 1, as a start picture is, black would not be 0."""
    black = np.zeros((SIDE, SIDE, 3), np.uint8)
    request = requested(pictures, tmp_path, "ip2p", black)
    assert not hint_of(request, room).map.any()
