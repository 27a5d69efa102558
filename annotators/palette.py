"""From any colours to those of ADE20K: which class a colour stands for, and a whole map set right."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from annotators import ade20k
from annotators.base import BLACK, Annotation, Pixels

Numbers = NDArray[np.uint8]  # of classes, 0 to 149
Mask = NDArray[np.bool_]

# What is even within these spans of colour around a pixel is an area, or at least no border.
AREA, AREA_SPAN = 7, 10
INSIDE, INSIDE_SPAN = 3, 24
PATCH = 5  # so wide is the smallest thing in exact colours that is no chance
SMALLEST = 0.001  # the share of the map from which on a class is believed
MOST_NAMED = 5


def snapped(picture: Pixels) -> Annotation:
    """The segmentation map that an RGB uint8 (H, W, 3) picture means, in exact colours, with its classes.

    Where two classes meet, a JPEG or a smooth brush blends their colours, and the blend may be the colour of
    a third. So only the classes of areas are believed, and what is no area joins the nearest one. All black
    means no class, and stays.
    """
    if picture.max(initial=0) < BLACK:
        return Annotation(map=picture)
    numbers, apart = nearest(picture)
    right = apart < 0.5
    if not right.all():
        numbers = _believed(picture, numbers, right)
    found = ade20k.found(numbers)
    told = () if right.all() else (_told(picture, right, found),)
    return Annotation(map=ade20k.coloured(numbers), data=found, notices=told)


def nearest(picture: Pixels, among: Mask | None = None) -> tuple[Numbers, NDArray[np.float32]]:
    """The class whose colour is nearest to each pixel of an RGB uint8 (H, W, 3) picture, and how far off.

    Both are (H, W). `among` says of each class whether it may be chosen. Colours are told apart in steps of
    4, which is finer than the palette.
    """
    steps = _classes_of_steps() if among is None else _table(among)
    numbers = steps[_packed(picture >> 2, 6)]
    apart = cv2.absdiff(picture, ade20k.coloured(numbers)).astype(np.float32)
    return numbers, np.sqrt(cv2.transform(apart * apart, np.ones((1, 3), np.float32)))


def _believed(picture: Pixels, numbers: Numbers, right: Mask) -> Numbers:
    """The classes (H, W) of a map in which only the pixels that are `right` have exact colours."""
    area = right | (_span(picture, AREA) <= AREA_SPAN)
    patch = right & (_span(picture, PATCH) == 0)
    among = np.bincount(numbers[area], minlength=len(ade20k.CLASSES)) >= SMALLEST * numbers.size
    among[numbers[patch]] = True
    if not among.any():
        return numbers
    closest, _ = nearest(picture, among)
    return _joined(closest, (right & among[numbers]) | (_span(picture, INSIDE) <= INSIDE_SPAN))


def _joined(numbers: Numbers, sure: Mask) -> Numbers:
    """The classes, each pixel that is not sure with that of the nearest one that is."""
    if sure.all() or not sure.any():
        return numbers
    _, places = cv2.distanceTransformWithLabels(
        (~sure).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    classes = np.zeros(int(places.max()) + 1, np.uint8)
    classes[places[sure]] = numbers[sure]
    return np.asarray(classes[places])


def _span(picture: Pixels, width: int) -> NDArray[np.uint8]:
    """How far apart the colours around each pixel are, in the channel that tells them apart best."""
    around = np.ones((width, width), np.uint8)
    red, green, blue = cv2.split(cv2.subtract(cv2.dilate(picture, around), cv2.erode(picture, around)))
    return cv2.max(cv2.max(red, green), blue)  # type: ignore[return-value]


def _told(picture: Pixels, right: Mask, found: Mapping[str, Any]) -> str:
    """What was changed, and what the map shows now, the largest first."""
    strange = np.zeros(2**24, bool)
    strange[_packed(picture, 8)[~right]] = True
    colours = np.count_nonzero(strange)
    names = [entry["name"] for entry in found["classes"]]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return (
        f"{colours} {'colour' if colours == 1 else 'colours'} outside the palette of ADE20K, on "
        f"{_share(1 - right.mean())} of the map, became the nearest inside it. "
        f"The map shows {', '.join(names[:MOST_NAMED])}{more}."
    )


def _share(share: float) -> str:
    return "less than 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")


@cache
def _classes_of_steps() -> Numbers:
    """The class for each of 64 x 64 x 64 colours; where two classes share a colour, the first."""
    return _table(np.ones(len(ade20k.CLASSES), bool))


def _packed(picture: NDArray[np.integer[Any]], bits: int) -> NDArray[np.int32]:
    """The three channels of each pixel as one number."""
    red, green, blue = (channel.astype(np.int32) for channel in cv2.split(picture))
    return np.asarray((red << 2 * bits) | (green << bits) | blue)


def _table(among: Mask) -> Numbers:
    chosen = np.flatnonzero(among)
    colours = ade20k.palette()[chosen].astype(np.float32)
    steps = np.arange(64, dtype=np.float32) * 4 + np.float32(1.5)
    planes = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    apart = ((planes[:, None] - colours[None, :, 1:]) ** 2).sum(axis=2)
    table = np.stack([(apart + (red - colours[:, 0]) ** 2).argmin(axis=1) for red in steps])
    red, green, blue = (ade20k.palette()[chosen[::-1]].T >> 2).astype(np.int32)
    table[red, (green << 6) | blue] = np.arange(len(chosen))[::-1]  # each has its own, the first goes last
    return np.asarray(chosen[table].ravel(), np.uint8)
