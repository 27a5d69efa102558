"""Straight lines: found where they were drawn, joined across gaps, dropped when short."""

import cv2
import numpy as np
import pytest

from annotators import annotate
from annotators.base import Pixels
from annotators.hough import joined


def house(width: int = 400, height: int = 300) -> Pixels:
    """A light square with straight sides, and a circle, on black."""
    picture = np.zeros((height, width, 3), np.uint8)
    cv2.rectangle(picture, (50, 50), (200, 250), (255, 255, 255), -1)
    cv2.circle(picture, (300, 150), 12, (255, 255, 255), -1)
    return picture


def near(map: Pixels, start: tuple[int, int], end: tuple[int, int]) -> float:
    """How much of a line has white within two pixels."""
    line = np.zeros(map.shape[:2], np.uint8)
    cv2.line(line, start, end, 255, 1)
    wide = cv2.dilate(map[..., 0], np.ones((5, 5), np.uint8))
    return float((wide[line > 0] > 0).mean())


def test_the_sides_are_found_and_nothing_else() -> None:
    found = annotate("hough", house()).map
    corners = [(50, 50), (200, 50), (200, 250), (50, 250)]
    for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
        assert near(found, start, end) > 0.95
    found[45:256, 45:206] = 0
    assert not found.any(), "the circle is not straight"
    assert set(np.unique(annotate("hough", house()).map)) == {0, 255}


def test_a_minimum_length_drops_the_shorter_lines() -> None:
    """They are 300 and 40 long, the short side of the picture is 300."""
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[100:110, 50:350] = 255
    picture[200:210, 50:90] = 255
    long_only = annotate("hough", picture, minimum_length=40.0).map
    assert near(long_only, (50, 100), (350, 100)) > 0.9
    assert near(long_only, (50, 200), (90, 200)) == 0


def test_it_says_when_it_finds_nothing() -> None:
    found = annotate("hough", np.full((64, 64, 3), 128, np.uint8))
    assert not found.map.any()
    assert "No straight lines" in found.notices[0]


def test_a_broken_line_becomes_one_across_its_gaps() -> None:
    picture = np.zeros((200, 400, 3), np.uint8)
    for start in (20, 120, 220):
        picture[100:150, start : start + 90] = 255  # ten dark pixels between the pieces
    apart = annotate("hough", picture, gap=0.0, minimum_length=50.0).map
    assert not apart.any()
    whole = annotate("hough", picture, gap=10.0, minimum_length=50.0).map
    assert near(whole, (25, 100), (305, 100)) > 0.95


@pytest.mark.parametrize(
    ("pieces", "gap", "left"),
    [
        ([((0, 0), (10, 0)), ((14, 0), (20, 0))], 4, [((0, 0), (20, 0))]),
        ([((0, 0), (10, 0)), ((14, 0), (20, 0))], 3.9, None),
        ([((20, 0), (14, 0)), ((0, 0), (10, 0)), ((31, 0), (23, 0))], 4, [((0, 0), (31, 0))]),
        ([((0, 0), (10, 0)), ((12, 5), (20, 5))], 4, None),
        ([((0, 0), (10, 0)), ((12, 0), (12, 8))], 4, None),
        ([((0, 0), (30, 0)), ((5, 1), (15, 1))], 0, [((0, 0), (30, 0))]),
        ([((0, 0), (10, 10)), ((12, 12), (30, 30))], 4, [((0, 0), (30, 30))]),
        ([], 4, []),
    ],
    ids=["near", "far", "a chain of three", "beside", "a corner", "within", "slanted", "none"],
)
def test_what_is_joined(pieces: list[object], gap: float, left: list[object] | None) -> None:
    given = np.array(pieces, np.float64).reshape(-1, 2, 2)
    expected = given if left is None else np.array(left, np.float64).reshape(-1, 2, 2)
    found = joined(given, gap)

    def unordered(segments: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[list[list[float]]]:
        return sorted(sorted(segment) for segment in segments.tolist())

    assert unordered(found) == unordered(expected)
