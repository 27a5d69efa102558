"""From raw values to a request, the same way for browser, API and command line.

    picture -> gate -> final size -> annotate -> Draft (shown, editable) -> GenerateRequest

The picture is first brought to the final size and annotated there; its map is never resampled afterwards.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import annotators
import conditions
import gate
from annotators.base import Pixels
from conditions import Condition, MapResize
from errors import PARAM_CHOICE
from gate import Limits, Picture
from models.catalogue import FAMILIES, Family
from params import Value
from pipelines.pictures import PictureStore
from pipelines.request import ControlUnit, GenerateRequest
from pipelines.request.checks import checked
from pipelines.request.controls import (
    LARGEST_SEED,
    NEGATIVE_PROMPT,
    PROMPT,
    RUN_PARAMS,
    SIZE,
    UNIT_PARAMS,
    allowed_params,
)

DECODED_PICTURES = 16  # a slider that moves must not decode its picture each time


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A map at the final size, RGB uint8 (height, width, 3), with all that it came from."""

    condition: Condition
    annotator: str
    values: Mapping[str, Value]
    map: Pixels
    data: Mapping[str, Any] | None
    notices: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the map, and so of the pictures."""
        height, width = self.map.shape[:2]
        return width, height


class Desk:
    """Where users' values become drafts and requests, within the limits of one profile."""

    def __init__(self, pictures: PictureStore, limits: Limits) -> None:
        self.limits = limits
        self.controls = allowed_params((PROMPT, NEGATIVE_PROMPT, *UNIT_PARAMS, *RUN_PARAMS), limits)
        self.families = tuple((family.title, family.name) for family in FAMILIES.values())
        self._pictures = pictures
        self._open = lru_cache(maxsize=DECODED_PICTURES)(self._decode)

    def picture(self, path: Path) -> Picture:
        """The picture in a file, through the gate; decoded once while the file stays as it is."""
        found = path.stat() if path.exists() else None
        return self._open(path, found.st_mtime_ns if found else 0, found.st_size if found else 0)

    def _decode(self, path: Path, changed: int, size: int) -> Picture:
        return gate.open_picture(path, self.limits)

    def draft(
        self,
        condition: str,
        picture: Picture,
        *,
        annotator: object = None,
        values: Mapping[str, object] | None = None,
        family: str,
        size: object = SIZE.default,
    ) -> Draft:
        """The map of a picture for a condition, at the size that the result will have."""
        entry = conditions.find(condition)
        name = _annotator_of(entry, annotator)
        method = annotators.find(name)
        known: dict[str, Any] = dict(gate.check_values(method.params, values or {}))
        width, height, notices = self._final_size(_family(family), size, picture.pixels)
        rule: MapResize = "area" if method.rescales else entry.resize
        fitted = fit(picture.pixels, width, height, rule)
        annotation = annotators.annotate(name, fitted, resolution=min(width, height), **known)
        return Draft(
            condition=entry,
            annotator=name,
            values=known,
            map=annotation.map,
            data=annotation.data,
            notices=(*picture.notices, *notices, *annotation.notices),
        )

    def request(self, draft: Draft, *, family: str, values: Mapping[str, object]) -> GenerateRequest:
        """The request for a draft; `values` are raw, by the names of `controls`. Draws a seed for -1."""
        known: dict[str, Any] = dict(gate.check_values(self.controls, values))
        unit = {param.name: known.pop(param.name) for param in UNIT_PARAMS}
        known.pop(SIZE.name)
        if known["seed"] < 0:
            known["seed"] = secrets.randbelow(LARGEST_SEED + 1)
        width, height = draft.size
        control = ControlUnit(
            condition=draft.condition.name,
            map=self._pictures.put(draft.map),
            annotator=draft.annotator,
            values=dict(draft.values),
            **unit,
        )
        request = GenerateRequest(
            controls=(control,), width=width, height=height, family=_family(family).name, **known
        )
        return checked(request, self.limits)

    def _final_size(self, family: Family, size: object, pixels: Pixels) -> tuple[int, int, tuple[str, ...]]:
        largest = min(family.largest, self.limits.largest_side)
        if size == SIZE.default:
            return *_natural_size(family, largest, pixels), ()
        return gate.check_size(size, multiple=family.multiple, smallest=family.smallest, largest=largest)


def fit(pixels: Pixels, width: int, height: int, rule: MapResize) -> Pixels:
    """RGB uint8 (H, W, 3) at exactly (height, width): scaled to cover it, and cropped at the centre.

    "nearest" keeps the exact colours of a palette; "area" averages where it shrinks.
    """
    old_height, old_width = pixels.shape[:2]
    if (old_height, old_width) == (height, width):
        return pixels
    scale = max(width / old_width, height / old_height)
    grown = (max(width, round(old_width * scale)), max(height, round(old_height * scale)))
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(pixels, grown, interpolation=cv2.INTER_NEAREST_EXACT if rule == "nearest" else smooth)
    left, top = (grown[0] - width) // 2, (grown[1] - height) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width]).astype(np.uint8, copy=False)


def _natural_size(family: Family, largest: int, pixels: Pixels) -> tuple[int, int]:
    """The picture's shape with the short side at the family's own, rounded to what the family can make."""
    old_height, old_width = pixels.shape[:2]
    scale = family.side / min(old_height, old_width)

    def side(length: int) -> int:
        rounded: int = round(length * scale / family.multiple) * family.multiple
        return max(family.smallest, min(largest // family.multiple * family.multiple, rounded))

    return side(old_width), side(old_height)


def _annotator_of(condition: Condition, annotator: object) -> str:
    """The name that was asked for, or the condition's default."""
    if annotator is None:
        return condition.annotators[0]
    if annotator not in condition.annotators:
        raise PARAM_CHOICE(
            f"{condition.title} has no such annotator",
            found=repr(annotator),
            allowed="one of " + ", ".join(condition.annotators),
            todo="Change the annotator",
        )
    return str(annotator)


def _family(name: object) -> Family:
    if not isinstance(name, str) or name not in FAMILIES:
        raise PARAM_CHOICE(
            "There is no such model family",
            found=repr(name),
            allowed="one of " + ", ".join(FAMILIES),
            todo="Change the model",
        )
    return FAMILIES[name]
