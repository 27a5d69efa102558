"""Thinning, strokes and safe steps, against loops that follow their definitions pixel by pixel."""

import math
from itertools import product
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from annotators import lines


def soft_map(seed: int, height: int = 41, width: int = 67) -> NDArray[np.float32]:
    """Blots and ridges of 0 to 255."""
    noise = np.random.default_rng(seed).uniform(0, 1, (height, width)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return np.asarray((blurred - blurred.min()) / np.ptp(blurred) * 255, np.float32)


def ridges(values: NDArray[np.float32], threshold: float) -> NDArray[np.uint8]:
    """Where a pixel is no lower than both of its neighbours in one of four directions, and high enough."""
    height, width = values.shape
    found = np.zeros((height, width), np.uint8)
    for row, column in product(range(height), range(width)):
        here = values[row, column]
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
            beside = [(row + way * down, column + way * right) for way in (-1, 1)]
            inside = [values[y, x] for y, x in beside if 0 <= y < height and 0 <= x < width]
            if here > threshold and all(here >= other for other in inside):
                found[row, column] = 255
    return found


@pytest.mark.parametrize("seed", range(4))
def test_thinning_is_what_a_plain_loop_finds(seed: int) -> None:
    soft = soft_map(seed)
    expected = ridges(cv2.GaussianBlur(soft, (0, 0), 3.0).astype(np.float32), 127)
    assert expected.any()
    assert np.array_equal(lines.thinned(soft), expected)
    assert np.array_equal(lines.thinned(soft.astype(np.uint8)), lines.thinned(np.floor(soft)))


def test_thinning_takes_its_threshold_and_its_blur() -> None:
    soft = soft_map(9)
    expected = ridges(cv2.GaussianBlur(soft, (0, 0), 1.0).astype(np.float32), 90)
    assert np.array_equal(lines.thinned(soft, threshold=90, sigma=1.0), expected)


@pytest.mark.parametrize("sigma", [1.0, 3.0, 5.0])
def test_a_stroke_is_as_wide_as_its_bell_curve_says(sigma: float) -> None:
    """A line of 255, blurred, is a bell of height 255 / (sigma sqrt(2 pi)); a stroke is what is above 4."""
    line = np.zeros((61, 61), np.uint8)
    line[:, 30] = 255
    half = sigma * math.sqrt(2 * math.log(255 / (4.5 * sigma * math.sqrt(2 * math.pi))))
    found = lines.thickened(line, sigma=sigma)
    assert set(np.unique(found)) == {0, 255}
    assert int((found[30] > 0).sum()) == pytest.approx(2 * half, abs=1.2)


def test_a_scribble_is_thinned_and_then_thickened() -> None:
    soft = soft_map(3)
    blurred = cv2.GaussianBlur(lines.thinned(soft), (0, 0), 3.0)
    assert np.array_equal(lines.scribbled(soft) > 0, blurred > 4)


def test_safe_steps_leave_three_greys() -> None:
    values = np.linspace(0, 1, 301, dtype=np.float32)[None]
    expected = [min(math.floor(np.float32(value) * np.float32(3)), 2) / 2 for value in values[0]]
    assert np.array_equal(lines.safe_steps(values)[0], expected)
    assert set(np.unique(lines.safe_steps(values))) == {0.0, 0.5, 1.0}


@pytest.mark.parametrize(("value", "byte"), [(-3.0, 0), (0.9, 0), (127.9, 127), (255.0, 255), (900.0, 255)])
def test_a_channel_becomes_a_map_of_three(value: Any, byte: int) -> None:
    map = lines.rgb(np.full((2, 3), value, np.float32))
    assert map.shape == (2, 3, 3)
    assert map.dtype == np.uint8
    assert (map == byte).all()
