"""The log: a line of JSON for each change of a job, bounded, and in public nothing of what a visitor says."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import logs
from errors import INPUT_GONE
from gate import Profile
from pipelines.engine import Engine
from pipelines.homes import Home, ProcessHome, ThreadHome
from pipelines.jobs import JobBook
from pipelines.messages import EngineState
from pipelines.request import Progress
from pipelines.runner import Handler
from tests.pipelines.recipes import Plain, wait_for
from tests.test_architecture import MAY_IMPORT

SECRET = "my neighbour Otto in her garden"
STAGES = ("loading", "denoising", "decoding", "saving")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """The loggers of the tests are given back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[Profile], Path]:
    def configure(profile: Profile) -> Path:
        logs.configure(tmp_path / "logs", profile)
        return tmp_path / "logs" / logs.FILE

    return configure


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("ascii").splitlines()]


def make(job_id: str, payload: Any) -> Iterator[Any]:
    """All stages; or one of the failures that quote what they were given."""
    for stage in STAGES:
        yield Progress(stage=stage, step=1, total=1)  # type: ignore[arg-type]
        if stage == payload.get("fails at"):
            raise ValueError(f"can't make {payload['prompt']!r}")
        if stage == payload.get("refuses at"):
            raise INPUT_GONE("A picture is not here any more", found=payload["prompt"])
    logging.getLogger("transformers.tokenization").warning("truncated: %s", payload["prompt"])
    yield {"made": True}


def prepare(report: Callable[[EngineState], None]) -> Mapping[str, Handler]:
    report(EngineState(phase="ready"))
    return {"generate": make}


HOMES: dict[str, Callable[[], Home]] = {
    "thread": lambda: ThreadHome(prepare),
    "process": lambda: ProcessHome(prepare),
}


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest) -> Callable[[], Home]:
    return HOMES[request.param]


def run(home: Callable[[], Home], *payloads: dict[str, Any]) -> list[str]:
    """The ids of these jobs, which are over."""
    engine = Engine(home(), JobBook({"generate": Plain()}))
    engine.start()
    ids = [engine.submit("generate", payload | {"prompt": SECRET}, owner="otto") for payload in payloads]
    for job_id in ids:
        *_, _ = engine.follow(job_id)
    engine.close(patience=5)
    return ids


def test_each_change_of_a_job_is_one_line(
    configured: Callable[[Profile], Path], home: Callable[[], Home]
) -> None:
    file = configured("local")
    good, bad = run(home, {}, {"fails at": "decoding"})
    entries = lines(file)
    told = {
        job_id: [entry["state"] for entry in entries if entry.get("job") == job_id] for job_id in (good, bad)
    }
    assert told[good] == ["queued", *STAGES, "done"]
    assert told[bad] == ["queued", "loading", "denoising", "decoding", "failed"]
    [last] = [entry for entry in entries if entry.get("state") == "failed"]
    assert (last["kind"], last["code"], last["level"], last["logger"]) == (
        "generate",
        "INTERNAL",
        "INFO",
        "pipelines.jobs",
    )
    assert last["time"].endswith("+00:00")
    assert [entry["monotonic"] for entry in entries] == sorted(entry["monotonic"] for entry in entries)


def test_the_trace_of_a_workers_failure_is_in_the_log_under_its_id(
    configured: Callable[[Profile], Path], home: Callable[[], Home]
) -> None:
    file = configured("local")
    run(home, {"fails at": "denoising"})
    [entry] = wait_for(lambda: [entry for entry in lines(file) if "trace" in entry])
    assert entry["logger"] == "pipelines.runner"
    assert "INTERNAL: Something failed inside the program (found: id " in entry["event"]
    assert f"ValueError: can't make '{SECRET}'" in entry["trace"]
    assert "in make" in entry["trace"]


def test_in_public_nothing_that_a_visitor_says_is_written(
    configured: Callable[[Profile], Path], home: Callable[[], Home], capfd: pytest.CaptureFixture[str]
) -> None:
    file = configured("public")
    ids = run(home, {}, {"fails at": "denoising"}, {"refuses at": "loading"})
    try:
        raise RuntimeError(SECRET)
    except RuntimeError as error:
        refusal = INPUT_GONE("Not here", found=SECRET)
        logging.getLogger("ui.border").error("%s", refusal, exc_info=error)
        logging.getLogger("ui.border").error("%(what)s", {"what": refusal}, exc_info=error)
        logging.getLogger("gradio.routes").exception("failed with %s", SECRET)
        logging.getLogger("gradio.routes").warning(f"got {SECRET}")
    entries = lines(file)
    assert len([entry for entry in entries if entry.get("job") in ids]) == 6 + 4 + 3
    traces = [entry["trace"] for entry in entries if "trace" in entry]
    assert len(traces) == 5
    assert any(trace.endswith("ValueError") and "in make" in trace for trace in traces), "where it was stays"
    assert "INPUT_GONE: Not here" in [entry["event"] for entry in entries]
    _, errors = capfd.readouterr()
    assert "INPUT_GONE: Not here" in errors
    for text in (file.read_text("ascii"), errors):
        assert SECRET not in text
        assert "Otto" not in text
        assert "otto" not in text


def test_what_libraries_chat_about_is_left_out(configured: Callable[[Profile], Path]) -> None:
    file = configured("local")
    logging.getLogger("httpx").info("GET something")
    logging.getLogger("httpx").warning("slow")
    logging.getLogger("ui.studio").info("ours")
    assert [entry["event"] for entry in lines(file)] == ["slow", "ours"]


@pytest.mark.parametrize(
    "odd", ['two\nlines\r\n{"level": "CRITICAL"}', "half \ud800 a pair", "\x1b[31m \u2028 家 \0"]
)
def test_t18_a_line_ends_only_where_a_record_does(
    configured: Callable[[Profile], Path], capfd: pytest.CaptureFixture[str], odd: str
) -> None:
    file = configured("local")
    logging.getLogger("ui").warning("said %s", odd)
    [entry] = lines(file)
    assert entry["event"] == f"said {odd}"
    assert len(capfd.readouterr().err.splitlines()) <= 2  # U+2028 is a line to Python and to no terminal


def test_the_log_is_bounded(configured: Callable[[Profile], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 2000)
    file = configured("local")
    for number in range(500):
        logging.getLogger("ui").info("number %s", number)
    files = sorted(file.parent.iterdir())
    assert len(files) == logs.FILES == 5
    assert all(path.stat().st_size <= 2000 for path in files)
    assert lines(file)[-1]["event"] == "number 499"
    assert logs.FILES * 10_000_000 == 50_000_000


def test_a_folder_that_cannot_be_had_does_not_stop_the_program(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "outputs").write_text("in the way")
    logs.configure(tmp_path / "outputs" / "logs", "local")
    logging.getLogger("ui").warning("still here")
    told = capfd.readouterr().err
    assert "can't be written" in told
    assert "warning: still here" in told
    assert str(tmp_path) not in told


def test_a_full_disk_under_the_log_stops_nothing(
    configured: Callable[[Profile], Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    configured("local")
    [file] = [handler for handler in logging.getLogger().handlers if isinstance(handler, logs._File)]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file, "shouldRollover", full)
    logging.getLogger("ui").warning("on it goes")
    assert capfd.readouterr().err.count("\n") == 1


def test_the_names_that_are_ours_are_those_of_the_house() -> None:
    assert logs.OWN - {"__main__", "armature"} == set(MAY_IMPORT)
