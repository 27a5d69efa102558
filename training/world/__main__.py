"""`python -m training.world sheet [FOLDER]`: the sheets of the docs, as docs/images has them."""

import argparse
import logging
from pathlib import Path

from training.world import sheet

log = logging.getLogger("armature")
IMAGES = Path(__file__).parents[2] / "docs" / "images"
FIRST = range(64)  # the first seeds there are, none of them chosen
SHOWN = (0, 26, 28, 37, 45, 60)  # those whose layers are shown


def main() -> None:
    """Draw both sheets and write them."""
    parser = argparse.ArgumentParser(prog="python -m training.world", description=__doc__)
    parser.add_argument("command", choices=["sheet"])
    parser.add_argument("folder", nargs="?", type=Path, default=IMAGES, help="where to (%(default)s)")
    given = parser.parse_args()
    sheet.save(sheet.scenes(FIRST, 192, 8), given.folder / "world-64.webp")
    sheet.save(sheet.layered(SHOWN, 192), given.folder / "world-layers.webp")
    log.info("Two sheets are in %s", given.folder)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
