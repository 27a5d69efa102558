"""The real program in a process of its own, on a loopback port, for as long as a test needs it.

`serving` starts it and ends it, `App` is what a test holds meanwhile, and `Front` calls the page's own
private events the way its front end in the browser does. The benchmarks use these too: no pytest here.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

ROOT = Path(__file__).parents[1]
# The bound from the second `make run` to the page is 5 s; a test waits ten times as long.
START_SECONDS = 50.0
STOP_SECONDS = 20.0
READY_LINE = re.compile(r"^Armature is ready at (http://\S+)$", re.MULTILINE)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class App:
    """A running Armature, and how many seconds after its start the page answered."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]
    seconds: float

    @property
    def log(self) -> str:
        """All that it has said so far."""
        return log_of(self.folder)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code after a signal; one that does not go in time is killed, and that is a failure."""
        self.process.send_signal(how)
        try:
            return self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end on {how.name}:\n{self.log}") from None


@contextmanager
def serving(
    folder: Path,
    weights: Path,
    *flags: str,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = ("app.py",),
) -> Iterator[App]:
    """A running app with models from `weights`; `folder` takes whatever it writes.

    `program` is what Python runs, for a test that puts something of its own around `app.py`.
    """
    port = free_port()
    began = time.monotonic()
    process = start(folder, weights, "--port", str(port), *flags, environment=environment, program=program)
    try:
        url = until(lambda: _ready(folder, process), seconds=START_SECONDS)
        httpx.get(url, timeout=START_SECONDS).raise_for_status()
        yield App(url=url, folder=folder, process=process, seconds=time.monotonic() - began)
    finally:
        process.kill()
        process.wait()


def start(
    folder: Path,
    weights: Path,
    *flags: str,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = ("app.py",),
) -> subprocess.Popen[bytes]:
    """The process alone. It listens on loopback, and knows of our own environment only the search path."""
    folder.mkdir(parents=True, exist_ok=True)
    clean = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "GOMP_SPINCOUNT": "0",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }
    places = ["--weights", str(weights), "--outputs", str(folder / "outputs"), "--host", "127.0.0.1"]
    with _log_file(folder).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, *program, *places, *flags],
            cwd=ROOT,
            env=clean | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def log_of(folder: Path) -> str:
    """All that the app of this folder has said."""
    return _log_file(folder).read_text(encoding="utf-8", errors="replace")


def _log_file(folder: Path) -> Path:
    return folder / "app.log"


def _ready(folder: Path, process: subprocess.Popen[bytes]) -> str:
    """The address, as soon as the app says that it may be used."""
    line = READY_LINE.search(log_of(folder))
    if line is None and process.poll() is not None:
        raise AssertionError(f"it ended with {process.returncode}:\n{log_of(folder)}")
    return line[1] if line else ""


def until(look: Callable[[], T], *, seconds: float) -> T:
    """The first answer that counts as true, or a failure with the last one."""
    end = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < end, f"still {answer!r} after {seconds:g} s"
        time.sleep(0.02)
    return answer


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Front:
    """One visitor's page, without a browser: components by their `elem_id`, events by what sets them off."""

    url: str
    config: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=f"{self.url}/gradio_api", timeout=60)
        self.config = httpx.get(f"{self.url}/config").json()
        properties = {entry["id"]: entry["props"] for entry in self.config["components"]}
        self.names = {key: props["elem_id"] for key, props in properties.items() if props.get("elem_id")}
        self.values = {key: props.get("value") for key, props in properties.items()}
        self.session = os.urandom(8).hex()

    def upload(self, picture: Path) -> dict[str, Any]:
        """The value of a picture component after a file was dropped there."""
        with picture.open("rb") as file:
            answer = self.http.post("/upload", files={"files": (picture.name, file)})
        return {"path": answer.raise_for_status().json()[0], "meta": {"_type": "gradio.FileData"}}

    def payload(
        self, trigger: str, source: str | None = None, *, queued: bool | None = None, **given: Any
    ) -> dict[str, Any]:
        """What the browser would send when `trigger` happens at `source`, with some values changed.

        Names are `elem_id`s, with underscores for hyphens where they come as keywords.
        """
        ids = {name.replace("-", "_"): key for key, name in self.names.items()}
        wanted = None if source is None else ids[source.replace("-", "_")]
        targets = [
            (event, target)
            for event in self.config["dependencies"]
            for target, what in event["targets"]
            if what == trigger and wanted in (None, target) and queued in (None, bool(event["queue"]))
        ]
        event, target = targets[0]
        changed = {ids[name]: value for name, value in given.items()}
        values = self.values | changed
        return {
            "data": [values[key] for key in event["inputs"]],
            "fn_index": event["id"],
            "trigger_id": target,
            "session_hash": self.session,
        }

    def fire(self, trigger: str, source: str | None = None, **given: Any) -> dict[str, Any]:
        """What an event that does not queue changes on the page, by `elem_id`."""
        payload = self.payload(trigger, source, queued=False, **given)
        answer = self.http.post("/run/predict", json=payload).raise_for_status().json()
        outputs = self.config["dependencies"][payload["fn_index"]]["outputs"]
        return {
            self.names.get(key, str(key)): value for key, value in zip(outputs, answer["data"], strict=True)
        }

    def wait_for_models(self) -> None:
        """Return as soon as the head of the page says that the models are ready."""
        until(lambda: 'class="pill ready"' in self.fire("look", "pill")["pill"], seconds=60)

    def close(self) -> None:
        """Give the connection back."""
        self.http.close()
