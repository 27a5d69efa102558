"""The page in a real browser: what a person does with it, and what comes of it."""

import io
import re
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image

from annotators.base import Pixels
from conditions import CONDITIONS
from pipelines.request.intake import fit
from tests.browsing import PATIENCE, Studio
from tests.conftest import drawn_map
from tests.e2e.conftest import Seen, Visit

HOUSE = Path(__file__).parents[2].parent / "shared" / "images" / "house.png"
LONG, SHORT = 150, 2
LARGE = (512, 384)  # pictures of a long run: the little family steps slowly only on these


def pixels(source: str | Path) -> Pixels:
    """RGB uint8 (H, W, 3) of a file, or of what the browser would be shown at an address."""
    file = io.BytesIO(httpx.get(source).content) if isinstance(source, str) else source
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def edges(picture: Path, low: int, high: int, size: tuple[int, int] = (192, 128)) -> Pixels:
    """The map that the page should show for a picture of 4:3."""
    found = cv2.Canny(fit(pixels(picture), *size, "area"), low, high)
    return np.repeat(found[:, :, None].astype(np.uint8), 3, axis=2)


def ready_to_generate(studio: Studio, picture: Path, steps: int = SHORT) -> str:
    """Bring a picture, a prompt and the number of steps; the address of the map."""
    studio.drop(picture)
    map = studio.map_after()
    studio.page.fill("#prompt textarea", "a house in the hills")
    studio.open_settings()
    studio.set_number("steps", steps)
    if steps != SHORT:
        studio.set_size("{}x{}".format(*LARGE))
        map = studio.map_after(map)
    return map


@pytest.mark.parametrize(
    "own",
    [
        pytest.param(None, id="drawn"),
        pytest.param(
            HOUSE, id="photograph", marks=pytest.mark.skipif(not HOUSE.exists(), reason="no house.png")
        ),
    ],
)
def test_from_a_picture_to_a_new_one(own: Path | None, studio: Studio, scene: Path) -> None:
    ready_to_generate(studio, own or scene)
    studio.generate()
    picture = studio.picture_after()
    seed = re.search(r"Seed (\d+)", studio.text("#info .facts"))
    assert seed
    assert f"seed{seed[1]}.png" in picture
    assert f"{SHORT} steps" in studio.text("#info .facts")
    assert pixels(picture).std() > 5
    assert not studio.page.locator("#progress .progress").is_visible()


def test_another_size_is_looked_at_where_there_is_something_to_see(studio: Studio, scene: Path) -> None:
    """Fifteen tabs that look again hold the browser up for two seconds."""
    before = {}
    for title, name in (("Canny", "canny"), ("Soft edges", "softedge"), ("Canny", "canny")):
        studio.choose_tab(title, name)
        if name not in before:
            studio.drop(scene, name)
            before[name] = studio.map_after(condition=name)
    studio.open_settings()
    asked: list[str] = []
    studio.page.on("request", lambda request: asked.append(request.post_data or ""))
    studio.set_size("{}x{}".format(*LARGE))
    for name, map in before.items():
        studio.choose_tab(CONDITIONS[name].title, name)
        assert pixels(studio.map_after(map, name)).shape[1::-1] == LARGE
    studio.wait_until_idle()
    # neither the pill, which sends nothing, nor the tab that was opened
    looks = [body for body in asked if '"data":[' in body.replace('"data":[]', "") and '"index":' not in body]
    assert len(looks) == 2


def test_another_size_is_looked_at_where_a_text_is_followed(studio: Studio) -> None:
    """There is no picture on that tab by which it would be known."""
    studio.choose_tab("QR code", "qr")
    studio.page.click("#qr-example")
    before = studio.map_after(condition="qr")
    studio.open_settings()
    studio.set_size("{}x{}".format(*LARGE))
    assert pixels(studio.map_after(before, "qr")).shape[1::-1] == LARGE


def test_the_map_is_shown_as_it_is(studio: Studio, scene: Path) -> None:
    studio.drop(scene)
    assert np.array_equal(pixels(studio.map_after()), edges(scene, 100, 200))


def test_moving_a_slider_changes_the_map(studio: Studio, scene: Path) -> None:
    studio.drop(scene)
    before = studio.map_after()
    slider = studio.page.locator("#canny-canny-high_threshold input[type=range]")
    slider.focus()
    studio.page.keyboard.press("End")
    after = studio.map_after(before)
    assert slider.input_value() == "255"
    assert np.array_equal(pixels(after), edges(scene, 100, 255))
    assert not np.array_equal(pixels(after), pixels(before))


def test_a_cancelled_run_changes_nothing(studio: Studio, scene: Path) -> None:
    ready_to_generate(studio, scene)
    studio.generate()
    first = studio.picture_after()
    studio.set_number("steps", LONG)
    studio.set_size("{}x{}".format(*LARGE))
    studio.generate()
    studio.wait_for_step()
    assert studio.text("#cancel") == "Cancel"
    studio.page.click("#cancel")
    studio.wait_for_text("#info", "cancelled")
    assert studio.gallery() == [first]
    studio.page.wait_for_selector("#cancel", state="hidden", timeout=PATIENCE)
    assert not studio.page.locator("#progress .progress").is_visible()
    studio.set_number("steps", SHORT)
    studio.generate()
    second = studio.picture_after(first)
    assert studio.gallery() == [second, first]


