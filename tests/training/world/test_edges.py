"""Straight edges: where a box has its edges, and nowhere on round things."""

import numpy as np
import torch
from numpy.typing import NDArray

from training.world.camera import Camera
from training.world.edges import Edges, edges
from training.world.light import HOURS, WEATHERS, outdoors
from training.world.look import Stage
from training.world.picture import draw
from training.world.solids import Paint, Place
from training.world.tables import Matter

SIZE = 128
CAMERA = Camera(eye=(2.6, 2.4, 5.0), target=(0.0, 0.8, 0.0), view=40)
LIGHT = outdoors(HOURS["noon"], WEATHERS["clear"], height=50, bearing=40, showing=10)
GRASS, WALL = Paint("grass", (0.4, 0.7, 0.3)), Paint("house", (0.9, 0.5, 0.4))


def found(place: Place) -> Edges:
    stage = Stage([Matter.of(GRASS, 0, place.solids)], [CAMERA], [LIGHT], torch.device("cpu"))
    return edges(stage.tables, stage.eyes, draw(stage, SIZE))


def projected(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where points (..., 3) are in the picture, x and y in pixels, by a pinhole of our own."""
    right, up, ahead = (np.array(axis) for axis in CAMERA.axes())
    way = points - np.array(CAMERA.eye)
    depth = way @ ahead
    x, y = (way @ axis / (axis @ axis) / depth for axis in (right, up))
    return np.stack([(x + 1) * SIZE / 2, (1 - y) * SIZE / 2], axis=-1)


def box_edges(size: tuple[float, float, float]) -> NDArray[np.float64]:
    """Points along the twelve edges of a box that stands on the ground, (12, 200, 3)."""
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (0, 1) for z in (-0.5, 0.5)]) * size
    pairs = [(a, b) for a in range(8) for b in range(a) if np.sum(~np.isclose(corners[a], corners[b])) == 1]
    share = np.linspace(0, 1, 200)[:, None]
    return np.stack([corners[a] * share + corners[b] * (1 - share) for a, b in pairs])


def test_the_straight_edges_of_a_box_are_its_edges_and_the_horizon() -> None:
    place = Place()
    place.box(WALL, (0, 0.9, 0), (1.6, 1.8, 1.2))
    lines = found(place).straight[0].numpy()
    true = projected(box_edges((1.6, 1.8, 1.2)))
    rows, columns = np.nonzero(lines)
    pixels = np.stack([columns + 0.5, rows + 0.5], axis=-1)
    off = np.linalg.norm(pixels[:, None] - true.reshape(1, -1, 2), axis=-1).min(axis=1)
    horizon = rows == np.median(rows[off > 1.6])
    assert (off[~horizon] < 1.6).all()
    assert len(rows) > 200
    # Nine of the twelve can be seen; the three that meet in the hidden corner can't.
    seen = [
        np.mean(
            [lines[max(0, int(y) - 1) : int(y) + 2, max(0, int(x) - 1) : int(x) + 2].any() for x, y in edge]
        )
        for edge in true
    ]
    assert sorted(share > 0.97 for share in seen) == [False] * 3 + [True] * 9


def test_round_things_have_outlines_but_no_straight_edges() -> None:
    place = Place()
    place.ball(WALL, (0, 0.9, 0), 0.8)
    place.limb(WALL, (1.4, 0.3, 0), (1.6, 1.0, 0.4), 0.3)
    made = found(place)
    near = made.straight[0].numpy()
    rows = np.flatnonzero(near.any(axis=1))
    assert len(rows) <= 2  # the horizon
    assert made.all.sum() > near.sum() + 150


def test_the_sides_of_a_pole_are_straight_and_its_ends_are_not() -> None:
    place = Place()
    place.tube(WALL, (0, 0, 0), (0, 1.9, 0), 0.25)
    lines = found(place).straight[0].numpy()
    top, bottom = (projected(np.array([0.0, y, 0.0]))[1] for y in (1.9, 0.0))
    middle = slice(int(top + 12), int(bottom - 12))
    assert lines[middle].sum(axis=1).min() >= 2
    cap = slice(int(top - 8), int(top + 3))
    assert lines[cap].sum() <= lines[cap].shape[0] + SIZE  # at most a horizon behind it


def test_neighbours_of_one_colour_and_slope_have_no_edge_between_them() -> None:
    place = Place()
    place.box(WALL, (-0.45, 0.9, 0), (1.1, 1.8, 1.2))
    place.box(WALL, (0.5, 0.9, 0), (1.0, 1.8, 1.2))
    two = found(place).all[0]
    place = Place()
    place.box(WALL, (0, 0.9, 0), (2.0, 1.8, 1.2))
    one = found(place).all[0]
    near = torch.nn.functional.max_pool2d(one[None].float(), 3, 1, 1)[0] > 0
    assert not bool((two & ~near).any())
