"""How far two maps of one kind agree, from their pixels alone: 1 is best.

Each measure takes the map that was to be kept and the map of the result, RGB uint8 (H, W, 3) of one size, and
answers None where the first has nothing in it that could be kept.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from annotators.ade20k import CLASSES
from annotators.base import Pixels
from annotators.pose import COLOURS, LIMBS, PALER

NEAR = 2.0  # pixels within which two edges are the same
FAINTEST = 16  # a map with nothing brighter is empty
RIDGE = 0.25  # of the brightest: what a soft line must reach once it is blurred
PCK_SHARE = 0.1  # of a person's longer side, within which a joint is where it should be
RIGHT_ANGLE = math.pi / 2


def edge_f1(kept: Pixels, found: Pixels) -> float | None:
    """The harmonic mean of how many edges were kept, and how many of those found were there before.

    Two edges are the same within two pixels. Soft lines count by their ridges.
    """
    wanted, seen = edges(kept), edges(found)
    if not wanted.any():
        return None
    if not seen.any():
        return 0.0
    recall, precision = _share_near(wanted, seen), _share_near(seen, wanted)
    return 2 * precision * recall / max(precision + recall, 1e-9)


def edges(map: Pixels) -> NDArray[np.bool_]:
    """Where the lines of a map (H, W, 3) are: all that is bright, or the ridges of soft ones."""
    grey = map.max(axis=2)
    brightest = int(grey.max())
    if brightest < FAINTEST:
        return np.zeros(grey.shape, bool)
    if len(np.unique(grey)) <= 2:
        return np.asarray(grey == brightest)
    blurred = np.asarray(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0), np.float32)
    return np.asarray(_ridges(blurred) & (blurred > RIDGE * brightest))


def _ridges(heights: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where heights (H, W) are above one neighbour and not below the opposite one, in any direction."""
    padded = np.pad(heights, 1, mode="edge")
    rows, columns = heights.shape
    ridges = np.zeros(heights.shape, bool)
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        one, other = (padded[1 + sign * down :, 1 + sign * across :][:rows, :columns] for sign in (1, -1))
        ridges |= (heights >= one) & (heights >= other) & ((heights > one) | (heights > other))
    return ridges


def _share_near(points: NDArray[np.bool_], others: NDArray[np.bool_]) -> float:
    """The share of points that have another one near."""
    away = cv2.distanceTransform((~others).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float((np.asarray(away)[points] <= NEAR + 1e-3).mean())


def depth_correlation(kept: Pixels, found: Pixels) -> float | None:
    """Pearson's correlation of the two greys: depth is known but for its unit and its zero."""
    first, second = (map.astype(np.float64).mean(axis=2) for map in (kept, found))
    first, second = first - first.mean(), second - second.mean()
    if not first.any():
        return None
    length = math.sqrt(float((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / length if length else 0.0


def normal_angle(kept: Pixels, found: Pixels) -> float | None:
    """How alike surfaces face: 1 where no angle is between them, 0 where it is a right one on average."""
    first, second = _unit(kept), _unit(found)
    angles = np.arccos((first * second).sum(axis=2).clip(-1, 1))
    return max(0.0, 1 - float(angles.mean()) / RIGHT_ANGLE)


def _unit(map: Pixels) -> NDArray[np.float64]:
    """The normals (H, W, 3) that a map shows, each of length 1; grey, which shows none, faces the viewer."""
    normals = map.astype(np.float64) / 127.5 - 1
    length = np.linalg.norm(normals, axis=2, keepdims=True)
    return np.where(length < 0.1, (0.0, 0.0, 1.0), normals / np.maximum(length, 1e-9))


PALETTE = np.array(sorted({colour for _, colour in CLASSES}))


def mean_iou(kept: Pixels, found: Pixels) -> float | None:
    """Intersection over union, the mean over the kinds of things that were to be kept."""
    first, second = kinds(kept), kinds(found)
    shares = [
        ((first == kind) & (second == kind)).sum() / ((first == kind) | (second == kind)).sum()
        for kind in np.unique(first)
    ]
    return float(np.mean(shares))


def kinds(map: Pixels) -> NDArray[np.int64]:
    """The place (H, W) in `PALETTE` of the colour that is nearest to each pixel's."""
    colours, places = np.unique(map.reshape(-1, 3), axis=0, return_inverse=True)
    nearest = [int(((PALETTE - colour) ** 2).sum(axis=1).argmin()) for colour in colours.astype(np.int64)]
    return np.array(nearest)[places].reshape(map.shape[:2])


@dataclass(frozen=True, slots=True)
class Joint:
    """One joint in a drawing of people: its kind, its place in pixels, and its person's longer side."""

    kind: int
    x: float
    y: float
    person: float


def pck(kept: Pixels, found: Pixels) -> float | None:
    """The share of joints with one of their kind within a tenth of their person's longer side (PCK@0.1)."""
    wanted, seen = list(joints(kept)), list(joints(found))
    if not wanted:
        return None
    hits = [
        any(
            other.kind == joint.kind
            and math.dist((joint.x, joint.y), (other.x, other.y)) <= PCK_SHARE * joint.person
            for other in seen
        )
        for joint in wanted
    ]
    return sum(hits) / len(hits)


def joints(map: Pixels) -> Iterator[Joint]:
    """The joints of a drawing as `annotators.pose` makes it: dots of their own colour where a limb ends.

    Dots of hands and faces have no such limb. People who touch each other count as one in their size.
    """
    _, blobs, boxes, _ = cv2.connectedComponentsWithStats((map.max(axis=2) > 0).astype(np.uint8))
    for kind, colour in enumerate(COLOURS):
        limbs = np.zeros(map.shape[:2], bool)
        for place, ends in enumerate(LIMBS):
            if kind in ends:
                limbs |= (map == [int(value * PALER) for value in COLOURS[place]]).all(axis=2)
        dots = (map == colour).all(axis=2).astype(np.uint8)
        count, labels, _, centres = cv2.connectedComponentsWithStats(dots)
        for label in range(1, count):
            dot = (labels == label).astype(np.uint8)
            around = cv2.dilate(dot, np.ones((5, 5), np.uint8)) > 0
            if (around & limbs).any():
                blob = blobs[dot > 0][0]
                longer = max(boxes[blob, cv2.CC_STAT_WIDTH], boxes[blob, cv2.CC_STAT_HEIGHT])
                x, y = centres[label]
                yield Joint(kind, float(x), float(y), float(longer))


def colour(kept: Pixels, found: Pixels) -> float:
    """One less the mean difference of the colours, as a share of the whole range."""
    return 1 - float(np.abs(kept.astype(np.int16) - found).mean()) / 255


def qr_decodes(kept: Pixels, found: Pixels) -> float | None:
    """1 where a reader finds in the result what the code says, else 0."""
    text = next(_readings(kept), "")
    if not text:
        return None
    return float(text in _readings(found))


def _readings(picture: Pixels) -> Iterator[str]:
    """What a reader makes of a picture: as it is, softened, smaller, and in black and white."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    soft = cv2.GaussianBlur(grey, (0, 0), 2.0)
    tries = (grey, soft, cv2.resize(soft, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    reader = cv2.QRCodeDetector()
    for view in (*tries, cv2.threshold(soft, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]):
        try:
            text, *_ = reader.detectAndDecode(view)
        except cv2.error:
            continue  # the reader trips over what looks a little like a code
        if text:
            yield text
