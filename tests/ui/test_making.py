"""What one press of Annotate makes: within the limits, card by card, and nothing more once it is stopped."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio.utils import get_upload_folder
from PIL import Image

import annotators
from annotators import ANNOTATORS, Annotation
from annotators.base import Network, Pixels
from errors import ArmatureError
from gate import LIMITS, Limits
from models.store import Store
from pipelines import home
from pipelines.engine import Engine
from pipelines.pictures import PictureStore
from pipelines.request.intake import Desk
from pipelines.worker import Worker
from tests.annotators import random_weights
from ui.making import Maker, Order, Run
from ui.sheet import Card

PICTURE = np.random.default_rng(3).integers(0, 256, (70, 90, 3), dtype=np.uint8)
NETWORK = "depth_anything"
Make = Callable[..., Maker]


@pytest.fixture
def upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The value of a picture component that holds PICTURE."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    path = Path(get_upload_folder()) / "picture.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(PICTURE).save(path)
    return {"path": str(path)}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The weights of one annotator, and no others."""
    store = Store(tmp_path_factory.mktemp("weights"))
    random_weights.write(store, NETWORK)
    return store


@pytest.fixture
def engine(weights: Store, tmp_path: Path) -> Iterator[Engine]:
    engine = home.passing_engine(
        Worker(weights=weights.weights, outputs=tmp_path, device="cpu", family="pocket")
    )
    yield engine
    engine.close(patience=5)


@pytest.fixture
def make(weights: Store, tmp_path: Path, engine: Engine) -> Make:
    """A maker in a profile with some limits changed."""

    def made(**limits: int) -> Maker:
        allowed: Limits = replace(LIMITS["local"], **limits)  # type: ignore[arg-type]
        pictures = PictureStore(tmp_path / "pictures")
        return Maker(Desk(pictures, allowed, lack=lambda name: home.annotator_lack(weights, name)), engine)

    return made


def order(maker: Maker, picture: Any, *chosen: str, **given: Any) -> Order:
    fields: dict[str, Any] = {"typed": {"text": "", "pose": ""}, "resolution": 64, "values": {}}
    return maker.order(picture=picture, chosen=list(chosen), **fields | given)


def states(cards: tuple[Card, ...]) -> dict[str, str]:
    return {card.name: card.state for card in cards}


def grown(maker: Maker, wanted: Order, until: Callable[[tuple[Card, ...], Run], None] | None = None) -> Any:
    """Every state of the cards, in turn; `until` may stop the run at any of them."""

    async def all_of_it() -> list[tuple[Card, ...]]:
        run, seen = Run(), []
        async for cards in maker.grown(wanted, run):
            seen.append(cards)
            if until is not None:
                until(cards, run)
        return seen

    return asyncio.run(all_of_it())


def read(file: str) -> Pixels:
    with Image.open(file) as image:
        return np.asarray(image)


WEIGHTLESS = [a.name for a in ANNOTATORS.values() if a.source == "picture" and not a.weights]


def test_nothing_chosen_is_all_that_start_from_what_is_given(make: Make, upload: Any) -> None:
    empty = {"text": "", "pose": ""}
    pictures = [a.name for a in ANNOTATORS.values() if a.source == "picture"]
    wanted = order(make(), upload, typed=empty)
    assert [card.name for card in wanted.cards] == pictures
    assert {card.state for card in wanted.cards} == {"waits", "lacks"}
    assert [card.name for card in wanted.cards if card.state == "waits"] == [
        name for name in pictures if name in WEIGHTLESS or name == NETWORK
    ]
    with_text = order(make(), upload, typed=empty | {"text": "Armature"})
    assert set(states(with_text.cards)) - set(states(wanted.cards)) == {"qr"}


def test_what_is_missing_says_how_many_files_and_how_to_get_them(make: Make, upload: Any) -> None:
    (card,) = order(make(), upload, "openpose").cards
    assert (card.state, card.words) == ("lacks", "needs 3 files")
    assert (
        "hf download lllyasviel/Annotators body_pose_model.pth hand_pose_model.pth facenet.pth" in card.todo
    )
    (card,) = order(make(), upload, "mlsd").cards
    assert card.words == "needs 1 file"


def test_maps_arrive_one_by_one_and_networks_last(make: Make, upload: Any, engine: Engine) -> None:
    engine.start()
    maker = make()
    wanted = order(maker, upload, NETWORK, "canny", "mlsd", "tile", values={"canny": {"low_threshold": 9}})
    seen = grown(maker, wanted)
    assert [tuple(states(cards).values()) for cards in seen] == [
        ("waits", "runs", "lacks", "waits"),
        ("waits", "done", "lacks", "waits"),
        ("waits", "done", "lacks", "runs"),
        ("waits", "done", "lacks", "done"),
        ("runs", "done", "lacks", "done"),
        ("done", "done", "lacks", "done"),
    ]
    depth, canny, _, tile = seen[-1]
    edges = annotators.annotate("canny", PICTURE, resolution=64, low_threshold=9)
    assert np.array_equal(read(canny.map), edges.map)
    assert np.array_equal(read(tile.map), annotators.annotate("tile", PICTURE).map)
    assert read(depth.map).shape == PICTURE.shape
    assert depth.data is not None
    assert depth.data["unit"] == "inverse, relative"
    assert all(card.seconds > 0 for card in (depth, canny, tile))


