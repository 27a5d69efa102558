"""Pictures on disk: by content in the store, and finished ones with their request inside."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from errors import ArmatureError
from pipelines.metadata import request_from_png
from pipelines.pictures import PictureStore
from pipelines.request import ControlUnit, GenerateRequest, Result
from pipelines.results import save

PIXELS = np.random.default_rng(3).integers(0, 256, (128, 192, 3), dtype=np.uint8)


def test_a_picture_comes_back_pixel_for_pixel_and_equal_ones_are_one_file(tmp_path: Path) -> None:
    pictures = PictureStore(tmp_path)
    digest = pictures.put(PIXELS)
    assert pictures.put(PIXELS.copy()) == digest
    assert pictures.put(PIXELS.reshape(192, 128, 3)) != digest, "the shape counts too"
    assert np.array_equal(pictures.get(digest), PIXELS)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "Z" * 64, "0" * 63])
def test_what_is_no_hash_names_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArmatureError, match="PARAM_TYPE"):
        PictureStore(tmp_path).get(name)


def test_a_picture_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArmatureError, match="INPUT_GONE"):
        PictureStore(tmp_path).get("0" * 64)


def test_a_result_carries_the_request_that_makes_it_again(tmp_path: Path) -> None:
    unit = ControlUnit(condition="canny", map="0" * 64)
    request = GenerateRequest(prompt="家 – café", controls=(unit,), width=192, height=128, seed=9, count=2)
    result = Result(images=(PIXELS, 255 - PIXELS), seeds=(9, 10), maps=(PIXELS // 2,), request=request)
    saved = save(result, tmp_path / "today", "a" * 32, 1.5)
    assert [image.seed for image in saved.images] == [9, 10]
    assert request_from_png(saved.images[1].path) == request
    with Image.open(saved.images[1].path) as picture:
        assert np.array_equal(np.asarray(picture), 255 - PIXELS)
    [(condition, path)] = saved.maps
    assert condition == "canny"
    with Image.open(path) as map_picture:
        assert np.array_equal(np.asarray(map_picture), PIXELS // 2)
    assert not list(tmp_path.rglob("*.tmp-*"))
