"""The Models tab: what it shows of disk, jobs and memory, what its buttons do, and who may press them."""

import asyncio
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import gradio as gr
import pytest

from errors import QUEUE_FULL
from models.hub import Hub
from pipelines.engine import Engine, EngineState, Job
from pipelines.fetching import Fetching
from pipelines.homes import ThreadHome
from pipelines.jobs import JobBook
from pipelines.kinds import FETCH, kinds
from pipelines.messages import Held
from pipelines.request.fetching import FetchRequest
from pipelines.request.stock import Group, Item, OwnFile, Stock
from pipelines.request.unloading import Unloaded, UnloadRequest
from pipelines.runner import Handler
from pipelines.shelf import WeightsShelf
from tests.fake_hub import FakeHub, fake_hub
from tests.models import made_files
from tests.pipelines import recipes
from tests.pipelines.recipes import wait_for
from ui.models_tab import ModelsTab
from ui.stock import Scene, View, page
from ui.usage import memory

NAME, FILE = "softedge_pidi", "table5_pidinet.pth"
BYTES = bytes(range(256)) * 400
CLOSED = "Visitors of this server can&#x27;t change which models are here"


@pytest.fixture
def far() -> Iterator[FakeHub]:
    with fake_hub() as hub:
        hub.add("lllyasviel/Annotators", FILE, BYTES)
        yield hub


@pytest.fixture
def shelf(far: FakeHub, tmp_path: Path) -> WeightsShelf:
    fetching = Fetching(weights=tmp_path / "weights", hub=Hub(endpoint=far.url, pauses=(0.0,)))
    return WeightsShelf(fetching=fetching, open=True)


def unloaded(job_id: str, request: UnloadRequest) -> Iterator[Unloaded]:
    """Lets go of what it is asked for, or of all."""
    yield Unloaded(gone=request.names or ("a network",), size=1000)


def holding(report: Callable[[EngineState], None]) -> Mapping[str, Handler]:
    """A worker that has a network in memory and can let go of it."""
    return {**recipes.holding(report), "unload": unloaded}


@pytest.fixture
def engine(shelf: WeightsShelf, tmp_path: Path) -> Iterator[Engine]:
    book = JobBook(kinds(tmp_path))
    engine = Engine(ThreadHome(holding), book, beside={FETCH: ThreadHome(shelf.fetching)})
    engine.start()
    wait_for(lambda: engine.state.phase == "ready")
    yield engine
    engine.close(patience=0)


async def laid_out(engine: Engine, shelf: WeightsShelf) -> ModelsTab:
    """The tab. Gradio would leave an event loop behind if it had to make one for its page."""
    with gr.Blocks():
        return ModelsTab(engine, shelf)


class Visitor:
    """Somebody who looks at the tab of one page, and presses its buttons."""

    def __init__(self, engine: Engine, shelf: WeightsShelf) -> None:
        self.tab = asyncio.run(laid_out(engine, shelf))
        self.view = View()

    def press(self, do: str, name: str = NAME) -> str:
        """Press a button as the page's script tells it; the row of that name as it is then."""
        return row(self.pressed({"do": do, "name": name}), name)

    def pressed(self, data: object) -> str:
        """The whole tab after whatever the page's script, or somebody else, has sent."""
        return self.tab.pressed(self.view, gr.EventData(None, data))

    def look(self) -> str:
        return self.tab.draw(self.view)

    def row(self, name: str = NAME) -> str:
        return row(self.look(), name)


@pytest.fixture
def visitor(engine: Engine, shelf: WeightsShelf) -> Visitor:
    return Visitor(engine, shelf)


def row(html: str, name: str) -> str:
    """One row of the tab: its state, its words and its buttons."""
    (found,) = re.findall(rf'<li class="item [^"]*" data-row="{re.escape(name)}">.*?</li>', html)
    return str(found)


def state(row: str) -> str:
    found = re.match(r'<li class="item (\w+)', row)
    assert found
    return found[1]


def buttons(row: str) -> list[str]:
    return re.findall(r'data-do="(\w+)"', row)


def news(html: str) -> str:
    """The mark of what is here."""
    (found,) = re.findall(r'data-news="(\w+)"', html)
    return str(found)


def test_looking_asks_nobody_and_shows_size_and_licence(visitor: Visitor, far: FakeHub) -> None:
    html = visitor.look()
    found = row(html, NAME)
    assert (state(found), buttons(found)) == ("absent", ["offer"])
    assert "about 2.87 MB" in found
    assert "for research only · lllyasviel/Annotators" in found
    assert "about 2.13 GB" in row(html, "sd15")
    assert "free" in html
    assert far.asked == []


