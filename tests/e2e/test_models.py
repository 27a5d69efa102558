"""The Models tab: fetching with a pause from a Hub on loopback, a wrong file in words, and memory freed."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from annotators import ANNOTATORS
from models.store import Store
from pipelines.request.fetching import in_words
from tests.annotators import random_weights
from tests.browsing import PATIENCE, Studio
from tests.e2e.conftest import Seen
from tests.e2e.test_jobs import forgive_the_cut, reload
from tests.fake_hub import FakeHub, fake_hub
from tests.models import made_files
from tests.serving import App, serving, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAME, FILE, REPO = "softedge_pidi", "table5_pidinet.pth", "lllyasviel/Annotators"
ROW = f'.stock [data-row="{NAME}"]'


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHub]:
    """A Hub that has random weights in the layout of PiDiNet's file."""
    with fake_hub() as hub:
        store = Store(tmp_path_factory.mktemp("random"))
        random_weights.write(store, NAME)
        (file,) = store.annotator_files(ANNOTATORS[NAME].weights)
        hub.add(REPO, FILE, file.read_bytes())
        yield hub


@pytest.fixture(scope="module")
def weights(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny family, in a folder of its own."""
    folder = tmp_path_factory.mktemp("models") / "weights"
    shutil.copytree(store.weights, folder)
    return folder


@pytest.fixture(scope="module")
def program(
    hub: FakeHub, browser: "Browser", weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    """The real program beside that Hub."""
    with serving(tmp_path_factory.mktemp("app"), weights, environment={"HF_ENDPOINT": hub.url}) as app:
        yield app


@pytest.fixture
def studio(program: App, browser: "Browser", seen: Seen) -> Iterator[Studio]:
    """The page of that program, at its Models tab."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    seen.watch(page)
    studio = Studio(page, program.url)
    studio.open()
    open_models(studio)
    yield studio
    context.close()


def open_models(studio: Studio) -> None:
    """Open the tab, and wait until it is drawn."""
    studio.page.get_by_role("tab", name="Models", exact=True).click()
    studio.page.wait_for_selector(".stock", timeout=PATIENCE)


def press(studio: Studio, where: str, words: str) -> None:
    """Press a button of the tab by its words."""
    studio.page.locator(f"{where} button", has_text=words).first.click()


def test_fetched_with_a_pause_used_and_removed(
    studio: Studio, seen: Seen, hub: FakeHub, weights: Path, scene: Path
) -> None:
    size = in_words(len(hub.files[f"{REPO}/{FILE}"]))
    studio.wait_for_text(ROW, "for research only · lllyasviel/Annotators")
    assert hub.asked == [], "nothing is asked before somebody wants it"
    press(studio, ROW, "Get")
    studio.wait_for_text(f"{ROW} .ask", f"1 file, {size}, from {REPO} (licence: for research only)")
    assert hub.bodies() == []

    hub.fail(FILE, "holds", 1)
    press(studio, ROW, f"Fetch {size}")
    studio.wait_for_text(f"{ROW} .told", f"of {size}")
    reload(studio, seen)
    open_models(studio)
    studio.wait_for_text(f"{ROW} .told", f"of {size}")
    press(studio, ROW, "Pause")
    studio.wait_for_text(f"{ROW}.paused .told", "Paused: ")
    forgive_the_cut(seen)
    hub.go.set()

    press(studio, ROW, "Resume")
    studio.page.wait_for_selector(f"{ROW}.here", timeout=PATIENCE)
    (file,) = Store(weights).annotator_files(ANNOTATORS[NAME].weights)
    assert file.read_bytes() == hub.files[f"{REPO}/{FILE}"]
    studio.wait_for_text("#models-disk", "annotators")

    studio.choose_tab("Soft edges", "softedge")
    studio.page.locator("#softedge-annotator input").click()
    studio.page.get_by_role("option", name=ANNOTATORS[NAME].label).click()
    studio.drop(scene, "softedge")
    studio.wait_for_text("#softedge-notes", "press Annotate")
    studio.page.click("#softedge-annotate")
    studio.map_after(condition="softedge")

    open_models(studio)
    studio.wait_for_text("#models-memory", f"Annotator {NAME}")
    press(studio, ROW, "Remove")
    studio.wait_for_text(f"{ROW} .ask", f"Remove {size} from the disk?")
    press(studio, f"{ROW} .ask", "Remove")
    studio.page.wait_for_selector(f"{ROW}.absent", timeout=PATIENCE)
    assert not file.exists()


def test_a_wrong_file_is_refused_in_words_until_it_is_gone(studio: Studio, weights: Path) -> None:
    """A LoRA among the bases, laid there while the page is open: no restart, no reload."""
    row = '.stock [data-row="bases/ink.safetensors"]'
    wrong = made_files.write(weights / "bases" / "ink.safetensors", made_files.kohya(768))
    press(studio, ".stock", "Refresh")
    studio.wait_for_text(f"{row}.refused .refusal", "ink.safetensors is not a base")
    words = studio.text(f"{row} .refusal")
    assert "found: a LoRA for Stable Diffusion 1.5" in words
    assert "Put it into weights/loras" in words
    studio.wait_for_text(".stock .facts", "1 of no use")

    right = weights / "loras" / "ink.safetensors"
    right.parent.mkdir(exist_ok=True)
    wrong.rename(right)
    press(studio, ".stock", "Refresh")
    studio.page.wait_for_selector('.stock [data-row="loras/ink.safetensors"].here', timeout=PATIENCE)
    studio.page.wait_for_selector(row, state="detached", timeout=PATIENCE)


def test_what_is_in_memory_is_freed_and_comes_back_with_the_next_picture(studio: Studio, scene: Path) -> None:
    studio.wait_for_text("#models-memory", "U-Net")
    press(studio, "#models-memory", "Unload all")
    studio.wait_for_text("#models-memory", "freed")
    studio.wait_for_text("#models-memory", "a job loads what it needs")
    studio.choose_tab("Canny", "canny")
    studio.drop(scene)
    studio.map_after()
    studio.generate()
    studio.picture_after()
    open_models(studio)
    studio.wait_for_text("#models-memory", "control")


def test_it_takes_keys_alone_and_the_shared_panel_steps_aside(studio: Studio) -> None:
    assert not studio.page.locator("#prompts").is_visible()
    get = studio.page.locator('.stock [data-row="sd15"] button')
    get.focus()
    assert get.get_attribute("aria-label") == "Get: Base"
    until(lambda: studio.page.evaluate("document.activeElement.dataset.do") == "offer", seconds=10)
    studio.page.keyboard.press("Enter")
    studio.wait_for_text('.stock [data-row="sd15"] .refusal', "The Hub does not have this file")
    studio.choose_tab("Canny", "canny")
    assert studio.page.locator("#prompts").is_visible()


def test_a_base_of_ones_own_can_be_chosen_as_soon_as_it_lies_there(studio: Studio, weights: Path) -> None:
    shutil.copytree(weights / "pocket" / "base", weights / "bases" / "mine", dirs_exist_ok=True)
    press(studio, ".stock", "Refresh")
    studio.page.wait_for_selector('.stock [data-row="bases/mine"].here', timeout=PATIENCE)
    studio.choose_tab("Canny", "canny")
    studio.open_settings()
    studio.page.locator("#model input").click()
    studio.page.get_by_role("option", name="mine").wait_for(timeout=PATIENCE)
