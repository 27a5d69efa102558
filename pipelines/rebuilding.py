"""A damaged job book, made again from the pictures, which remember how they were made."""

import logging
import re
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path

from errors import ArmatureError
from pipelines import metadata
from pipelines.jobs import JobBook
from pipelines.metadata import Memory
from pipelines.request import Saved, SavedImage
from pipelines.results import IMAGES, job_of

log = logging.getLogger(__name__)

PICTURE = re.compile(r"\d{6}-[0-9a-f]{12}-\d+-seed\d+\.png")  # as `results` names them
PLAIN = re.compile(r"[\w-]+\.png")  # a file beside, and nowhere else
MOST = 2000  # pictures that are read: some seconds, and nobody leafs back further


def rebuild(book: JobBook, outputs: Path) -> int:
    """Enter the jobs whose pictures are still there, the newest of them; answers how many there were."""
    jobs = list(remembered(outputs))
    known = ((job_of(saved.images[0].path), saved.request, saved) for saved in reversed(jobs))
    book.enter("generate", known)
    log.warning("the job book has %d jobs again, from the pictures in the outputs", len(jobs))
    return len(jobs)


def remembered(outputs: Path) -> Iterator[Saved]:
    """The jobs of the pictures in a folder, newest first; what does not say how it was made is left."""
    ours = (path for path in (outputs / IMAGES).rglob("*.png") if PICTURE.fullmatch(path.name))
    newest = sorted(ours, reverse=True)
    for _, files in groupby(islice(newest, MOST), key=lambda path: (path.parent, job_of(path))):
        known = [(path, memory) for path in files if (memory := _memory(path))]
        if known:
            yield _saved(sorted(known, key=lambda entry: entry[1].image))


def _saved(pictures: list[tuple[Path, Memory]]) -> Saved:
    """The result that these pictures of one job were; how long it took, no picture knows."""
    path, first = pictures[0]
    return Saved(
        images=tuple(
            SavedImage(path=path, seed=memory.seed, agreement=memory.agreement) for path, memory in pictures
        ),
        maps=tuple(
            (one.condition, path.with_name(one.file)) for one in first.maps if PLAIN.fullmatch(one.file)
        ),
        request=first.request,
        notices=(),
        seconds=0.0,
    )


def _memory(path: Path) -> Memory | None:
    try:
        return metadata.memory_from_png(path)
    except (ArmatureError, OSError) as error:
        log.warning("%s is left out of the job book: %s", path.name, error)
        return None
