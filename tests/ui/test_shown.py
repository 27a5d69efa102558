"""The pictures of the gallery: what stands below them, and their order."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.request import ControlUnit, GenerateRequest, Saved, SavedImage
from pipelines.request.keeping import Kept
from ui.shown import Shown, arranged, can_be_arranged, shown

SHARES = {"new": (0.2, 0.9, None, 0.9), "old": (0.5, 1.0), "older": (None,)}
PICTURES = [
    Shown(path=f"{job}{place}", caption="", job=job, kept=share)
    for job, shares in SHARES.items()
    for place, share in enumerate(shares)
]


def test_pictures_are_shown_as_they_were_made() -> None:
    made = [path for path, _ in arranged(PICTURES, best_first=False)]
    assert made == ["new0", "new1", "new2", "new3", "old0", "old1", "older0"]


def test_the_best_of_each_run_comes_first_and_runs_stay_in_their_order() -> None:
    best = [path for path, _ in arranged(PICTURES, best_first=True)]
    assert best == ["new1", "new3", "new0", "new2", "old1", "old0", "older0"]


@pytest.mark.parametrize(
    ("jobs", "answer"), [("", False), ("a", False), ("ab", False), ("aab", True), ("aba", True)]
)
def test_an_order_is_offered_where_there_is_one(jobs: str, answer: bool) -> None:
    pictures = [Shown(path="x", caption="", job=job, kept=0.5) for job in jobs]
    unknown = [Shown(path="x", caption="", job="c", kept=None)] * 2
    assert can_be_arranged([*pictures, *unknown]) is answer


def test_a_caption_names_the_seed_and_what_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)
    kept = Kept(condition="canny", share=0.92, annotator="canny")
    unit = ControlUnit(condition="canny", map="0" * 64)
    saved = Saved(
        images=(SavedImage(path=path, seed=8, agreement=(kept,)), SavedImage(path=path, seed=9)),
        maps=(),
        request=GenerateRequest(prompt="x", controls=(unit,), width=512, height=256, seed=8, count=2),
        notices=(),
        seconds=2.0,
    )
    first, second = shown("job", saved)
    assert (first.caption, first.kept, first.job) == ("Seed 8 · keeps 92 % of the edges", 0.92, "job")
    assert (second.caption, second.kept) == ("Seed 9", None)
    assert Path(first.path).read_bytes() == path.read_bytes()


def test_a_picture_that_is_gone_is_not_shown(tmp_path: Path) -> None:
    there, gone = (SavedImage(path=tmp_path / name, seed=seed) for name, seed in (("a.png", 1), ("b.png", 2)))
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(there.path)
    request = GenerateRequest(prompt="x", controls=(), width=512, height=256, seed=1, count=2)
    saved = Saved(images=(there, gone), maps=(), request=request, notices=(), seconds=2.0)
    assert [picture.caption for picture in shown("job", saved)] == ["Seed 1"]
