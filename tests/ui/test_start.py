"""What a picture begins with, from the raw values of the page to the ground of a request."""

import asyncio
import base64
import io
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from annotators.base import Pixels
from errors import ArmatureError
from gate import LIMITS
from pipelines.pictures import PictureStore
from pipelines.request.composing import Sides
from pipelines.request.intake import Desk
from ui.brush import mask_brush, painted, painted_on
from ui.start import Start

SHADES = np.tile(np.arange(96, dtype=np.uint8)[None, :, None], (64, 1, 3))
MARKED = np.zeros((64, 96, 3), np.uint8)
MARKED[16:32, 16:48] = 255


def png(pixels: Pixels) -> bytes:
    """An RGB uint8 (H, W, 3) picture as a file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def as_painted(pixels: Pixels) -> str:
    """A mask as the page sends it."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(PictureStore(tmp_path), LIMITS["local"])


async def laid_out(desk: Desk) -> tuple[Start, gr.HTML]:
    """The section, and a brush of a tab. Gradio would leave an event loop behind if it had to make one."""
    with gr.Blocks():
        return Start(desk), mask_brush("own")


@pytest.fixture
def parts(desk: Desk) -> tuple[Start, gr.HTML]:
    return asyncio.run(laid_out(desk))


@pytest.fixture
def start(parts: tuple[Start, gr.HTML]) -> Start:
    return parts[0]


@pytest.fixture
def picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An uploaded picture."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    path = Path(get_upload_folder()) / "picture.png"
    path.write_bytes(png(SHADES))
    return path.resolve()


def values(start: Start, **changed: Any) -> dict[Any, Any]:
    """The raw values of the section as it stands at first, with some changed by their `elem_id`."""
    raw = {part: getattr(part, "value", None) for part in start.ordered}
    named = {part.elem_id: part for part in start.ordered}
    return raw | {named[name.replace("_", "-")]: value for name, value in changed.items()}


def refusal(start: Start, raw: dict[Any, Any], own: Path | None) -> str:
    """The code of the refusal."""
    with pytest.raises(ArmatureError) as refused:
        start.ground(raw, own)
    return refused.value.code.name


def test_at_first_nothing_is_begun_with(start: Start, picture: Path) -> None:
    assert start.ground(values(start), picture) is None


def test_the_picture_of_the_tab_with_its_settings(start: Start, picture: Path) -> None:
    raw = values(start, begin="tab", extend_left=64)
    raw[start.values["denoise"]] = 0.4
    ground = start.ground(raw, picture)
    assert ground
    assert np.array_equal(ground.init, SHADES)
    assert ground.mask is None
    assert ground.values == {"denoise": 0.4, "mask_blur": 4.0, "fill": "original"}
    assert ground.sides == Sides(left=64)


def test_another_picture_takes_the_place_of_the_tabs(start: Start, picture: Path) -> None:
    other = picture.with_name("other.png")
    other.write_bytes(png(255 - SHADES))
    ground = start.ground(values(start, begin="other", start_picture={"path": str(other)}), picture)
    assert ground
    assert np.array_equal(ground.init, 255 - SHADES)


@pytest.mark.parametrize("begin", ["tab", "other"])
def test_without_a_picture_nothing_begins(begin: str, start: Start) -> None:
    assert refusal(start, values(start, begin=begin), None) == "IMG_EMPTY"


def test_what_can_not_be_chosen_is_refused(start: Start, picture: Path) -> None:
    assert refusal(start, values(start, begin="else"), picture) == "PARAM_CHOICE"
    assert refusal(start, values(start, begin=["tab"]), picture) == "PARAM_CHOICE"
    assert refusal(start, values(start, begin="tab", extend_top=-64), picture) == "PARAM_RANGE"


@pytest.mark.parametrize(
    ("left", "before", "after"),
    [(64, 0.75, 1.0), (64, 0.4, gr.skip()), (0, 1.0, 0.75), (0, 0.4, gr.skip()), (0, 0.75, gr.skip())],
)
def test_a_canvas_that_grows_is_painted_from_nothing_until_it_no_longer_does(
    left: int, before: float, after: object, start: Start
) -> None:
    change = start.values["denoise"]
    assert start._extended(values(start, extend_left=left) | {change: before}) == {change: after}


def test_a_mask_counts_over_its_own_picture_only(start: Start, picture: Path) -> None:
    mask = {"of": str(picture), "mask": as_painted(MARKED)}
    ground = start.ground(values(start, begin="tab", start_mask=mask), picture)
    assert ground
    assert ground.mask is not None
    assert np.array_equal(ground.mask, MARKED)
    mask["of"] = "another"
    ground = start.ground(values(start, begin="tab", start_mask=mask), picture)
    assert ground
    assert ground.mask is None


def test_a_tab_with_a_brush_begins_with_what_is_under_it(parts: tuple[Start, gr.HTML], picture: Path) -> None:
    start, own = parts
    raw = values(start) | {own: {"of": str(picture), "mask": as_painted(MARKED)}}
    ground = start.ground(raw, picture, raw[own])
    assert ground
    assert np.array_equal(ground.init, SHADES)
    assert ground.mask is not None


@pytest.mark.parametrize("value", [None, "", {}, [], {"of": 1}, {"mask": as_painted(MARKED)}])
def test_a_brush_without_paint_is_no_mask(value: object) -> None:
    assert painted(value, Path("a.png"), LIMITS["local"]) is None


def test_a_brush_shows_the_picture_as_the_gate_reads_it(desk: Desk, picture: Path) -> None:
    with Image.open(io.BytesIO(png(SHADES))) as image:
        turned = image.getexif()
        turned[0x0112] = 6  # stored lying on its side
        image.save(picture, exif=turned)
    shown = painted_on(desk, picture)
    assert shown["of"] == str(picture)
    file = Path(shown["picture"].removeprefix("gradio_api/file="))
    with Image.open(file) as image:
        assert image.size == (64, 96)
    assert painted_on(desk, None) == {}
