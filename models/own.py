"""Controls of one's own: `<weights>/controls/<condition>/<name>/`. No torch: the web page asks here.

A base takes the controls that were made for its architecture, whoever trained them.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.inspect import SHARED, config_of
from models.store import CONTROL_FILES, Store

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


def key(condition: str, name: str) -> str:
    """How the store and the cache call such a control."""
    return f"{condition}/{name}"


def controls(store: Store, family: str, condition: str) -> tuple[str, ...]:
    """The names of those that are there whole for a condition, and fit a family's base."""
    base = config_of(store.base(family) / "unet" / "config.json")
    folder = store.weights / "controls" / condition
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple(path.name for path in found if base and _is_whole(path) and _fits(path, base))


def _is_whole(folder: Path) -> bool:
    files = ((folder / name for name in names) for names in CONTROL_FILES)
    return bool(NAME.fullmatch(folder.name)) and all(any(map(Path.is_file, names)) for names in files)


def _fits(folder: Path, base: Mapping[str, Any]) -> bool:
    control = config_of(folder / "config.json")
    return bool(control) and all(control.get(name) == base.get(name) for name in SHARED)
