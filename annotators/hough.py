"""Straight lines without a network: OpenCV's line segment detector (Grompone von Gioi 2010), and joining."""

import cv2
import numpy as np
from numpy.typing import NDArray

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.lines import rgb
from params import Param

Segments = NDArray[np.float64]  # (N, 2, 2): two ends, each x and y
STRAIGHT = np.cos(np.deg2rad(4.0))  # pieces of one line point the same way within this
BESIDE = 2.0  # and no end of one stands further off the other, in pixels
MOST = 2000  # so many of the longest pieces are looked at; a picture with more is all texture


def run(picture: Pixels, network: Network, *, minimum_length: float, gap: float) -> Annotation:
    """The straight segments of an RGB uint8 (H, W, 3) picture, one pixel wide."""
    height, width = picture.shape[:2]
    percent = min(height, width) / 100
    found = cv2.createLineSegmentDetector().detect(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))[0]
    segments = np.zeros((0, 2, 2)) if found is None else found.reshape(-1, 2, 2).astype(np.float64)
    lengths = np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1)
    segments = joined(segments[np.argsort(-lengths, kind="stable")[:MOST]], gap * percent)
    segments = segments[np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1) >= minimum_length * percent]
    canvas = np.zeros((height, width), np.uint8)
    for start, end in np.rint(segments).astype(int).tolist():
        cv2.line(canvas, start, end, 255, 1)
    nothing = ("No straight lines were found: lower the minimum length, or choose another picture.",)
    return Annotation(map=rgb(canvas), notices=() if len(segments) else nothing)


def joined(segments: Segments, gap: float) -> Segments:
    """The segments with those joined into one that continue each other across at most `gap` pixels.

    The first take in what continues them, until nothing more does: so the longest come first.
    """
    rest = segments
    done = []
    while len(rest):
        line, rest = rest[0], rest[1:]
        while (more := _continuing(line, rest, gap)).any():
            ends = np.concatenate([line, *rest[more]])
            along = ends @ (line[1] - line[0])
            line, rest = ends[[along.argmin(), along.argmax()]], rest[~more]
        done.append(line)
    return np.array(done).reshape(-1, 2, 2)


def _continuing(line: NDArray[np.float64], others: Segments, gap: float) -> NDArray[np.bool_]:
    """Which of the others point the same way, lie on the same line, and are near enough."""
    length = max(float(np.linalg.norm(line[1] - line[0])), 1e-6)
    way = (line[1] - line[0]) / length
    ways = others[:, 1] - others[:, 0]
    along, aside = (others - line[0]) @ way, (others - line[0]) @ np.array([-way[1], way[0]])
    apart = np.maximum(along.min(axis=1, initial=np.inf) - length, -along.max(axis=1, initial=-np.inf))
    same_way = np.abs(ways @ way) >= STRAIGHT * np.linalg.norm(ways, axis=1)
    near = (np.abs(aside).max(axis=1, initial=0) <= BESIDE) & (apart <= gap)
    return np.asarray(same_way & near, bool)


def _share(name: str, label: str, default: float, maximum: float, help: str) -> Param:
    return Param(
        name=name,
        label=label,
        kind="number",
        default=default,
        minimum=0,
        maximum=maximum,
        step=0.5,
        help=help,
    )


HOUGH = Annotator(
    name="hough",
    label="Straight lines by detector",
    help="Straight segments as OpenCV's line segment detector finds them, with nothing to download.",
    params=(
        _share(
            "minimum_length", "Minimum length", 5, 50, "Shorter lines are dropped, in % of the short side."
        ),
        _share("gap", "Gap", 1, 20, "Pieces of a line this near are joined, in % of the short side."),
    ),
    run=run,
    resample="nearest",
)