def test_annotating_beside_a_running_generation(studio: Studio, scene: Path) -> None:
    before = ready_to_generate(studio, scene, LONG)
    studio.set_number("count", 8)
    studio.generate()
    studio.wait_for_step()
    studio.set_number("canny-canny-high_threshold", 255)
    after = studio.map_after(before)
    assert studio.page.locator("#progress .progress").is_visible()
    assert np.array_equal(pixels(after), edges(scene, 100, 255, LARGE))
    studio.page.click("#cancel")
    studio.wait_for_text("#info", "cancelled")


def test_what_is_shared_survives_changing_tab(studio: Studio, scene: Path) -> None:
    map = ready_to_generate(studio, scene, 33)
    studio.choose_tab("Depth", "depth")
    assert studio.page.input_value("#prompt textarea") == "a house in the hills"
    assert studio.page.input_value("#steps input[type=number]") == "33"
    studio.choose_tab("Canny", "canny")
    assert studio.page.input_value("#prompt textarea") == "a house in the hills"
    assert studio.map_after() == map


def test_a_tab_takes_a_ready_map(studio: Studio, tmp_path: Path) -> None:
    drawn = drawn_map(128, 128)
    file = tmp_path / "map.png"
    Image.fromarray(drawn).save(file)
    studio.choose_tab("Soft edges", "softedge")
    studio.drop(file, "softedge")
    assert np.array_equal(pixels(studio.map_after(condition="softedge")), drawn)
    studio.open_settings()
    studio.set_number("steps", SHORT)
    studio.generate("softedge")
    assert pixels(studio.picture_after()).shape == (128, 128, 3)


def test_a_tab_without_its_model_says_so(studio: Studio) -> None:
    studio.choose_tab("Anime line art", "lineart_anime")
    button = studio.page.locator("#lineart_anime-generate")
    assert button.is_disabled()
    assert "model missing" in button.inner_text()
    assert "Choose another model family" in studio.text("#lineart_anime-missing")


def test_a_file_that_is_no_picture_is_refused_in_words(studio: Studio, tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("This is not a picture, whatever its name says.")
    studio.drop(text)
    sentence = "This kind of file can't be read here"
    studio.wait_for_text("#canny-notes .refusal", sentence)
    studio.page.click("#canny-generate")
    studio.wait_for_text(".toast-body", sentence)
    assert "(IMG_FORMAT)" in studio.text(".toast-body")
    assert studio.gallery() == []


def test_generating_without_a_picture_is_refused_in_words(studio: Studio) -> None:
    studio.page.click("#canny-generate")
    studio.wait_for_text(".toast-body", "There is no picture yet")


def test_a_picture_taken_away_takes_its_map_along(studio: Studio, scene: Path) -> None:
    studio.drop(scene)
    studio.map_after()
    studio.page.get_by_label("Remove Image").click()
    studio.page.wait_for_selector("#canny-map img", state="detached", timeout=PATIENCE)


def test_visitors_do_not_see_each_other(visit: Visit, scene: Path) -> None:
    one, other = visit(), visit()
    ready_to_generate(one, scene)
    one.generate()
    one.picture_after()
    assert other.gallery() == []
    assert other.page.input_value("#prompt textarea") == ""


def test_a_phone_needs_no_sideways_scrolling(visit: Visit, scene: Path) -> None:
    phone = visit(width=390, height=844, has_touch=True, is_mobile=True)
    ready_to_generate(phone, scene)
    phone.generate()
    phone.picture_after()
    widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    assert phone.page.evaluate(widths) == [390, 390]
    box = phone.page.locator("#canny-generate").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_themes_render(theme: str, visit: Visit) -> None:
    studio = visit(f"?__theme={theme}")
    with Image.open(io.BytesIO(studio.page.screenshot())) as screen:
        brightness = np.median(np.asarray(screen.convert("L")))
    title = studio.page.locator("#head h1").evaluate("title => getComputedStyle(title).color")
    ink = np.mean([int(part) for part in re.findall(r"\d+", title)[:3]])
    if theme == "dark":
        assert brightness < 60 < 200 < ink
    else:
        assert ink < 60 < 200 < brightness


def test_the_keyboard_reaches_generate(studio: Studio, scene: Path) -> None:
    studio.drop(scene)
    studio.map_after()
    focused = "document.activeElement.id"
    for _ in range(80):
        studio.page.keyboard.press("Tab")
        if studio.page.evaluate(focused) == "canny-generate":
            break
    assert studio.page.evaluate(focused) == "canny-generate"
    studio.page.keyboard.press("Enter")
    studio.picture_after()


def test_errors_and_requests_to_others_are_noticed(studio: Studio, seen: Seen) -> None:
    studio.page.evaluate("() => console.error('a mistake')")
    studio.page.evaluate("() => fetch('http://192.0.2.1/', {signal: AbortSignal.timeout(50)}).catch(() => 0)")
    assert [error.partition(" at ")[0] for error in seen.errors][:1] == ["a mistake"]
    assert seen.outside == ["http://192.0.2.1/"]
    seen.errors.clear()
    seen.outside.clear()
