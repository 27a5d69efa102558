"""Recipes: each kind, pose, style and hour can come, what matters is seen, and numbers stay in range."""

import math
from collections import Counter

import numpy as np
import torch

from annotators import ade20k
from training.world.dice import Dice
from training.world.kinds import KINDS
from training.world.light import HOURS, WEATHERS
from training.world.people import SORTS
from training.world.poses import POSES
from training.world.recipe import Scene
from training.world.render import MOST_PEOPLE, NUMBERS, SEEN, World, paint
from training.world.scene import STYLE_SHARES, drafted, scene
from training.world.settings import HOUR_SHARES, SEASONS, WEATHER_SHARES
from training.world.shapes import SHAPES
from training.world.styles import STYLES
from training.world.tables import Matter
from training.world.things.animals import BEASTS
from training.world.things.birds import BIRDS
from training.world.things.objects import OBJECTS
from training.world.things.plants import TREES
from training.world.words import PEOPLE

WATER = tuple(ade20k.NAMES.index(name) for name in ("water", "sea", "river", "lake"))


def test_every_kind_style_hour_weather_and_season_comes(scenes: list[Scene]) -> None:
    assert {own.kind for own in scenes} == set(KINDS)
    assert {own.style for own in scenes} == set(STYLES) == set(STYLE_SHARES)
    outside = [own for own in scenes if own.lit_by == "sky"]
    assert {own.setting.hour.name for own in outside} == set(HOURS) == set(HOUR_SHARES)
    assert {own.setting.weather.name for own in outside} == set(WEATHERS) == set(WEATHER_SHARES)
    assert {own.setting.season.name for own in outside} == set(SEASONS)
    assert {own.lit_by for own in scenes} == {"sky", "window", "lamp", ""}


def test_kinds_come_as_often_as_they_say(scenes: list[Scene]) -> None:
    counts = Counter(own.kind for own in scenes)
    whole = sum(kind.share for kind in KINDS.values())
    for kind in KINDS.values():
        assert math.isclose(counts[kind.name] / len(scenes), kind.share / whole, abs_tol=0.03)


def test_every_pose_person_animal_object_and_tree_comes(scenes: list[Scene]) -> None:
    assert {figure.pose for own in scenes for figure in own.figures} == set(POSES)
    words = {thing.word for own in scenes for thing in own.things}
    assert set(SORTS) == set(PEOPLE) <= words
    assert set(BEASTS) <= words
    assert set(BIRDS) <= words
    assert set(OBJECTS) <= words
    assert {*TREES, "apple tree"} <= words


def test_there_are_one_to_three_people_where_there_are_any(scenes: list[Scene]) -> None:
    counts = Counter(len(own.figures) for own in scenes)
    assert set(counts) == {0, 1, 2, MOST_PEOPLE}
    assert counts[1] > counts[2] > counts[3] > 0


def test_a_scene_is_the_same_every_time() -> None:
    for seed in range(30):
        first, second = scene(seed), scene(seed)
        assert first == second
        for name in Matter.__slots__:
            assert np.array_equal(getattr(first.matter, name), getattr(second.matter, name))


def test_numbers_of_things_are_their_own(scenes: list[Scene]) -> None:
    for own in scenes:
        numbers = [number for thing in own.things for number in thing.numbers]
        assert len(set(numbers)) == len(numbers)
        assert not numbers or 0 < min(numbers) <= max(numbers) < NUMBERS
        assert set(own.matter.things.tolist()) <= {0, *numbers}


def test_solids_are_sound() -> None:
    for seed in range(400):
        for solid in drafted(seed)[2].root.solids:
            assert solid.paint.kind in ade20k.NAMES
            assert len(solid.extras) == SHAPES[solid.shape].extras
            assert np.isfinite(solid.frame).all()
            assert all(0 <= part <= 1 for part in (*solid.paint.colour, *solid.paint.second))
            assert abs(np.linalg.det(np.array(solid.frame[:3]))) > 1e-12  # it has a volume


def test_the_camera_is_in_nothing() -> None:
    for seed in range(400):
        draft = drafted(seed)[2]
        for solid in draft.root.solids:
            reach = max(math.hypot(*axis) for axis in solid.frame[:3])
            if reach < 0.6:  # larger ones are hills and walls
                assert math.dist(solid.frame[3], draft.camera.eye) > reach


def test_what_a_scene_is_about_is_seen(small: World) -> None:
    """The first person of every scene with people fills a part of the picture that one can learn from."""
    shares = []
    for number, own in enumerate(small.scenes):
        for figure in own.figures[:1]:
            thing = next(thing for thing in own.things if thing.number == figure.number)
            shares.append(sum((small.things[number] == n).float().mean().item() for n in thing.numbers))
    assert sorted(shares)[len(shares) // 10] > 0.004
    assert sorted(shares)[len(shares) // 2] > 0.015


def test_people_at_the_water_stand_on_land(scenes: list[Scene]) -> None:
    for kind in ("lake", "sea"):
        world = paint([own for own in scenes if own.kind == kind and own.figures][:8], 96)
        ankles = world.points[:, 0, [10, 13]]
        seen = ankles[..., 2] == SEEN
        assert seen.any(dim=1).all()
        column = ankles[..., 0].long()
        row = (ankles[..., 1].long() + 5).clamp(max=95)
        below = world.classes[torch.arange(len(ankles))[:, None], row, column]
        assert not torch.isin(below[seen], torch.tensor(WATER, dtype=torch.uint8)).any()


def test_dice_are_fair_and_stay_the_same() -> None:
    dice = Dice(7)
    assert [round(dice.between(0, 1), 6) for _ in range(3)] == [0.323833, 0.150849, 0.650934]
    draws = Counter(dice.pick("abc") for _ in range(3000))
    assert all(abs(count - 1000) < 120 for count in draws.values())
    assert Counter(dice.weighted({"a": 3, "b": 1}) for _ in range(4000))["a"] > 2800
    assert sorted(dice.some("abcd", 4)) == list("abcd")
    assert {dice.whole(1, 3) for _ in range(200)} == {1, 2, 3}
