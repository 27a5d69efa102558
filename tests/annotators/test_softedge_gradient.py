"""Soft edges by gradient, on pictures whose answer can be worked out by hand."""

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from annotators import annotate
from annotators.base import Pixels
from annotators.softedge_gradient import soft_edges


def grey(values: NDArray[np.generic]) -> Pixels:
    return np.repeat(np.asarray(values, np.uint8)[:, :, None], 3, axis=2)


def step(low: int, high: int, side: int = 200) -> Pixels:
    """Dark on the left, light on the right."""
    return grey(np.where(np.arange(side) < side // 2, low, high)[None].repeat(side, axis=0))


@pytest.mark.parametrize("scale", [1.0, 2.0, 4.0])
@pytest.mark.parametrize(("low", "high"), [(0, 255), (100, 160), (200, 180)])
def test_a_step_answers_with_its_height_on_every_scale(scale: float, low: int, high: int) -> None:
    """Its edge is between two pixels, half a pixel from each: the bell curve is that much below its top."""
    found = soft_edges(step(low, high), scale=scale)[100]
    off = np.mean([0.5**2 / 2 / (scale * octave) ** 2 for octave in (1, 2, 4)])
    assert float(found.max()) == pytest.approx(abs(high - low) * math.exp(-off), rel=0.05)
    assert found.argmax() in (99, 100)
    assert float(found[:60].max()) < 1


def test_a_ramp_answers_with_its_slope() -> None:
    """Of slope m: m sigma sqrt(2 pi) on each scale, and the geometric mean of 1, 2, 4 is 2."""
    ramp = grey(np.arange(200)[None].repeat(200, axis=0))
    found = soft_edges(ramp, scale=1.0)[50:150, 50:150]
    assert found == pytest.approx(np.full((100, 100), 2 * math.sqrt(2 * math.pi)), rel=0.01)


def test_a_plain_picture_has_no_edge_nor_has_its_border() -> None:
    assert not annotate("softedge_gradient", grey(np.full((70, 90), 200))).map.any()


def test_colours_of_the_same_brightness_have_an_edge() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, :32, 0] = picture[:, 32:, 2] = 200
    assert annotate("softedge_gradient", picture).map.max() > 150


def test_texture_fades_against_an_outline_of_the_same_contrast() -> None:
    texture = grey(np.random.default_rng(0).choice([60, 120], (200, 200)))
    assert (
        soft_edges(texture, scale=1.0)[50:150, 50:150].mean()
        < 0.4 * soft_edges(step(60, 120), scale=1.0).max()
    )


def test_contrast_multiplies() -> None:
    faint = step(100, 110)
    one, four = (annotate("softedge_gradient", faint, contrast=value).map for value in (1.0, 4.0))
    assert four.max() == pytest.approx(4 * int(one.max()), abs=3)


def test_an_edge_is_soft_and_has_no_direction() -> None:
    picture = step(0, 255)
    found = annotate("softedge_gradient", picture, contrast=1.0).map[..., 0]
    assert len(np.unique(found)) > 4
    turned = annotate("softedge_gradient", cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE), contrast=1.0).map
    assert np.abs(turned[..., 0].astype(int) - np.rot90(found, -1)).max() <= 1
