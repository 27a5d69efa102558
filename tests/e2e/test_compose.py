"""Controls composed, a painted mask and a picture to begin with, in a real browser, on the pocket family."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from annotators.base import Pixels
from gate import LIMITS, painted_bytes
from pipelines.masking import final_mask
from pipelines.metadata import request_from_png
from pipelines.pictures import PICTURES, PictureStore, content_hash
from pipelines.request import GenerateRequest
from pipelines.request.intake import fit
from tests.browsing import PATIENCE, Studio
from tests.e2e.test_studio import pixels
from tests.serving import ROOT, App, serving

STEPS = 6


@pytest.fixture(scope="module")
def app(browser: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The real program with the family that ships with it."""
    with serving(tmp_path_factory.mktemp("pocket"), ROOT / "weights") as app:
        yield app


@pytest.fixture
def store(app: App) -> PictureStore:
    """The pictures of all requests."""
    return PictureStore(app.folder / "outputs" / PICTURES)


def set_up(studio: Studio) -> None:
    """A prompt, a seed, and few steps."""
    studio.page.fill("#prompt textarea", "a house in a meadow")
    studio.open_settings()
    studio.set_number("steps", STEPS)
    studio.page.fill("#seed input", "7")


def made(
    studio: Studio, condition: str, tmp_path: Path, before: str = ""
) -> tuple[str, GenerateRequest, Pixels]:
    """Press Generate: the address of the new picture, what it was asked for, and its pixels."""
    studio.generate(condition)
    address = studio.picture_after(before)
    file = tmp_path / "made.png"
    file.write_bytes(httpx.get(address).content)
    return address, request_from_png(file), pixels(file)


def open_compose(studio: Studio) -> None:
    studio.page.get_by_role("tab", name="Compose", exact=True).click()
    studio.page.wait_for_selector("#stack .stack", timeout=PATIENCE)


def titles(studio: Studio) -> list[str]:
    return studio.page.locator("#stack li b").all_inner_texts()


def press(studio: Studio, place: int, deed: str) -> None:
    """Press a button of the card at a place from the top."""
    studio.page.locator("#stack li").nth(place).locator(f"[data-do={deed}]").click()


def test_two_controls_compose_with_a_region(
    studio: Studio, scene: Path, store: PictureStore, tmp_path: Path
) -> None:
    set_up(studio)
    shown = {}
    for title, name in (("Canny", "canny"), ("Soft edges", "softedge"), ("Tile", "tile")):
        studio.choose_tab(title, name)
        studio.drop(scene, name)
        shown[name] = content_hash(pixels(studio.map_after(condition=name)))
        studio.page.click(f"#{name}-send")
        studio.wait_for_text(f"#{name}-sent", title)
    assert studio.text("#tile-sent") == "In Compose now: Canny, Soft edges, Tile."
    open_compose(studio)
    assert titles(studio) == ["Canny", "Soft edges", "Tile"]
    press(studio, 1, "remove")
    press(studio, 1, "up")
    assert titles(studio) == ["Tile", "Canny"]
    tile = studio.page.locator("#stack li").nth(0)
    assert tile.locator("summary").inner_text() == "Acts everywhere"
    tile.locator("summary").click()
    studio.page.wait_for_function("document.querySelector('#stack li canvas')?.width === 512")
    studio.paint("#stack li:first-child", (0.25, 0.1), (0.25, 0.9))
    assert tile.locator("summary").inner_text() == "Acts where you painted"
    tile.locator("input[name=strength]").fill("0.5")
    studio.choose_tab("Canny", "canny")
    open_compose(studio)
    first, request, both = made(studio, "compose", tmp_path)
    assert [(unit.condition, unit.strength) for unit in request.controls] == [("tile", 0.5), ("canny", 1)]
    assert [unit.map for unit in request.controls] == [shown["tile"], shown["canny"]], "not made again"
    assert request.controls[1].region is None
    assert request.controls[0].region is not None
    region = store.get(request.controls[0].region)[64, :, 0]
    assert (region[48], region[150]) == (255, 0)
    press(studio, 0, "mute")
    _, request, one = made(studio, "compose", tmp_path, first)
    assert [unit.condition for unit in request.controls] == ["canny"]
    assert not np.array_equal(one, both)


