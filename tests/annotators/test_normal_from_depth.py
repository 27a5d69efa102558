"""Normals from depth: the angle to the true normal, on shapes whose normals are known."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from annotators import annotate
from annotators.base import Pixels
from annotators.normal_from_depth import unit_normals

Floats = NDArray[np.floating]


def degrees_between(found: Floats, true: Floats) -> Floats:
    cosine = (found * true).sum(-1) / np.linalg.norm(found, axis=-1) / np.linalg.norm(true, axis=-1)
    return np.asarray(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))


def of_map(map: Pixels) -> Floats:
    """The vectors that a map's colours mean: red to the left, green up, blue to the viewer."""
    return (map.astype(np.float64) - 127.5) / 127.5


def as_picture(depth: Floats) -> Pixels:
    return np.repeat(np.rint(depth * 255).astype(np.uint8)[:, :, None], 3, axis=2)


def plane(side: int, tilt: float, turn: float) -> tuple[Floats, Floats]:
    """Heights in pixels of a plane that rises by `tilt` degrees in the direction `turn`, and its normal."""
    rows, columns = np.indices((side, side), np.float64)
    slope, way = np.tan(np.deg2rad(tilt)), np.deg2rad(turn)
    heights = slope * (np.cos(way) * columns + np.sin(way) * rows)
    # It rises to the right: it faces left, which is red. It rises downwards: it faces up, which is green.
    return heights - heights.min(), np.array([slope * np.cos(way), slope * np.sin(way), 1.0])


@pytest.mark.parametrize("tilt", [2.0, 10.0, 35.0, 60.0])
@pytest.mark.parametrize("turn", [0.0, 50.0, 90.0, 200.0])
def test_a_tilted_plane(tilt: float, turn: float) -> None:
    """Up to its borders, from heights and from the 256 greys of a map."""
    side = 200
    heights, normal = plane(side, tilt, turn)
    reach = heights.max()
    strength = reach / side
    exact = unit_normals(heights / reach, strength=strength, background_threshold=0)
    assert degrees_between(exact, normal).max() < 0.1
    coarse = unit_normals(
        as_picture(heights / reach)[..., 0] / np.float64(255),
        strength=strength,
        background_threshold=0,
    )
    assert degrees_between(coarse, normal).max() < 2


@pytest.mark.parametrize(("share", "strength"), [(1.0, 0.5), (0.9, 0.8)])
def test_a_sphere(share: float, strength: float) -> None:
    """Inside 90 % of its radius: at the rim the surface is seen from the side, and no grid can follow it."""
    side = 257
    radius = share * side / 2
    rows, columns = np.indices((side, side), np.float64) - side // 2
    inside = rows**2 + columns**2 < (0.9 * radius) ** 2
    heights = np.sqrt(np.maximum(radius**2 - rows**2 - columns**2, 0))
    picture = as_picture(heights / (strength * side))
    found = of_map(annotate("normal_from_depth", picture, resolution=side, strength=strength).map)
    true = np.stack([-columns, -rows, heights], axis=2)
    wrong = degrees_between(found, true)[inside]
    assert wrong.mean() < 1
    assert np.quantile(wrong, 0.95) < 2
    exact = unit_normals((heights / (strength * side)), strength=strength, background_threshold=0)
    assert degrees_between(exact, true)[inside].max() < 2


@pytest.mark.parametrize(
    ("where", "channel"), [(np.s_[60, 20], 0), (np.s_[20, 60], 1)], ids=["left is red", "up is green"]
)
def test_the_colours_are_those_of_normal_bae(where: Any, channel: int) -> None:
    rows, columns = np.indices((121, 121), np.float64) - 60
    ball = as_picture(np.sqrt(np.maximum(58**2 - rows**2 - columns**2, 0)) / 60)
    map = annotate("normal_from_depth", ball, resolution=121).map
    assert map[where][channel] > 200
    opposite = map[tuple(120 - place for place in where)]
    assert opposite[channel] < 55
    assert map[60, 60][2] > 250, "the front is blue"


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_plain_map_faces_the_viewer(value: int) -> None:
    map = annotate("normal_from_depth", np.full((64, 80, 3), value, np.uint8)).map
    assert (map == (127, 127, 255)).all()


def test_a_threshold_flattens_the_background_only() -> None:
    depth = as_picture(plane(100, 30, 0)[0] / plane(100, 30, 0)[0].max())
    whole = annotate("normal_from_depth", depth).map
    half = annotate("normal_from_depth", depth, background_threshold=0.5).map
    far = depth[..., 0] < 127
    assert (half[far] == (127, 127, 255)).all()
    assert np.array_equal(half[~far], whole[~far])


def test_the_working_size_does_not_change_how_steep_it_is() -> None:
    heights, _ = plane(600, 25, 30)
    picture = as_picture(heights / heights.max())
    large, small = (
        annotate("normal_from_depth", picture, resolution=size).map.mean(axis=(0, 1)) for size in (600, 150)
    )
    assert np.abs(large - small).max() < 1.5
