"""Scribbles without a network: seeded, rougher with roughness, and dark strokes for XDoG."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from annotators import annotate
from annotators.base import Pixels
from annotators.lines import thickened
from annotators.scribble_synthetic import boundaries, by_hand


@pytest.fixture(scope="module")
def scene() -> Pixels:
    """A few things with clear outlines on a light ground."""
    picture = np.full((320, 400, 3), 225, np.uint8)
    cv2.rectangle(picture, (40, 60), (180, 260), (60, 90, 160), -1)
    cv2.circle(picture, (290, 150), 70, (200, 80, 40), -1)
    cv2.ellipse(picture, (290, 280), (80, 25), 0, 0, 360, (30, 120, 60), -1)
    return picture


def away(strokes: NDArray[np.uint8], thin: NDArray[np.uint8]) -> float:
    """How far, on average, a drawn pixel is from the nearest true line."""
    return float(cv2.distanceTransform(255 - thin, cv2.DIST_L2, 5)[strokes > 0].mean())


def covered(strokes: NDArray[np.uint8], thin: NDArray[np.uint8]) -> float:
    """The share of the true lines that some stroke is near."""
    reached = cv2.dilate(strokes, np.ones((41, 41), np.uint8))
    return float((reached[thin > 0] > 0).mean())


def test_boundaries_are_the_outlines(scene: Pixels) -> None:
    outlines = cv2.Canny(scene, 100, 200)
    thin = boundaries(scene)
    assert away(thin, np.asarray(outlines, np.uint8)) < 2
    assert covered(thin, np.asarray(outlines, np.uint8)) > 0.98
    assert (thin > 0).mean() < 0.03


def test_texture_and_specks_are_no_boundaries() -> None:
    noise = np.random.default_rng(3).integers(90, 160, (256, 256, 3), dtype=np.uint8)
    noise[60:200, 60:200] //= 3
    thin = boundaries(noise)
    inside = thin[75:185, 75:185]
    assert (inside > 0).mean() < 0.01
    assert thin[55:66, 70:190].any(axis=0).mean() > 0.8


def test_a_calm_hand_follows_the_lines_exactly(scene: Pixels) -> None:
    thin = boundaries(scene)
    assert np.array_equal(by_hand(thin, seed=5, roughness=0.0), thickened(thin, sigma=2.5))


def test_the_same_seed_draws_the_same_and_another_does_not(scene: Pixels) -> None:
    first, again = (annotate("scribble_synthetic", scene, seed=7).map for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, annotate("scribble_synthetic", scene, seed=8).map)
    assert set(np.unique(first)) == {0, 255}


def test_nobody_elses_chance_is_touched(scene: Pixels) -> None:
    np.random.seed(1)
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    annotate("scribble_synthetic", scene, seed=3)
    annotate("shuffle", scene, seed=3)
    assert np.array_equal(np.random.get_state()[1], before)  # type: ignore[index]
    np.random.seed(2)
    assert np.array_equal(annotate("shuffle", scene, seed=3).map, annotate("shuffle", scene, seed=3).map)


def widths(strokes: NDArray[np.uint8]) -> NDArray[np.int_]:
    """How wide the strokes are where the rows of the picture cross them."""
    edges = np.diff(np.pad(strokes > 0, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    return np.asarray(np.nonzero(edges < 0)[1] - np.nonzero(edges > 0)[1])


def test_a_rougher_hand_strays_further_leaves_out_more_and_presses_unevenly() -> None:
    """Straight lines, far apart; each measure is over several seeds, since one drawing may be lucky."""
    thin = np.zeros((320, 400), np.uint8)
    thin[:, 40::80] = 255
    measures = []
    for roughness in (0.0, 0.25, 0.5, 0.75, 1.0):
        drawings = [by_hand(thin, seed=seed, roughness=roughness) for seed in range(12)]
        stray = float(np.mean([away(drawing, thin) for drawing in drawings]))
        left_out = 1 - float(np.mean([covered(drawing, thin) for drawing in drawings]))
        measures.append((stray, left_out, float(np.std(np.concatenate([widths(d) for d in drawings])))))
    for measure in zip(*measures, strict=True):
        assert all(less < more for less, more in pairwise(measure)), measures
    strays, gaps, spreads = zip(*measures, strict=True)
    assert strays[-1] > 1.5 * strays[0]
    assert gaps[0] == spreads[0] == 0
    assert gaps[-1] > 0.1
    assert spreads[-1] > 2


def test_xdog_draws_what_is_darker_than_its_surroundings() -> None:
    """By definition: twice the least channel of blurred by 5 less blurred by 0.5 is over the threshold."""
    picture = np.random.default_rng(4).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 2.0), np.uint8)
    differences = [
        cv2.GaussianBlur(channel, (0, 0), 5.0) - cv2.GaussianBlur(channel, (0, 0), 0.5)
        for channel in (picture[..., index].astype(np.float64) for index in range(3))
    ]
    least = np.minimum(np.minimum(differences[0], differences[1]), differences[2])
    for threshold in (4, 16, 32):
        found = annotate("scribble_xdog", picture, threshold=threshold).map[..., 0]
        clear = np.abs(2 * least - threshold) > 1e-3
        assert np.array_equal(found[clear] == 255, 2 * least[clear] > threshold)
        assert set(np.unique(found)) <= {0, 255}


def test_xdog_is_white_on_black_for_dark_lines_only() -> None:
    paper = np.full((80, 80, 3), 255, np.uint8)
    paper[38:42] = 0
    found = annotate("scribble_xdog", paper).map
    assert (found[38:42] == 255).all()
    assert not found[:25].any()
    assert not annotate("scribble_xdog", 255 - paper).map[38:42].any()