def test_what_is_not_masked_stays_bit_for_bit(
    studio: Studio, scene: Path, store: PictureStore, tmp_path: Path
) -> None:
    set_up(studio)
    studio.choose_tab("Inpaint", "inpaint")
    studio.generate("inpaint")
    studio.wait_for_text(".toast-body", "There is no picture yet")
    studio.drop(scene, "inpaint")
    studio.mask_after(condition="inpaint")
    studio.paint("#inpaint-mask", (0.4, 0.4), (0.6, 0.6))
    _, request, picture = made(studio, "inpaint", tmp_path)
    assert request.mask is not None
    painted = store.get(request.mask)
    assert (painted[64, 96, 0], painted[10, 10, 0]) == (255, 0), "white where the brush was"
    mask, before = final_mask(painted, request.mask_blur), fit(pixels(scene), 192, 128, "area")
    assert 0.3 < (mask == 0).mean() < 0.95
    assert np.array_equal(picture[mask == 0], before[mask == 0])
    assert np.abs(picture[mask > 0.5].astype(int) - before[mask > 0.5]).mean() > 5


def test_a_picture_is_changed_as_far_as_is_asked(
    studio: Studio, scene: Path, store: PictureStore, tmp_path: Path
) -> None:
    set_up(studio)
    studio.drop(scene)
    studio.map_after()
    address, request, free = made(studio, "canny", tmp_path)
    assert request.init is None
    studio.page.click("#start > button")
    studio.page.locator("#begin input[value=tab]").check()
    studio.mask_after()
    studio.set_number("denoise", 0.35)
    address, request, near = made(studio, "canny", tmp_path, address)
    begun = fit(pixels(scene), 192, 128, "area")
    assert request.init is not None
    assert np.array_equal(store.get(request.init), begun)
    assert (request.denoise, request.mask) == (0.35, None)
    far, close = (np.abs(picture.astype(int) - begun).mean() for picture in (free, near))
    assert close < far / 2
    studio.set_number("extend-right", 64)
    assert studio.page.input_value("#denoise input[type=number]") == "0.35", "it was chosen"
    _, request, wide = made(studio, "canny", tmp_path, address)
    assert (request.width, request.height) == (256, 128)
    assert np.array_equal(wide[:, :160], begun[:, :160]), "beyond the soft edge"


def test_a_mask_stays_with_its_picture(studio: Studio, scene: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Image.new("RGB", (256, 256), "white").save(other)
    studio.drop(scene)
    studio.page.click("#start > button")
    studio.page.locator("#begin input[value=tab]").check()
    first = studio.mask_after()
    studio.paint("#start-mask", (0.5, 0.5), (0.6, 0.6))
    studio.choose_tab("Depth", "depth")
    studio.page.wait_for_selector("#start-mask .empty", timeout=PATIENCE)
    studio.drop(other, "depth")
    studio.mask_after(first)
    assert studio.page.locator("#start-mask .painted").count() == 0
    studio.page.locator("#start-mask [data-do=invert]").click()
    studio.page.wait_for_selector("#start-mask .painted", timeout=PATIENCE)
    studio.page.locator("#start-mask [data-do=undo]").click()
    studio.page.wait_for_selector("#start-mask .painted", state="detached", timeout=PATIENCE)
    studio.choose_tab("Canny", "canny")
    studio.page.wait_for_selector("#start-mask .painted", timeout=PATIENCE)
    studio.page.locator("#start-mask [data-do=clear]").click()
    studio.page.wait_for_selector("#start-mask .painted", state="detached", timeout=PATIENCE)
    file = tmp_path / "mask.png"
    Image.new("L", (64, 48), 255).save(file)
    studio.page.set_input_files("#start-mask input[type=file]", file)
    studio.page.wait_for_selector("#start-mask .painted", timeout=PATIENCE)
    (brought,) = studio.page.evaluate("() => [...window.armatureMasks.values()].filter(Boolean)")
    with Image.open(io.BytesIO(painted_bytes(brought, LIMITS["local"]))) as mask:
        assert (mask.size, mask.convert("L").getextrema()) == ((640, 480), (255, 255))
