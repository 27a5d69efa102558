"""Sheets of pictures: many scenes at a glance, and the layers of a few."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from annotators.base import Pixels
from training.world import layers
from training.world.render import World, render

GAP = 4  # pixels between pictures
LAYERS: tuple[Callable[[World, int], Pixels], ...] = (
    layers.picture,
    layers.depth_map,
    layers.normal_map,
    layers.class_map,
    layers.pose_map,
    layers.line_map,
)


def sheet(pictures: Sequence[Pixels], columns: int) -> Pixels:
    """Pictures of one size, RGB uint8 (H, W, 3), in rows on white."""
    height, width = (side + GAP for side in pictures[0].shape[:2])
    rows = -(-len(pictures) // columns)
    canvas = np.full((rows * height + GAP, columns * width + GAP, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        top, left = GAP + row * height, GAP + column * width
        canvas[top : top + height - GAP, left : left + width - GAP] = picture
    return canvas


def scenes(seeds: Sequence[int], size: int, columns: int) -> Pixels:
    """The pictures of seeds."""
    world = render(seeds, size)
    return sheet([layers.picture(world, number) for number in range(len(seeds))], columns)


def layered(seeds: Sequence[int], size: int) -> Pixels:
    """A row for each seed: its picture, depth, normals, classes, pose and straight edges."""
    world = render(seeds, size)
    return sheet([layer(world, number) for number in range(len(seeds)) for layer in LAYERS], len(LAYERS))


def save(pixels: Pixels, path: Path) -> None:
    """Write a sheet; the ending says the format."""
    Image.fromarray(pixels).save(path, quality=88, method=6)