def test_texts_and_poses_are_taken_as_they_were_typed(make: Make) -> None:
    maker = make()
    points = [30, 20, 1, 30, 40, 1] + [0, 0, 0] * 16
    people = [{"pose_keypoints_2d": points}]
    pose = json.dumps({"people": people, "canvas_width": 60, "canvas_height": 90})
    wanted = order(maker, None, "qr", "pose_json", typed={"text": "Armature", "pose": pose})
    assert wanted.picture is None
    qr, drawn = grown(maker, wanted)[-1]
    assert (qr.data or {})["text"] == "Armature"
    assert drawn.size == (60, 90)


def test_one_that_fails_says_why_and_the_next_is_made(
    make: Make, upload: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(picture: Pixels, network: Network, **values: Any) -> Annotation:
        raise ValueError("a secret")

    monkeypatch.setitem(ANNOTATORS, "canny", replace(ANNOTATORS["canny"], run=broken))
    maker = make()
    canny, qr, tile = grown(maker, order(maker, upload, "canny", "qr", "tile"))[-1]
    assert (canny.state, qr.state, tile.state) == ("failed", "failed", "done")
    assert "INTERNAL" in canny.words
    assert "secret" not in canny.words
    assert "Write what the code should say" in qr.words


def test_after_stop_nothing_more_is_made(make: Make, upload: Any) -> None:
    def stop(cards: tuple[Card, ...], run: Run) -> None:
        if states(cards)["canny"] == "done":
            run.stop.set()

    maker = make()
    seen = grown(maker, order(maker, upload, "canny", "tile", "invert"), stop)
    assert list(states(seen[-1]).values()) == ["done", "waits", "waits"]


def test_stop_does_not_wait_for_what_runs(make: Make, upload: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    may_end = threading.Event()

    def slow(picture: Pixels, network: Network) -> Annotation:
        assert may_end.wait(60)
        return Annotation(map=picture)

    def stop(cards: tuple[Card, ...], run: Run) -> None:
        # as the button does: while the other is at work
        asyncio.get_running_loop().call_later(0.05, run.stop.set)
        asyncio.get_running_loop().call_later(0.1, may_end.set)

    monkeypatch.setitem(ANNOTATORS, "invert", replace(ANNOTATORS["invert"], run=slow))
    maker = make()
    seen = grown(maker, order(maker, upload, "invert", "none"), stop)
    assert [tuple(states(cards).values()) for cards in seen] == [("runs", "waits")]


def test_a_network_that_still_waits_when_stopped_is_taken_out_of_the_queue(
    make: Make, upload: Any, engine: Engine
) -> None:
    """The engine is not started: its jobs wait."""

    def stop(cards: tuple[Card, ...], run: Run) -> None:
        asyncio.get_running_loop().call_later(0.3, run.stop.set)

    maker = make()
    assert len(grown(maker, order(maker, upload, NETWORK), stop)) == 1
    assert engine.history() == ()
    assert engine._book.waiting() == ()
    assert engine._book.counts() == {"cancelled": 1}


# Limits


def test_only_so_many_at_once(make: Make, upload: Any) -> None:
    maker = make(maps=3)
    with pytest.raises(ArmatureError, match=r"PARAM_RANGE.*found: 4; allowed: at most 3"):
        order(maker, upload, "canny", "tile", "invert", "none")
    wanted = order(maker, upload)
    assert [card.name for card in wanted.cards if card.state == "waits"] == WEIGHTLESS[:3]
    assert states(wanted.cards)[NETWORK] == "left"
    assert states(wanted.cards)["mlsd"] == "lacks"
    assert list(states(grown(maker, wanted)[-1]).values()).count("done") == 3


def test_resolution_and_size_are_bounded(make: Make, upload: Any) -> None:
    maker = make(working_side=600)
    with pytest.raises(ArmatureError, match="PARAM_RANGE"):
        order(maker, upload, "canny", resolution=601)
    Image.new("RGB", (1600, 1200)).save(upload["path"])
    wanted = order(maker, upload, "tile")
    assert wanted.picture is not None
    assert wanted.picture.shape == (600, 800, 3)
    assert "brought to 800x600" in wanted.notices[0]
    assert grown(maker, wanted)[-1][0].size == (800, 600)
    as_it_is = order(make(), upload, "tile")
    assert as_it_is.picture is not None
    assert as_it_is.picture.shape == (1200, 1600, 3)
    assert as_it_is.notices == ()


def test_the_public_is_held_to_less() -> None:
    assert LIMITS["public"].maps < len(ANNOTATORS) <= LIMITS["local"].maps
    assert LIMITS["public"].working_side < LIMITS["local"].working_side


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"chosen": "canny"}, "PARAM_TYPE"),
        ({"chosen": [["canny"]]}, "PARAM_TYPE"),
        ({"chosen": ["banana"]}, "PARAM_CHOICE"),
        ({"picture": None}, "IMG_EMPTY"),
        ({"picture": {"path": "/etc/passwd"}}, "INPUT_SOURCE"),
        ({"resolution": "64"}, "PARAM_TYPE"),
        ({"values": {"canny": {"low_threshold": 256}}}, "PARAM_RANGE"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], code: str, make: Make, upload: Any) -> None:
    given: dict[str, Any] = {
        "picture": upload,
        "chosen": [],
        "typed": {"text": 5, "pose": None},
        "resolution": 64,
        "values": {},
    }
    make().order(**given)
    with pytest.raises(ArmatureError) as refusal:
        make().order(**given | fields)
    assert refusal.value.code.name == code


def test_an_annotator_is_taken_once(make: Make, upload: Any) -> None:
    assert len(order(make(), upload, "canny", "canny").cards) == 1
