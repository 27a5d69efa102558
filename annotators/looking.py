"""What a picture looks like: a map already, or something that a map has yet to be taken from.

Nothing here can know, so every look is a guess, with what it was seen by. Pictures are RGB uint8 (H, W, 3).
What counts is shares of pixels, so a large picture is looked at in a grid of its pixels, each as it is: an
average of fine lines would be grey.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from annotators import ade20k
from annotators.base import BLACK, Pixels
from annotators.palette import nearest

Grey: TypeAlias = NDArray[Any]  # of 0 to 255, (H, W)
Mask: TypeAlias = NDArray[np.bool_]  # (H, W)

MOST_SEEN = 2**18  # pixels of the grid, where neighbours count
MOST_COUNTED = 2**14  # and where each pixel counts for itself

DARK, LIGHT = 48, 160  # a ground of lines is darker, or lighter
PAPER, NEUTRAL = 48, 16  # how far apart the channels of yellow paper are, and of a grey from a computer
LIMB, JOINT = 153, 255  # how bright poses are drawn
THICKEST = 1 / 16  # of the short side; a wider stroke is an area
NEAR = 20.0  # how far from its colour in the palette a JPEG leaves a colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Whether a picture is a map, and by what that was seen.

    It is `negative` where what is drawn is dark and its ground light, whether that is a map or not.
    """

    is_map: bool = False
    seen: str = ""
    negative: bool = False


NO_MAP = Look()
NOTHING = Look(is_map=True, seen="all black")


def lines(picture: Pixels) -> Look:
    """Thin strokes without colour, on a dark or a light ground."""
    grid = _grid(picture, MOST_SEEN)
    if grid.max() < BLACK:
        return NOTHING
    if _is_coloured(grid, PAPER).mean() > 0.03:
        return NO_MAP
    grey = cv2.cvtColor(grid, cv2.COLOR_RGB2GRAY)
    shares = _shares(grey)
    if shares[:DARK].sum() > 0.4:
        ink = _ink(grey, shares)
        coloured = _is_coloured(grid, PAPER) & _grid(ink, MOST_COUNTED)
        return _look(_is_thin(ink) and coloured.mean() < 0.3 * ink.mean(), "light lines on black")
    ground = int(np.convolve(shares, np.ones(33), "same").argmax())
    even = shares[max(0, ground - 24) :].sum() > 0.4 and shares[ground + 24 :].sum() < 0.05
    if ground < LIGHT or not even:
        return NO_MAP
    found = _is_thin(_ink(cv2.bitwise_not(grey), shares[::-1]))
    return _look(found, "dark lines on a light ground", negative=True)


def depth(picture: Pixels) -> Look:
    """Greys that change smoothly: there are edges, but no texture."""
    grid = _grid(picture, MOST_SEEN)
    if grid.max() < BLACK:
        return NOTHING
    if _is_coloured(grid, NEUTRAL).mean() > 0.02 or lines(grid).is_map:
        return NO_MAP
    grey = cv2.cvtColor(grid, cv2.COLOR_RGB2GRAY)
    rise = np.abs(cv2.Laplacian(grey, cv2.CV_16S, ksize=1))
    texture = np.count_nonzero((rise >= 4) & (rise <= 24)) / rise.size
    found = texture < 0.12 and not _is_two_tone(_shares(grey))
    return _look(found, "smooth greys without texture")


def normals(picture: Pixels) -> Look:
    """Colours that are directions: vectors of length 1 that face the viewer. Black may be around them."""
    grid = _grid(picture, MOST_COUNTED)
    shown = grid[_extremes(grid)[0] >= DARK]
    if len(shown) < 0.05 * grid.size / 3:
        return NOTHING if picture.max() < BLACK else NO_MAP
    vectors = shown / np.float32(127.5) - np.float32(1)
    right = (np.abs(np.linalg.norm(vectors, axis=1) - 1) < 0.15) & (vectors[:, 2] > -0.1)
    bluest = vectors.mean(axis=0).argmax() == 2
    return _look(right.mean() > 0.85 and bluest, "the colours of directions")


