"""Segmentation maps in any colours, brought back to ADE20K's: no class that nobody drew, and none lost."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from annotators import ade20k
from annotators.base import Pixels
from annotators.palette import nearest, snapped
from tests import own_maps
from tests.own_maps import jpeg

PERSON, POLE, SKY = (ade20k.NAMES.index(name) for name in ("person", "pole", "sky"))


def found_by_hand(picture: Pixels) -> NDArray[np.integer]:
    """The nearest class of each pixel, from all distances in full precision."""
    apart = picture.astype(int)[:, :, None] - ade20k.palette().astype(int)
    return np.asarray((apart**2).sum(axis=3).argmin(axis=2))


def smooth(large: Pixels) -> Pixels:
    """Four times smaller, its borders blended, as a painting program saves them."""
    height, width = large.shape[:2]
    return np.asarray(cv2.resize(large, (width // 4, height // 4), interpolation=cv2.INTER_AREA), np.uint8)


def shown(picture: Pixels) -> set[str]:
    """The names of the classes that a picture is snapped to."""
    data = snapped(picture).data
    assert data is not None
    return {entry["name"] for entry in data["classes"]}


def test_every_colour_of_the_palette_is_its_own_class() -> None:
    numbers, apart = nearest(ade20k.palette()[None])
    assert (ade20k.palette()[numbers[0]] == ade20k.palette()).all()
    assert not apart.any()


def test_any_colour_goes_to_the_nearest_class() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    numbers, apart = nearest(picture)
    best = found_by_hand(picture)
    exact = np.linalg.norm(picture.astype(float) - ade20k.palette()[numbers], axis=2)
    least = np.linalg.norm(picture.astype(float) - ade20k.palette()[best], axis=2)
    assert apart == pytest.approx(exact, abs=1e-3)
    assert (exact - least).max() < 4, "within the steps in which colours are told apart"


@pytest.mark.parametrize("seed", range(3))
def test_an_exact_map_stays_as_it_is_without_a_word(seed: int) -> None:
    map = own_maps.classes(seed)
    map[100:103, 40:43] = ade20k.palette()[PERSON]  # however small
    map[300] = ade20k.palette()[POLE]  # and thin
    found = snapped(map)
    assert np.array_equal(found.map, map)
    assert found.notices == ()
    assert {"person", "pole"} <= shown(map)


Saving = Callable[[Pixels], Pixels]
SAVINGS: dict[str, Saving] = {
    "jpeg 90": lambda large: jpeg(large[::4, ::4], 90),
    "jpeg 75": lambda large: jpeg(large[::4, ::4], 75),
    "smooth": smooth,
    "smooth, jpeg 75": lambda large: jpeg(smooth(large), 75),
    "a shade off": lambda large: np.maximum(large[::4, ::4], (3, 2, 4)).astype(np.uint8) - np.uint8(2),
}


@pytest.mark.parametrize("saving", SAVINGS)
@pytest.mark.parametrize("seed", range(3))
def test_a_blurred_border_makes_no_class_and_loses_none(seed: int, saving: str) -> None:
    large = own_maps.classes(seed, 320, 240).repeat(4, axis=0).repeat(4, axis=1)
    saved = SAVINGS[saving](large)
    found = snapped(saved)
    truth = large[::4, ::4]
    assert shown(saved) == shown(truth)
    wrong = (found.map != truth).any(axis=2)
    assert wrong.mean() < 0.03, "and the borders are where they were"
    colours = {tuple(colour) for colour in found.map.reshape(-1, 3).tolist()}
    assert colours <= {colour for _, colour in ade20k.CLASSES}


def test_something_small_in_exact_colours_survives_a_smooth_brush_beside_it() -> None:
    map = np.full((200, 300, 3), ade20k.palette()[SKY], np.uint8)
    map[20:27, 30:37] = ade20k.palette()[PERSON]
    cv2.circle(map, (220, 120), 40, (200, 30, 30), -1, cv2.LINE_AA)
    assert {"sky", "person"} < shown(map)
    assert (snapped(map).map[20:27, 30:37] == ade20k.palette()[PERSON]).all()


def test_what_was_changed_is_told_with_what_is_shown_now() -> None:
    map = np.full((100, 100, 3), ade20k.palette()[SKY], np.uint8)
    map[:25] = (0, 128, 199)  # nearly the blue of "car", which is (0, 102, 200)
    (told,) = snapped(map).notices
    assert told == (
        "1 colour outside the palette of ADE20K, on 25 % of the map, became the nearest inside it. "
        "The map shows sky, car."
    )
    map[30:34, 30:50] = (9, 9, 9)
    assert snapped(map).notices[0].startswith("2 colours outside")


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (3, 2)])
def test_no_map_is_too_small(shape: tuple[int, int]) -> None:
    found = snapped(np.full((*shape, 3), 77, np.uint8))
    assert found.map.shape == (*shape, 3)
    assert len(found.notices) == 1


def test_a_photograph_becomes_colours_of_the_palette_too() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    colours = {tuple(colour) for colour in snapped(noise).map.reshape(-1, 3).tolist()}
    assert colours <= {colour for _, colour in ade20k.CLASSES}
