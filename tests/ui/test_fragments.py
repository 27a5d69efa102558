"""The small pieces of HTML: what they say, and that nothing of a user's gets out of its quotes."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.engine import EngineState, Job
from pipelines.request import ControlUnit, GenerateRequest, Saved, SavedImage
from pipelines.request.keeping import Kept
from ui import fragments

EVIL = '<img src=x onerror="alert(1)">'


def job(**fields: object) -> Job:
    return Job(**{"id": "a", "kind": "generate", "payload": None} | fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (EngineState(), "Starting"),
        (EngineState(phase="loading", detail="Pocket: U-Net"), "Loading Pocket: U-Net"),
        (EngineState(phase="ready", device="CPU"), "Ready on CPU"),
        (EngineState(phase="failed", detail="no driver"), "Models unavailable: no driver"),
    ],
)
def test_the_pill_says_how_the_models_stand(state: EngineState, words: str) -> None:
    assert f">{words}<" in fragments.pill(state).replace("<i></i>", ">")
    assert f"pill {state.phase}" in fragments.pill(state)


def test_progress_has_step_time_left_and_a_picture() -> None:
    preview = np.zeros((16, 16, 3), np.uint8)
    running = job(state="denoising", step=5, total=20, first_step_at=100.0, step_at=108.0, preview=preview)
    html = fragments.progress(running)
    assert "step 5 of 20" in html
    assert "30 s left" in html
    assert 'aria-valuenow="25"' in html
    assert "data:image/jpeg;base64," in html


def test_a_waiting_job_says_how_many_are_ahead() -> None:
    assert "2 ahead of yours" in fragments.progress(job(place=2))
    assert "yours is next" in fragments.progress(job(place=0))


def test_what_a_user_wrote_is_shown_literally() -> None:
    for html in (
        fragments.notes([EVIL]),
        fragments.pill(EngineState(phase="failed", detail=EVIL)),
        fragments.pill(EngineState(phase="ready", device=EVIL)),
    ):
        assert "<img" not in html
        assert "&lt;img" in html


def test_no_notices_are_no_html() -> None:
    assert fragments.notes([]) == ""


def test_what_was_made_names_every_seed() -> None:
    unit = ControlUnit(condition="canny", map="0" * 64)
    saved = Saved(
        images=tuple(
            SavedImage(path=Path("x.png"), seed=seed, agreement=(Kept(condition="canny", share=share),))
            for seed, share in ((8, 0.92), (9, 0.5))
        ),
        maps=(),
        request=GenerateRequest(prompt=EVIL, controls=(unit,), width=512, height=256, seed=8, count=2),
        notices=("Mind the gap.",),
        seconds=2.04,
    )
    html = fragments.made(saved)
    for words in ("Seed 8, 9", "512×256", "2.0 s", "Mind the gap.", "keeps 92 %, 50 % of the edges"):
        assert words in html
    assert "<img" not in html
