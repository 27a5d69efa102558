"""The set of the original's tutorial, drawn here: coloured circles on coloured grounds, and their outlines.

    python cli.py dataset fill50k FOLDER

It has the original's layout: `prompt.json`, `source/` with white outlines on black, `target/` with circles.
A prompt is "<colour> circle with <colour> background". The same seed draws the same pairs, one by one.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

import gate
from annotators.base import Pixels
from errors import TARGET_TAKEN, ArmatureError
from gate import LIMITS
from pipelines import durable
from training.facts import Told, several, untold

# The names of CSS in single words, one for each colour.
NAMES = """
alice blue, antique white, aqua, aqua marine, azure, beige, bisque, black, blanched almond, blue, blue
violet, brown, burly wood, cadet blue, chartreuse, chocolate, coral, cornflower blue, corn silk, crimson,
dark blue, dark cyan, dark golden rod, dark gray, dark green, dark khaki, dark magenta, dark olive green,
dark orange, dark orchid, dark red, dark salmon, dark sea green, dark slate blue, dark slate gray, dark
turquoise, dark violet, deep pink, deep sky blue, dim gray, dodger blue, fire brick, floral white, forest
green, gainsboro, ghost white, gold, golden rod, gray, green, green yellow, honey dew, hot pink, indian red,
indigo, ivory, khaki, lavender, lavender blush, lawn green, lemon chiffon, light blue, light coral, light
cyan, light golden rod yellow, light gray, light green, light pink, light salmon, light sea green, light sky
blue, light slate gray, light steel blue, light yellow, lime, lime green, linen, magenta, maroon, medium
aqua marine, medium blue, medium orchid, medium purple, medium sea green, medium slate blue, medium spring
green, medium turquoise, medium violet red, midnight blue, mint cream, misty rose, moccasin, navajo white,
navy, old lace, olive, olive drab, orange, orange red, orchid, pale golden rod, pale green, pale turquoise,
pale violet red, papaya whip, peach puff, peru, pink, plum, powder blue, purple, rebecca purple, red, rosy
brown, royal blue, saddle brown, salmon, sandy brown, sea green, sea shell, sienna, silver, sky blue, slate
blue, slate gray, snow, spring green, steel blue, tan, teal, thistle, tomato, turquoise, violet, wheat,
white, white smoke, yellow, yellow green
"""
Colour: TypeAlias = tuple[int, ...]
COLOURS: Mapping[str, Colour] = MappingProxyType(
    {
        name: ImageColor.getrgb(name.replace(" ", ""))
        for name in (entry.strip() for entry in NAMES.replace("\n", " ").split(","))
    }
)
BLACK, WHITE = COLOURS["black"], COLOURS["white"]
APART = 60  # the least distance of two colours in RGB: what nobody can tell apart teaches nothing
SMALLEST, LARGEST = 0.08, 0.42  # radii, in sides; a circle lies in the picture as a whole
STROKE = 1 / 256  # the outline's width, in sides, and at least a pixel
TOGETHER = 64  # pairs that are drawn at a time
LIST, RECIPE = "prompt.json", "fill50k.json"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What makes one such set: the side of its pictures, and a seed."""

    size: int = 512
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """One pair before it is drawn; the centre and the radius are in pixels."""

    number: int
    colour: str
    ground: str
    x: float
    y: float
    radius: float

    @property
    def prompt(self) -> str:
        """What the target shows, in the original's words."""
        return f"{self.colour} circle with {self.ground} background"

    def line(self) -> str:
        """The pair in the list."""
        name = f"{self.number}.png"
        row = {"source": f"source/{name}", "target": f"target/{name}", "prompt": self.prompt}
        return json.dumps(row)


def circle(recipe: Recipe, number: int) -> Circle:
    """The circle of that number; which others are drawn makes no difference."""
    generator = np.random.default_rng((recipe.seed, number))
    names = list(COLOURS)
    colour = ground = names[0]
    while np.linalg.norm(np.subtract(COLOURS[colour], COLOURS[ground])) < APART:
        colour, ground = (names[place] for place in generator.integers(len(names), size=2))
    radius = generator.uniform(SMALLEST, LARGEST) * recipe.size
    x, y = generator.uniform(radius, recipe.size - radius, 2)
    return Circle(number=number, colour=colour, ground=ground, x=float(x), y=float(y), radius=radius)


