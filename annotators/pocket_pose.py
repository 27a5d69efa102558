"""Poses by the built-in network: key points where its heat is high, gathered around their necks."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.heads import AT_ONCE, HONESTLY, WEIGHT, asked, load
from annotators.pose import Person, Point, as_json, draw

POINTS, NECK = 18, 1
WARM = 0.3  # the least heat of a key point
APART = 5  # places within which there is one point of a kind
NEAR = 0.12  # sides of the picture within which a point means a neck
FEWEST = 4  # points of a person
NOBODY = "Nobody was found: choose a picture in which people are larger, or draw the pose."


@dataclass(frozen=True, slots=True)
class Peak:
    """A key point: its heat, its place and that of the neck it points to, in shares of height and width."""

    heat: float
    x: float
    y: float
    neck: tuple[float, float]


def run(picture: Pixels, network: Network) -> Annotation:
    """The people in an RGB uint8 (H, W, 3) picture."""
    height, width = picture.shape[:2]
    answers = asked(network, picture, "heat", "reach")
    found = people(answers[:POINTS], answers[POINTS:], width, height)
    return Annotation(
        map=draw(found, width, height, body=True, hands=False, face=False),
        data=as_json(found, width, height),
        notices=() if found else (NOBODY,),
    )


def people(
    heat: NDArray[np.float32], reach: NDArray[np.float32], width: int, height: int
) -> tuple[Person, ...]:
    """The people of heat (18, h, w) and reach (36, h, w), in pixels of a picture of that size."""
    kinds = [_peaks(heat[kind], reach[2 * kind : 2 * kind + 2]) for kind in range(POINTS)]
    found = []
    for neck in kinds[NECK]:
        body = tuple(_point(_of(neck, peaks), width, height) for peaks in kinds)
        if sum(point is not None for point in body) >= FEWEST:
            found.append(Person(body=body))
    return tuple(found)


def _peaks(heat: NDArray[np.float32], reach: NDArray[np.float32]) -> list[Peak]:
    """The points of one kind, the warmest first."""
    highest = cv2.dilate(heat, np.ones((APART, APART), np.uint8))
    rows, columns = np.nonzero((heat >= highest) & (heat > WARM))
    height, width = heat.shape
    longest = min(height, width)  # what the network calls a side
    peaks = [
        Peak(
            float(heat[row, column]),
            (column + 0.5) / width,
            (row + 0.5) / height,
            (
                (column + 0.5 + float(reach[0, row, column]) * longest) / width,
                (row + 0.5 + float(reach[1, row, column]) * longest) / height,
            ),
        )
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    return sorted(peaks, key=lambda peak: -peak.heat)


def _of(neck: Peak, peaks: list[Peak]) -> Peak | None:
    """The warmest point that points to this neck."""
    return next(
        (peak for peak in peaks if abs(peak.neck[0] - neck.x) <= NEAR and abs(peak.neck[1] - neck.y) <= NEAR),
        None,
    )


def _point(peak: Peak | None, width: int, height: int) -> Point:
    return None if peak is None else (peak.x * width, peak.y * height, min(1.0, peak.heat))


POCKET_POSE = Annotator(
    name="pocket_pose",
    label="Pose, built in",
    help=AT_ONCE,
    caution=HONESTLY,
    weights=(WEIGHT,),
    load=load,
    run=run,
)
