"""Finished pictures on disk: each a PNG that carries the request that makes it again."""

import secrets
from datetime import datetime
from os import replace
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from annotators.base import Pixels
from pipelines.request import Result, Saved, SavedImage

CHUNK = "armature"  # the key of our JSON in a PNG


def todays(outputs: Path) -> Path:
    """The folder of today's pictures under an outputs folder."""
    return outputs / "images" / f"{datetime.now().astimezone():%Y-%m-%d}"


def save(result: Result, folder: Path, seconds: float) -> Saved:
    """Write the pictures and maps of a result into a folder, each aside first and then in place."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{datetime.now().astimezone():%H%M%S}-{secrets.token_hex(4)}"
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
    """An RGB uint8 (H, W, 3) picture with text chunks; whoever looks finds all of it or nothing."""
    info = PngInfo()
    for key, text in texts.items():
        info.add_itxt(key, text)
    aside = path.with_name(f"{path.name}.tmp-{secrets.token_hex(4)}")
    Image.fromarray(pixels).save(aside, format="PNG", pnginfo=info)
    replace(aside, path)
