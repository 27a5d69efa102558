"""The doctor: a well installation is told so, and every way of not being well has its words and a way out."""

import importlib
import importlib.metadata
import json
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import cli
import doctor
from doctor import LOOKS, Check, Patient, examine
from errors import CANCELLED
from models.catalogue import FAMILIES
from models.store import Store
from pipelines.jobs import JobBook
from pipelines.kinds import kinds

Look = Callable[[str], Check]


@pytest.fixture
def patient(store: Store, tmp_path: Path) -> Patient:
    """An installation with the tiny family, that has not worked yet."""
    return Patient(weights=store.weights, outputs=tmp_path / "outputs", device="cpu", model="auto")


@pytest.fixture
def look(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> Look:
    """`look(name)`: that check alone."""

    def looked(name: str) -> Check:
        monkeypatch.setattr(doctor, "LOOKS", {name: LOOKS[name]})
        (check,) = examine(patient)
        assert check.name == name
        assert check.words
        assert (check.todo != "") >= (check.state == "fail"), "what fails says what to do"
        return check

    return looked


def test_all_of_it_on_an_installation_that_paints(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("settings.prepare_process", lambda cache: None)
    places = ["--weights", str(store.weights), "--outputs", str(tmp_path / "outputs"), "--device", "cpu"]
    code = cli.main(["doctor", "--json", *places])
    answer = json.loads(capsys.readouterr().out)
    states = {check["name"]: check["state"] for check in answer["checks"]}
    assert (code, answer["well"]) == (0, True), answer
    assert list(states) == list(LOOKS)
    assert set(states.values()) <= {"ok", "warn"}
    worker = answer["checks"][-1]
    assert (worker["name"], worker["state"]) == ("worker", "ok")
    assert "painted a picture" in worker["words"]
    assert states["models"] == "ok"
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == [], "it leaves nothing behind"


def test_a_failure_is_exit_code_1_and_said(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("settings.prepare_process", lambda cache: None)
    monkeypatch.setattr(doctor, "LOOKS", {name: LOOKS[name] for name in ("python", "models", "disk")})
    arguments = ["doctor", "--weights", str(tmp_path / "none"), "--outputs", str(tmp_path)]
    assert cli.main(arguments) == 1
    said = capsys.readouterr().out
    assert "fail  models" in said
    assert said.endswith("Not well: models.\n")
    assert cli.main([*arguments, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["well"] is False
    monkeypatch.setattr(doctor, "LOOKS", {"python": LOOKS["python"]})
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.endswith("All is well.\n")


def test_a_check_that_breaks_is_one_that_failed(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_: Patient) -> Any:
        raise ZeroDivisionError

    def refuses(_: Patient) -> Any:
        raise CANCELLED("It was stopped", todo="Start it again")

    monkeypatch.setattr(doctor, "LOOKS", {"one": breaks, "two": refuses, "python": LOOKS["python"]})
    one, two, three = examine(patient)
    assert (one.state, two.state, three.state) == ("fail", "fail", "ok")
    assert "ZeroDivisionError" in one.words
    assert "CANCELLED: It was stopped" in two.words
    assert two.todo == "Start it again"


@pytest.mark.parametrize(("version", "state"), [((3, 10), "fail"), ((3, 11), "ok"), ((3, 14), "fail")])
def test_python(version: tuple[int, int], state: str, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
    assert look("python").state == state


def test_packages_that_are_missing_or_of_another_version(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.1" if name == "timm" else real(name))
    assert look("packages").state == "warn"
    assert "timm 0.1 (tested with " in look("packages").words

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    check = look("packages")
    assert (check.state, check.todo) == ("fail", "Run make setup in the project's folder")
    assert "torch, torchvision" in check.words


def test_a_library_that_does_not_load(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def load(name: str) -> Any:
        if name == "timm":
            raise RuntimeError("operator torchvision::nms does not exist")
        return real(name)

    monkeypatch.setattr(doctor, "MODULES", ("torch", "timm"))
    monkeypatch.setattr(importlib, "import_module", load)
    check = look("imports")
    assert (check.state, check.words) == ("fail", "import timm fails: RuntimeError")


@pytest.mark.parametrize(("mended", "state"), [(None, "ok"), (object(), "warn")])
def test_operators_of_another_build(
    mended: object, state: str, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "MODULES", ("json",))
    monkeypatch.setattr("models.torchvision_ops.define_missing", lambda: mended)
    assert look("imports").state == state


@pytest.mark.parametrize(
    ("names", "state"),
    [
        (["opencv-python-headless", "numpy"], "ok"),
        (["opencv-python-headless", "opencv-python"], "fail"),
        (["numpy"], "fail"),
        (["opencv-python-headless", "mediapipe"], "fail"),
    ],
)
def test_one_opencv_and_no_mediapipe(
    names: list[str], state: str, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [SimpleNamespace(metadata={"Name": name}) for name in names]
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: found)
    assert look("opencv").state == state


@pytest.mark.parametrize(("free", "state"), [(10**8, "warn"), (10**10, "ok")])
def test_the_device_and_its_memory(
    free: int, state: str, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.device._free_host_bytes", lambda: free)
    check = look("device")
    assert check.state == state
    assert check.words.startswith("CPU in ")


def test_a_device_that_is_not_there(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOOKS", {"device": LOOKS["device"]})
    (check,) = examine(
        Patient(weights=patient.weights, outputs=patient.outputs, device="cuda:99", model="auto")
    )
    assert check.state == "fail"
    assert "NO_GPU" in check.words


@pytest.mark.parametrize(("free", "state"), [(10**8, "fail"), (2 * 10**9, "warn"), (10**10, "ok")])
def test_disk(free: int, state: str, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    assert look("disk").state == state


def test_folders_that_can_not_be_written(
    look: Look, patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = doctor._try_writing

    def refuse(folder: Path) -> None:
        if folder == closed:
            raise PermissionError(13, "Permission denied", str(folder))
        real(folder)

    monkeypatch.setattr(doctor, "_try_writing", refuse)
    closed = patient.weights
    assert look("folders").state == "warn"
    closed = patient.outputs
    check = look("folders")
    assert check.state == "fail"
    assert "DIR_READONLY" in check.words
    closed = Path()
    assert look("folders").state == "ok"


def test_families_that_are_there_in_part_or_not_at_all(look: Look, store: Store) -> None:
    here, absent = FAMILIES
    assert store.has(here)
    assert not store.has(absent)
    check = look(f"family {here}")
    assert check.state == "warn"
    assert "with lines; without" in check.words
    check = look(f"family {absent}")
    assert (check.state, check.words) == ("warn", f"{FAMILIES[absent].title} is not here")
    assert "hf download" in check.todo


def test_the_job_book(look: Look, patient: Patient) -> None:
    assert look("job book").words == "none yet"
    path = patient.outputs / "jobs.sqlite3"
    book = JobBook(kinds(patient.outputs), path)
    assert look("job book") == Check("job book", "ok", "0 jobs"), "while the program runs"
    book.close()
    assert look("job book").state == "ok"
    path.write_bytes(b"this was a book once" * 500)
    assert look("job book").state == "fail"


def test_a_job_book_with_a_broken_page(look: Look, patient: Patient) -> None:
    path = patient.outputs / "jobs.sqlite3"
    JobBook(kinds(patient.outputs), path).close()
    with sqlite3.connect(path) as broken:
        broken.execute("PRAGMA writable_schema = ON")
        broken.execute("UPDATE sqlite_master SET rootpage = 99 WHERE name = 'jobs_by_state'")
    broken.close()
    assert look("job book").state == "fail"


def test_a_worker_that_can_not_start(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        """An engine that nobody answers."""

        def __init__(self, home: object, book: object) -> None:
            self.closed = False
            engines.append(self)

        def start(self) -> None:
            pass

        def answers(self, within: float) -> bool:
            return False

        def close(self, patience: float) -> None:
            self.closed = True

    engines: list[Silent] = []
    monkeypatch.setattr(doctor, "Engine", Silent)
    monkeypatch.setattr(doctor, "LOOKS", {"worker": LOOKS["worker"]})
    (check,) = examine(patient)
    assert (check.state, check.words) == ("fail", "the worker process does not answer")
    assert engines[0].closed
