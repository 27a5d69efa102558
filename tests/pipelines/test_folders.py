"""A folder of pictures becomes a folder of maps: resumable, whole at every moment, and stopped by nothing."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import annotators
from annotators.base import Annotation, Pixels
from errors import MODEL_MISSING, NO_GPU, NUMERIC, PARAM_CHOICE, ArmatureError
from gate import LIMITS
from pipelines import durable, folders
from pipelines.folders import DATA, Outcome, Pair, annotate_all, pairs

RECIPE = {"annotator": "canny", "resolution": 64, "values": {"low_threshold": 30}}
Annotate = Callable[[Pixels], Annotation]


def save(path: Path, number: int = 0) -> Path:
    """A picture of its own for each number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def canny(pixels: Pixels) -> Annotation:
    return annotators.annotate("canny", pixels, resolution=64, low_threshold=30)


class Counting:
    """Canny that knows how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, pixels: Pixels) -> Annotation:
        self.calls += 1
        return canny(pixels)


def run(folder: Path, out: Path, annotate: Annotate = canny, **recipe: Any) -> list[Outcome]:
    return list(annotate_all(pairs(folder, out), annotate, recipe=RECIPE | recipe, limits=LIMITS["local"]))


def states(outcomes: list[Outcome]) -> dict[str, str]:
    return {outcome.pair.source.name: outcome.state for outcome in outcomes}


def pixels(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, one of them in a folder below."""
    for number, name in enumerate(("a.png", "b.jpg", "deep/c.png")):
        save(tmp_path / "in" / name, number)
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


# Which pictures, and where their maps go


def test_every_picture_has_its_map_in_the_same_place(folder: Path, out: Path) -> None:
    outcomes = run(folder, out)
    assert [outcome.pair.target.relative_to(out).as_posix() for outcome in outcomes] == [
        "a.png",
        "b.png",
        "deep/c.png",
    ]
    for outcome in outcomes:
        assert outcome.state == "made"
        assert np.array_equal(pixels(outcome.pair.target), canny(pixels(outcome.pair.source)).map)


def test_what_is_no_picture_is_left_alone_and_what_looks_like_one_is_not(folder: Path, out: Path) -> None:
    for name in ("notes.txt", ".hidden.png", ".git/x.png", "table.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("no picture")
    (folder / "photo.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    os.symlink(folder / "a.png", folder / "link.png")
    outcomes = run(folder, out)
    assert states(outcomes) == {"a.png": "made", "b.jpg": "made", "c.png": "made", "photo.HEIC": "failed"}


def test_pictures_that_differ_in_their_suffix_alone_have_two_maps(folder: Path, out: Path) -> None:
    save(folder / "a.jpg", 7)
    save(folder / "B.PNG", 8)
    targets = {pair.source.name: pair.target.name for pair in pairs(folder, out)}
    assert targets == {
        "a.png": "a.png.png",
        "a.jpg": "a.jpg.png",
        "b.jpg": "b.jpg.png",
        "B.PNG": "B.PNG.png",
        "c.png": "c.png",
    }


def test_maps_below_their_pictures_are_not_taken_for_pictures(folder: Path) -> None:
    assert len(run(folder, folder / "maps")) == 3
    assert states(run(folder, folder / "maps")) == {"a.png": "kept", "b.jpg": "kept", "c.png": "kept"}


@pytest.mark.parametrize("place", ["in", "in/../in", "in/a.png"])
def test_maps_go_into_a_folder_of_their_own(folder: Path, place: str) -> None:
    before = (folder / "a.png").read_bytes()
    with pytest.raises(ArmatureError, match="PARAM_CHOICE"):
        pairs(folder, folder.parent / place)
    assert (folder / "a.png").read_bytes() == before


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArmatureError, match="IMG_EMPTY"):
        pairs(tmp_path / "empty", tmp_path / "out")


def test_a_folder_that_can_not_be_read_is_said(folder: Path, out: Path, monkeypatch: Any) -> None:
    def walk(place: Path, onerror: Callable[[OSError], None]) -> Any:
        onerror(PermissionError(13, "Permission denied", str(place / "deep")))

    monkeypatch.setattr(os, "walk", walk)
    with pytest.raises(ArmatureError, match=r"INPUT_GONE.*found: deep"):
        pairs(folder, out)


# What is done is kept


def test_what_is_done_is_kept_as_it_is(folder: Path, out: Path) -> None:
    first = run(folder, out)
    before = {outcome.pair.target: outcome.pair.target.stat().st_mtime_ns for outcome in first}
    counting = Counting()
    again = run(folder, out, counting)
    assert counting.calls == 0
    assert {outcome.state for outcome in again} == {"kept"}
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_run_that_was_cut_goes_on_where_it_was(folder: Path, out: Path) -> None:
    cut = annotate_all(pairs(folder, out), canny, recipe=RECIPE, limits=LIMITS["local"])
    assert next(cut).state == "made"
    cut.close()  # type: ignore[attr-defined]
    counting = Counting()
    assert [outcome.state for outcome in run(folder, out, counting)] == ["kept", "made", "made"]
    assert counting.calls == 2


def test_what_a_killed_run_left_aside_goes_and_nothing_else(folder: Path, out: Path) -> None:
    out.mkdir()
    left = [out / f"a.png{durable.ASIDE}0a1b2c3d", out / f"a{DATA}{durable.ASIDE}0a1b2c3d"]
    others = [out / f"holiday{durable.ASIDE}1", out / f"z.png{durable.ASIDE}0a1b2c3d"]
    for path in (*left, *others):
        path.write_bytes(b"half")
    run(folder, out)
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in others)