def test_from_the_offer_to_the_file_and_away_again(visitor: Visitor, far: FakeHub, engine: Engine) -> None:
    offered = visitor.press("offer")
    assert "1 file, 102 kB, from lllyasviel/Annotators (licence: for research only)" in offered
    assert buttons(offered) == ["fetch", "leave"]
    assert far.bodies() == []
    assert buttons(visitor.press("leave")) == ["offer"]

    visitor.press("offer")
    visitor.press("fetch")
    wait_for(lambda: state(visitor.row()) == "here")
    assert buttons(visitor.row()) == ["remove"]
    assert "102 kB" in visitor.row()

    assert buttons(visitor.press("remove")) == ["removed", "leave"]
    assert buttons(visitor.press("leave")) == ["remove"]
    visitor.press("remove")
    visitor.press("removed")
    wait_for(lambda: state(visitor.row()) == "absent")
    assert len(far.bodies()) == 1


def test_what_is_paused_goes_on_from_there(visitor: Visitor, far: FakeHub) -> None:
    far.fail(FILE, "holds", 1)
    visitor.press("fetch")
    wait_for(lambda: "of 102 kB" in visitor.row())
    assert (state(visitor.row()), buttons(visitor.row())) == ("comes", ["pause", "cancel"])
    visitor.press("pause")
    wait_for(lambda: state(visitor.row()) == "paused")
    assert buttons(visitor.row()) == ["resume", "cancel"]
    assert "Paused: 51.2 kB of about 2.87 MB" in visitor.row()
    far.go.set()
    visitor.press("resume")
    wait_for(lambda: state(visitor.row()) == "here")
    assert all(later.range for later in far.bodies()[1:]), "nothing that is here comes again"


def test_what_is_cancelled_is_thrown_away(visitor: Visitor, far: FakeHub, shelf: WeightsShelf) -> None:
    far.fail(FILE, "holds", 1)
    visitor.press("fetch")
    wait_for(lambda: "of 102 kB" in visitor.row())
    visitor.press("cancel")
    far.go.set()
    wait_for(lambda: state(visitor.row()) == "absent")
    assert not list(shelf.fetching.weights.rglob(f"{FILE}*"))


def cut_off(visitor: Visitor, shelf: WeightsShelf) -> None:
    """Fetch the file, and leave a hundred bytes of it."""
    visitor.press("fetch")
    wait_for(lambda: state(visitor.row()) == "here")
    (file,) = shelf.fetching.weights.rglob(FILE)
    os.truncate(file, 100)


def test_row_76_a_damaged_file_is_fetched_again_by_one_button(
    visitor: Visitor, far: FakeHub, shelf: WeightsShelf
) -> None:
    visitor.press("fetch")
    wait_for(lambda: state(visitor.row()) == "here")
    whole = visitor.look()
    (file,) = shelf.fetching.weights.rglob(FILE)
    os.truncate(file, 100)
    cut = visitor.look()
    assert (state(row(cut, NAME)), buttons(row(cut, NAME))) == ("damaged", ["again", "remove"])
    assert f"{FILE} is not as it was fetched (found: 100 bytes; allowed: 102400 bytes)" in row(cut, NAME)
    assert ("1 of no use" in cut, "of no use" in whole) == (True, False)
    assert news(cut) != news(whole)

    visitor.press("again")
    wait_for(lambda: state(visitor.row()) == "here")
    assert file.read_bytes() == BYTES
    assert (news(visitor.look()), len(far.bodies())) == (news(whole), 2)


def test_row_76_what_mends_can_be_paused_and_takes_nothing_else_away(
    visitor: Visitor, far: FakeHub, shelf: WeightsShelf
) -> None:
    """Cancel throws away all that has come of a bundle, and of this one the rest is good."""
    cut_off(visitor, shelf)
    far.fail(FILE, "holds", 1)
    visitor.press("again")
    wait_for(lambda: "of 102 kB" in visitor.row())
    assert (state(visitor.row()), buttons(visitor.row())) == ("comes", ["pause"])
    visitor.press("pause")
    wait_for(lambda: state(visitor.row()) == "damaged")
    far.go.set()
    visitor.press("again")
    wait_for(lambda: state(visitor.row()) == "here")
    assert all(later.range for later in far.bodies()[2:]), "nothing that is here comes again"