def pose(picture: Pixels) -> Look:
    """Pure colours of many hues on black, as bright as limbs and joints are drawn."""
    if picture.max() < BLACK:
        return NOTHING
    grid = _grid(picture, MOST_SEEN)
    hue, saturation, value = cv2.split(cv2.cvtColor(grid, cv2.COLOR_RGB2HSV))
    ink = value >= 2 * DARK
    share, ground = np.count_nonzero(ink) / ink.size, np.count_nonzero(value < DARK) / ink.size
    if ground < 0.5 or not 0.0001 < share < 0.35:
        return NO_MAP
    hue, saturation, value = hue[ink], saturation[ink], value[ink]
    pure = saturation >= 140
    drawn = ((value > LIMB - 28) & (value < LIMB + 28)) | (value > JOINT - 28)
    hues = np.bincount(hue[pure] // 15, minlength=12) > 0.01 * pure.size
    found = pure.mean() > 0.5 and drawn[pure].mean() > 0.75 and hues.sum() >= 4
    return _look(found, "limbs in the colours of OpenPose on black")


def classes(picture: Pixels) -> Look:
    """Colours of ADE20K's palette, more than one and not all grey, as near as a JPEG leaves them."""
    if picture.max() < BLACK:
        return NOTHING
    numbers, apart = nearest(_grid(picture, MOST_COUNTED))
    areas = np.bincount(numbers[apart < NEAR], minlength=len(ade20k.CLASSES)) > 0.01 * numbers.size
    coloured = np.ptp(ade20k.palette(), axis=1) > 0
    found = np.mean(apart < NEAR) > 0.85 and areas.sum() >= 2 and (areas & coloured).any()
    return _look(found, "the colours of ADE20K")


def blurred(picture: Pixels) -> Look:
    """Even where the brightness changes most, it takes several pixels for it."""
    grey = cv2.cvtColor(_grid(picture, MOST_SEEN), cv2.COLOR_RGB2GRAY)
    around = np.ones((9, 9), np.uint8)
    reach = _top(_shares(cv2.dilate(grey, around) - cv2.erode(grey, around)))
    bend = _top(_shares(np.abs(cv2.Laplacian(grey, cv2.CV_16S, ksize=1)).clip(0, 255).astype(np.uint8)))
    return _look(bend < 0.42 * reach, "no fine detail")


def anything(picture: Pixels) -> Look:
    """Where the model follows the picture itself, every picture is a map."""
    return Look(is_map=True)


def unknowable(picture: Pixels) -> Look:
    """Where a map looks like any other picture, none is taken for one."""
    return NO_MAP


def _look(found: bool | np.bool_, seen: str, *, negative: bool = False) -> Look:
    return Look(is_map=bool(found), seen=seen if found else "", negative=negative)


def _grid(picture: NDArray[Any], most: int) -> NDArray[Any]:
    """Every n-th pixel, so that at most about so many are left."""
    step = int(np.ceil(np.sqrt(picture.shape[0] * picture.shape[1] / most)))
    return picture[::step, ::step].copy()


def _is_coloured(picture: Pixels, apart: int) -> Mask:
    """Where the channels are further apart, in the grid that is counted."""
    brightest, darkest = _extremes(_grid(picture, MOST_COUNTED))
    return np.asarray(brightest - darkest > apart)


def _extremes(picture: Pixels) -> tuple[Grey, Grey]:
    """The brightest and the darkest channel of each pixel."""
    red, green, blue = cv2.split(picture)
    brightest, darkest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    return np.asarray(brightest), np.asarray(darkest)


def _shares(grey: Grey) -> NDArray[np.float32]:
    """The share of each of the 256 greys."""
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel()
    return np.asarray(counts / grey.size, np.float32)


def _top(shares: NDArray[np.float32]) -> int:
    """The grey that next to nothing goes beyond."""
    return int(np.searchsorted(np.cumsum(shares), 0.999))


def _is_two_tone(shares: NDArray[np.float32]) -> bool:
    """Whether nearly everything is one of two greys, with what a JPEG makes of each."""
    band = np.ones(17)
    first = int(np.convolve(shares, band, "same").argmax())
    rest = shares.copy()
    rest[max(0, first - 8) : first + 9] = 0
    return bool(np.convolve(rest, band, "same").max() > rest.sum() - 0.05)


def _ink(grey: Grey, shares: NDArray[np.float32]) -> Mask:
    """Where something stands out from a dark ground by nearly half of what the strongest strokes do."""
    ground = min(DARK, int(shares[: 2 * DARK].argmax()))
    strongest = int(np.searchsorted(np.cumsum(shares), 0.995)) - ground
    return np.asarray(grey > ground + max(32, 0.4 * strongest))


def _is_thin(ink: Mask) -> bool:
    """Whether there are strokes, and next to nothing of them is as wide as an area."""
    width = max(9, round(min(ink.shape) * THICKEST))
    wide = cv2.morphologyEx(ink.astype(np.uint8), cv2.MORPH_OPEN, np.ones((width, width), np.uint8))
    strokes, areas = np.count_nonzero(ink), np.count_nonzero(wide)
    return bool(0 < strokes < 0.45 * ink.size and areas < 0.2 * strokes)
