"""Worlds: the same for a seed in any batch, and every layer true to the others."""

import time
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from annotators import ade20k
from annotators.base import Pixels
from training.world import layers, sheet
from training.world.light import HOURS, WEATHERS, outdoors
from training.world.recipe import Scene
from training.world.render import World, paint, render
from training.world.scene import scene
from training.world.styles import STYLES
from training.world.trace import FAR

MIXED = (3, 11, 26, 2, 45, 9, 60)


def same(first: World, second: World, number: int) -> bool:
    """Whether the only scene of the first is the one of this number in the second."""
    tensors = [field.name for field in fields(World) if isinstance(getattr(first, field.name), Tensor)]
    assert len(tensors) == 9
    alike = (torch.equal(getattr(first, name)[0], getattr(second, name)[number]) for name in tensors)
    return all(alike) and first.captions[0] == second.captions[number]


@pytest.mark.parametrize("size", [48, 80])
def test_a_seed_gives_the_same_world_in_any_batch(size: int) -> None:
    batch = render(MIXED, size)
    backwards = render(MIXED[::-1], size)
    for number, seed in enumerate(MIXED):
        alone = render([seed], size)
        assert same(alone, batch, number)
        assert same(alone, backwards, len(MIXED) - 1 - number)


def test_two_seeds_give_different_worlds() -> None:
    world = render([1, 2], 64)
    assert not torch.equal(world.picture[0], world.picture[1])
    assert world.captions[0] != world.captions[1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")
def test_a_gpu_draws_what_the_processor_draws() -> None:
    here, there = render(MIXED, 128), render(MIXED, 128, "cuda")
    assert (here.classes != there.classes.cpu()).float().mean() < 1e-3
    off = (here.picture.float() - there.picture.cpu().float()).abs()
    assert off.mean() < 0.5


def test_tensors_are_as_declared(small: World) -> None:
    count, size = len(small.scenes), 64
    declared = {
        "picture": (torch.uint8, (3, size, size)),
        "white": (torch.uint8, (3, size, size)),
        "depth": (torch.float32, (size, size)),
        "normals": (torch.float32, (3, size, size)),
        "classes": (torch.uint8, (size, size)),
        "things": (torch.uint8, (size, size)),
        "edges": (torch.bool, (size, size)),
        "lines": (torch.bool, (size, size)),
        "points": (torch.float32, (3, 18, 3)),
    }
    for name, (kind, shape) in declared.items():
        assert getattr(small, name).dtype == kind
        assert getattr(small, name).shape == (count, *shape)
    assert small.depth.min() > 0.1
    assert small.depth.max() <= FAR
    assert (small.normals.norm(dim=1) - 1).abs().max() < 1e-4


@pytest.mark.parametrize("size", [16, 48, 512])
def test_any_multiple_of_16_is_a_size(size: int) -> None:
    assert render([5], size).picture.shape == (1, 3, size, size)


@pytest.mark.parametrize("size", [0, 40, 1024])
def test_other_sizes_are_a_mistake(size: int) -> None:
    with pytest.raises(AssertionError, match="multiple of 16"):
        render([1], size)


def points_of(world: World, number: int) -> np.ndarray:
    """Where each pixel's surface is, seen from the camera: right, up and ahead in metres, (size, size, 3)."""
    depth = world.depth[number].numpy().astype(float)
    size = len(depth)
    reach = world.scenes[number].camera.reach
    middle = (2 * np.arange(size) + 1) / size - 1
    across, up = np.meshgrid(middle * reach, -middle * reach)
    return np.stack([across * depth, up * depth, depth], axis=-1)


def test_normals_are_those_of_the_depth(large: World) -> None:
    """The way to a neighbour on the same flat face lies in that face, whichever it is."""
    checked = 0
    for number in range(len(large.scenes)):
        points = points_of(large, number)
        normal = large.normals[number].permute(1, 2, 0).numpy() * [-1, 1, -1]  # to right, up, ahead
        for shift in ((0, 1), (1, 0)):
            height, width = (side - step for side, step in zip(points.shape[:2], shift, strict=True))
            here, there = (slice(0, height), slice(0, width)), (slice(shift[0], None), slice(shift[1], None))
            level = np.abs(normal[here] - normal[there]).max(axis=-1) < 1e-6
            level &= large.classes[number].numpy()[here] != ade20k.NAMES.index("sky")
            level &= large.things[number].numpy()[here] == large.things[number].numpy()[there]
            way = points[there] - points[here]
            # Faces of different heights can be equally level; a step between them is no slope.
            along = np.abs((way * normal[here]).sum(axis=-1)) / np.linalg.norm(way, axis=-1)
            steep = np.abs(normal[here][..., 2]) > 0.05
            checked += int((level & steep).sum())
            assert (along[level & steep] < 2e-3).sum() >= 0.97 * (level & steep).sum()
    assert checked > 100_000


def test_the_sky_is_far_and_faces_the_viewer(small: World) -> None:
    sky = small.classes == ade20k.NAMES.index("sky")
    clear = sky & (small.depth == FAR)
    assert clear.float().mean() > 0.1
    assert bool((small.normals.movedim(1, -1)[sky] == torch.tensor([0.0, 0.0, 1.0])).all())
    assert bool((small.depth[sky] > 100).all())


def test_class_maps_have_the_colours_of_the_palette(small: World) -> None:
    palette = {tuple(colour) for colour in ade20k.palette().tolist()}
    for number in range(len(small.scenes)):
        colours = {tuple(colour) for colour in layers.class_map(small, number).reshape(-1, 3).tolist()}
        assert colours <= palette
    found = set(torch.unique(small.classes).tolist())
    assert len(found) > 35


def grey(pixels: Pixels) -> bool:
    return bool((pixels == pixels[:, :, :1]).all())


def test_maps_are_pictures_like_those_of_the_annotators(small: World) -> None:
    for layer in (*sheet.LAYERS, layers.edge_map):
        made = layer(small, 0)
        assert made.dtype == np.uint8
        assert made.shape == (64, 64, 3)
    assert grey(layers.depth_map(small, 0))
    assert grey(layers.line_map(small, 0))
    near = np.unravel_index(int(small.depth[0].argmin()), (64, 64))
    assert layers.depth_map(small, 0)[near][0] == 255
    assert layers.depth_map(small, 0).min() == 0


def drawn(own: Scene, *, hour: str = "noon", weather: str = "clear", style: str = "photo") -> World:
    """The same scene at another hour, in another weather and style."""
    light = outdoors(HOURS[hour], WEATHERS[weather], height=30, bearing=40, showing=10)
    setting = replace(own.setting, hour=HOURS[hour], weather=WEATHERS[weather], light=light)
    form = STYLES[style]
    lit = light.but(detail=form.detail, steps=form.steps)
    return paint([replace(own, setting=setting, light=lit, style=style)], 96)


@pytest.fixture(scope="module")
def cottage() -> Scene:
    return next(
        own for own in map(scene, range(200)) if own.kind == "cottage" and own.setting.season.name == "summer"
    )


def test_hours_and_weathers_look_like_themselves(cottage: Scene) -> None:
    def mean(**when: str) -> Tensor:
        return drawn(cottage, **when).picture[0].float().mean(dim=(1, 2)) / 255

    noon, sunset, night, snow = mean(), mean(hour="sunset"), mean(hour="night"), mean(weather="snowy")
    assert night.mean() < 0.6 * noon.mean()
    assert sunset[0] - sunset[2] > noon[0] - noon[2] + 0.1  # redder than blue
    assert (snow.max() - snow.min()) < 0.7 * (noon.max() - noon.min())  # less colour
    foggy, clear = (drawn(cottage, weather=own).picture[0].float() for own in ("foggy", "clear"))
    assert foggy.std() < 0.8 * clear.std()


def test_the_layers_do_not_mind_hour_weather_and_style(cottage: Scene) -> None:
    day, night = drawn(cottage), drawn(cottage, hour="night", style="watercolour")
    for name in ("depth", "normals", "classes", "things"):
        assert torch.equal(getattr(day, name), getattr(night, name))


def test_styles_differ_as_they_should(cottage: Scene) -> None:
    pictures = {name: drawn(cottage, style=name).picture[0].float() for name in STYLES}
    spread = {name: (own.amax(dim=0) - own.amin(dim=0)).mean() for name, own in pictures.items()}
    assert spread["line"] < 12 < 40 < spread["photo"]
    assert spread["flat"] > spread["photo"]
    assert pictures["line"].mean() > 150  # mostly paper
    corner = pictures["watercolour"][:, :2, :2].mean()
    assert corner > 235  # a border left white
    assert pictures["photo"].unique(dim=None).numel() > 100


def test_rendering_is_not_slow() -> None:
    """The bound is 8 pictures of 256 pixels a second on one core; here it stands ten times as wide."""
    render([1], 256)
    began = time.process_time()
    render([2, 3], 256)
    assert time.process_time() - began < 2 * 10 / 8
