"""Draws the pictures that the tabs are tried with: `python -m scripts.examples`.

They are scenes of the style and size that the built-in family knows, and none that it has learnt.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from annotators.base import Pixels
from training.family.drawn import HELD_OUT
from training.world import layers
from training.world.render import render
from ui.examples import EXAMPLES, FOLDER

SIZE = 256
QUALITY = 86


def drawn(seed: int) -> Pixels:
    """The picture of a seed beyond those that were learnt, RGB uint8 (256, 256, 3)."""
    return np.ascontiguousarray(layers.picture(render([HELD_OUT + seed], SIZE), 0))


def write(folder: Path) -> None:
    """The pictures of all examples that start from one."""
    folder.mkdir(exist_ok=True)
    for example in EXAMPLES.values():
        if example.seed is not None:
            path = folder / f"{example.name}.webp"
            Image.fromarray(drawn(example.seed)).save(path, quality=QUALITY, method=6)


if __name__ == "__main__":
    write(FOLDER)
