"""Finished pictures on disk: each a PNG that carries the request that makes it again."""

import logging
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from annotators.base import Pixels
from pipelines import durable
from pipelines.request import Result, Saved, SavedImage

log = logging.getLogger(__name__)

CHUNK = "armature"  # the key of our JSON in a PNG
IMAGES, UNFINISHED = "images", "unfinished"


def todays(outputs: Path) -> Path:
    """The folder of today's pictures under an outputs folder."""
    return outputs / IMAGES / f"{datetime.now().astimezone():%Y-%m-%d}"


def save(result: Result, folder: Path, job_id: str, seconds: float) -> Saved:
    """Write the pictures and maps of a job into a folder; each is whole, or not there."""
    stem = f"{datetime.now().astimezone():%H%M%S}-{job_id[:12]}"
    images = []
    for index, (pixels, seed) in enumerate(zip(result.images, result.seeds, strict=True)):
        path = folder / f"{stem}-{index}-seed{seed}.png"
        write_png(path, pixels, {CHUNK: result.request.to_json()})
        images.append(SavedImage(path=path, seed=seed))
    maps = []
    for index, (unit, pixels) in enumerate(zip(result.request.controls, result.maps, strict=True)):
        path = folder / f"{stem}-map{index}-{unit.condition}.png"
        write_png(path, pixels, {})
        maps.append((unit.condition, path))
    return Saved(
        images=tuple(images),
        maps=tuple(maps),
        request=result.request,
        notices=result.notices,
        seconds=seconds,
    )


def write_png(path: Path, pixels: Pixels, texts: dict[str, str]) -> None:
    """An RGB uint8 (H, W, 3) picture with text chunks, written durably."""
    info = PngInfo()
    for key, text in texts.items():
        info.add_itxt(key, text)
    picture = Image.fromarray(pixels)
    durable.write(path, lambda file: picture.save(file, format="PNG", pnginfo=info))


def reconcile(outputs: Path, unfinished: Iterable[str]) -> int:
    """After a program that was killed: files left aside go, pictures of unfinished jobs step aside.

    `unfinished` are the ids of jobs that were interrupted; what had been saved for them is whole, but no row
    tells of it. It is moved out of sight, never deleted. Answers how many files were moved.
    """
    durable.clear_unfinished(outputs)
    return sum(set_aside(outputs, job_id) for job_id in unfinished)


def set_aside(outputs: Path, job_id: str) -> int:
    """Move the pictures of a job that is not done out of sight; answers how many there were."""
    orphans = list((outputs / IMAGES).rglob(f"*-{job_id[:12]}-*.png"))
    for path in orphans:
        target = outputs / UNFINISHED / path.name
        target.parent.mkdir(exist_ok=True)
        os.replace(path, target)
    return len(orphans)
