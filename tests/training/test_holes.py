"""Random holes: of a bearable size, of every kind, and the same for the same seed."""

import numpy as np
import pytest

from training.holes import KINDS, LEAST, MOST, hole


@pytest.mark.parametrize("shape", [(64, 64), (512, 384), (64, 200)])
def test_a_hole_takes_a_part_and_leaves_a_part(shape: tuple[int, int]) -> None:
    for seed in range(60):
        found = hole(np.random.default_rng(seed), *shape)
        assert found.shape == shape
        assert found.dtype == bool
        assert LEAST <= found.mean() <= MOST


def test_the_same_seed_makes_the_same_hole_and_another_another() -> None:
    first, again, other = (hole(np.random.default_rng(seed), 64, 64) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("draw", KINDS)
def test_every_kind_of_hole_is_drawn_somewhere(draw: object) -> None:
    assert callable(draw)
    shares = [draw(np.random.default_rng(seed), 80, 120).mean() for seed in range(40)]
    assert max(shares) > LEAST
    assert len(set(shares)) > 20


def test_holes_are_everywhere_about_as_often() -> None:
    often = np.mean([hole(np.random.default_rng(seed), 32, 32) for seed in range(400)], axis=0)
    assert often.min() > 0.05
    assert often.max() < 0.6
