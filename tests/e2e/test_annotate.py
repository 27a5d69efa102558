"""The Annotate tab in a real browser: every map of a picture on one sheet, as they arrive, and in one ZIP."""

import io
import re
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

import annotators
from annotators import ANNOTATORS
from tests.browsing import PATIENCE, Studio
from tests.e2e.conftest import Visit
from tests.e2e.test_studio import LONG, pixels, ready_to_generate

WEIGHTLESS = [a for a in ANNOTATORS.values() if a.source == "picture" and not a.weights]
NETWORKED = [a for a in ANNOTATORS.values() if a.weights]
DONE = ".tile.done"


def open_tab(studio: Studio) -> None:
    """Open the Annotate tab."""
    studio.choose_tab("Annotate", "annotate")
    studio.wait_until_idle()


def bring(studio: Studio, picture: Path) -> None:
    """Bring a picture, and wait until it is shown."""
    studio.drop(picture, "annotate")
    studio.page.wait_for_selector("#annotate-picture img", timeout=PATIENCE)


def choose(studio: Studio, *labels: str) -> None:
    """Choose annotators by their labels."""
    for label in labels:
        studio.page.fill("#annotate-chosen input", label)
        studio.page.get_by_role("option", name=label).first.click()
    studio.page.locator("#annotate-chosen input").blur()


def annotate(studio: Studio) -> None:
    """Press Annotate, and wait until the downloads are there."""
    studio.page.click("#annotate-run")
    studio.page.wait_for_selector("#annotate-zip", timeout=PATIENCE)


def captions(studio: Studio, kind: str = DONE) -> dict[str, str]:
    """What stands under the cards: a name each, and a time or what is lacking."""
    found = studio.page.locator(f"#sheet {kind}")
    pairs = zip(found.locator("b").all_inner_texts(), found.locator("span").all_inner_texts(), strict=True)
    return dict(pairs)


def test_all_at_once_is_a_labelled_map_of_each_and_a_zip_of_as_many(studio: Studio, scene: Path) -> None:
    open_tab(studio)
    bring(studio, scene)
    annotate(studio)
    made = captions(studio)
    assert list(made) == [annotator.label for annotator in WEIGHTLESS]
    assert all(re.fullmatch(r"(< 1|\d+) ms|[\d.]+ s", time) for time in made.values())
    assert captions(studio, ".lacking li") == {
        a.label: f"needs {len(a.weights)} file{'s' if len(a.weights) > 1 else ''}" for a in NETWORKED
    }
    picture = pixels(scene)
    with studio.page.expect_download() as download:
        studio.page.click("#annotate-zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        maps = {name.removesuffix(".png"): archive.read(name) for name in archive.namelist()}
    assert Image.open(io.BytesIO(maps.pop("contact-sheet"))).size[0] > 1000
    assert {name for name in maps if not name.endswith(".json")} == {a.name for a in WEIGHTLESS}
    for annotator in WEIGHTLESS:
        with Image.open(io.BytesIO(maps[annotator.name])) as image:
            expected = annotators.annotate(annotator.name, picture).map
            assert np.array_equal(np.asarray(image), expected), annotator.name


def test_what_is_lacking_says_exactly_how_to_get_it_and_another_picture_clears_it(
    studio: Studio, scene: Path
) -> None:
    open_tab(studio)
    bring(studio, scene)
    choose(studio, "Pose, OpenPose")
    studio.page.click("#annotate-run")
    card = studio.page.locator("#sheet .lacking li")
    card.locator("summary").click()
    told = card.locator("p").inner_text()
    assert "hf download lllyasviel/Annotators body_pose_model.pth hand_pose_model.pth facenet.pth" in told
    assert "/annotators/lllyasviel--Annotators" in told
    assert "cli.py weights get openpose in the project's folder" in told
    assert captions(studio) == {}
    studio.page.locator("#annotate-picture").get_by_label("Remove Image").click()
    studio.page.wait_for_selector("#sheet .empty", timeout=PATIENCE)
    studio.page.click("#annotate-run")
    studio.wait_for_text("#annotate-notes .refusal", "There is no picture yet")


def test_chosen_ones_take_their_settings_and_a_text(studio: Studio, scene: Path) -> None:
    open_tab(studio)
    bring(studio, scene)
    choose(studio, "Canny", "QR code of a text")
    studio.set_number("annotate-canny-high_threshold", 255)
    studio.page.fill("#annotate-text textarea", "https://example.org")
    studio.page.locator("#annotate-text textarea").blur()
    annotate(studio)
    assert list(captions(studio)) == ["Canny", "QR code of a text"]
    full = studio.page.get_attribute("#sheet [data-annotator=canny] a", "href")
    strict = annotators.annotate("canny", pixels(scene), high_threshold=255).map
    assert np.array_equal(pixels(f"{studio.url}/{full}"), strict)
    see_in_full(studio, "Canny", "QR code of a text")


def see_in_full(studio: Studio, first: str, second: str) -> None:
    """Click on the first of two maps, and go on with the arrows."""
    studio.page.locator(f"{DONE} a").first.click()
    dialog = studio.page.locator("dialog.full")
    assert dialog.locator("b").inner_text() == first
    width = "image => image.decode().then(() => image.naturalWidth)"
    assert dialog.locator("img").evaluate(width) == 640, "the map itself, not the small one of the sheet"
    for name in (second, first):
        studio.page.keyboard.press("ArrowRight")
        assert dialog.locator("b").inner_text() == name
    studio.page.keyboard.press("Escape")
    assert dialog.is_hidden()


def test_cards_that_are_there_stay_as_the_sheet_grows(studio: Studio, scene: Path) -> None:
    """Each map is on the page before the next one is made, and is not drawn again."""
    open_tab(studio)
    bring(studio, scene)
    studio.page.evaluate(
        """() => {
            window.seen = [];
            const look = () => {
                const first = document.querySelector('#sheet .tile.done');
                if (first && !window.first) window.first = first;
                window.seen.push(document.querySelectorAll('#sheet .tile.done').length);
            };
            const sheet = document.querySelector('#sheet');
            new MutationObserver(look).observe(sheet, {childList: true, subtree: true});
        }"""
    )
    annotate(studio)
    seen = studio.page.evaluate("window.seen")
    assert seen == sorted(seen)
    assert len(set(seen)) > len(WEIGHTLESS) / 2, "most arrive alone"
    assert studio.page.evaluate("window.first === document.querySelector('#sheet .tile.done')")


def test_the_sheet_is_made_beside_a_running_generation(studio: Studio, scene: Path) -> None:
    ready_to_generate(studio, scene, LONG)
    studio.generate()
    studio.wait_for_step()
    open_tab(studio)
    bring(studio, scene)
    annotate(studio)
    assert len(captions(studio)) == len(WEIGHTLESS)
    assert studio.page.locator("#prompt").is_hidden()
    studio.choose_tab("Canny", "canny")
    assert "step" in studio.text("#progress")
    studio.page.click("#cancel")
    studio.wait_for_text("#info", "cancelled")


def test_a_phone_needs_no_sideways_scrolling(visit: Visit, scene: Path) -> None:
    phone = visit(width=390, height=844, has_touch=True, is_mobile=True)
    phone.page.get_by_role("tab", name="Annotate", exact=True).scroll_into_view_if_needed()
    open_tab(phone)
    bring(phone, scene)
    annotate(phone)
    widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    assert phone.page.evaluate(widths) == [390, 390]
