"""The closed forms against a numeric search along each ray for where an implicit function changes sign."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.world.shapes import MISS, SHAPES

Array = NDArray[np.float64]
Inside = Callable[[Array], Array]  # points (..., 3) to a number, at most 0 inside
RAYS, FAR, STEPS = 500, 8.0, 1200


def box(p: Array) -> Array:
    return np.asarray(np.abs(p).max(axis=-1) - 1)


def wedge(kx: float, kz: float) -> Inside:
    def inside(p: Array) -> Array:
        up = (p[..., 1] + 1) / 2
        sides = np.abs(p[..., 0]) + kx * up, np.abs(p[..., 1]), np.abs(p[..., 2]) + kz * up
        return np.asarray(np.max(sides, axis=0) - 1)

    return inside


def ball(p: Array) -> Array:
    return np.asarray(np.linalg.norm(p, axis=-1) - 1)


def turned(a: float, b: float, c: float, low: float, high: float) -> Inside:
    def inside(p: Array) -> Array:
        y = p[..., 1]
        side = p[..., 0] ** 2 + p[..., 2] ** 2 - a - b * y - c * y**2
        return np.asarray(np.max([side, low - y, y - high], axis=0))

    return inside


def limb(first: float, second: float, length: float) -> Inside:
    """The hull of two balls as all balls between them, of which the nearest is searched for."""
    shares = np.linspace(0, 1, 61)

    def inside(p: Array) -> Array:
        least = np.full(p.shape[:-1], np.inf)
        for share in shares:
            off = p - np.array([0, share * length, 0])
            least = np.minimum(least, np.linalg.norm(off, axis=-1) - first - share * (second - first))
        return least

    return inside


@dataclass(frozen=True)
class Case:
    """A shape with its extras, and the same as an implicit function."""

    shape: str
    extras: tuple[float, ...]
    inside: Inside
    steps: int = STEPS


CONE = (0.25, -0.5, 0.25, -1.0, 1.0)  # a radius from 1 below to 0 above
STUMP = ((0.8 / 2) ** 2, 0.4 * 0.4, 0.04, -1.0, 1.0)
CASES = {
    "box": Case("box", (), box),
    "gable": Case("wedge", (1.0, 0.0), wedge(1.0, 0.0)),
    "pyramid": Case("wedge", (1.0, 1.0), wedge(1.0, 1.0)),
    "hip": Case("wedge", (0.62, 1.0), wedge(0.62, 1.0)),
    "cabin": Case("wedge", (0.36, 0.2), wedge(0.36, 0.2)),
    "ball": Case("ball", (), ball),
    "cylinder": Case("turned", (1.0, 0.0, 0.0, -1.0, 1.0), turned(1.0, 0.0, 0.0, -1.0, 1.0)),
    "cone": Case("turned", CONE, turned(*CONE)),
    "stump": Case("turned", STUMP, turned(*STUMP)),
    "dome": Case("turned", (1.0, 0.0, -1.0, 0.0, 1.0), turned(1.0, 0.0, -1.0, 0.0, 1.0)),
    "bowl": Case("turned", (1.0, 0.0, -1.0, -1.0, 0.0), turned(1.0, 0.0, -1.0, -1.0, 0.0)),
    "capsule": Case("limb", (0.4, 0.4, 1.0), limb(0.4, 0.4, 1.0), 300),
    "carrot": Case("limb", (0.6, 0.2, 1.1), limb(0.6, 0.2, 1.1), 300),
    "club": Case("limb", (0.15, 0.5, 0.9), limb(0.15, 0.5, 0.9), 300),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def rays(seed: int) -> tuple[Array, Array]:
    """Rays from outside towards the middle, some of which pass by."""
    draw = np.random.default_rng(seed)
    start = draw.normal(size=(RAYS, 3))
    start *= draw.uniform(2.6, 4.0, (RAYS, 1)) / np.linalg.norm(start, axis=1, keepdims=True)
    way = draw.uniform(-1.3, 1.3, (RAYS, 3)) - start
    return start, way / np.linalg.norm(way, axis=1, keepdims=True)


def entered(case: Case, start: Array, way: Array) -> tuple[Array, Array]:
    """Where each ray comes in, by steps and then by halving (inf if never), and its least value."""
    t = np.linspace(0, FAR, case.steps)
    values = np.stack([case.inside(start + step * way) for step in t])
    first = np.argmax(values <= 0, axis=0)
    hit = values.min(axis=0) <= 0
    low, high = t[np.maximum(first - 1, 0)], t[first]
    for _ in range(30):
        middle = (low + high) / 2
        within = case.inside(start + middle[:, None] * way) <= 0
        low, high = np.where(within, low, middle), np.where(within, middle, high)
    return np.where(hit, high, np.inf), values.min(axis=0)


def tensors(array: Array) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x, y, z = torch.from_numpy(array.astype(np.float32)).unbind(-1)
    return x, y, z


def extras(case: Case) -> tuple[torch.Tensor, ...]:
    return tuple(torch.tensor(value) for value in case.extras)


@every_case
def test_rays_enter_where_a_numeric_search_finds_it(case: Case) -> None:
    start, way = rays(1)
    wanted, least = entered(case, start, way)
    found = SHAPES[case.shape].enter(tensors(start), tensors(way), extras(case)).numpy()
    hit = np.isfinite(wanted)
    clear = np.abs(least) > 0.02  # not those that only graze it, which steps may pass over
    assert 60 < hit.sum() < RAYS - 30
    assert np.array_equal((found < MISS)[clear], hit[clear])
    both = hit & (found < MISS)
    assert np.abs(found[both] - wanted[both]).max() < 2e-3


@every_case
def test_normals_are_the_slope_of_the_implicit_function(case: Case) -> None:
    start, way = rays(2)
    t = SHAPES[case.shape].enter(tensors(start), tensors(way), extras(case)).numpy()
    q = (start + t[:, None] * way)[t < MISS]
    normal, _ = SHAPES[case.shape].normal(tensors(q), extras(case))
    found = np.stack([part.numpy() for part in normal], axis=-1).astype(float)
    found /= np.linalg.norm(found, axis=-1, keepdims=True)
    small = np.eye(3) * 2e-3
    slope = np.stack([case.inside(q + step) - case.inside(q - step) for step in small], axis=-1)
    length = np.linalg.norm(slope, axis=-1)
    smooth = np.stack([np.abs(case.inside(q + s) + case.inside(q - s)) for s in small]).max(axis=0) < 1.5e-4
    agree = (found * slope).sum(axis=-1)[smooth] / length[smooth]
    assert smooth.mean() > 0.8  # all but those at an edge
    assert np.quantile(agree, 0.01) > 0.999


@every_case
def test_a_ray_that_starts_behind_meets_nothing(case: Case) -> None:
    start, way = rays(3)
    found = SHAPES[case.shape].enter(tensors(start), tensors(-way), extras(case)).numpy()
    assert (found > MISS).mean() > 0.99


@every_case
def test_scaling_the_way_scales_the_distance(case: Case) -> None:
    start, way = rays(4)
    once = SHAPES[case.shape].enter(tensors(start), tensors(way), extras(case)).numpy()
    twice = SHAPES[case.shape].enter(tensors(start), tensors(2 * way), extras(case)).numpy()
    hit = (once < MISS) & (twice < MISS)
    assert hit.sum() > 60
    assert np.abs(once[hit] - 2 * twice[hit]).max() < 1e-3


@every_case
def test_a_ray_does_not_mind_its_neighbours(case: Case) -> None:
    start, way = rays(5)
    together = SHAPES[case.shape].enter(tensors(start), tensors(way), extras(case))
    for number in range(0, RAYS, 37):
        one = slice(number, number + 1)
        alone = SHAPES[case.shape].enter(tensors(start[one]), tensors(way[one]), extras(case))
        assert torch.equal(alone[0], together[number])


@pytest.mark.parametrize("axis", range(3))
@every_case
def test_rays_along_the_axes_meet_the_middle(case: Case, axis: int) -> None:
    """Where a part of the way is exactly 0, nothing is divided by it."""
    start = np.full((1, 3), 0.0)
    start[0, 1] = 0.1 if case.shape != "limb" else 0.4
    start[0, 1] = -0.1 if case.extras[-1:] == (0.0,) and case.shape == "turned" else start[0, 1]
    way = np.eye(3)[[axis]]
    start = start - 5 * way
    found = float(SHAPES[case.shape].enter(tensors(start), tensors(way), extras(case))[0])
    wanted = float(entered(case, start, way)[0][0])
    assert math.isclose(found, wanted, abs_tol=2e-3)
