"""Tracing: what is left out for speed changes no answer, and depth, normals and shadows belong together."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from training.world import trace
from training.world.camera import Camera, Eyes
from training.world.dice import Dice
from training.world.light import Light
from training.world.look import Sights, Stage
from training.world.scene import scene
from training.world.shapes import MISS, SHAPES
from training.world.solids import Paint, Place
from training.world.tables import Matter, tables
from training.world.trace import FAR, WIDTH, Rays, into, nearest, turned_into

CPU = torch.device("cpu")
GRASS, WALL = Paint("grass", (0.4, 0.7, 0.3)), Paint("house", (0.9, 0.8, 0.6))
CAMERA = Camera(eye=(0.5, 2.0, 6.0), target=(0.0, 1.0, 0.0), view=45)
LIGHT = Light(
    key=(1.0, 1.0, 0.5),
    bright=(1.0, 1.0, 1.0),
    above=(0.3, 0.3, 0.3),
    below=(0.2, 0.2, 0.2),
    horizon=(0.8, 0.9, 1.0),
    zenith=(0.3, 0.6, 0.9),
    haze=1e6,
)


def cluttered(seed: int) -> Place:
    """Solids of every shape, turned, scaled and piled up."""
    dice, place = Dice(seed), Place()
    for _ in range(12):
        here = place.at(
            dice.about(0, 2.5), 0, dice.about(0, 2.5), yaw=dice.about(0, 3), scale=dice.between(0.4, 1.2)
        )
        here.box(WALL, (0, 0.5, 0), (0.8, 1.0, 0.5), yaw=0.3, roll=dice.about(0, 0.6))
        here.wedge(WALL, (1.0, 0.6, 0.2), (0.7, 0.9, 0.8), (1.0, dice.between(0, 1)))
        here.ball(WALL, (0.2, 1.4, 0.1), (0.3, 0.5, 0.2), roll=0.4)
        here.tube(WALL, (-0.8, 0.0, 0.1), (-0.6, 1.5, 0.4), 0.3, dice.between(0, 0.3))
        here.limb(WALL, (0.5, 0.2, 0.6), (1.2, 1.1, 0.2), 0.25, 0.1)
        here.dome(WALL, (0, 0, -1.0), (0.6, 0.4, 0.5))
        here.bowl(WALL, (0.4, 2.0, -0.4), (0.4, 0.3, 0.3))
        here.disc(WALL, (0.9, 0.05, -0.9), (0.5, 0.3), 0.05)
        here.strip(WALL, (-1.0, 0, 1.0), (1.0, 0, 1.2), 0.2, 0.03)
    return place


def grid(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    middle = (2 * torch.arange(size) + 1).float() / size - 1
    return middle[None].expand(size, -1).reshape(1, -1), middle[:, None].expand(-1, size).reshape(1, -1)


def looked(place: Place, light: Light = LIGHT, size: int = 64) -> Sights:
    stage = Stage([Matter.of(GRASS, 0, place.solids)], [CAMERA], [light], CPU)
    return stage.look(*grid(size))


@pytest.mark.parametrize("seed", range(3))
def test_leaving_out_what_is_far_from_a_row_changes_nothing(seed: int) -> None:
    place = cluttered(seed)
    made = tables([Matter.of(GRASS, 0, place.solids)], CPU)
    eyes = Eyes.of([CAMERA], CPU)
    across, down = (part.view(-1, WIDTH) for part in grid(64))
    whose = torch.zeros(len(across), dtype=torch.int64)
    ways = eyes.ways(whose, across, down)
    start = tuple(part[whose][:, None] for part in eyes.eye)
    depth, row = nearest(made, eyes, Rays(whose, start, ways, (across, down)))  # type: ignore[arg-type]
    best = torch.where(ways[1] < 0, (-start[1] / ways[1]).clamp(max=FAR), torch.full_like(depth, FAR))
    for shape, first, last in made.groups:
        for own in range(2 + first, 2 + last):
            extras = tuple(made.extras[: shape.extras, own])
            o, d = into(made.inverse[:, own], start), turned_into(made.inverse[:, own], ways)  # type: ignore[arg-type]
            best = torch.minimum(best, shape.enter(o, d, extras))
    assert torch.equal(depth, best)
    assert (row > 1).float().mean() > 0.2


@pytest.mark.parametrize("near", [False, True])
def test_leaving_out_what_is_far_from_the_light_changes_no_shadow(
    near: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    light = LIGHT.but(near=near, key=(1.5, 3.5, 2.0) if near else LIGHT.key)
    place = cluttered(7)
    quick = looked(place, light).falling
    monkeypatch.setattr(trace, "SLACK", 1e9)
    every = looked(place, light).falling
    assert torch.equal(quick, every)
    assert bool((quick == 0).any() & (quick > 0.5).any())


def test_depth_of_a_plane_and_a_ball_is_exact() -> None:
    place = Place()
    place.ball(WALL, (0.0, 1.0, 0.0), 1.0)
    sights = looked(place)
    across, down = (part.numpy().astype(float) for part in grid(64))
    right, up, ahead = (np.array(axis) for axis in CAMERA.axes())
    ways = ahead + across[0, :, None] * right - down[0, :, None] * up
    eye = np.array(CAMERA.eye)
    point = eye + sights.depth.numpy()[0, :, None] * ways
    on_ball = sights.row[0].numpy() == 2
    on_ground = sights.row[0].numpy() == 1
    near = on_ground & (sights.depth.numpy()[0] < 50)
    assert on_ball.sum() > 100
    assert near.sum() > 100
    assert np.abs(np.linalg.norm(point[on_ball] - [0, 1, 0], axis=1) - 1).max() < 1e-4
    assert np.abs(point[near, 1]).max() < 1e-4
    normal = np.stack([part.numpy()[0] for part in sights.normal], axis=-1)
    assert np.abs(normal[on_ball] - (point[on_ball] - [0, 1, 0])).max() < 1e-3


def test_the_shadow_of_a_ball_is_where_it_has_to_be() -> None:
    """On the ground it is dark where the way to the light passes the ball's middle within its radius."""
    place = Place()
    place.ball(WALL, (0.0, 1.2, 0.0), 0.8)
    sights = looked(place)
    across, down = (part.numpy().astype(float) for part in grid(64))
    right, up, ahead = (np.array(axis) for axis in CAMERA.axes())
    ways = ahead + across[0, :, None] * right - down[0, :, None] * up
    point = np.array(CAMERA.eye) + sights.depth.numpy()[0, :, None] * ways
    key = np.array(LIGHT.key) / np.linalg.norm(LIGHT.key)
    off = np.array([0, 1.2, 0]) - point
    gap = np.linalg.norm(off - (off @ key)[:, None] * key, axis=1)
    ground = (sights.row[0].numpy() == 1) & (sights.depth.numpy()[0] < 50) & (np.abs(gap - 0.8) > 0.01)
    dark = sights.falling[0].numpy() == 0
    assert (dark & ground).sum() > 20
    assert np.array_equal(dark[ground], gap[ground] < 0.8)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_threads_change_nothing(two_threads: None) -> None:
    place = cluttered(3)
    many = looked(place)
    torch.set_num_threads(1)
    one = looked(place)
    assert all(torch.equal(a, b) for a, b in zip(many.light, one.light, strict=True))


def test_no_answer_is_no_number() -> None:
    for seed in range(5):
        own = scene(seed)
        stage = Stage([own.matter], [own.camera], [own.light], CPU)
        sights = stage.look(*grid(32))
        for part in (sights.depth, sights.falling, *sights.light, *sights.normal, *sights.white):
            assert bool(torch.isfinite(part).all())


def test_every_shape_is_tested_here() -> None:
    assert {solid.shape for solid in cluttered(0).solids} == set(SHAPES)
    assert MISS > FAR
