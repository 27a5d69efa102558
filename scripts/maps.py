"""Makes the pictures of docs/annotators.md from our own scene: `python -m scripts.maps`.

Every annotator that needs no weights has one. Those of the others would have to be made with files that are
no part of this project, and some of them may be used for research only: so there are none.
"""

from pathlib import Path
from typing import Any

from PIL import Image

from annotators import ANNOTATORS, Annotator, annotate
from annotators.base import Pixels, Source
from scripts import scene

FOLDER = Path(__file__).parents[1] / "docs" / "images" / "annotators"
SCENE = "scene"  # beside the maps: what they are of
WIDTH = 448
TEXT = "https://example.org"
STARTS_FROM_DEPTH = ("normal_from_depth",)


def shown() -> tuple[Annotator, ...]:
    """The annotators that have a picture."""
    return tuple(annotator for annotator in ANNOTATORS.values() if not annotator.weights)


def picture_of(name: str) -> Path:
    """Where the picture of an annotator's map is."""
    return FOLDER / f"{name}.webp"


def made() -> dict[str, Pixels]:
    """The scene and every map of it, RGB uint8 (H, W, 3), by name."""
    sources: dict[Source, Any] = {"picture": scene.picture(), "pose": scene.pose(), "text": TEXT}
    depth = scene.depth()
    maps = {
        annotator.name: annotate(
            annotator.name,
            depth if annotator.name in STARTS_FROM_DEPTH else sources[annotator.source],
            resolution=scene.HEIGHT,
        ).map
        for annotator in shown()
    }
    return {SCENE: sources["picture"]} | maps


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, pixels in made().items():
        small(pixels).save(picture_of(name), quality=82, method=6)
        print(picture_of(name))


def small(pixels: Pixels) -> Image.Image:
    """A picture as wide as the docs show it."""
    image = Image.fromarray(pixels)
    return image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
