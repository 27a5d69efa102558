"""Poses from JSON: what is understood and what is refused (rows 108 to 111 of the cases of reliability)."""

import json
import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import gate
from annotators import Annotation, annotate
from annotators.pose import Person, draw
from errors import POSE_INVALID, ArmatureError

WIDTH, HEIGHT = 300, 400
# Eighteen points of somebody who stands, in pixels: x and y.
STANDING = [
    *((150, 60), (150, 100), (120, 100), (110, 150), (105, 200), (180, 100), (190, 150), (195, 200)),
    *((130, 210), (128, 280), (126, 350), (170, 210), (172, 280), (174, 350)),
    *((143, 52), (157, 52), (134, 57), (166, 57)),
]


def row(points: Sequence[tuple[float, float]], *, seen: float = 1.0, **parts: Any) -> dict[str, Any]:
    """One person in OpenPose's words."""
    return {"pose_keypoints_2d": [value for x, y in points for value in (x, y, seen)], **parts}


def pose(*people: Any, **more: Any) -> dict[str, Any]:
    """A whole file of them."""
    return {"people": list(people), "canvas_width": WIDTH, "canvas_height": HEIGHT} | more


def drawn(source: Any, **values: Any) -> Annotation:
    """Through the gate, as every caller does."""
    return annotate("pose_json", gate.parse_pose(json.dumps(source)), **values)


EXPECTED = draw(
    [Person(body=tuple((float(x), float(y), 1.0) for x, y in STANDING))],
    WIDTH,
    HEIGHT,
    body=True,
    hands=True,
    face=True,
)


@pytest.mark.parametrize("seen", [1.0, 0.83, 0.01, 2])
def test_whatever_was_seen_with_any_confidence_is_drawn(seen: float) -> None:
    found = drawn(pose(row(STANDING, seen=seen)))
    assert found.map.shape == (HEIGHT, WIDTH, 3)
    assert np.array_equal(found.map, EXPECTED)
    assert found.notices == ()


def test_shares_of_the_canvas_are_told_from_pixels() -> None:
    """These are chosen so that their products with the sides are the whole pixels again."""
    shares = [(math.nextafter(x / WIDTH, 1), math.nextafter(y / HEIGHT, 1)) for x, y in STANDING]
    assert np.array_equal(drawn(pose(row(shares))).map, EXPECTED)
    beyond = [*shares[:-1], (1.4, -0.2)]
    assert drawn(pose(row(beyond))).map.any()


def test_one_person_in_pixels_makes_all_of_them_pixels() -> None:
    corner = [(1, 1)] * 18
    both = drawn(pose(row(STANDING), row(corner))).data
    assert both is not None
    assert both["people"][1]["pose_keypoints_2d"][:3] == [1.0, 1.0, 1.0]


def test_lists_and_objects_of_people_are_taken() -> None:
    person = row(STANDING)
    assert np.array_equal(drawn([pose(person)]).map, EXPECTED)
    assert np.array_equal(drawn(pose() | {"people": {"0": person}}).map, EXPECTED)
    several = drawn([pose(person), pose()])
    assert np.array_equal(several.map, EXPECTED)
    assert "2 pictures" in several.notices[0]


def test_what_was_understood_is_drawn_the_same_again() -> None:
    hand, face = [[60.5, 70.0, 0.9] * count for count in (21, 70)]
    first = drawn(pose(row(STANDING, seen=0.4, hand_left_keypoints_2d=hand, face_keypoints_2d=face)))
    second = drawn(first.data)
    assert np.array_equal(second.map, first.map)
    assert second.data == first.data


@pytest.mark.parametrize(("values", "colour"), [({}, True), ({"hands": False, "face": False}, False)])
def test_parts_are_chosen(values: dict[str, bool], colour: bool) -> None:
    parts: dict[str, Any] = {
        "hand_right_keypoints_2d": [50, 60, 1] * 21,
        "face_keypoints_2d": [200, 300, 1] * 68,
    }
    found = drawn(pose(row(STANDING, **parts)), **values).map
    assert found[60, 50].any() == colour
    assert found[300, 200].any() == colour
    assert not drawn(pose(row(STANDING)), body=False).map.any()


# Row 109: other numbers of points.

# Where each of the eighteen stands in COCO's order and in BODY_25's, by their names.
EIGHTEEN = "nose neck rsho relb rwri lsho lelb lwri rhip rkne rank lhip lkne lank reye leye rear lear".split()
COCO = "nose leye reye lear rear lsho rsho lelb relb lwri rwri lhip rhip lkne rkne lank rank".split()
BODY_25 = (
    "nose neck rsho relb rwri lsho lelb lwri mhip rhip rkne rank lhip lkne lank reye leye rear lear "
    "lbto lsto lhee rbto rsto rhee"
).split()


@pytest.mark.parametrize("names", [COCO, EIGHTEEN, BODY_25], ids=[17, 18, 25])
def test_row_109_other_bodies_are_converted(names: list[str]) -> None:
    known = dict(zip(EIGHTEEN, STANDING, strict=True))
    assert known["neck"][0] == (known["rsho"][0] + known["lsho"][0]) / 2
    assert known["neck"][1] == (known["rsho"][1] + known["lsho"][1]) / 2
    points = [known.get(name, (10, 390)) for name in names]
    assert np.array_equal(drawn(pose(row(points))).map, EXPECTED)


