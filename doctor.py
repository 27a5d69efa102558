"""Whether this installation is well, check by check: what was found, and in words what to do about it."""

import importlib
import importlib.metadata
import logging
import re
import shutil
import sqlite3
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from conditions import CONDITIONS
from errors import ours
from gate import LIMITS, Picture
from models.catalogue import FAMILIES, family_of
from models.store import Store, title
from pipelines import home
from pipelines.engine import Engine
from pipelines.homes import ProcessHome
from pipelines.jobs import JobBook
from pipelines.kinds import kinds
from pipelines.pictures import PICTURES, PictureStore
from pipelines.request import Saved
from pipelines.request.intake import Desk
from pipelines.worker import Worker

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent
GIGA = 1_000_000_000
PYTHONS = ((3, 11), (3, 13))
MODULES = ("torch", "torchvision", "diffusers", "transformers", "timm", "controlnet_aux", "cv2", "gradio")
LEAST_MEMORY, LEAST_DISK, GOOD_DISK = GIGA, GIGA, 5 * GIGA
PINGS = 12  # of five seconds each: a ping to a worker that dies is lost, and the next one is asked

State: TypeAlias = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """What one look found; `todo` says how to mend what is not ok."""

    name: str
    state: State
    words: str
    todo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """The installation that is looked at."""

    weights: Path
    outputs: Path
    device: str
    model: str


def examine(patient: Patient) -> Iterator[Check]:
    """All checks, each as soon as it is done. One that breaks is one that failed, and the next follows."""
    for name, look in LOOKS.items():
        try:
            state, words, todo = look(patient)
        except Exception as error:
            known = ours(error)
            log.info("%s: %s", name, known, exc_info=error)
            state, words, todo = "fail", f"{known} [{type(error).__name__}]", known.todo
        yield Check(name, state, words, todo if state != "ok" else "")


Found: TypeAlias = tuple[State, str, str]
SETUP = "Run make setup in the project's folder"


def _python(_: Patient) -> Found:
    oldest, newest = PYTHONS
    here = sys.version_info[:2]
    words = ".".join(map(str, sys.version_info[:3]))
    todo = f"Install a Python from {oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}, then run make setup"
    return "ok" if oldest <= here <= newest else "fail", words, todo


