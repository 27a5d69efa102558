"""`cli.py train` from outside: a file, a data set on the disk, signals, and the answer as JSON."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import cli
from models.store import Store
from training import checkpoint, fill50k

ROOT = Path(__file__).parents[2]
LEAVES_WITHIN = 20.0  # seconds after SIGTERM, and all that it promises

FILE = """
name = "circles"

[data]
path = "{data}"
condition = "canny"
size = 64

[train]
steps = {steps}
batch = 2
learning_rate = 1e-3
precision = "float32"

[watch]
save_every = 1000
sample_every = 2
held_out = 2
sample_steps = 2
"""


@pytest.fixture
def place(tmp_path: Path, store: Store) -> Path:
    """A folder with twelve circles and the tiny family."""
    fill50k.make(tmp_path / "data", fill50k.Recipe(size=64), 12, workers=1)
    (tmp_path / "weights" / "pocket").mkdir(parents=True)
    (tmp_path / "weights" / "pocket" / "base").symlink_to(store.base("pocket"))
    return tmp_path


def written(place: Path, steps: int) -> list[str]:
    """The words of a command that trains so many steps."""
    file = place / "run.toml"
    file.write_text(FILE.format(data=place / "data", steps=steps))
    places = ["--weights", str(place / "weights"), "--outputs", str(place / "outputs")]
    return ["train", str(file), *places, "--device", "cpu"]


def test_a_run_from_a_file_answers_in_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*written(place, 4), "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    control = place / "weights" / "controls" / "canny" / "circles"
    assert answer["made"] == [str(control)]
    assert answer["run"] == str(place / "outputs" / "training" / "circles")
    assert (answer["steps"], answer["convergence"]) == (4, None)
    assert [point["step"] for point in answer["agreement"]] == [0, 2, 4]
    assert (control / "config.json").is_file()
    assert "Step 4: held-out loss" in said.err


def test_bad_pairs_are_listed_before_anything_is_trained(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "data" / "target" / "3.png").write_bytes(b"no picture")
    (place / "data" / "target" / "5.png").unlink()
    assert cli.main([*written(place, 4), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["error"]["code"] == "DATASET_INVALID"
    assert "3.png" in answer["error"]["message"]
    assert not (place / "outputs").exists()


def test_a_misspelt_setting_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = written(place, 4)
    file = Path(words[1])
    file.write_text(file.read_text().replace("learning_rate", "learning_rat"))
    assert cli.main(words) == 1
    assert "learning_rat" in capsys.readouterr().err


@contextmanager
def running(words: list[str]) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The command in a process of its own, and what it says on stderr, line by line."""
    calm = os.environ | {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0"}
    process = subprocess.Popen(
        [sys.executable, "cli.py", *words],
        cwd=ROOT,
        env=calm,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines: list[str] = []
    listener = threading.Thread(target=lambda: lines.extend(process.stderr or ()), daemon=True)
    listener.start()
    try:
        yield process, lines
    finally:
        process.kill()
        process.wait()
        listener.join(10)
        process.stderr.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_sigterm_saves_and_leaves_and_the_same_command_goes_on(place: Path) -> None:
    with running(written(place, 100_000)) as (process, lines):
        until = time.monotonic() + 120
        while not any("Step 6: held-out" in line for line in list(lines)):
            assert process.poll() is None, lines
            assert time.monotonic() < until, lines
            time.sleep(0.02)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(LEAVES_WITHIN) == 1
        assert time.monotonic() - began < LEAVES_WITHIN
    assert any("INTERRUPTED" in line for line in lines)
    (newest, *_) = checkpoint.found(place / "outputs" / "training" / "circles" / "checkpoints")
    kept = checkpoint.load(newest)
    assert kept is not None
    assert kept.step >= 6
    assert any(f"was stopped after step {kept.step}" in line for line in lines)
    assert cli.main(written(place, kept.step + 1)) == 0
