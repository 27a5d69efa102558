"""Which files of a bundle are damaged, as far as a glance tells: their size, or the header of their tensors.

To read gigabytes to their end takes minutes, and is asked for (manifest.py); this is done at each look.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import gate
from errors import MODEL_CORRUPT, ArmatureError, ModelError
from models import inspect
from models.store import Wanted
from pipelines.bundles import Bundle
from pipelines.manifest import Entry

TENSORS, SETTINGS = ".safetensors", ".json"
LARGEST = 2**24  # bytes of settings; a vocabulary has one million


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A file that is there and of no use: what is to be fetched in its place, and what is wrong with it."""

    file: Wanted
    error: ArmatureError


def damaged(weights: Path, bundle: Bundle, known: Mapping[str, Entry]) -> Iterator[Damaged]:
    """The damaged files of a bundle, by what is known of those that were fetched."""
    for file in bundle.files:
        # where both are there, the whole one is what is used
        used = next((one for one in (file.whole, file) if one and one.place.is_file()), None)
        if used and (error := _error(used.place, known.get(used.place.relative_to(weights).as_posix()))):
            yield Damaged(file=used, error=error)


def _error(place: Path, entry: Entry | None) -> ArmatureError | None:
    """What is wrong with one file. Tensors tell their size themselves, also those that nobody has fetched.

    Settings that can be read are somebody's, who has changed them.
    """
    if place.suffix == TENSORS:
        try:
            inspect.look(place)
        except ModelError as error:
            return error if error.code is MODEL_CORRUPT else None
    elif entry and (size := place.stat().st_size) != entry.size and not _reads(place):
        return MODEL_CORRUPT(
            f"{place.name} is not as it was fetched",
            found=f"{size} bytes",
            allowed=f"{entry.size} bytes",
            todo="Fetch the file again",
        )
    return None


def _reads(place: Path) -> bool:
    """Whether a file holds settings that can be read."""
    if place.suffix != SETTINGS:
        return False
    try:
        gate.parse_json(gate.file_bytes(place, gate.OWN_FILES), most_bytes=LARGEST)
    except ArmatureError:
        return False
    return True
