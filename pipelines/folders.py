"""Pictures into maps by the folder: resumable, durable, and a broken picture stops nothing.

A map is done when it is there and carries the mark of the same picture and the same recipe, which is in the
head of its PNG. So a run that was cut goes on where it was, and other settings make other maps.
"""

import hashlib
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn, TypeAlias

import gate
from annotators.base import Annotation, Pixels
from errors import (
    IMG_EMPTY,
    INPUT_GONE,
    INTERNAL,
    NO_GPU,
    PARAM_CHOICE,
    TARGET_TAKEN,
    ArmatureError,
    HubError,
    ModelError,
    StorageError,
    ours,
)
from gate import Limits
from pipelines import durable, results

log = logging.getLogger(__name__)

State: TypeAlias = Literal["made", "kept", "failed"]
KEY = "armature-map"  # of the mark, in the PNG of a map
DATA = ".data.json"  # in place of the map's own suffix
HEAD_BYTES = 1024  # the mark comes before the pixels
# What people keep pictures in: also what the gate can't read, so that it is told and not passed over.
SUFFIXES = frozenset(
    ".png .jpg .jpeg .jpe .jfif .webp .bmp .gif .tif .tiff .avif .heic .heif .jp2 .jxl .psd .exr".split()
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture, and where its map belongs; what was found goes beside it, into `.data.json`."""

    source: Path
    target: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one picture. A map that was `kept` was done before, by the same recipe."""

    pair: Pair
    state: State
    notices: tuple[str, ...] = ()
    error: ArmatureError | None = None
    seconds: float = 0.0


def pairs(folder: Path, target: Path) -> tuple[Pair, ...]:
    """Every picture below a folder, in the order of their names, with a PNG for its map below another one.

    Hidden files and links are left out, and so is `target` where it lies in the folder. Two pictures that
    differ in their suffix alone keep it in the names of their maps.
    """
    if target.resolve() == folder.resolve() or (target.exists() and not target.is_dir()):
        raise PARAM_CHOICE(
            "Maps go into a folder of their own",
            found="the folder of the pictures" if target.is_dir() else "a file",
            allowed="another folder, which may be a new one",
            todo="Name another folder for the maps",
        )
    pictures = pictures_in(folder, but=target)
    if not pictures:
        raise IMG_EMPTY(
            "There is no picture in this folder",
            found=folder.name or str(folder),
            allowed="files such as .png and .jpg",
            todo="Choose another folder",
        )
    places = zip(pictures, map_names(pictures), strict=True)
    return tuple(Pair(folder / picture, target / name) for picture, name in places)


def map_names(pictures: Sequence[Path]) -> tuple[Path, ...]:
    """The name of each picture's map: its own as a PNG, with its suffix where others differ in that alone."""
    alike = Counter(map(_plain, pictures))
    names = (path.stem if alike[_plain(path)] == 1 else path.name for path in pictures)
    return tuple(path.with_name(f"{name}.png") for path, name in zip(pictures, names, strict=True))


def pictures_in(folder: Path, *, but: Path) -> list[Path]:
    """The pictures below a folder, relative to it, without those in `but`; no links, nothing hidden.

    Names are compared as text, so that the order is the same everywhere.
    """
    found: list[Path] = []
    target = but.resolve()
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if name[0] != "." and (Path(place) / name).resolve() != target]
        paths = (Path(place) / name for name in files if name[0] != ".")
        found += [
            path.relative_to(folder)
            for path in paths
            if path.suffix.lower() in SUFFIXES and not path.is_symlink()
        ]
    return sorted(found, key=lambda path: path.as_posix())


def _refuse(error: OSError) -> NoReturn:
    raise INPUT_GONE(
        "A folder can't be read",
        found=Path(error.filename or "").name,
        todo="Give the program the right to read it, or move it elsewhere",
    ) from error


def _plain(picture: Path) -> str:
    """The place and the name without its suffix, as a file system that tells no cases apart sees them."""
    return picture.with_suffix("").as_posix().casefold()


def annotate_all(
    pairs: Sequence[Pair],
    annotate: Callable[[Pixels], Annotation],
    *,
    recipe: Mapping[str, Any],
    limits: Limits,
) -> Iterator[Outcome]:
    """The outcome of each pair, one after the other, as soon as it is on the disk.

    `annotate` takes RGB uint8 (H, W, 3); `recipe` is all that its map depends on besides the picture, as
    plain JSON. A picture that can't be taken or annotated is `failed`; what would fail every picture alike
    (a model that is missing, a disk that is full) is raised.
    """
    _clear_unfinished(pairs)
    said = json.dumps(recipe, ensure_ascii=False, sort_keys=True)
    for pair in pairs:
        yield _outcome(pair, annotate, said, limits)


def _outcome(pair: Pair, annotate: Callable[[Pixels], Annotation], recipe: str, limits: Limits) -> Outcome:
    began = time.monotonic()
    try:
        data = gate.file_bytes(pair.source, limits)
        mark = hashlib.sha256(recipe.encode() + hashlib.sha256(data).digest()).hexdigest()
        if _is_done(pair.target, mark):
            return Outcome(pair=pair, state="kept")
        picture = gate.open_picture(data, limits)
        found = annotate(picture.pixels)
        _write(pair.target, found, mark)
    except Exception as error:
        known = ours(error)
        if isinstance(known, ModelError | HubError | StorageError) or known.code is NO_GPU:
            raise
        if known.code is INTERNAL:
            log.error("%s", known, exc_info=error)
        return Outcome(pair=pair, state="failed", error=known, seconds=time.monotonic() - began)
    return Outcome(
        pair=pair,
        state="made",
        notices=(*picture.notices, *found.notices),
        seconds=time.monotonic() - began,
    )


def _is_done(target: Path, mark: str) -> bool:
    """Whether this very map is there. Another one of ours is replaced later; any other file is not."""
    if not target.exists():
        return False
    head = b""
    if target.is_file():
        with target.open("rb") as file:
            head = file.read(HEAD_BYTES)
    if KEY.encode() not in head:
        raise TARGET_TAKEN(
            "Another file is in the place of the map",
            found=target.name,
            allowed="a map that was written here before, or no file",
            todo="Move it away, or name another folder for the maps",
        )
    return mark.encode() in head


def _write(target: Path, found: Annotation, mark: str) -> None:
    """The data first: the map, with its mark, says that all is there."""
    beside = target.with_suffix(DATA)

    def fill(file: BinaryIO) -> None:
        file.write(json.dumps(found.data, ensure_ascii=False).encode())

    if found.data is None:
        beside.unlink(missing_ok=True)  # of another recipe
    else:
        durable.write(beside, fill)
    results.write_png(target, found.map, {KEY: mark})


def _clear_unfinished(pairs: Sequence[Pair]) -> None:
    """Remove what a killed run left aside, of these very maps and nothing else."""
    known = {path for pair in pairs for path in (pair.target, pair.target.with_suffix(DATA))}
    for folder in {pair.target.parent for pair in pairs}:
        for path in folder.glob(f"*{durable.ASIDE}*"):
            if path.with_name(path.name.rpartition(durable.ASIDE)[0]) in known:
                path.unlink(missing_ok=True)
