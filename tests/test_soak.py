"""A short run of each trial of `make soak`, so that a change that breaks a promise is seen the same day."""

import random
from pathlib import Path

import pytest

import gate
from errors import QUEUE_FULL
from models.store import Store
from pipelines.jobs import Job
from pipelines.request import GenerateRequest
from scripts import soak
from scripts.soaking import clients, fuzz, kills, training, workers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def folder(tmp_path: Path, store: Store) -> Path:
    """Where a trial may work; the tiny family is there already."""
    (tmp_path / "weights").symlink_to(store.weights)
    return tmp_path


@pytest.mark.long
def test_five_kills_of_the_program(folder: Path) -> None:
    figures = kills.run(folder, 5)
    assert figures["database whole, by `PRAGMA integrity_check`"] == "5 of 5"


def test_a_kill_as_pictures_are_written(folder: Path) -> None:
    figures = kills.run_saving(folder, 1)
    assert figures["database whole, by `PRAGMA integrity_check`"] == "1 of 1"


@pytest.mark.long
def test_five_kills_of_the_worker(folder: Path) -> None:
    figures = workers.run(folder, 5)
    assert figures["kills of the worker"] == "5"


@pytest.mark.long
def test_three_kills_of_a_training_run(tmp_path: Path) -> None:
    figures = training.killed(tmp_path, 3, steps=12)
    assert figures["checkpoints that were said to be saved and were not there whole"] == "0"
    assert figures["of these with other weights than a run without interruptions"] == "0"
    assert figures["runs of 12 steps that came to their end"] != "0"


def test_ten_clients(folder: Path) -> None:
    figures = clients.run(folder, 10, jobs_each=2)
    assert figures["jobs with one end"] == "20 done"


def test_five_seconds_of_fuzz(tmp_path: Path) -> None:
    figures = fuzz.run(tmp_path, 5 / 60)
    assert int(figures["pictures tried"].replace(",", "")) > 50
    assert "taken" in figures["pictures: what became of them"]


# The trials themselves find what is wrong


def test_a_crossed_a_doubled_and_a_lost_answer_are_found() -> None:
    request = GenerateRequest(prompt="", controls=(), width=64, height=64, seed=1)
    done = Job(id="1", kind="generate", payload=request, owner="A", state="done")
    with pytest.raises(AssertionError):
        clients.accounted([("A", 1, done)], wanted=2)
    for owner, seed in (("B", 1), ("A", 2)):
        with pytest.raises((AssertionError, AttributeError)):
            clients.accounted([(owner, seed, done)], wanted=1)
    assert clients.accounted([("A", 1, QUEUE_FULL("Full"))], wanted=1) == {"refused": 1}


def test_an_error_without_a_code_is_found_with_what_caused_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "open_picture", lambda data, limits: [][len(data)])
    with pytest.raises(IndexError):
        fuzz.fuzz(tmp_path, 1.0, seed=1)
    assert (tmp_path / fuzz.LAST).read_bytes()


def test_mutations_are_the_same_for_the_same_seed_and_checksums_are_mended() -> None:
    seeds = fuzz.picture_seeds()
    assert [fuzz.mutated(seeds, random.Random(n)) for n in range(99)] == [
        fuzz.mutated(seeds, random.Random(n)) for n in range(99)
    ]
    for png in seeds[:6]:
        assert fuzz.with_checksums(png) == png
        broken = bytearray(png)
        broken[-1] ^= 1
        assert fuzz.with_checksums(bytes(broken)) == png


def test_figures_stand_between_their_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- soak: kills -->\nold\n<!-- end of kills -->\nafter\n")
    monkeypatch.setattr(soak, "PAGE", page)
    soak.write("kills", soak.table({"kills": "5"}, "python -m scripts.soak kills"))
    text = page.read_text()
    assert text.startswith("before\n<!-- soak: kills -->\n`python -m scripts.soak kills` on ")
    assert text.endswith("| kills | 5 |\n<!-- end of kills -->\nafter\n")
    assert "old" not in text


def test_the_page_has_a_place_for_every_trial() -> None:
    page = soak.PAGE.read_text("utf-8")
    for name in soak.TRIALS:
        assert page.count(soak.BEGIN.format(name)) == page.count(soak.END.format(name)) == 1
