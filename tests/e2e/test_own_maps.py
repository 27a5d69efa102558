"""Ready maps in a real browser: the switch is guessed, says why, and does what the visitor wants."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from annotators.base import Pixels
from tests.browsing import PATIENCE, Studio
from tests.conftest import drawn_map
from tests.e2e.test_studio import pixels

LINES = drawn_map(128, 128)


def saved(folder: Path, picture: Pixels) -> Path:
    path = folder / "picture.png"
    Image.fromarray(picture).save(path)
    return path


def wait_for_switch(studio: Studio, name: str, *, on: bool) -> None:
    """Wait until a switch stands so; what an answer changes on the page does not change in one moment."""
    state = ":checked" if on else ":not(:checked)"
    studio.page.wait_for_selector(f"#{name} input{state}", timeout=PATIENCE)


def test_a_map_is_taken_as_it_is_until_the_visitor_says_otherwise(
    studio: Studio, tmp_path: Path, scene: Path
) -> None:
    switch = studio.page.locator("#canny-own-map input")
    method = studio.page.locator("#canny-annotator")
    assert not switch.is_checked()
    studio.drop(saved(tmp_path, LINES))
    taken = studio.map_after()
    assert np.array_equal(pixels(taken), LINES)
    studio.wait_for_text("#canny-own-map", "It looks like one: light lines on black.")
    wait_for_switch(studio, "canny-own-map", on=True)
    method.wait_for(state="hidden", timeout=PATIENCE)
    switch.uncheck()
    edges = studio.map_after(taken)
    assert np.array_equal(pixels(edges)[..., 0], cv2.Canny(LINES, 100, 200))
    studio.wait_for_text("#canny-notes", "The picture looks like a line map already")
    method.wait_for(state="visible", timeout=PATIENCE)
    studio.page.get_by_label("Remove Image").click()
    studio.page.wait_for_selector("#canny-map img", state="detached", timeout=PATIENCE)
    studio.drop(scene)
    studio.map_after(edges)
    wait_for_switch(studio, "canny-own-map", on=False)
    studio.page.wait_for_selector("#canny-notes li", state="detached", timeout=PATIENCE)


def test_a_black_on_white_drawing_is_shown_inverted_and_can_be_turned_back(
    studio: Studio, tmp_path: Path
) -> None:
    paper = np.subtract(255, LINES, dtype=np.uint8)
    studio.choose_tab("Scribble", "scribble")
    studio.drop(saved(tmp_path, paper), "scribble")
    turned = studio.map_after(condition="scribble")
    assert np.array_equal(pixels(turned), LINES)
    studio.wait_for_text("#scribble-own-map", "dark lines on a light ground")
    studio.wait_for_text("#scribble-own-map", "shown inverted")
    wait_for_switch(studio, "scribble-inverted", on=True)
    studio.page.locator("#scribble-inverted input").uncheck()
    assert np.array_equal(pixels(studio.map_after(turned, "scribble")), paper)
    studio.wait_for_text("#scribble-notes", "the model follows the reverse")


def test_an_all_black_map_has_nothing_to_follow(studio: Studio, tmp_path: Path) -> None:
    studio.drop(saved(tmp_path, np.zeros((256, 256, 3), np.uint8)))
    studio.wait_for_text("#canny-notes", "The map is all black: there is nothing to follow.")


def test_generate_follows_what_is_shown(studio: Studio, tmp_path: Path) -> None:
    """Also when it is pressed before the page has had time to look at the picture."""
    studio.page.fill("#prompt textarea", "a house")
    studio.open_settings()
    studio.set_number("steps", 1)
    studio.drop(saved(tmp_path, LINES))
    studio.page.wait_for_selector("#canny-picture img", timeout=PATIENCE)
    studio.generate()
    studio.picture_after()
    assert np.array_equal(pixels(studio.map_after()), LINES)
