"""Finished pictures on disk: each a PNG that carries the request that makes it again."""

import logging
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from annotators.base import Pixels
from errors import DIR_READONLY, ours
from pipelines import durable, metadata
from pipelines.request import Result, Saved, SavedImage

log = logging.getLogger(__name__)

IMAGES, UNFINISHED = "images", "unfinished"
MARK = 12  # characters of a job's id in the names of its files
NOT_KEPT = str(
    DIR_READONLY(
        "These pictures are not in the outputs folder, which can't be written to",
        todo="Download them now, and give the program write access",
    )
)


def todays(outputs: Path) -> Path:
    """The folder of today's pictures under an outputs folder."""
    return outputs / IMAGES / f"{datetime.now().astimezone():%Y-%m-%d}"


def save_today(result: Result, outputs: Path, job_id: str, seconds: float) -> Saved:
    """Save a job's pictures in today's folder; where nothing may be written, among the temporary files.

    There they can be shown and downloaded, and a notice says so. A disk that is full or broken is an error.
    """
    try:
        return save(result, todays(outputs), job_id, seconds)
    except OSError as error:
        if ours(error).code is not DIR_READONLY:
            raise
    set_aside(outputs, job_id)
    folder = Path(tempfile.mkdtemp(prefix="armature-"))
    log.warning("the outputs folder can't be written to; the pictures of job %s are in %s", job_id, folder)
    saved = save(result, folder, job_id, seconds)
    return replace(saved, notices=(*saved.notices, NOT_KEPT))


def save(result: Result, folder: Path, job_id: str, seconds: float) -> Saved:
    """Write the pictures of a job and what they were made from into a folder; each is whole, or not there."""
    stem = f"{datetime.now().astimezone():%H%M%S}-{job_id[:MARK]}"
    maps = []  # first, since the pictures name them
    for index, (unit, pixels) in enumerate(zip(result.request.controls, result.maps, strict=True)):
        path = folder / f"{stem}-map{index}-{unit.condition}.png"
        write_png(path, pixels, {})
        maps.append((unit.condition, path))
    others = []
    for what, pixels in zip(result.request.others, result.others, strict=True):
        others.append(folder / f"{stem}-{what}.png")
        write_png(others[-1], pixels, {})
    images = []
    for index, (pixels, seed) in enumerate(zip(result.images, result.seeds, strict=True)):
        path = folder / f"{stem}-{index}-seed{seed}.png"
        beside = metadata.texts(
            result, index, [map.name for _, map in maps], [other.name for other in others]
        )
        write_png(path, pixels, beside)
        agreement = result.agreement[index] if result.agreement else ()
        images.append(SavedImage(path=path, seed=seed, agreement=agreement))
    return Saved(
        images=tuple(images),
        maps=tuple(maps),
        request=result.request,
        notices=result.notices,
        seconds=seconds,
    )


def write_png(path: Path, pixels: Pixels, texts: Mapping[str, str]) -> None:
    """An RGB uint8 (H, W, 3) picture with text chunks, written durably.

    A text that Latin-1 can hold goes into the older kind of chunk, which every tool reads.
    """
    info = PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    picture = Image.fromarray(pixels)
    durable.write(path, lambda file: picture.save(file, format="PNG", pnginfo=info))


def job_of(path: Path) -> str:
    """The beginning of a job's id, from the name of one of its pictures."""
    return "".join(path.name.split("-")[1:2])


def reconcile(outputs: Path, undone: Iterable[str]) -> int:
    """After a program that was killed: files left aside go, pictures of jobs that are not done step aside.

    `undone` are the ids of all such jobs in the book, also those that failed or were cancelled: the program
    may have been killed before it could clear away, at its last start too. What no book knows stays.
    Answers how many pictures were moved.
    """
    durable.clear_unfinished(outputs)
    marks = {job_id[:MARK] for job_id in undone}
    orphans = [path for path in (outputs / IMAGES).rglob("*.png") if job_of(path) in marks]
    return sum(_hidden(outputs, path) for path in orphans)


def set_aside(outputs: Path, job_id: str) -> int:
    """Move the pictures of a job that is not done out of sight; answers how many there were."""
    found = list((outputs / IMAGES).rglob(f"*-{job_id[:MARK]}-*"))
    for path in found:
        if durable.ASIDE in path.name:  # of a worker that was killed as it wrote
            with suppress(OSError):
                path.unlink()
    return sum(_hidden(outputs, path) for path in found if path.suffix == ".png")


def _hidden(outputs: Path, path: Path) -> bool:
    """Moved, never deleted. One that can't be moved now is moved at the next start."""
    target = outputs / UNFINISHED / path.name
    try:
        target.parent.mkdir(exist_ok=True)
        os.replace(path, target)
    except OSError as error:
        log.warning("a picture of a job that is not done could not be moved aside: %s", ours(error))
        return False
    return True
