"""What is in the files of a data set: each is opened once, and what was found can be kept.

A fact holds for as long as its file has the same size and the same time.
"""

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import cv2

import gate
from errors import ArmatureError
from gate import LIMITS
from pipelines import durable

Told: TypeAlias = Callable[[int, int], None]  # how many are done, of how many

LIMIT = LIMITS["local"]
MOST_KEPT_BYTES = 2**31
ALONE = 256  # files that one process looks at before others are worth their start
AT_ONCE = 32  # files that are handed to a process together


def untold(done: int, total: int) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What a picture file is: the SHA-256 of its bytes, its size in pixels, and Pillow's mode."""

    digest: str
    width: int
    height: int
    mode: str


Look: TypeAlias = Fact | str  # or, in words, what is wrong with the file


def look(path: Path) -> Look:
    """What is in a picture file, all of which is decoded; or why it can't be taken."""
    try:
        data = gate.file_bytes(path, LIMIT)
        picture = gate.open_picture(data, LIMIT)
    except ArmatureError as error:
        return error.message
    height, width = picture.pixels.shape[:2]
    return Fact(hashlib.sha256(data).hexdigest(), width, height, picture.mode)


def look_at(
    root: Path, names: Iterable[str], *, cache: Path | None, workers: int | None, told: Told = untold
) -> dict[str, Look]:
    """What is in each of the files below a root. `cache` is a folder for what is known already."""
    wanted = list(dict.fromkeys(names))
    kept = Kept(root, cache)
    looks: dict[str, Look] = dict(kept.known(wanted))
    unknown = [name for name in wanted if name not in looks]
    if not unknown:
        return looks
    try:
        with several(workers if len(unknown) > ALONE else 1, at_once=AT_ONCE) as mapped:
            found = mapped(look, [root / name for name in unknown])
            for done, (name, answer) in enumerate(zip(unknown, found, strict=True), 1):
                looks[name] = answer
                told(done, len(unknown))
    finally:
        kept.keep(looks)
    return looks


@contextmanager
def several(workers: int | None, *, at_once: int = 1) -> Iterator[Callable[..., Iterable[Any]]]:
    """A `map` over so many processes, or over one for each processor; with one it is Python's own.

    A process is handed `at_once` things together. The processes are fresh ones: a copy of this one could
    inherit a lock that nobody opens any more.
    """
    number = workers or os.cpu_count() or 1
    if number == 1:
        yield map
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(number, context, cv2.setNumThreads, (1,)) as pool:
        try:
            yield partial(pool.map, chunksize=at_once)
        finally:
            pool.shutdown(cancel_futures=True)


class Kept:
    """Facts that outlive this run, in one file for each set; without a folder there are none."""

    def __init__(self, root: Path, folder: Path | None) -> None:
        self._root = root
        name = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
        self._path = folder / f"facts-{name}.json" if folder else None

    def known(self, names: Sequence[str]) -> dict[str, Fact]:
        """The facts about those files that are as they were."""
        if self._path is None or not self._path.is_file():
            return {}
        try:
            rows = gate.parse_json(self._path.read_bytes(), most_bytes=MOST_KEPT_BYTES)
        except ArmatureError:
            return {}  # they can be found out again
        assert isinstance(rows, dict)
        stamped = ((name, rows[name]) for name in names if name in rows)
        return {name: Fact(*fact) for name, (stamp, fact) in stamped if stamp == self._stamp(name)}

    def keep(self, looks: Mapping[str, Look]) -> None:
        """Write down what is known; what is wrong is looked at again next time."""
        if self._path is None:
            return
        rows = {
            name: (self._stamp(name), astuple(fact)) for name, fact in looks.items() if isinstance(fact, Fact)
        }

        def fill(file: BinaryIO) -> None:
            file.write(json.dumps(rows).encode())

        durable.write(self._path, fill)

    def _stamp(self, name: str) -> list[int]:
        """What changes when the file does; of a file that is gone, nothing."""
        try:
            status = (self._root / name).stat()
        except OSError:
            return []
        return [status.st_size, status.st_mtime_ns]
