"""What things are made of: patterns for a paint, by the name of the material."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from training.world.colours import COLOURS, darker, mixed
from training.world.solids import ENDLESS, Colour, Paint

_PATTERNS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "plain": {},
        "brick": {"cell": (0.62, 0.30), "line": 0.06, "stagger": 0.5, "uneven": 0.20},
        "stone": {"cell": (0.90, 0.55), "line": 0.07, "stagger": 0.37, "uneven": 0.26, "mottle": 0.10},
        "wooden": {"cell": (ENDLESS, 0.34), "line": 0.035, "uneven": 0.16, "mottle": 0.06},
        "planks": {"cell": (0.30, ENDLESS), "line": 0.03, "uneven": 0.20, "mottle": 0.08},
        "floorboards": {"cell": (0.42, ENDLESS), "line": 0.02, "uneven": 0.18, "mottle": 0.05},
        "tiled": {"cell": (0.55, 0.55), "line": 0.03, "gloss": 0.15},
        "chequered": {"cell": (0.6, 0.6), "checker": True, "gloss": 0.15},
        "striped": {"cell": (0.22, ENDLESS), "checker": True},
        "shingles": {"cell": (0.60, 0.42), "line": 0.05, "stagger": 0.5, "uneven": 0.18},
        "thatched": {"cell": (0.12, ENDLESS), "uneven": 0.22, "mottle": 0.2},
        "shiny": {"gloss": 0.55},
        "metal": {"gloss": 0.7},
        "glass": {"gloss": 0.9},
        "woollen": {"mottle": 0.16},
        "clay": {"mottle": 0.06},
    }
)
LIGHT_JOINTS = ("brick",)


def made(kind: str, material: str, colour: Colour, **more: Any) -> Paint:
    """The paint of a class of ADE20K, in a colour and of a material."""
    joint = mixed(colour, COLOURS["white"], 0.45) if material in LIGHT_JOINTS else darker(colour, 0.74)
    pattern = {"second": joint, **_PATTERNS[material], **more}
    if material in ("chequered", "striped"):
        pattern["second"] = more.get("second", mixed(colour, COLOURS["white"], 0.75))
    return Paint(kind, colour, **pattern)