def test_row_76_a_damaged_file_can_be_removed_too(visitor: Visitor, shelf: WeightsShelf) -> None:
    cut_off(visitor, shelf)
    assert buttons(visitor.press("remove")) == ["removed", "leave"]
    visitor.press("removed")
    wait_for(lambda: state(visitor.row()) == "absent")


def test_row_76_why_fetching_again_failed_stands_beside_what_is_damaged(
    visitor: Visitor, far: FakeHub, shelf: WeightsShelf
) -> None:
    cut_off(visitor, shelf)
    far.fail(FILE, "wrong")
    visitor.press("again")
    wait_for(lambda: "has other bytes than the Hub announces" in visitor.row())
    assert (state(visitor.row()), "is not as it was fetched" in visitor.row()) == ("damaged", True)


def test_ten_pages_that_press_at_once_make_one_download(
    engine: Engine, shelf: WeightsShelf, far: FakeHub
) -> None:
    pages = [Visitor(engine, shelf) for _ in range(10)]
    for visitor in pages:
        visitor.press("fetch")
    wait_for(lambda: all(job.over for job in engine.known("fetch")))
    assert all(state(visitor.row()) == "here" for visitor in pages)
    assert len(far.bodies()) == 1


def test_why_a_fetch_failed_stands_in_its_row(visitor: Visitor, far: FakeHub) -> None:
    far.fail(FILE, "wrong")
    visitor.press("fetch")
    wait_for(lambda: "has other bytes than the Hub announces" in visitor.row())
    assert state(visitor.row()) == "absent"
    far.fail(FILE, "gated")
    assert "your token in HF_TOKEN" in visitor.press("offer")
    assert "your token" not in visitor.press("leave")


@pytest.mark.parametrize("do", ["resume", "cancel"])
def test_why_what_is_paused_can_not_be_changed_stands_in_its_row(
    do: str, visitor: Visitor, far: FakeHub, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    far.fail(FILE, "holds", 1)
    visitor.press("fetch")
    wait_for(lambda: "of 102 kB" in visitor.row())
    visitor.press("pause")
    wait_for(lambda: state(visitor.row()) == "paused")
    refusal = QUEUE_FULL("Too much is waiting", todo="Wait a little")
    with monkeypatch.context() as patch:
        patch.setattr(engine, "submit", Mock(side_effect=refusal))
        refused = visitor.press(do)
    assert "Too much is waiting" in refused
    assert (state(refused), buttons(refused)) == ("paused", ["resume", "cancel"])
    assert "Paused: 51.2 kB" in refused
    far.go.set()
    assert "Too much is waiting" not in visitor.press(do)


def test_offline_says_so_and_offers_nothing(engine: Engine, shelf: WeightsShelf, far: FakeHub) -> None:
    hub = replace(shelf.fetching.hub, offline=True)
    visitor = Visitor(engine, replace(shelf, fetching=replace(shelf.fetching, hub=hub)))
    assert "HF_HUB_OFFLINE is set" in visitor.look()
    assert buttons(visitor.row()) == []
    assert "HF_HUB_OFFLINE is set" in visitor.press("offer"), "an event that is hidden can still be fired"
    assert far.asked == []


@pytest.mark.parametrize(
    "do", ["offer", "fetch", "resume", "again", "pause", "cancel", "remove", "removed", "unload"]
)
def test_visitors_look_and_change_nothing(do: str, engine: Engine, shelf: WeightsShelf, far: FakeHub) -> None:
    visitor = Visitor(engine, replace(shelf, open=False))
    html = visitor.look()
    assert "Whoever runs this server" in html
    assert buttons(html) == ["refresh"]
    assert CLOSED in visitor.press(do)
    assert engine.known("fetch") == engine.known("unload") == ()
    assert far.asked == []


@pytest.mark.parametrize(
    "data", [None, {}, {"do": 1, "name": []}, {"do": "explode", "name": "x"}, {"do": "offer"}]
)
def test_what_no_button_sends_does_nothing(data: object, visitor: Visitor, engine: Engine) -> None:
    visitor.pressed(data)
    assert engine.known("fetch") == ()
    assert visitor.view.offer is None


def test_refusals_do_not_pile_up(visitor: Visitor) -> None:
    for number in range(5):
        visitor.pressed({"do": "offer", "name": f"banana {number}"})
    assert list(visitor.view.refused) == ["banana 4"]


def test_a_page_that_has_it_already_gets_nothing(visitor: Visitor, shelf: WeightsShelf) -> None:
    drawn = visitor.look()
    (mark,) = re.findall(r'data-mark="(\w+)"', drawn)
    skipped = visitor.tab.looked(visitor.view, gr.EventData(None, {"mark": mark}))
    assert skipped == gr.skip()
    made_files.write(shelf.fetching.weights / "loras" / "ink.safetensors", made_files.kohya(768))
    fresh = visitor.tab.looked(visitor.view, gr.EventData(None, {"mark": mark}))
    assert "ink.safetensors" in fresh
    assert news(fresh) != news(drawn)


def test_what_is_of_no_use_says_why_where_it_lies(visitor: Visitor, shelf: WeightsShelf) -> None:
    made_files.write(shelf.fetching.weights / "bases" / "ink.safetensors", made_files.kohya(768))
    html = visitor.look()
    found = row(html, "bases/ink.safetensors")
    assert state(found) == "refused"
    assert "ink.safetensors is not a base" in found
    assert "Put it into weights/loras" in found
    assert "1 of no use" in html


def test_memory_is_shown_and_freed(visitor: Visitor, engine: Engine) -> None:
    assert "A network" in visitor.look()
    assert "1.00 kB" in visitor.look()
    visitor.pressed({"do": "unload", "name": "a network"})
    (job,) = engine.known("unload")
    assert job.payload == UnloadRequest(names=("a network",))
    wait_for(lambda: "1.00 kB freed." in visitor.look())
    visitor.pressed({"do": "unload", "name": ""})
    assert engine.known("unload")[-1].payload == UnloadRequest()


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Unloaded(gone=("a",), size=2000), "2.00 kB freed."),
        (Unloaded(gone=(), size=0, kept=("a", "b")), "In use by the job that runs: a, b."),
        (Unloaded(gone=(), size=0), "It was gone already."),
    ],
)
def test_how_freeing_went_is_told(outcome: Unloaded, words: str) -> None:
    job = Job(id="a", kind="unload", payload=UnloadRequest(), state="done", outcome=outcome)
    assert words in memory(EngineState(held=(Held("a", 1),)), job, open=True)


