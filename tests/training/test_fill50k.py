"""The tutorial's circles: where they are drawn, in which colours, and that the form is the original's."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotators.base import Pixels
from errors import ArmatureError
from pipelines import durable
from training import facts
from training.data import DataConfig, open_pairs
from training.fill50k import APART, COLOURS, Circle, Recipe, circle, drawn, make

SIZE = 64


def pixels(path: Path) -> Pixels:
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


def fine(circle: Circle, size: int, finer: int = 16) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """How far each of many points in each pixel lies from the circle's line: (size, size, finer**2)."""
    places = (np.arange(size * finer) + 0.5) / finer
    away = np.hypot(places[None] - circle.x, places[:, None] - circle.y) - circle.radius
    return away.reshape(size, finer, size, finer).swapaxes(1, 2).reshape(size, size, -1)


@pytest.mark.parametrize("number", range(6))
def test_a_pixel_is_as_much_inside_as_its_points_are(number: int) -> None:
    one = circle(Recipe(size=SIZE), number)
    source, target = drawn(one, SIZE)
    away = fine(one, SIZE)
    share = (away < 0).mean(axis=2)[..., None]
    ground, colour = (np.array(COLOURS[name]) for name in (one.ground, one.colour))
    assert np.abs(target - (share * colour + (1 - share) * ground)).max() < 0.12 * 255
    line = (np.abs(away) < 0.5).mean(axis=2)[..., None] * 255
    assert np.abs(source - line).max() < 0.2 * 255
    assert np.abs(source - line).mean() < 1


def test_a_source_is_white_on_black_and_a_target_has_two_colours() -> None:
    one = circle(Recipe(size=256), 3)
    source, target = drawn(one, 256)
    assert np.array_equal(source[..., 0], source[..., 1])
    assert source.max() > 250
    assert (source == 0).mean() > 0.9
    away = fine(one, 256, 1)[..., 0]
    assert (target[away > 1] == COLOURS[one.ground]).all()
    assert (target[away < -1] == COLOURS[one.colour]).all()


def test_circles_lie_in_the_picture_in_colours_that_differ() -> None:
    found = [circle(Recipe(size=SIZE), number) for number in range(500)]
    for one in found:
        assert one.radius <= min(one.x, one.y)
        assert max(one.x, one.y) <= SIZE - one.radius
        assert np.linalg.norm(np.subtract(COLOURS[one.colour], COLOURS[one.ground])) >= APART
        assert one.prompt == f"{one.colour} circle with {one.ground} background"
    assert len({one.colour for one in found}) > 100
    assert len({(one.x, one.y) for one in found}) == 500


def test_colours_have_one_name_each_in_single_words() -> None:
    assert len(set(COLOURS.values())) == len(COLOURS) > 130
    assert all(re.fullmatch(r"[a-z]+( [a-z]+)*", name) for name in COLOURS)
    assert COLOURS["pale golden rod"] == (238, 232, 170)


def test_a_circle_follows_from_its_seed_and_number_alone() -> None:
    assert circle(Recipe(seed=1), 7) == circle(Recipe(seed=1), 7)
    assert circle(Recipe(seed=1), 7) != circle(Recipe(seed=2), 7)
    large, small = circle(Recipe(size=512), 7), circle(Recipe(size=64), 7)
    assert large.prompt == small.prompt
    assert large.radius == pytest.approx(8 * small.radius)


def test_the_set_is_in_the_originals_form_and_good_to_learn_from(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = make(tmp_path / "set", Recipe(size=SIZE), 5, told=lambda *now: told.append(now))
    rows = [json.loads(line) for line in path.read_bytes().decode().splitlines()]
    for number, row in enumerate(rows):
        one = circle(Recipe(size=SIZE), number)
        name = f"{number}.png"
        assert row == {"source": f"source/{name}", "target": f"target/{name}", "prompt": one.prompt}
        source, target = drawn(one, SIZE)
        assert np.array_equal(pixels(path.parent / row["source"]), source)
        assert np.array_equal(pixels(path.parent / row["target"]), target)
    assert told == [(5, 5)]
    pairs = open_pairs(DataConfig(path=path.parent, condition="canny", size=SIZE), workers=1)
    assert (len(pairs), pairs.report.problems, pairs.report.notices) == (5, (), ())


def test_a_set_that_was_cut_or_is_to_grow_is_drawn_on(tmp_path: Path) -> None:
    path = make(tmp_path, Recipe(size=SIZE), 3)
    before = (tmp_path / "target" / "1.png").stat().st_mtime_ns
    (tmp_path / "target" / "2.png").unlink()
    (tmp_path / "source" / "0.png").write_bytes(b"")
    (tmp_path / "source" / f"9.png{durable.ASIDE}").write_bytes(b"cut")
    make(tmp_path, Recipe(size=SIZE), 4)
    assert (tmp_path / "target" / "1.png").stat().st_mtime_ns == before
    assert len(path.read_text().splitlines()) == 4
    for number in range(4):
        source, target = drawn(circle(Recipe(size=SIZE), number), SIZE)
        assert np.array_equal(pixels(tmp_path / "source" / f"{number}.png"), source)
        assert np.array_equal(pixels(tmp_path / "target" / f"{number}.png"), target)


@pytest.mark.parametrize("recipe", [Recipe(size=SIZE, seed=1), Recipe(size=128)])
def test_sets_do_not_mix(tmp_path: Path, recipe: Recipe) -> None:
    path = make(tmp_path, Recipe(size=SIZE), 2)
    before = path.read_bytes()
    with pytest.raises(ArmatureError, match="TARGET_TAKEN"):
        make(tmp_path, recipe, 2)
    assert path.read_bytes() == before


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "prompt.json").write_text("mine")
    with pytest.raises(ArmatureError, match="TARGET_TAKEN"):
        make(tmp_path, Recipe(size=SIZE), 2)
    assert os.listdir(tmp_path) == ["prompt.json"]


def test_several_processes_draw_the_same(tmp_path: Path) -> None:
    assert facts.AT_ONCE > 1
    told: list[int] = []
    make(tmp_path, Recipe(size=SIZE), 200, workers=2, told=lambda done, _: told.append(done))
    assert told == [64, 128, 192, 200]
    for number in (0, 100, 199):
        target = drawn(circle(Recipe(size=SIZE), number), SIZE)[1]
        assert np.array_equal(pixels(tmp_path / "target" / f"{number}.png"), target)