def test_row_109_no_neck_without_both_shoulders() -> None:
    points = [(0, 0) if name == "rsho" else (100 + 5 * place, 90) for place, name in enumerate(COCO)]
    values = row(points)["pose_keypoints_2d"]
    values[3 * COCO.index("rsho") + 2] = 0
    data = drawn(pose({"pose_keypoints_2d": values})).data
    assert data is not None
    body = data["people"][0]["pose_keypoints_2d"]
    assert body[3:9] == [0.0] * 6
    assert body[0:3] == [100.0, 90.0, 1.0]


# Rows 110 and 111: empty ones, and canvases.


@pytest.mark.parametrize(
    ("source", "notice"),
    [
        (pose(), "The pose is empty"),
        (pose(row(STANDING, seen=0)), "Nothing is drawn"),
        (pose(row(STANDING, seen=-1)), "Nothing is drawn"),
        (pose({}), "Nothing is drawn"),
        (pose({"pose_keypoints_2d": None, "face_keypoints_2d": []}), "Nothing is drawn"),
        (pose(row([(5000, 5000)] * 18)), "Nothing is drawn"),
    ],
)
def test_row_110_an_empty_pose_says_so(source: Any, notice: str) -> None:
    found = drawn(source)
    assert not found.map.any()
    assert found.map.shape == (HEIGHT, WIDTH, 3)
    assert notice in found.notices[0]


def test_row_111_points_outside_are_clipped() -> None:
    moved = [(x + 200, y - 100) for x, y in STANDING]
    large = draw(
        [Person(body=tuple((x + 400.0, y + 400.0, 1.0) for x, y in moved))],
        WIDTH + 600,
        HEIGHT + 600,
        body=True,
        hands=True,
        face=True,
    )
    assert np.array_equal(drawn(pose(row(moved))).map, large[400 : 400 + HEIGHT, 400 : 400 + WIDTH])


def spoilt(value: Any) -> dict[str, Any]:
    """A pose with one coordinate that is none."""
    person = row(STANDING)
    person["pose_keypoints_2d"][4] = value
    return pose(person)


BAD: dict[str, Any] = {
    "a number": 3,
    "a word": "pose",
    "nothing": None,
    "an empty list": [],
    "a list of numbers": [1, 2, 3],
    "no people": {"canvas_width": 10, "canvas_height": 10},
    "people as a number": pose() | {"people": 5},
    "a person as a list": pose([1, 2, 3]),
    "row 108: 1e9": spoilt(1e9),
    "row 108: -1e9": spoilt(-1e9),
    "row 108: a huge whole number": spoilt(10**400),
    "row 108: NaN": spoilt(math.nan),
    "row 108: infinity": spoilt(math.inf),
    "a coordinate as text": spoilt("1"),
    "a coordinate as a switch": spoilt(True),
    "a coordinate as a list": spoilt([]),
    "row 109: 19 points": pose(row([(1, 1)] * 19)),
    "row 109: 17 points and a number": pose({"pose_keypoints_2d": [1] * 52}),
    "points as an object": pose({"pose_keypoints_2d": {"0": 1}}),
    "20 points of a hand": pose({"hand_left_keypoints_2d": [1] * 60}),
    "69 points of a face": pose({"face_keypoints_2d": [1] * 207}),
    "row 110: 1 000 people": pose(*[row(STANDING)] * 1000),
    "row 110: 21 people": pose(*[row(STANDING)] * 21),
    "row 111: no canvas": {"people": [row(STANDING)]},
    "row 111: no height": {"people": [], "canvas_width": 10},
    "row 111: a negative canvas": pose(canvas_width=-512),
    "row 111: an empty canvas": pose(canvas_height=0),
    "row 111: a huge canvas": pose(canvas_height=10**6),
    "row 111: a canvas of NaN": pose(canvas_height=math.nan),
    "row 111: a canvas as text": pose(canvas_height="512"),
    "row 111: a canvas as a switch": pose(canvas_height=True),
}


@pytest.mark.parametrize("source", BAD.values(), ids=BAD)
def test_rows_108_to_111_what_is_refused(source: Any) -> None:
    start = time.perf_counter()
    with pytest.raises(ArmatureError) as refusal:
        annotate("pose_json", source)
    assert refusal.value.code is POSE_INVALID
    assert refusal.value.found
    assert refusal.value.allowed
    assert len(refusal.value.message) < 300
    assert time.perf_counter() - start < 2


def test_twenty_people_are_not_too_many() -> None:
    assert np.array_equal(drawn(pose(*[row(STANDING)] * 20)).map, EXPECTED)


def test_far_points_cost_no_time() -> None:
    far = [(99_999 * (-1) ** number, 99_999 * (-1) ** (number // 2)) for number in range(18)]
    start = time.perf_counter()
    drawn(pose(*[row(far)] * 20))
    assert time.perf_counter() - start < 5
