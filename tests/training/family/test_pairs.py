"""The family's scenes as pairs: drawn once, mirrored truly, with the hints that the tabs make."""

from pathlib import Path

import numpy as np
import pytest
import torch

import annotators
from training.family import drawn
from training.family.drawn import LAYERS, Drawn
from training.family.pairs import MAKERS, MIRRORED, ScenePairs, emphasis, in_mirror
from training.family.recipe import Scenes
from training.world.caption import named
from training.world.render import render

FLAT = Scenes(count=6, size=64, kinds=("people", "cottage"), styles=("flat",), weathers=("clear", "fair"))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    return drawn.draw(FLAT, tmp_path_factory.mktemp("scenes"))


def test_scenes_are_what_their_seeds_draw(scenes: Drawn) -> None:
    world = render(scenes.seeds, 64)
    assert scenes.captions == world.captions
    assert {made.style for made in world.scenes} == {"flat"}
    assert {made.kind for made in world.scenes} <= {"people", "cottage"}
    for index in range(len(scenes)):
        assert torch.equal(scenes.layer("picture", index), world.picture[index])
        torch.testing.assert_close(scenes.layer("normals", index), world.normals[index], atol=0.005, rtol=0)


def test_drawing_goes_on_where_it_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "SHARD", 2)
    whole = drawn.draw(FLAT, tmp_path / "whole")
    told: list[int] = []

    def broken(done: int, total: int) -> None:
        told.append(done)
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drawn.draw(FLAT, tmp_path / "cut", told=broken)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "cut").iterdir()}
    again = drawn.draw(FLAT, tmp_path / "cut")
    assert told == [2, 4]
    assert len(times) == 2
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert again.seeds == whole.seeds
    assert all(
        torch.equal(again.layer(name, index), whole.layer(name, index))
        for name in LAYERS
        for index in range(len(whole))
    )


def test_what_there_is_little_of_counts_more() -> None:
    classes = torch.zeros(64, 64, dtype=torch.uint8)
    things = classes.clone()
    classes[:8, :16] = 3  # two of 64 latents, a 32nd of the picture
    weights = emphasis(classes, things, ())
    assert weights.shape == (8, 8)
    assert weights.mean() == pytest.approx(1)
    assert weights[0, 0] / weights[7, 7] == pytest.approx((62 / 2) ** 0.5)
    assert np.array_equal(emphasis(things, things, ()), np.ones((8, 8), np.float32))
    assert np.array_equal(emphasis(things, classes, ()), weights), "things of one class are apart"


def test_what_is_named_in_colour_counts_three_times() -> None:
    things = torch.zeros(64, 64, dtype=torch.uint8)
    things[:8], things[8:16] = 7, 9
    plain, named = (emphasis(torch.zeros_like(things), things, numbers) for numbers in ((), (9,)))
    assert plain[0, 0] == pytest.approx(plain[1, 0])
    assert named[1, 0] / named[0, 0] == pytest.approx(3)
    assert named[0, 0] / named[7, 7] == pytest.approx(plain[0, 0] / plain[7, 7])
    assert named.mean() == pytest.approx(1)


def test_a_scene_knows_which_things_its_caption_names_in_colour(scenes: Drawn) -> None:
    world = render(scenes.seeds, 64)
    said = [named(made, text) for made, text in zip(world.scenes, world.captions, strict=True)]
    assert any(said)
    assert scenes.coloured == tuple(tuple(number for number, _ in pairs) for pairs in said)


def test_emphasis_is_mirrored_with_its_scene(scenes: Drawn) -> None:
    pairs = ScenePairs(scenes, "tile", mirrored=True)
    for index in range(len(scenes)):
        there = pairs.emphasis(index)
        assert there.std() > 0.1
        assert np.allclose(pairs.emphasis(index + len(scenes)), there[:, ::-1])


@pytest.mark.parametrize("control", MAKERS)
def test_every_control_has_hints_of_its_own_kind(scenes: Drawn, control: str) -> None:
    pairs = ScenePairs(scenes, control, mirrored=True)
    assert len(pairs) == 2 * len(scenes)
    for index, epoch in ((0, 0), (1, 3), (len(scenes), 0), (len(scenes) + 1, 5)):
        hint = pairs.hint(index, epoch)
        assert hint.shape == (64, 64, 3)
        assert hint.dtype == np.float32
        assert hint.min() == -1 if control == "inpaint" else hint.min() >= 0
        assert hint.max() <= 1
        assert np.array_equal(hint, pairs.hint(index, epoch))


def test_lines_begin_with_canny_and_then_have_all_strengths(scenes: Drawn) -> None:
    pairs = ScenePairs(scenes, "lines")
    canny = annotators.annotate("canny", pairs.target(0, 0), resolution=64).map / 255
    assert np.array_equal(pairs.hint(0, 0), canny.astype(np.float32))
    later = {pairs.hint(0, epoch).tobytes() for epoch in range(1, 20)}
    assert len(later) > 4


def test_a_mirrored_scene_is_true_to_its_mirrored_picture(scenes: Drawn) -> None:
    pairs = ScenePairs(scenes, "lines", mirrored=True)
    target = pairs.target(len(scenes), 0)
    assert np.array_equal(target, pairs.target(0, 0)[:, ::-1])
    assert np.array_equal(
        pairs.hint(len(scenes), 0), annotators.annotate("canny", target, resolution=64).map / np.float32(255)
    )


def test_in_a_mirror_left_is_right(scenes: Drawn) -> None:
    index = next(index for index in range(len(scenes)) if scenes.layer("points", index)[0, :, 2].all())
    world = scenes.world(index)
    other = in_mirror(world)
    torch.testing.assert_close(other.normals[0, 0], -world.normals[0, 0].flip(-1))
    torch.testing.assert_close(other.normals[0, 1:], world.normals[0, 1:].flip(-1))
    right, left = 4, 7  # the wrists
    assert MIRRORED[right] == left
    assert other.points[0, 0, right, 0] == 64 - world.points[0, 0, left, 0]
    assert other.points[0, 0, right, 1] == world.points[0, 0, left, 1]
    twice = in_mirror(other)
    torch.testing.assert_close(twice.points, world.points)
    assert torch.equal(twice.classes, world.classes)
