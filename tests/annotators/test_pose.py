"""The drawing of poses, against controlnet-aux's own drawing in every pixel."""

import colorsys
import sys
import types
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from annotators.base import Pixels
from annotators.pose import PARTS, Person, as_json, draw
from models import torchvision_ops


@pytest.fixture(scope="module")
def original() -> Any:
    """controlnet-aux's module of poses, whose imports warn of things that nobody here can mend."""
    torchvision_ops.define_missing()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from controlnet_aux import open_pose
    return open_pose


@pytest.fixture(autouse=True)
def some_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """controlnet-aux takes a formula from matplotlib, which it does not install: Python has it too."""
    colours = types.SimpleNamespace(hsv_to_rgb=lambda hsv: np.array(colorsys.hsv_to_rgb(*hsv)))
    stand_in = types.ModuleType("matplotlib")
    monkeypatch.setattr(stand_in, "colors", colours, raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", stand_in)


Shares = list[tuple[float, float] | None]


def points(generator: np.random.Generator, count: int, missing: float) -> Shares:
    """Points in shares of the canvas, some of them beyond it, some of them not seen."""
    where: NDArray[np.float64] = generator.uniform(-0.1, 1.1, (count, 2))
    unseen = generator.random(count) < missing
    return [None if gone else (float(x), float(y)) for (x, y), gone in zip(where, unseen, strict=True)]


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("hands_and_face", [False, True])
def test_a_pose_is_drawn_as_the_original_draws_it(original: Any, seed: int, hands_and_face: bool) -> None:
    generator = np.random.default_rng(seed)
    width, height = (int(side) for side in generator.integers(64, 900, 2))
    theirs, ours = [], []
    for _ in range(generator.integers(1, 4)):
        body = points(generator, 18, 0.2)
        left, right, face = (points(generator, count, 0) for count in (21, 21, 70))
        parts = [
            [share and original.Keypoint(*share) for share in part] for part in (body, left, right, face)
        ]
        theirs.append(original.PoseResult(original.BodyResult(parts[0], 1.0, 18), *parts[1:]))
        ours.append(
            Person(
                **{
                    name: tuple(share and (share[0] * width, share[1] * height, 1.0) for share in part)
                    for name, part in zip(PARTS, (body, left, right, face), strict=True)
                }
            )
        )
    expected = original.draw_poses(theirs, height, width, draw_hand=hands_and_face, draw_face=hands_and_face)
    found = draw(ours, width, height, body=True, hands=hands_and_face, face=hands_and_face)
    assert expected.any()
    assert np.array_equal(found, expected)


def test_a_hand_may_lack_points(original: Any) -> None:
    """The original fails on these: a finger without a joint loses the two bones at it and its dot."""
    hand = [(10.0 + 4 * number, 30.0 + number % 4, 1.0) for number in range(21)]
    partial = (*hand[:6], None, *hand[7:])
    with pytest.raises(AttributeError):
        original.util.draw_handpose(np.zeros((99, 99, 3), np.uint8), [None] * 21)
    drawn = draw([Person(left_hand=partial)], 99, 99, body=True, hands=True, face=True)
    whole = draw([Person(left_hand=tuple(hand))], 99, 99, body=True, hands=True, face=True)
    assert drawn.any()
    assert not np.array_equal(drawn, whole)


@pytest.mark.parametrize(
    ("body", "hands", "face", "colours"),
    [
        (True, False, False, {(255, 0, 0)}),
        (False, True, False, {(0, 0, 255)}),
        (False, False, True, {(255, 255, 255)}),
        (False, False, False, set()),
    ],
)
def test_only_the_chosen_parts_are_drawn(
    body: bool, hands: bool, face: bool, colours: set[tuple[int, int, int]]
) -> None:
    person = Person(
        body=((20.0, 20.0, 1.0), *(None,) * 17),
        right_hand=((40.0, 20.0, 1.0), *(None,) * 20),
        face=((60.0, 20.0, 1.0),) * 70,
    )
    assert colours_of(draw([person], 90, 60, body=body, hands=hands, face=face)) == colours


def colours_of(map: Pixels) -> set[tuple[int, ...]]:
    """The colours in a map besides black."""
    return {tuple(colour.tolist()) for colour in np.unique(map.reshape(-1, 3), axis=0)} - {(0, 0, 0)}


def test_a_pose_is_told_in_openposes_words() -> None:
    person = Person(body=((1.5, 2.0, 0.5), *(None,) * 17), face=((3.0, 4.0, 1.0),) * 68)
    told = as_json([person], 64, 32)
    assert (told["canvas_width"], told["canvas_height"]) == (64, 32)
    (row,) = told["people"]
    assert row["pose_keypoints_2d"] == [1.5, 2.0, 0.5] + [0.0] * 51
    assert row["hand_left_keypoints_2d"] == row["hand_right_keypoints_2d"] == []
    assert row["face_keypoints_2d"] == [3.0, 4.0, 1.0] * 68