def _packages(_: Patient) -> Found:
    """What requirements.txt names, against the versions that constraints.txt pins."""
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE))
    wanted = re.findall(r"^([A-Za-z][\w-]*)", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    missing, other = [], []
    for name in wanted:
        pin = pins.get(name.replace("_", "-"), "")
        try:
            version = importlib.metadata.version(name).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if pin and version != pin:
            other.append(f"{name} {version} (tested with {pin})")
    if missing:
        return "fail", "not installed: " + ", ".join(missing), SETUP
    if other:
        return "warn", "other versions than the tested ones: " + ", ".join(other), SETUP
    return "ok", f"{len(wanted)} packages, as pinned", ""


def _imports(_: Patient) -> Found:
    """The libraries load. Torchvision's operators come first, as in the program itself."""
    from models import torchvision_ops

    mended = torchvision_ops.define_missing()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in MODULES:
            try:
                importlib.import_module(name)
            except Exception as error:
                log.info("import %s", name, exc_info=error)
                return "fail", f"import {name} fails: {type(error).__name__}", SETUP
    if mended is not None:
        words = "torchvision was built for another torch: its operators are missing, and are done without"
        return "warn", words, "Nothing needs them; for a clean installation: make setup"
    return "ok", ", ".join(MODULES), ""


def _opencv(_: Patient) -> Found:
    """Two builds of OpenCV overwrite each other's files, and mediapipe breaks controlnet_aux."""
    names = {(found.metadata["Name"] or "").lower() for found in importlib.metadata.distributions()}
    builds = sorted(name for name in names if name.startswith("opencv-"))
    if "mediapipe" in names:
        return "fail", "mediapipe is installed", "Remove it: .venv/bin/pip uninstall mediapipe"
    todo = "Remove all of them, then make setup: it installs opencv-python-headless"
    return "ok" if len(builds) == 1 else "fail", ", ".join(builds) or "no OpenCV", todo


def _device(patient: Patient) -> Found:
    from models.device import choose

    chosen = choose(patient.device)
    number = str(chosen.dtype).removeprefix("torch.")
    words = f"{chosen.title} in {number}, models may fill {chosen.budget / GIGA:.1f} GB"
    state: State = "ok" if chosen.budget >= LEAST_MEMORY else "warn"
    return state, words, "Close other programs, or choose another --device"


def _disk(patient: Patient) -> Found:
    places = {"weights": patient.weights, "outputs": patient.outputs}
    free = {name: shutil.disk_usage(_existing(folder)).free for name, folder in places.items()}
    least = min(free.values())
    words = ", ".join(f"{bytes_free / GIGA:.1f} GB free for {name}" for name, bytes_free in free.items())
    state: State = "fail" if least < LEAST_DISK else "warn" if least < GOOD_DISK else "ok"
    return state, words, "Free some space, or name other folders with --weights and --outputs"


def _folders(patient: Patient) -> Found:
    """The outputs can be written; the weights may be read-only, then nothing can be fetched into them."""
    _try_writing(patient.outputs)
    try:
        _try_writing(patient.weights)
    except OSError:
        return "warn", "outputs can be written, weights can't", "To fetch models, make the folder writable"
    return "ok", "outputs and weights can be written", ""


def _family(name: str, patient: Patient) -> Found:
    store, entry = Store(patient.weights), FAMILIES[name]
    if not store.has(name):
        return "warn", f"{entry.title} is not here", store.how_to_get(name)
    there = [control.name for control in entry.controls if store.has(name, control.name)]
    lack = [control.name for control in entry.controls if control.name not in there]
    words = f"{entry.title}, with {', '.join(there) or 'no control'}"
    if lack:
        return "warn", f"{words}; without {', '.join(lack)}", store.how_to_get(name, lack[0])
    return "ok", words, ""


def _models(patient: Patient) -> Found:
    store = home.open_store(patient.weights, patient.model)
    family, condition = _paintable(store, patient.model)
    if not condition:
        return "fail", "no family has a base and a control: nothing can be painted", store.how_to_get(family)
    return "ok", f"{title(family)} paints", ""


def _book(patient: Patient) -> Found:
    """The job book is looked at, not touched: the program may be running."""
    path = patient.outputs / "jobs.sqlite3"
    if not path.is_file():
        return "ok", "none yet", ""
    todo = "Start the program: it puts a broken book aside and begins a new one; the pictures stay"
    book = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        (verdict,) = book.execute("PRAGMA integrity_check(1)").fetchone()
        (count,) = book.execute("SELECT COUNT(*) FROM jobs").fetchone()
    except sqlite3.Error as error:
        return "fail", f"the job book can't be read: {error}", todo
    finally:
        book.close()
    return ("ok", f"{count} jobs", "") if verdict == "ok" else ("fail", f"broken: {verdict}", todo)


def _worker(patient: Patient) -> Found:
    """A worker process starts and answers, and where a model is there it paints one small picture."""
    store = home.open_store(patient.weights, patient.model)
    family, condition = _paintable(store, patient.model)
    with tempfile.TemporaryDirectory(prefix="armature-doctor-") as name:
        outputs = Path(name)
        worker = Worker(
            weights=patient.weights,
            outputs=outputs,
            device=patient.device,
            family=family,
            bases=store.bases,
        )
        engine = Engine(ProcessHome(worker), JobBook(kinds(outputs)))
        engine.start()
        try:
            if not any(engine.answers(within=5) for _ in range(PINGS)):
                return "fail", "the worker process does not answer", "Look at the log for why it ended"
            if not condition:
                return "warn", "the worker answers; without a model it paints nothing", "Get a model"
            saved = _painted(
                engine, Desk(PictureStore(outputs / PICTURES), LIMITS["local"]), family, condition
            )
            words = f"the worker answers, and painted a picture in {saved.seconds:.1f} s"
            return ("ok" if saved.images[0].path.is_file() else "fail"), words, ""
        finally:
            engine.close(patience=2)


def _painted(engine: Engine, desk: Desk, family: str, condition: str) -> Saved:
    """Two steps at the family's smallest size, from a drawn picture."""
    side = family_of(family).smallest
    pixels = np.full((side, side, 3), 230, np.uint8)
    pixels[side // 4 : side // 2, side // 3 : side // 2] = 40
    size = f"{side}x{side}"
    draft = desk.draft(condition, Picture(pixels), family=family, size=size)
    request = desk.request(draft, family=family, values={"prompt": "a house", "steps": 2, "size": size})
    for job in engine.follow(engine.submit("generate", request)):
        last = job
    if last.error is not None:
        raise last.error
    saved: Saved = last.outcome
    return saved


def _paintable(store: Store, model: str) -> tuple[str, str]:
    """The family that would paint, and the first condition that it can; "" where it can't any."""
    family = home.default_model(model, store)
    able = (name for name, entry in CONDITIONS.items() if not entry.has_hole)
    return family, next((name for name in able if not home.lacking(store, family, name)), "")


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there already."""
    return next(path for path in (folder.resolve(), *folder.resolve().parents) if path.is_dir())


def _try_writing(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
        file.write(b"well")


LOOKS: dict[str, Callable[[Patient], Found]] = {
    "python": _python,
    "packages": _packages,
    "imports": _imports,
    "opencv": _opencv,
    "device": _device,
    "disk": _disk,
    "folders": _folders,
    **{f"family {name}": partial(_family, name) for name in FAMILIES},
    "models": _models,
    "job book": _book,
    "worker": _worker,
}