def test_other_settings_and_other_pictures_make_other_maps(folder: Path, out: Path) -> None:
    run(folder, out)
    assert {outcome.state for outcome in run(folder, out, resolution=65)} == {"made"}
    assert {outcome.state for outcome in run(folder, out, resolution=65)} == {"kept"}
    save(folder / "a.png", 9)
    again = run(folder, out, resolution=65)
    assert states(again) == {"a.png": "made", "b.jpg": "kept", "c.png": "kept"}
    assert np.array_equal(pixels(out / "a.png"), canny(pixels(folder / "a.png")).map)


def test_a_file_of_somebody_else_is_not_written_over(folder: Path, out: Path) -> None:
    save(out / "a.png", 3)
    (out / "b.png").mkdir()
    before = (out / "a.png").read_bytes()
    outcomes = run(folder, out)
    assert states(outcomes) == {"a.png": "failed", "b.jpg": "failed", "c.png": "made"}
    assert [outcome.error.code.name for outcome in outcomes if outcome.error] == ["TARGET_TAKEN"] * 2
    assert (out / "a.png").read_bytes() == before


# What was found beside the map


def test_data_lies_beside_its_map_and_goes_when_it_is_no_longer_so(folder: Path, out: Path) -> None:
    run(folder, out, lambda pixels: Annotation(map=pixels, data={"names": ["ü"]}, notices=("Look.",)))
    assert json.loads((out / "deep" / f"c{DATA}").read_text("utf-8")) == {"names": ["ü"]}
    run(folder, out, resolution=99)
    assert not list(out.rglob(f"*{DATA}"))


def test_notices_come_with_the_outcome(folder: Path, out: Path) -> None:
    outcomes = run(folder, out, lambda pixels: Annotation(map=pixels, notices=("Look.",)))
    assert [outcome.notices for outcome in outcomes] == [("Look.",)] * 3


# What goes wrong


def test_broken_pictures_are_told_and_the_rest_is_made(folder: Path, out: Path) -> None:
    whole = (folder / "a.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.png").write_text("no picture at all")
    outcomes = run(folder, out)
    errors = {o.pair.source.name: o.error.code.name for o in outcomes if o.error is not None}
    assert errors == {"cut.png": "IMG_TRUNCATED", "empty.jpg": "IMG_EMPTY", "text.png": "IMG_FORMAT"}
    assert [outcome.state for outcome in outcomes].count("made") == 3
    assert sorted(path.name for path in out.rglob("*.png")) == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize("error", [NUMERIC("No number"), ValueError("a bug"), MemoryError()])
def test_an_annotator_that_fails_on_one_picture_goes_on_with_the_next(
    error: Exception, folder: Path, out: Path
) -> None:
    counting = Counting()

    def fails_once(pixels: Pixels) -> Annotation:
        if counting.calls == 0:
            counting.calls += 1
            raise error
        return canny(pixels)

    assert [outcome.state for outcome in run(folder, out, fails_once)] == ["failed", "made", "made"]
    assert [outcome.state for outcome in run(folder, out)] == ["made", "kept", "kept"]


@pytest.mark.parametrize(
    "error", [MODEL_MISSING("No weights"), NO_GPU("No card"), OSError(28, "No space left on device")]
)
def test_what_would_fail_every_picture_ends_the_run(error: Exception, folder: Path, out: Path) -> None:
    def fails(pixels: Pixels) -> Annotation:
        raise error

    with pytest.raises(type(error)) as raised:
        run(folder, out, fails)
    assert raised.value is error


def test_a_full_disk_leaves_no_half_map(folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(folder, out)
    old = (out / "a.png").read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            run(folder, out, resolution=99)
    assert (out / "a.png").read_bytes() == old
    assert not list(out.rglob(f"*{durable.ASIDE}*"))


def test_a_pair_may_be_anywhere(tmp_path: Path) -> None:
    """For a caller with a layout of its own."""
    pair = Pair(save(tmp_path / "x" / "1.png"), tmp_path / "y" / "other.png")
    (outcome,) = annotate_all([pair], canny, recipe={}, limits=LIMITS["local"])
    assert outcome.state == "made"
    assert (tmp_path / "y" / "other.png").is_file()


def test_the_mark_stands_in_the_head_of_a_map_of_any_size(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (900, 900, 3), dtype=np.uint8)).save(
        folder / "a.png"
    )
    run(folder, out, lambda pixels: Annotation(map=pixels))
    assert (out / "a.png").read_bytes().index(folders.KEY.encode()) < folders.HEAD_BYTES / 2
    assert states(run(folder, out)) == {"a.png": "kept"}


def test_a_refusal_of_the_whole_is_our_own(folder: Path) -> None:
    with pytest.raises(ArmatureError) as refusal:
        pairs(folder, folder)
    assert refusal.value.code is PARAM_CHOICE
