"""Files that are whole or not there: aside, to the disk, in place, and the folder to the disk as well."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

ASIDE = ".tmp-"  # in the name of every file that is not finished


def write(path: Path, fill: Callable[[BinaryIO], None]) -> None:
    """Write a file by `fill`. Whatever fails, and whenever, the old file is there or the new one."""
    make_folder(path.parent)
    aside = path.with_name(f"{path.name}{ASIDE}{secrets.token_hex(4)}")
    try:
        with open(aside, "xb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)  # still there only where something failed
    sync_folder(path.parent)


def settle(aside: Path, path: Path) -> None:
    """Bring a finished file, aside in the same folder, into its place, where an old one is until then."""
    handle = os.open(aside, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(aside, path)
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, so that their names last."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last. Windows has no such call, and does not need it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def clear_unfinished(folder: Path) -> int:
    """Remove what a killed program left aside; answers how many files there were."""
    return sum(_removed(path) for path in list(folder.rglob(f"*{ASIDE}*")))


def _removed(path: Path) -> bool:
    """A file that can't be removed is nobody's trouble: it is out of sight."""
    with suppress(OSError):
        path.unlink()
        return True
    return False
