"""One control in a line of text, as `cli.py generate --unit` takes it.

    condition=depth,image=photo.jpg,strength=.8,start=0,end=1,mode=balanced,region=left.png

A comma ends a value only where another name and its equals sign follow, so that a path may have commas. What
is no name of a control's own is a setting of its annotator.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import conditions
from errors import PARAM_RANGE, PARAM_TYPE
from params import Value
from pipelines.request.controls import LAYER_WEIGHT, UNIT_PARAMS

NAMES = ("condition", "image", "annotator", *(param.name for param in UNIT_PARAMS), "layer_weights", "region")
NEXT = re.compile(r",(?=\s*\w+\s*=)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A control by its names: files not opened, and settings of the annotator still as "name=value"."""

    condition: str
    image: Path
    annotator: str | None = None
    settings: Sequence[str] = ()
    values: Mapping[str, Value] = field(default_factory=dict)
    layer_weights: tuple[float, ...] = ()
    region: Path | None = None


def parse_unit(text: str) -> Unit:
    """The control that a line means."""
    entries: dict[str, str] = {}
    for part in NEXT.split(text):
        name, equals, value = part.partition("=")
        if not equals or not value.strip() or name.strip() in entries:
            raise PARAM_TYPE(
                "A control can't be read",
                found=part[:60],
                allowed="each name once, such as condition=depth,image=photo.jpg,strength=0.8",
                todo="Change --unit",
            )
        entries[name.strip()] = value.strip()
    lacking = [name for name in ("condition", "image") if name not in entries]
    if lacking:
        raise PARAM_TYPE(
            f"A control lacks its {' and its '.join(lacking)}", found=text[:60], todo="Change --unit"
        )
    return Unit(
        condition=conditions.find(entries["condition"]).name,
        image=Path(entries["image"]),
        annotator=entries.get("annotator"),
        settings=[f"{name}={value}" for name, value in entries.items() if name not in NAMES],
        values={
            param.name: param.parse(entries[param.name]) for param in UNIT_PARAMS if param.name in entries
        },
        layer_weights=_weights(entries.get("layer_weights", "")),
        region=Path(entries["region"]) if "region" in entries else None,
    )


def _weights(text: str) -> tuple[float, ...]:
    """Numbers with slashes between them."""
    return tuple(float(LAYER_WEIGHT.parse(part)) for part in text.split("/")) if text else ()


def parse_sides(text: str) -> dict[str, int]:
    """By how many pixels a canvas grows, from "left=64,bottom=128"."""
    sides = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name.strip() not in ("left", "top", "right", "bottom") or not value.strip().isdecimal():
            raise PARAM_RANGE(
                "The sides of the canvas can't be read",
                found=text[:60],
                allowed="left, top, right and bottom with pixels, such as left=64,bottom=128",
                todo="Change --extend",
            )
        sides[name.strip()] = int(value)
    return sides
