"""Small data sets on the disk, for the tests of everything that reads one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from annotators.base import Pixels


def picture(number: int, width: int = 64, height: int = 64) -> Pixels:
    """A picture of its own for each number, RGB uint8 (height, width, 3): two boxes on a plain ground."""
    generator = np.random.default_rng(number)
    pixels = np.full((height, width, 3), generator.integers(0, 256, 3), np.uint8)
    for _ in range(2):
        top, left = generator.integers(0, (height // 2, width // 2))
        pixels[top : top + height // 3, left : left + width // 3] = generator.integers(0, 256, 3)
    return pixels


def save(path: Path, pixels: Pixels) -> Path:
    """A picture as a file; the suffix says in which format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def captioned(folder: Path, count: int = 3, **size: int) -> Path:
    """A folder of pictures with captions beside them."""
    for number in range(count):
        save(folder / f"{number}.png", picture(number, **size))
        (folder / f"{number}.txt").write_text(f"thing {number}\n")
    return folder


def row(number: int) -> dict[str, Any]:
    """A line of the original's list."""
    return {"source": f"source/{number}.png", "target": f"target/{number}.png", "prompt": f"thing {number}"}


def listed(folder: Path, count: int = 3) -> Path:
    """A set in the original's layout; each hint is its target's negative."""
    for number in range(count):
        save(folder / "target" / f"{number}.png", picture(number))
        save(folder / "source" / f"{number}.png", 255 - picture(number))
    write_list(folder, [json.dumps(row(number)) for number in range(count)])
    return folder


def write_list(folder: Path, lines: list[str], name: str = "prompt.json") -> None:
    """The list of a set, line by line."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes("".join(f"{line}\n" for line in lines).encode())
