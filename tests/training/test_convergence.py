"""Sudden convergence is found where there is one, at its place, and nowhere else."""

from collections.abc import Callable

import numpy as np
import pytest

from training import convergence

LENGTH, EVERY = 40, 250


def curve(shape: Callable[[float], float], noise: float = 0.0, seed: int = 0) -> list[tuple[int, float]]:
    """Forty measurements of a shape from 0 to 1, with noise in them."""
    chance = np.random.default_rng(seed)
    return [(i * EVERY, shape(i / (LENGTH - 1)) + noise * chance.standard_normal()) for i in range(LENGTH)]


def jump(at: float, low: float = 0.2, high: float = 0.7) -> Callable[[float], float]:
    return lambda place: high if place >= at else low


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.05])
@pytest.mark.parametrize("at", [0.1, 0.3, 0.5, 0.9])
def test_a_jump_is_found_at_its_place(at: float, noise: float) -> None:
    for seed in range(20):
        found = convergence.find(curve(jump(at), noise, seed))
        assert found is not None
        true = next(i * EVERY for i in range(LENGTH) if i / (LENGTH - 1) >= at)
        off = EVERY if noise > 0.02 else 0  # much noise hides the last measurement before, or the first after
        assert true <= found.by <= true + off
        assert true - EVERY - off <= found.after < true
        assert found.level_before == pytest.approx(0.2, abs=0.02 + 1.5 * noise)
        assert found.level_after == pytest.approx(0.7, abs=0.02 + 1.5 * noise)


def test_a_jump_that_goes_on_to_rise_slowly_is_found() -> None:
    def shape(place: float) -> float:
        return 0.2 + 0.05 * place if place < 0.4 else 0.6 + 0.2 * (place - 0.4)

    found = convergence.find(curve(shape, 0.02))
    assert found is not None
    assert found.by == 16 * EVERY


def slope(width: float) -> Callable[[float], float]:
    """A rise from 0.2 to 0.8 in the middle, whose middle half takes that part of the run."""
    return lambda place: float(0.2 + 0.6 / (1 + np.exp(-2.2 * (place - 0.5) / width)))


def test_a_rise_over_a_twentieth_of_the_run_is_sudden_and_over_a_quarter_it_is_not() -> None:
    found = convergence.find(curve(slope(0.05), 0.02))
    assert found is not None
    assert found.after < 20 * EVERY < found.by
    assert found.by - found.after <= LENGTH * EVERY / 10
    assert convergence.find(curve(slope(0.25), 0.02)) is None


def test_how_often_is_measured_makes_no_difference() -> None:
    shape = slope(0.05)
    often = convergence.find([(step, shape(step / 10_000)) for step in range(0, 10_001, 50)])
    rarely = convergence.find([(step, shape(step / 10_000)) for step in range(0, 10_001, 900)])
    assert often is not None
    assert rarely is not None
    assert rarely.after <= often.after < often.by <= rarely.by


@pytest.mark.parametrize(
    "shape",
    [
        lambda place: 0.2,
        lambda place: 0.2 + 0.6 * place,
        lambda place: 0.8 - 0.6 * place,
        lambda place: 0.2 + 0.6 * (1 - np.exp(-3 * place)),
        lambda place: 0.2 + 0.6 * place**0.5,
        jump(0.5, low=0.7, high=0.2),
        jump(0.5, low=0.20, high=0.25),
    ],
    ids=["flat", "ramp", "fall", "saturating", "root", "jump down", "tiny jump"],
)
@pytest.mark.parametrize("noise", [0.0, 0.02, 0.1])
def test_nothing_is_found_where_nothing_jumps(shape: Callable[[float], float], noise: float) -> None:
    for seed in range(20):
        assert convergence.find(curve(shape, noise, seed)) is None


def test_one_high_measurement_at_the_end_is_no_convergence() -> None:
    assert convergence.find([*curve(lambda place: 0.2, 0.01)[:-1], (9750, 0.9)]) is None


@pytest.mark.parametrize("length", range(5))
def test_a_curve_that_is_too_short_says_nothing(length: int) -> None:
    assert convergence.find(curve(jump(0.0))[:length]) is None
