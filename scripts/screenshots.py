"""Takes the pictures of the studio for the README: `python -m scripts.screenshots http://127.0.0.1:7860`.

It does what a visitor would do, in the system's Chromium and against a studio that runs already.
"""

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browsing import HOW_TO_GET, Studio, draw_scene, find_chromium, start_chromium

ROOT = Path(__file__).parents[1]
# The file, the width and height of the screen, and the theme.
SHOTS = (
    ("studio.png", 1280, 900, "light"),
    ("studio-dark.png", 1280, 900, "dark"),
    ("studio-phone.png", 390, 844, "light"),
)


def main() -> None:
    """Take every shot."""
    given = _parser().parse_args()
    program = find_chromium()
    if program is None:
        raise SystemExit(f"screenshots: {HOW_TO_GET}")
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        picture = given.picture or draw_scene(Path(folder) / "scene.png")
        with start_chromium(driver, program) as browser:
            for name, width, height, theme in SHOTS:
                studio = _painted(browser, given, picture, width, height, theme)
                studio.page.screenshot(path=given.out / name)
                studio.page.context.close()
                print(given.out / name)


def _painted(
    browser: Browser, given: argparse.Namespace, picture: Path, width: int, height: int, theme: str
) -> Studio:
    """The studio with a picture and its map; and, where a model is worth showing, what was made of it."""
    context = browser.new_context(viewport={"width": width, "height": height}, is_mobile=width < 600)
    studio = Studio(context.new_page(), given.url)
    studio.open(f"?__theme={theme}")
    studio.drop(picture)
    studio.map_after()
    studio.page.fill("#prompt textarea", given.prompt)
    if given.paint:
        studio.generate()
        studio.picture_after()
        studio.page.locator("#progress .progress").wait_for(state="hidden")
    studio.page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0); }")
    studio.wait_until_idle()
    return studio


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.screenshots", description=__doc__)
    parser.add_argument("--no-paint", dest="paint", action="store_false", help="stop at the map")
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:7860", help="the studio (%(default)s)")
    parser.add_argument("--picture", type=Path, help="what to start from; without it one is drawn")
    parser.add_argument(
        "--prompt", default="a house in the hills at sunset, watercolour", help="(%(default)s)"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="(%(default)s)")
    return parser


if __name__ == "__main__":
    main()
