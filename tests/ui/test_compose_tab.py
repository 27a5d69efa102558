"""The Compose tab: what "Add" makes of a picture, and which picture the stack begins with."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import gradio as gr
import numpy as np
import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from conditions import CONDITIONS
from errors import ArmatureError
from gate import LIMITS
from pipelines.pictures import PictureStore
from pipelines.request import GenerateRequest
from pipelines.request.annotating import Annotated, AnnotateRequest, Lack
from pipelines.request.controls import UNIT_PARAMS
from pipelines.request.intake import Desk, Draft
from tests.browsing import draw_scene
from tests.ui.test_start import as_painted
from ui.compose_tab import ComposeTab
from ui.stack import Sent, all_placed, told
from ui.start import Start

HERE = ("pocket_depth", "canny")  # the annotators whose files are here
UNIT = {param.name: param.default for param in UNIT_PARAMS}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where uploads lie."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    folder = Path(get_upload_folder())
    folder.mkdir(parents=True)
    return folder


class Bench:
    """The tab on a desk whose networks answer with a grey map, and the values of its page."""

    def __init__(self, folder: Path) -> None:
        pictures = PictureStore(folder / "pictures")

        def far(request: AnnotateRequest) -> Annotated:
            height, width = pictures.get(request.picture).shape[:2]
            return Annotated(map=pictures.put(np.full((height, width, 3), 99, np.uint8)))

        def lack(name: str) -> Lack | None:
            return None if name in HERE else Lack(files=(name,), todo="Get it")

        self.desk = Desk(pictures, LIMITS["local"], far, lack)
        self.asked: list[tuple[GenerateRequest, str]] = []
        self.tab, start = asyncio.run(self._laid_out())
        self.shared = SimpleNamespace(
            model=object(),
            values={"size": object()},
            start=start,
            run_values=lambda raw: {"prompt": "a house", "steps": 4, "seed": 1},
        )
        self.raw: dict[Any, Any] = {
            self.shared.model: "pocket",
            self.shared.values["size"]: "auto",
            self.tab.cards: {},
            self.tab.stack: self.tab.stack.value,
        } | {part: getattr(part, "value", None) for part in start.ordered}

    async def _laid_out(self) -> tuple[ComposeTab, Start]:
        """Gradio would leave an event loop behind if it had to make one."""

        def submit(kind: str, request: GenerateRequest, *, owner: str, wish: str) -> str:
            self.asked.append((request, wish))
            return "job"

        with gr.Blocks():
            engine = cast(Any, SimpleNamespace(submit=submit))
            return ComposeTab(self.desk, engine, lambda *_: None), Start(self.desk)

    def generate(self, **changed: Any) -> tuple[GenerateRequest, str]:
        """Press Generate, with parts of the page changed; answers the request and the wish."""
        raw = self.raw | {getattr(self.shared.start, name): value for name, value in changed.items()}
        self.tab._submit(cast(Any, self.shared), raw)
        return self.asked[-1]

    def add(self, condition: str, path: Path) -> Sent:
        """Press Add."""
        given = {self.tab.picture: {"path": str(path)}, self.tab.condition: condition}
        self.tab._add(cast(Any, self.shared), self.raw | given)
        self.raw[self.tab.cards] = told(self.raw[self.tab.stack])
        return self.sent[-1]

    def send(self, condition: str, picture: Path, painting: object = None) -> None:
        """Send a map from a tab."""
        draft = Draft(
            condition=CONDITIONS[condition],
            annotator="none",
            values={},
            map=np.zeros((128, 128, 3), np.uint8),
            data=None,
            notices=(),
        )
        self.tab.send(self.raw, draft, picture, UNIT, painting)
        self.raw[self.tab.cards] = told(self.raw[self.tab.stack])

    @property
    def sent(self) -> list[Sent]:
        return [placed.sent for placed in all_placed(self.raw[self.tab.stack], self.raw[self.tab.cards])]

    def mute(self, place: int) -> None:
        """Mute the control in that place."""
        cards = told(self.raw[self.tab.stack])["sent"]
        entries = [
            {"id": card["id"], "muted": index == place, "region": None, "values": card["values"]}
            for index, card in enumerate(cards)
        ]
        self.raw[self.tab.cards] = {"sent": cards, "controls": entries}


@pytest.fixture
def bench(folder: Path) -> Bench:
    return Bench(folder)


def test_a_photograph_is_looked_at_with_what_is_here(bench: Bench, folder: Path) -> None:
    sent = bench.add("depth", draw_scene(folder / "photo.png", 320, 240))
    assert sent.annotator == "pocket_depth", "and not with one that would have to be fetched"


def test_dark_lines_on_a_light_ground_are_turned(bench: Bench, folder: Path) -> None:
    page = np.full((240, 240, 3), 255, np.uint8)
    cv2.circle(page, (120, 120), 80, (0, 0, 0), 3)
    Image.fromarray(page).save(folder / "drawn.png")
    Image.fromarray(255 - page).save(folder / "map.png")
    for name, annotator in (("drawn.png", "invert"), ("map.png", "none")):
        sent = bench.add("canny", folder / name)
        assert sent.annotator == annotator
        assert bench.desk.kept(sent.map).mean() < 60, "light lines on black"


def test_a_second_picture_of_another_shape_comes_in_the_size_of_the_first(bench: Bench, folder: Path) -> None:
    first = bench.add("canny", draw_scene(folder / "wide.png", 400, 200))
    second = bench.add("canny", draw_scene(folder / "tall.png", 200, 400))
    assert first.card["size"] == second.card["size"] == (256, 128)


def test_what_is_repainted_is_begun_with_wherever_it_stands(bench: Bench, folder: Path) -> None:
    names = [folder / f"{name}.png" for name in ("first", "second", "third")]
    for condition, path in zip(("canny", "depth", "inpaint"), names, strict=True):
        bench.send(condition, path)
    assert bench.tab.own_picture(bench.raw) == names[2]
    bench.mute(2)
    assert bench.tab.own_picture(bench.raw) == names[0]
    bench.mute(0)
    assert bench.tab.own_picture(bench.raw) == names[2]


def test_the_mask_that_was_painted_in_its_tab_comes_along(bench: Bench, folder: Path) -> None:
    path = draw_scene(folder / "scene.png", 128, 128)
    mask = np.zeros((128, 128, 3), np.uint8)
    mask[:64] = 255
    bench.send("canny", draw_scene(folder / "other.png", 128, 128))
    bench.send("inpaint", path, {"of": str(path), "mask": as_painted(mask)})
    request, _ = bench.generate()
    assert request.mask is not None
    assert request.init is not None
    assert np.array_equal(bench.desk.kept(request.mask), mask)
    with Image.open(path) as image:
        assert np.array_equal(bench.desk.kept(request.init), np.asarray(image.convert("RGB")))
    with pytest.raises(ArmatureError, match="does not know yet what to repaint"):
        bench.generate(begin="tab")  # with a brush of its own, over which nothing is painted


def test_another_model_is_another_wish(bench: Bench, folder: Path) -> None:
    bench.send("canny", draw_scene(folder / "scene.png", 128, 128))
    _, first = bench.generate()
    _, again = bench.generate()
    bench.raw[bench.shared.model] = "pocket/mine"
    _, other = bench.generate()
    assert first == again != other


def test_without_a_picture_there_is_none(bench: Bench) -> None:
    assert bench.tab.own_picture(bench.raw) is None
