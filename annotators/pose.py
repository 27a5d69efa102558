"""Poses: people as key points, their drawing as ControlNet learnt it, and OpenPose's JSON of them.

Every annotator of poses draws here. The drawing equals controlnet-aux's in every pixel, without matplotlib.
"""

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np

from annotators.base import Pixels

Point: TypeAlias = tuple[float, float, float] | None  # x and y in pixels, confidence; None if it was not seen
Points: TypeAlias = tuple[Point, ...]

# The points: nose, neck, right shoulder, elbow, wrist, left shoulder, elbow, wrist, right hip, knee, ankle,
# left hip, knee, ankle, right eye, left eye, right ear, left ear. A limb has the colour of its place here.
LIMBS = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10)),
    *((1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),
)
FINGERS = tuple((0 if joint % 4 == 1 else joint - 1, joint) for joint in range(1, 21))  # the wrist is 0
UP, DOWN = (0, 85, 170), (255, 170, 85)
COLOURS = (  # once around the circle of hues
    *((255, step, 0) for step in UP),
    *((step, 255, 0) for step in DOWN),
    *((0, 255, step) for step in UP),
    *((0, step, 255) for step in DOWN),
    *((step, 0, 255) for step in UP),
    *((255, 0, step) for step in DOWN),
)
PALER = 0.6  # a limb is this much darker than the joint of its colour
STICK, JOINT, FACE_DOT = 4, 4, 3  # half the width of a limb, and radii, in pixels
PARTS = {"body": "pose", "left_hand": "hand_left", "right_hand": "hand_right", "face": "face"}  # in OpenPose


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The key points of one person: 18 of the body, 21 of each hand, 68 or 70 of the face; or none at all."""

    body: Points = ()
    left_hand: Points = ()
    right_hand: Points = ()
    face: Points = ()


def draw(people: Sequence[Person], width: int, height: int, *, body: bool, hands: bool, face: bool) -> Pixels:
    """The people on black, RGB uint8 (height, width, 3), one over the other."""
    canvas = np.zeros((height, width, 3), np.uint8)
    for person in people:
        if body:
            _draw_body(canvas, person.body)
        if hands:
            _draw_hand(canvas, person.left_hand)
            _draw_hand(canvas, person.right_hand)
        if face:
            _dots(canvas, person.face, FACE_DOT, (255, 255, 255))
    return canvas


def as_json(people: Sequence[Person], width: int, height: int) -> dict[str, Any]:
    """The people in OpenPose's format, in pixels; a point that was not seen is three zeros."""
    rows = [
        {
            f"{name}_keypoints_2d": [
                float(value) for point in getattr(person, part) for value in point or (0, 0, 0)
            ]
            for part, name in PARTS.items()
        }
        for person in people
    ]
    return {"people": rows, "canvas_width": width, "canvas_height": height}


def _draw_body(canvas: Pixels, points: Points) -> None:
    for (first, second), colour in zip(LIMBS if points else (), COLOURS, strict=False):
        start, end = points[first], points[second]
        if start and end:
            across, down = start[0] - end[0], start[1] - end[1]
            middle = int((start[0] + end[0]) / 2), int((start[1] + end[1]) / 2)
            half = int((down**2 + across**2) ** 0.5 / 2)
            angle = int(math.degrees(math.atan2(down, across)))
            outline = cv2.ellipse2Poly(middle, (half, STICK), angle, 0, 360, 1)
            cv2.fillConvexPoly(canvas, np.array(outline), [int(value * PALER) for value in colour])
    for point, colour in zip(points, COLOURS, strict=False):
        if point:
            cv2.circle(canvas, (int(point[0]), int(point[1])), JOINT, colour, thickness=-1)


def _draw_hand(canvas: Pixels, points: Points) -> None:
    for number, (first, second) in enumerate(FINGERS if points else ()):
        start, end = _inside(points[first]), _inside(points[second])
        if start and end:
            hue = colorsys.hsv_to_rgb(number / len(FINGERS), 1.0, 1.0)
            cv2.line(canvas, start, end, [value * 255 for value in hue], thickness=2)
    _dots(canvas, points, JOINT, (0, 0, 255))


def _dots(canvas: Pixels, points: Points, radius: int, colour: tuple[int, int, int]) -> None:
    for point in points:
        if place := _inside(point):
            cv2.circle(canvas, place, radius, colour, thickness=-1)


def _inside(point: Point) -> tuple[int, int] | None:
    """The pixel of a point, unless it is off the upper or left border, where detectors put what they miss."""
    if point is None or int(point[0]) < 1 or int(point[1]) < 1:
        return None
    return int(point[0]), int(point[1])
