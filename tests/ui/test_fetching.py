"""The box that gets weights: what it offers and follows, and that the profile is asked each time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from errors import ArmatureError
from models.hub import Hub
from pipelines.engine import Engine, Job
from pipelines.fetching import Fetching
from pipelines.homes import ThreadHome
from pipelines.jobs import JobBook
from pipelines.kinds import FETCH, kinds
from pipelines.request.fetching import FetchRequest
from pipelines.shelf import WeightsShelf
from tests.fake_hub import FakeHub, fake_hub
from tests.pipelines import recipes
from ui import fragments
from ui.fetching import Box, Fetches, box

NAMES = ("softedge_pidi",)
BYTES = bytes(range(256)) * 400


@pytest.fixture
def far() -> Iterator[FakeHub]:
    with fake_hub() as hub:
        hub.add("lllyasviel/Annotators", "table5_pidinet.pth", BYTES)
        yield hub


@pytest.fixture
def shelf(far: FakeHub, tmp_path: Path) -> WeightsShelf:
    fetching = Fetching(weights=tmp_path / "weights", hub=Hub(endpoint=far.url, pauses=(0.0,)))
    return WeightsShelf(fetching=fetching, open=True)


@pytest.fixture
def engine(shelf: WeightsShelf, tmp_path: Path) -> Iterator[Engine]:
    book = JobBook(kinds(tmp_path))
    engine = Engine(ThreadHome(recipes.ready), book, beside={FETCH: ThreadHome(shelf.fetching)})
    engine.start()
    yield engine
    engine.close(patience=0)


@pytest.fixture
def parts() -> Box:
    return box()


def all_of(stream: AsyncIterator[dict[Any, Any]]) -> list[dict[Any, Any]]:
    """Everything that a stream changes on the page."""

    async def collected() -> list[dict[Any, Any]]:
        return [updates async for updates in stream]

    return asyncio.run(collected())


def test_an_offer_is_told_and_taken(engine: Engine, shelf: WeightsShelf, parts: Box, far: FakeHub) -> None:
    fetches = Fetches(engine, shelf, parts)
    offer = fetches.offered(NAMES)
    assert "1 file, 102 kB, from lllyasviel/Annotators (licence: for research only)" in offer[parts.told]
    assert (offer[parts.fetch], offer[parts.names]) == ("Fetch 102 kB", NAMES)
    assert far.bodies() == []
    first, *_, last = all_of(fetches.fetched(NAMES))
    assert (first[parts.told], first[parts.names]) == ("", ())
    assert "Soft edges, PiDiNet is here now." in last[parts.told]
    assert last[parts.bars] == ""
    assert "All of it is here." in fetches.offered(NAMES)[parts.told]


def test_what_fails_is_told_in_words(engine: Engine, shelf: WeightsShelf, parts: Box, far: FakeHub) -> None:
    far.fail("table5_pidinet.pth", "gated")
    *_, last = all_of(Fetches(engine, shelf, parts).fetched(NAMES))
    assert 'class="notes refusal"' in last[parts.told]
    assert "your token in HF_TOKEN" in last[parts.told]


def test_after_a_reload_it_is_found_again_and_can_be_paused(
    engine: Engine, shelf: WeightsShelf, parts: Box, far: FakeHub
) -> None:
    far.fail("table5_pidinet.pth", "holds", 1)
    job_id = engine.submit("fetch", FetchRequest(names=NAMES))
    recipes.wait_for(lambda: engine.look(job_id).state == "fetching")
    fetches = Fetches(engine, shelf, parts)
    seen: list[dict[Any, Any]] = []

    async def visit() -> None:
        async for updates in fetches.resumed():
            seen.append(updates)
            if len(seen) == 1:
                fetches.paused()

    asyncio.run(visit())
    far.go.set()
    assert f'data-job="{job_id}"' in seen[0][parts.bars]
    assert "of 102 kB" in seen[0][parts.bars]
    assert "Paused" in seen[-1][parts.told]
    assert (seen[-1][parts.fetch], seen[-1][parts.names]) == ("Resume", NAMES)
    assert all_of(fetches.resumed()) == []


def test_where_visitors_may_not_fetch_nothing_is_asked_or_done(
    engine: Engine, shelf: WeightsShelf, parts: Box, far: FakeHub
) -> None:
    fetches = Fetches(engine, WeightsShelf(fetching=shelf.fetching, open=False), parts)
    for call in (
        lambda: fetches.offered(NAMES),
        lambda: all_of(fetches.fetched(NAMES)),
        fetches.paused,
    ):
        with pytest.raises(ArmatureError, match="NOT_ALLOWED"):
            call()
    assert (far.asked, engine.known("fetch")) == ([], ())


def test_what_is_paused_goes_on_with_the_same_button(
    engine: Engine, shelf: WeightsShelf, parts: Box, far: FakeHub
) -> None:
    far.fail("table5_pidinet.pth", "holds", 1)
    fetches = Fetches(engine, shelf, parts)

    async def pause() -> dict[Any, Any]:
        async for updates in fetches.fetched(NAMES):
            if "of 102 kB" in updates.get(parts.bars, ""):
                fetches.paused()
        return updates

    paused = asyncio.run(pause())
    far.go.set()
    assert all_of(fetches.fetched(paused[parts.names]))[-1][parts.told].count("is here now") == 1
    assert all(later.range for later in far.bodies()[1:]), "nothing that is here comes again"


def test_what_was_thrown_away_is_not_offered_again(
    engine: Engine, shelf: WeightsShelf, parts: Box, far: FakeHub
) -> None:
    far.fail("table5_pidinet.pth", "holds", 1)
    fetches = Fetches(engine, shelf, parts)

    async def cancel() -> dict[Any, Any]:
        async for updates in fetches.fetched(NAMES):
            if "of 102 kB" in updates.get(parts.bars, ""):
                engine.submit("fetch", FetchRequest(names=NAMES, discard=True))
                fetches.paused()
        return updates

    last = asyncio.run(cancel())
    far.go.set()
    assert "thrown away" in last[parts.told]
    assert parts.names not in last


def test_ten_visitors_who_press_at_once_make_one_download(
    engine: Engine, shelf: WeightsShelf, parts: Box, far: FakeHub
) -> None:
    fetches = Fetches(engine, shelf, parts)

    async def ten() -> list[dict[Any, Any]]:
        async def one() -> dict[Any, Any]:
            async for updates in fetches.fetched(NAMES):
                last = updates
            return last

        return await asyncio.gather(*(one() for _ in range(10)))

    lasts = asyncio.run(ten())
    assert all("is here now" in last[parts.told] for last in lasts)
    assert len(far.bodies()) == 1


def test_whoever_wants_to_stay_offline_is_told_so_and_nobody_is_asked(
    engine: Engine, shelf: WeightsShelf, parts: Box, far: FakeHub
) -> None:
    hub = replace(shelf.fetching.hub, offline=True)
    offline = replace(shelf, fetching=replace(shelf.fetching, hub=hub))
    with pytest.raises(ArmatureError, match="HF_HUB_OFFLINE is set"):
        Fetches(engine, offline, parts).offered(NAMES)
    assert far.asked == []


def test_an_offer_that_is_gone_fetches_nothing(engine: Engine, shelf: WeightsShelf, parts: Box) -> None:
    all_of(Fetches(engine, shelf, parts).fetched(()))
    assert engine.known("fetch") == ()


def test_the_shelf_knows_what_is_lacking(shelf: WeightsShelf, engine: Engine) -> None:
    assert shelf.lacking_of_method("canny") == ()
    assert shelf.lacking_of_method("softedge_pidi") == NAMES
    assert shelf.lack(NAMES) == (
        "Not here yet: table5_pidinet.pth from lllyasviel/Annotators (licence: for research only)."
    )
    assert shelf.lacking_of_model("sd15", "canny") == ("sd15", "sd15/canny")
    for family in ("pocket", "banana"):
        assert shelf.lacking_of_model(family, "canny") == ()
    engine.outcome(engine.submit("fetch", FetchRequest(names=NAMES)))
    assert shelf.lacking_of_method("softedge_pidi") == ()
    assert shelf.lack(NAMES) == ""


def job(**fields: Any) -> Job:
    known: dict[str, Any] = {
        "id": "a",
        "kind": "fetch",
        "payload": FetchRequest(names=("sd15", "sd15/canny")),
    }
    return Job(**known | fields)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": "queued", "place": 1}, ["sd15, sd15/canny: waits for the one before"]),
        ({"state": "loading"}, ["looking at what is here"]),
        ({"state": "checking", "step": 10, "total": 40}, ["looking at what is here", 'valuenow="25"']),
        (
            {
                "state": "fetching",
                "step": 3 * 10**9,
                "total": 5 * 10**9,
                "first_step": 10**9,
                "first_step_at": 100.0,
                "step_at": 150.0,
            },
            ["3.00 GB of 5.00 GB", "40.0 MB/s, 50 s left", 'valuenow="60"'],
        ),
        ({"state": "fetching", "step": 0, "total": 0}, ["0 bytes of 0 bytes"]),
    ],
)
def test_a_bar_says_how_far_it_is(fields: dict[str, Any], words: list[str]) -> None:
    html = fragments.fetching([job(**fields)])
    assert [word for word in words if word not in html] == []


def test_several_downloads_have_a_bar_each() -> None:
    assert fragments.fetching([job(), job(id="b")]).count('role="progressbar"') == 2
    assert fragments.fetching([]) == ""
