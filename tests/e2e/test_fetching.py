"""Getting weights on the page, from a Hub on loopback: what it costs, a bar meanwhile, and then the map."""

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
from tests.e2e.test_jobs import forgive_the_cut
from tests.fake_hub import FakeHub, fake_hub
from tests.serving import App, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAME, FILE, REPO = "softedge_pidi", "table5_pidinet.pth", "lllyasviel/Annotators"
GET = "#softedge-get-method"


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
def bare(hub: FakeHub, browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The real program without a single file of weights."""
    folder = tmp_path_factory.mktemp("bare")
    with serving(folder, folder / "weights", environment={"HF_ENDPOINT": hub.url}) as app:
        yield app


@pytest.fixture
def studio(bare: App, browser: "Browser", seen: Seen) -> Iterator[Studio]:
    """The page of that program."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    seen.watch(page)
    studio = Studio(page, bare.url)
    studio.open()
    yield studio
    context.close()


def choose_annotator(studio: Studio, label: str) -> None:
    """Choose how the soft edges are found."""
    studio.choose_tab("Soft edges", "softedge")
    studio.page.locator("#softedge-annotator input").click()
    studio.page.get_by_role("option", name=label).click()


def test_from_a_missing_file_to_its_map(studio: Studio, seen: Seen, hub: FakeHub, scene: Path) -> None:
    size = in_words(len(hub.files[f"{REPO}/{FILE}"]))
    choose_annotator(studio, ANNOTATORS[NAME].label)
    studio.wait_for_text("#softedge-lack", f"{FILE} from {REPO} (licence: for research only)")
    assert hub.asked == [], "nothing is asked before somebody wants it"
    studio.page.click(GET)
    studio.wait_for_text("#weights-told", f"1 file, {size}, from {REPO}")
    assert hub.bodies() == []

    assert studio.text("#weights-leave") == "Not now"
    studio.page.click("#weights-leave")
    studio.page.wait_for_selector("#weights-fetch", state="hidden", timeout=PATIENCE)
    studio.page.click(GET)
    studio.wait_for_text("#weights-fetch", f"Fetch {size}")

    hub.fail(FILE, "holds")
    studio.page.click("#weights-fetch")
    studio.wait_for_text("#weights-bars", f"of {size}")
    studio.page.reload()
    studio.page.wait_for_selector("#canny-generate", timeout=PATIENCE)
    studio.wait_for_text("#weights-bars", f"of {size}")
    studio.page.click("#weights-pause")
    studio.wait_for_text("#weights-told", "it goes on from there")
    studio.page.wait_for_selector("#weights-bars .progress", state="hidden", timeout=PATIENCE)
    forgive_the_cut(seen)
    hub.go.set()

    hub.fail(FILE, "wrong", 1)
    studio.wait_for_text("#weights-fetch", "Resume")
    studio.page.click("#weights-fetch")
    studio.wait_for_text("#weights-told .refusal", "has other bytes than the Hub announces, and is not used")

    choose_annotator(studio, ANNOTATORS[NAME].label)
    studio.page.click(GET)
    studio.page.click("#weights-fetch")
    studio.wait_for_text("#weights-told", "Soft edges, PiDiNet is here now.")
    studio.page.wait_for_selector(GET, state="hidden", timeout=PATIENCE)

    studio.drop(scene, "softedge")
    studio.wait_for_text("#softedge-notes", "press Annotate")
    studio.page.click("#softedge-annotate")
    studio.map_after(condition="softedge")


def test_what_the_model_lacks_is_offered_on_its_tab(studio: Studio, hub: FakeHub) -> None:
    """There is nothing of it on this Hub: it says so, with the way by hand."""
    studio.open_settings()
    studio.page.locator("#model input").click()
    studio.page.get_by_role("option", name="Stable Diffusion 1.5").click()
    studio.wait_for_text("#canny-missing", "14 files, such as ")
    assert "hf download" in studio.text("#canny-missing")
    studio.page.click("#canny-get-model")
    studio.wait_for_text("#weights-told .refusal", "The Hub does not have this file")
    assert not studio.page.locator("#weights-fetch").is_visible()
