"""The sheet of maps: as HTML that gives nothing of a user's out of its quotes, as a picture, and as a ZIP."""

import io
import json
import re
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from annotators.base import Annotation, Pixels
from ui.sheet import POSTER, THUMB, Card, filed, packed, poster, sheet, summary, took

EVIL = '<img src=x onerror="alert(1)">'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files of the sheet go."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "a folder's #1"))
    return tmp_path


def pixels(width: int, height: int, seed: int = 1) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def done(name: str, map: Pixels, seconds: float = 0.01, **found: object) -> Card:
    annotation = Annotation(map=map, **found)  # type: ignore[arg-type]
    return Card(name=name, label=name.title(), state="done", seconds=seconds, **filed(name, annotation))


def read(file: str | Path | bytes) -> Pixels:
    with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "< 1 ms"), (0.0004, "< 1 ms"), (0.0123, "12 ms"), (0.94, "940 ms"), (1.04, "1.0 s"), (75, "75.0 s")],
)
def test_a_time_is_short(seconds: float, words: str) -> None:
    assert took(seconds) == words


def test_a_map_is_kept_as_it_is_and_shown_smaller() -> None:
    map = pixels(THUMB * 2, 300)
    card = done("canny", map)
    assert np.array_equal(read(card.map), map)
    assert read(card.thumb).shape == (150, THUMB, 3)
    assert card.size == (THUMB * 2, 300)
    assert Path(card.map).name == "canny.png"
    small = done("canny", pixels(60, 40))
    assert small.thumb == small.map


def test_every_card_says_what_it_is_and_how_it_stands() -> None:
    cards = (
        done("canny", pixels(60, 40)),
        Card(name="hough", label="Lines", state="runs"),
        Card(name="tile", label="Blurred"),
        Card(name="qr", label="QR", state="failed", words="Write a text."),
        Card(name="mlsd", label="M-LSD", state="lacks", words="needs 2 files", todo="Run hf download x"),
    )
    html = sheet(cards)
    assert re.findall(r'data-annotator="(\w+)"', html) == ["canny", "hough", "tile", "qr", "mlsd"]
    for part in ("tile done", "tile runs", "tile waits", "tile failed", "Canny", "10 ms", "Write a text."):
        assert part in html
    assert html.count("<img ") == 1
    assert re.search(
        r"<summary><b>M-LSD</b><span>needs 2 files</span></summary><p>Run hf download x\.</p>", html
    )
    told = re.findall(r"<span>(.*?)</span>", summary(cards))
    assert told == ["1 map", "10 ms", "1 failed", "1 need a download", "Lines …"]


def test_the_frames_have_the_shape_of_the_picture_within_reason() -> None:
    for size, shape in (((400, 300), "1.333"), ((4000, 100), "1.800"), ((100, 4000), "0.556")):
        assert f"--shape: {shape}" in sheet([Card(name="canny", label="Canny", size=size)])


def test_an_empty_sheet_says_what_will_be_there() -> None:
    assert "appear here" in sheet(())


def test_nothing_gets_out_of_its_quotes() -> None:
    cards = (
        done("canny", pixels(60, 40), notices=(EVIL,)),
        Card(name="qr", label=EVIL, state="failed", words=EVIL),
        Card(name="mlsd", label=EVIL, state="lacks", words=EVIL, todo=EVIL),
    )
    html = sheet(cards) + summary((Card(name="qr", label=EVIL, state="runs"),))
    assert EVIL not in html
    assert html.count("<img ") == 1
    (address,) = re.findall(r'<img src="([^"]*)"', html)
    assert "'" not in address
    assert "#" not in address


@pytest.mark.parametrize(
    ("count", "size"), [(1, (80, 60)), (2, (60, 80)), (3, (40, 320)), (11, (80, 60)), (28, (320, 40))]
)
def test_the_poster_shows_every_map_whole_on_paper(count: int, size: tuple[int, int]) -> None:
    red = np.full((size[1], size[0], 3), (255, 0, 0), np.uint8)
    drawn = read(poster([done("canny", red)] * count))
    height, width = drawn.shape[:2]
    found, _, boxes, _ = cv2.connectedComponentsWithStats((drawn == (255, 0, 0)).all(axis=2).astype(np.uint8))
    assert found - 1 == count
    for left, top, across, down, area in boxes[1:]:
        assert area == across * down, "a whole rectangle"
        assert across / down == pytest.approx(size[0] / size[1], rel=0.05)
        assert min(left, top, width - left - across, height - top - down) > 20, "a margin all around"
    assert ((drawn < 100).all(axis=2)).any(), "the labels"


def test_what_is_not_done_is_not_on_the_poster() -> None:
    alone = poster([done("canny", pixels(60, 40))])
    others = [Card(name="qr", label="QR", state="failed"), Card(name="mlsd", label="M", state="lacks")]
    assert poster([*others, done("canny", pixels(60, 40))]) == alone


def test_the_zip_holds_maps_data_and_the_sheet() -> None:
    maps = {"canny": pixels(60, 40, 1), "depth_midas": pixels(60, 40, 2)}
    cards = [
        done("canny", maps["canny"]),
        done("depth_midas", maps["depth_midas"], data={"unit": "m²"}),
        Card(name="qr", label="QR", state="failed"),
    ]
    with zipfile.ZipFile(io.BytesIO(packed(cards, b"the sheet"))) as archive:
        assert archive.namelist() == ["canny.png", "depth_midas.png", "depth_midas.json", POSTER]
        assert archive.testzip() is None
        for name, map in maps.items():
            assert np.array_equal(read(archive.read(f"{name}.png")), map)
        assert json.loads(archive.read("depth_midas.json")) == {"unit": "m²"}
        assert archive.read(POSTER) == b"the sheet"
