"""What makes a picture of a picture: shuffle, tile, inversion."""

import cv2
import numpy as np
import pytest

from annotators import annotate
from annotators.base import Pixels
from annotators.noise import smooth_noise


@pytest.fixture
def picture() -> Pixels:
    """A smooth picture with a little grain."""
    generator = np.random.default_rng(6)
    coarse = generator.integers(0, 256, (6, 8, 3)).astype(np.float32)
    fine = cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_LINEAR) + generator.normal(
        0, 4, (240, 320, 3)
    )
    return np.asarray(fine.clip(0, 255), np.uint8)


@pytest.mark.parametrize(("height", "width", "grain"), [(240, 320, 256), (100, 900, 16), (64, 64, 64)])
def test_noise_is_the_originals_kind(height: int, width: int, grain: int) -> None:
    """Points of a seeded generator, cubics between, one grain of margin off, stretched to 0 to 1."""
    points = np.random.default_rng(11).uniform(size=(height // grain + 2, width // grain + 2))
    hills = cv2.resize(points, (width + 2 * grain, height + 2 * grain), interpolation=cv2.INTER_CUBIC)
    inner = hills[grain:-grain, grain:-grain]
    expected = (inner - inner.min()) / (inner.max() - inner.min())
    found = smooth_noise(np.random.default_rng(11), height, width, grain)
    assert found.shape == (height, width)
    assert found == pytest.approx(expected, abs=1e-4)
    assert (found.min(), found.max()) == (0, 1)


def test_shuffle_takes_every_pixel_from_where_its_noises_say(picture: Pixels) -> None:
    generator = np.random.default_rng(5)
    across, down = (smooth_noise(generator, 240, 320, 128).astype(np.float64) for _ in range(2))
    found = annotate("shuffle", picture, seed=5, grain=128).map
    for row, column in np.random.default_rng(0).integers(0, (239, 319), (200, 2)):
        y, x = down[row, column] * 239, across[row, column] * 319
        top, left = min(int(y), 238), min(int(x), 318)
        four = picture[top : top + 2, left : left + 2].astype(np.float64)
        weights = np.outer([1 - (y - top), y - top], [1 - (x - left), x - left])
        assert found[row, column] == pytest.approx((four * weights[:, :, None]).sum(axis=(0, 1)), abs=4)


def test_shuffle_is_seeded(picture: Pixels) -> None:
    first = annotate("shuffle", picture, seed=5).map
    assert np.array_equal(first, annotate("shuffle", picture, seed=5).map)
    assert not np.array_equal(first, annotate("shuffle", picture, seed=6).map)
    assert not np.array_equal(first, annotate("shuffle", picture, seed=5, grain=64).map)


def test_shuffle_invents_no_colours(picture: Pixels) -> None:
    found = annotate("shuffle", picture, seed=2).map
    assert (found.min(axis=(0, 1)) >= picture.min(axis=(0, 1))).all()
    assert (found.max(axis=(0, 1)) <= picture.max(axis=(0, 1))).all()


def test_tile_keeps_the_whole_and_loses_the_detail(picture: Pixels) -> None:
    found = annotate("tile", picture, factor=4.0).map
    small = picture.reshape(60, 4, 80, 4, 3).mean(axis=(1, 3))
    again = found.reshape(60, 4, 80, 4, 3).mean(axis=(1, 3))
    assert np.abs(again - small).mean() < 1.5

    def detail(of: Pixels) -> float:
        return float(np.abs(np.diff(of.astype(int), 2, axis=1)).mean())

    levels = [detail(annotate("tile", picture, factor=factor).map) for factor in (1.0, 2.0, 4.0, 8.0)]
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] < 0.2 * levels[0]


def test_a_factor_of_one_changes_nothing(picture: Pixels) -> None:
    assert np.array_equal(annotate("tile", picture, factor=1.0).map, picture)


def test_inversion_is_its_own_inverse(picture: Pixels) -> None:
    once = annotate("invert", picture).map
    assert (once.astype(int) + picture == 255).all()
    assert np.array_equal(annotate("invert", once).map, picture)