def drawn(circle: Circle, size: int) -> tuple[Pixels, Pixels]:
    """Source and target of a circle, RGB uint8 (size, size, 3); borders are as smooth as pixels can be."""
    half = max(1.0, STROKE * size) / 2
    reach = circle.radius + half + 1
    left, right, top, bottom = (
        int(min(max(edge, 0), size))
        for edge in (circle.x - reach, circle.x + reach + 1, circle.y - reach, circle.y + reach + 1)
    )
    columns = np.arange(left, right, dtype=np.float32) + np.float32(0.5 - circle.x)
    rows = np.arange(top, bottom, dtype=np.float32)[:, None] + np.float32(0.5 - circle.y)
    away = np.sqrt(columns**2 + rows**2) - np.float32(circle.radius)
    box = slice(top, bottom), slice(left, right)
    ground = COLOURS[circle.ground]
    source, target = (np.full((size, size, 3), colour, np.uint8) for colour in (BLACK, ground))
    source[box] = _blend(np.float32(half) - np.abs(away), BLACK, WHITE)
    target[box] = _blend(-away, ground, COLOURS[circle.colour])
    return source, target


def _blend(depth: NDArray[np.float32], outside: Colour, inside: Colour) -> Pixels:
    """Two colours (H, W, 3) by how deep (H, W) the centre of a pixel lies inside: half of each at 0."""
    share = np.clip(depth * np.float32(255) + np.float32(128), 0, 255).astype(np.uint8)
    table = np.rint(np.linspace(outside, inside, 256)).astype(np.uint8)
    return np.asarray(cv2.merge([cv2.LUT(share, column) for column in table.T.copy()]), np.uint8)


def make(
    folder: Path, recipe: Recipe, count: int, *, workers: int | None = None, told: Told = untold
) -> Path:
    """Draw the first `count` pairs into a folder, and answer where their list is.

    What is there already stays; the list comes last, so that a set with a list is whole.
    """
    _claim(folder, recipe)
    for name in ("source", "target"):
        durable.make_folder(folder / name)
    parts = [range(first, min(first + TOGETHER, count)) for first in range(0, count, TOGETHER)]
    done = 0
    with several(workers if len(parts) > 2 else 1) as mapped:
        for part in mapped(partial(_draw, folder, recipe), parts):
            done += part
            told(done, count)
    lines = "".join(f"{circle(recipe, number).line()}\n" for number in range(count))
    _write(folder / LIST, lines)
    return folder / LIST


def _claim(folder: Path, recipe: Recipe) -> None:
    """Sets do not mix: a folder belongs to one recipe, and to nobody's pictures besides."""
    known = folder / RECIPE
    if known.is_file():
        found = gate.parse_json(known.read_bytes(), most_bytes=LIMITS["local"].json_bytes)
        if found != asdict(recipe):
            raise _taken(f"circles of another recipe, {json.dumps(found)}")
        return
    if folder.exists() and any(folder.iterdir()):
        raise _taken("other files")
    _write(known, json.dumps(asdict(recipe)))


def _taken(found: str) -> ArmatureError:
    return TARGET_TAKEN(
        "The folder holds something else",
        found=found,
        allowed="an empty or a new folder, or these very circles",
        todo="Name another folder",
    )


def _write(path: Path, text: str) -> None:
    def fill(file: BinaryIO) -> None:
        file.write(text.encode())

    durable.write(path, fill)


def _draw(folder: Path, recipe: Recipe, numbers: range) -> int:
    """Draw those pairs that are not there; answers how many are there now."""
    for number in numbers:
        places = [folder / part / f"{number}.png" for part in ("source", "target")]
        if not all(_is_there(place) for place in places):
            for place, pixels in zip(places, drawn(circle(recipe, number), recipe.size), strict=True):
                _save(place, pixels)
    return len(numbers)


def _is_there(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _save(path: Path, pixels: Pixels) -> None:
    """Whole or not there, but maybe not on the disk yet: to flush each takes longer than to draw them all."""
    aside = path.with_name(f"{path.name}{durable.ASIDE}")
    with open(aside, "wb") as file:
        Image.fromarray(pixels).save(file, format="PNG", compress_level=1)
    os.replace(aside, path)
