"""One app and one Chromium for all tests of the page; a visitor of its own for each test.

Every test also holds that the browser met no error and asked nobody beyond this machine.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from models.store import Store
from tests.browsing import HOW_TO_GET, Studio, draw_scene, find_chromium, start_chromium
from tests.serving import App, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

Visit = Callable[..., Studio]
FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser, and goes last: its driver keeps an event loop."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
    items.sort(key=lambda item: here in item.path.parents)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Let the fixtures know whether their test has failed."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report  # type: ignore[return-value]


@pytest.fixture(scope="package")
def browser() -> Iterator["Browser"]:
    """The system's Chromium, without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: make test installs it")
    program = find_chromium()
    if program is None:
        pytest.skip(HOW_TO_GET)
    with playwright.sync_playwright() as driver, start_chromium(driver, program) as browser:
        yield browser


@pytest.fixture(scope="package")
def app(browser: "Browser", store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The real program with the tiny family."""
    with serving(tmp_path_factory.mktemp("app"), store.weights) as app:
        yield app


@dataclass
class Seen:
    """What the browser met that it should not have met."""

    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def watch(self, page: "Page") -> None:
        """Write down the errors of a page, and its requests to other machines."""
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._look(request.url))

    def _hear(self, message: "ConsoleMessage") -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} at {message.location}")

    def _look(self, url: str) -> None:
        host = urlsplit(url).hostname
        if host not in (None, "localhost", "127.0.0.1"):
            self.outside.append(url)


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Iterator[Seen]:
    """What the pages of this test met; nothing, in the end."""
    seen = Seen()
    yield seen
    if not request.node.stash.get(FAILED, False):
        assert seen == Seen()


@pytest.fixture
def visit(
    request: pytest.FixtureRequest, browser: "Browser", app: App, seen: Seen, tmp_path: Path
) -> Iterator[Visit]:
    """`visit(query, width=..., height=...)`: the page, open and ready, for a visitor of its own."""
    with ExitStack() as visits:

        def visited(query: str = "", *, width: int = 1280, height: int = 900, **options: Any) -> Studio:
            context = browser.new_context(viewport={"width": width, "height": height}, **options)
            visits.callback(context.close)
            page = context.new_page()
            visits.callback(_keep_if_failed, request, page, tmp_path)
            seen.watch(page)
            studio = Studio(page, app.url)
            studio.open(query)
            return studio

        yield visited


def _keep_if_failed(request: pytest.FixtureRequest, page: "Page", folder: Path) -> None:
    if request.node.stash.get(FAILED, False):
        number = len(list(folder.glob("failed-*.png")))
        page.screenshot(path=folder / f"failed-{number}.png", full_page=True)


@pytest.fixture
def studio(visit: Visit) -> Studio:
    """The page on a screen of usual size."""
    return visit()


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn picture."""
    return draw_scene(tmp_path_factory.mktemp("scene") / "scene.png")