def test_what_rests_beside_the_device_does_not_fill_it() -> None:
    held = (Held("a", 5000, resting=True), Held("b", 1000))
    html = memory(EngineState(held=held, budget=2000, device="a GPU"), None, open=True)
    assert "1.00 kB of 2.00 kB on a GPU, and 5.00 kB at rest in the machine" in html
    assert "width:50.00%" in html
    assert ">A, at rest<" in html
    assert ">B<" in html


def test_an_empty_memory_says_what_that_means() -> None:
    html = memory(EngineState(), None, open=True)
    assert "Nothing: a job loads what it needs." in html
    assert "<button" not in html


def drawn(stock: Stock) -> str:
    return page(Scene(stock=stock, engine=EngineState(), jobs=(), open=True), View())


def test_names_of_files_are_no_html() -> None:
    evil = '"><img src=x onerror=alert(1)>'
    item = Item(name=evil, title=evil, sources=((evil, evil),))
    group = Group(name="g", title=evil, help=evil, items=(item,))
    own = OwnFile(place=f"loras/{evil}", what=evil, refusal=evil)
    html = drawn(Stock(groups=(group,), own=(own,), folders=((evil, 1),), trouble=evil))
    assert "<img" not in html
    assert evil not in html


def test_what_is_not_part_of_a_checkout_is_said() -> None:
    group = Group(name="g", title="Pocket", help="Small.", items=(Item(name="", title="Base"),))
    assert "Is not part of this checkout" in drawn(Stock(groups=(group,)))


def test_the_newest_job_tells_how_an_item_stands() -> None:
    item = Item(name="a", title="A", sources=(("r", "MIT"),), here=50, size=100, removable=True)
    stock = Stock(groups=(Group(name="g", title="G", help="H.", items=(item,)),))

    def of(*jobs: Job) -> str:
        return state(row(page(Scene(stock=stock, engine=EngineState(), jobs=jobs, open=True), View()), "a"))

    ask, drop = FetchRequest(names=("a",)), FetchRequest(names=("a",), discard=True)
    ended = Job(id="1", kind="fetch", payload=ask, state="cancelled", seq=1)
    assert of() == of(ended) == "paused"
    assert of(ended, Job(id="2", kind="fetch", payload=ask, seq=2)) == "waits"
    assert of(Job(id="2", kind="fetch", payload=ask, state="fetching", seq=2), ended) == "comes"
    assert of(ended, Job(id="3", kind="fetch", payload=drop, seq=3)) == "goes"
