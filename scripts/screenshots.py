"""Takes the pictures of the studio for the docs: `python -m scripts.screenshots http://127.0.0.1:7860`.

It does what a visitor would do, in the system's Chromium and against a studio that runs already.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browsing import HOW_TO_GET, Studio, find_chromium, start_chromium
from ui.examples import EXAMPLES

ROOT = Path(__file__).parents[1]
# The file, the width and height of the screen, and the theme.
SHOTS = (
    ("studio.png", 1280, 900, "light"),
    ("studio-dark.png", 1280, 900, "dark"),
    ("studio-phone.png", 390, 844, "light"),
)
SHOWN = EXAMPLES["canny"]  # what is done by default
MODELS = ("models.png", 1280, 900, "light")


def main() -> None:
    """Take every shot."""
    given = _parser().parse_args()
    program = find_chromium()
    if program is None:
        raise SystemExit(f"screenshots: {HOW_TO_GET}")
    given.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver, start_chromium(driver, program) as browser:
        for name, width, height, theme in SHOTS:
            with _opened(browser, given.url, width, height, theme) as studio:
                _paint(studio, given)
                _shoot(studio, given.out / name)
        with _opened(browser, given.url, *MODELS[1:]) as studio:
            studio.page.get_by_role("tab", name="Models", exact=True).click()
            studio.page.wait_for_selector(".stock")
            _shoot(studio, given.out / MODELS[0])


@contextmanager
def _opened(browser: Browser, url: str, width: int, height: int, theme: str) -> Iterator[Studio]:
    """The studio on a screen of that size."""
    context = browser.new_context(viewport={"width": width, "height": height}, is_mobile=width < 600)
    studio = Studio(context.new_page(), url)
    studio.open(f"?__theme={theme}")
    yield studio
    context.close()


def _paint(studio: Studio, given: argparse.Namespace) -> None:
    """A picture and its map; and, where a model is worth showing, what was made of it."""
    studio.drop(given.picture)
    studio.map_after()
    studio.page.fill("#prompt textarea", given.prompt)
    if given.paint:
        studio.generate()
        studio.picture_after()
        studio.page.locator("#progress .progress").wait_for(state="hidden")


def _shoot(studio: Studio, path: Path) -> None:
    """Take one picture of the page as it is, from its top."""
    studio.page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0); }")
    studio.wait_until_idle()
    studio.page.screenshot(path=path)
    print(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.screenshots", description=__doc__)
    parser.add_argument("--no-paint", dest="paint", action="store_false", help="stop at the map")
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:7860", help="the studio (%(default)s)")
    parser.add_argument("--picture", type=Path, default=SHOWN.picture, help="what to start from")
    parser.add_argument("--prompt", default=SHOWN.prompt, help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="(%(default)s)")
    return parser


if __name__ == "__main__":
    main()
