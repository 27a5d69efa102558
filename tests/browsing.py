"""The studio in a real Chromium: how it is started, and the few things that a person does on the page."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

HOW_TO_GET = "needs Chromium: apt-get install chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
)
PATIENCE = 60_000  # milliseconds; for what takes one or two on a machine that is not busy


def find_chromium() -> str | None:
    """The program of the system's own Chromium."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def start_chromium(playwright: "Playwright", program: str) -> "Browser":
    """A browser without a window, that renders WebGL in software and calls nobody by itself."""
    return playwright.chromium.launch(executable_path=program, args=list(FLAGS))


def draw_scene(path: Path, width: int = 640, height: int = 480) -> Path:
    """A drawn house in the hills: strong edges, and faint ones in the sky."""
    image = Image.new("RGB", (width, height), (186, 214, 238))
    draw = ImageDraw.Draw(image)

    def at(*places: tuple[float, float]) -> list[tuple[int, int]]:
        return [(round(x * width), round(y * height)) for x, y in places]

    for x, y in ((0.1, 0.1), (0.2, 0.07), (0.28, 0.12), (0.52, 0.06), (0.6, 0.1)):
        draw.ellipse(at((x, y), (x + 0.12, y + 0.09)), fill=(206, 226, 242) if x < 0.4 else (226, 236, 246))
    draw.ellipse(at((0.76, 0.08), (0.9, 0.26)), fill=(250, 214, 92))
    draw.polygon(at((0, 0.62), (0.3, 0.42), (0.62, 0.64), (1, 0.46), (1, 1), (0, 1)), fill=(104, 150, 92))
    draw.rectangle(at((0.3, 0.46), (0.66, 0.82)), fill=(206, 120, 84), outline=(70, 40, 30), width=3)
    draw.polygon(at((0.26, 0.46), (0.48, 0.22), (0.7, 0.46)), fill=(120, 52, 48), outline=(60, 26, 24))
    draw.rectangle(at((0.44, 0.6), (0.52, 0.82)), fill=(84, 56, 40))
    for x in (0.34, 0.56):
        draw.rectangle(at((x, 0.54), (x + 0.06, 0.63)), fill=(238, 240, 220), outline=(70, 40, 30), width=3)
    image.save(path)
    return path


class Studio:
    """The page as a person uses it: every step waits for what it brings about."""

    def __init__(self, page: "Page", url: str) -> None:
        self.page = page
        self.url = url

    def open(self, query: str = "") -> None:
        """Load the page, and wait until it is there and the models are ready."""
        self.page.goto(f"{self.url}/{query}")
        self.page.wait_for_selector("#canny-generate", timeout=PATIENCE)
        self.page.wait_for_selector("#pill .ready", timeout=PATIENCE)

    def choose_tab(self, title: str, condition: str) -> None:
        """Open a tab by its title."""
        self.page.get_by_role("tab", name=title, exact=True).click()
        self.page.wait_for_selector(f"#{condition}-picture", state="visible", timeout=PATIENCE)

    def drop(self, picture: Path, condition: str = "canny") -> None:
        """Bring a picture, without waiting for what comes of it."""
        self.page.set_input_files(f"#{condition}-picture input[type=file]", picture)

    def map_after(self, before: str = "", condition: str = "canny") -> str:
        """The address of the map once it is another than before and has loaded."""
        return self._loaded(f"#{condition}-map img", before)

    def mask_after(self, before: str = "", condition: str = "start") -> str:
        """The address of the picture that is painted on once it is another than before and has loaded."""
        return self._loaded(f"#{condition}-mask img", before)

    def paint(self, selector: str, *places: tuple[float, float]) -> None:
        """One stroke of the brush there, through places across and down from 0 to 1."""
        canvas = self.page.locator(f"{selector} canvas")
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box, f"{selector} is not there to paint on"
        for index, (x, y) in enumerate(places):
            self.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
            if not index:
                self.page.mouse.down()
        self.page.mouse.up()
        self.page.wait_for_selector(f"{selector} .painted", timeout=PATIENCE)

    def picture_after(self, before: str = "") -> str:
        """The address of the newest picture in the gallery once it is another than before and has loaded."""
        return self._loaded("#gallery img", before)

    def _loaded(self, selector: str, before: str) -> str:
        found = self.page.wait_for_function(
            """([selector, before]) => {
                const image = document.querySelector(selector);
                return image && image.src !== before && image.complete && image.naturalWidth > 0 && image.src;
            }""",
            arg=[selector, before],
            timeout=PATIENCE,
        )
        return str(found.json_value())

    def gallery(self) -> list[str]:
        """The addresses of all pictures in the gallery."""
        found = self.page.eval_on_selector_all("#gallery img", "images => images.map(image => image.src)")
        return [str(address) for address in found]

    def set_number(self, name: str, value: float) -> None:
        """Type a number into a control, and leave it.

        A control that has only just come into being may take back its first value: type it again then.
        """
        box = self.page.locator(f"#{name} input[type=number]")
        for _ in range(10):
            box.fill(f"{value:g}")
            box.blur()
            self.wait_until_idle()
            if box.input_value() == f"{value:g}":
                return
        raise AssertionError(f"{name} does not keep {value:g}")

    def set_size(self, size: str) -> None:
        """Type the size of the pictures, and leave it."""
        box = self.page.locator("#size input")
        for _ in range(10):
            box.fill(size)
            box.press("Enter")
            box.blur()
            self.wait_until_idle()
            if box.input_value() == size:
                return
        raise AssertionError(f"the size does not keep {size}")

    def wait_until_idle(self) -> None:
        """Wait until the browser has nothing to do for the page."""
        idle = "() => new Promise(done => requestIdleCallback(done))"
        for _ in range(2):
            self.page.evaluate(idle)

    def open_settings(self) -> None:
        """Fold the settings open."""
        self.page.locator("#settings > button").click()
        self.page.wait_for_selector("#steps", state="visible", timeout=PATIENCE)
        self.wait_until_idle()

    def text(self, selector: str) -> str:
        """What stands somewhere on the page."""
        return self.page.locator(selector).first.inner_text()

    def wait_for_text(self, selector: str, text: str) -> None:
        """Wait until something on the page says that."""
        self.page.locator(selector, has_text=text).first.wait_for(timeout=PATIENCE)

    def wait_for_step(self) -> None:
        """Wait until a running generation has made its first step."""
        self.wait_for_text("#progress", "step ")

    def generate(self, condition: str = "canny") -> None:
        """Press Generate, without waiting for what comes of it."""
        self.page.click(f"#{condition}-generate")
