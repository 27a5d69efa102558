"""`cli.py weights`: it says the size and asks, fetches from a Hub on loopback, and verifies what came."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cli
from annotators import ANNOTATORS
from tests.fake_hub import COMMIT, FakeHub, fake_hub, sha256
from tests.serving import ROOT, until

REPO, FILE = "lllyasviel/Annotators", "table5_pidinet.pth"
PLACE = f"annotators/lllyasviel--Annotators/{FILE}"
BYTES = bytes(range(256)) * 4000
Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A Hub that the environment names, with PiDiNet's file."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with fake_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.add(REPO, FILE, BYTES)
        yield hub


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """`run("get", ...)`: the exit code, and the JSON on stdout."""

    def ran(*arguments: str) -> tuple[int, Any]:
        code = cli.main(["weights", *arguments, "--weights", str(tmp_path / "weights"), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return ran


class Terminal(io.StringIO):
    """Somebody who sits there."""

    def isatty(self) -> bool:
        return True


def test_the_list_names_what_can_be_had_and_asks_nobody(run: Run, far: FakeHub) -> None:
    code, rows = run("list")
    assert code == 0
    entries = {row["name"]: row for row in rows}
    assert {name for name, method in ANNOTATORS.items() if method.is_fetched} < set(entries)
    assert entries["sd15"]["repo"] == "stable-diffusion-v1-5/stable-diffusion-v1-5"
    pidi = entries["softedge_pidi"]
    assert (pidi["here"], pidi["missing"], pidi["bytes_here"]) == (False, [FILE], 0)
    assert pidi["bytes_about"] == 2_870_000
    assert pidi["licence"] == "for research only"
    run("get", "softedge_pidi", "--yes")
    far.asked.clear()
    pidi = {row["name"]: row for row in run("list")[1]}["softedge_pidi"]
    assert (pidi["here"], pidi["missing"], pidi["bytes_here"]) == (True, [], len(BYTES))
    assert far.asked == []


def test_with_a_yes_it_fetches(run: Run, far: FakeHub, tmp_path: Path) -> None:
    code, answer = run("get", "softedge_pidi", "scribble_pidi", "--yes")
    assert (code, answer) == (0, {"files": [PLACE], "bytes": len(BYTES)})
    assert (tmp_path / "weights" / PLACE).read_bytes() == BYTES
    assert run("get", "softedge_pidi") == (0, {"files": [], "bytes": 0}), "nothing to say yes to"


def test_without_a_terminal_it_refuses_with_the_size(run: Run, far: FakeHub, tmp_path: Path) -> None:
    code, answer = run("get", "softedge_pidi")
    assert (code, answer["error"]["code"]) == (1, "NOT_ALLOWED")
    assert f"1 file, 1.02 MB, from {REPO}" in answer["error"]["message"]
    assert "--yes" in answer["error"]["message"]
    assert far.bodies() == []
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize(("said", "code"), [("y\n", 0), ("YES\n", 0), ("\n", 1), ("n\n", 1), ("", 1)])
def test_at_a_terminal_it_asks(
    said: str,
    code: int,
    far: FakeHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(said))
    found = cli.main(["weights", "get", "softedge_pidi", "--weights", str(tmp_path / "weights")])
    out, err = capsys.readouterr()
    assert found == code
    assert "1 file, 1.02 MB" in err
    assert "Fetch? [y/N]" in err
    assert (tmp_path / "weights" / PLACE).is_file() is (code == 0)
    assert (str(tmp_path / "weights" / PLACE) in out) is (code == 0)


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_the_users_wish_to_stay_offline_is_kept(
    name: str, run: Run, far: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "yes")
    code, answer = run("get", "softedge_pidi", "--yes")
    assert (code, answer["error"]["code"]) == (1, "HUB_UNREACHABLE")
    assert "HF_HUB_OFFLINE is set" in answer["error"]["message"]
    assert f"put it at weights/{PLACE}" in answer["error"]["message"]
    assert far.asked == []


def test_a_token_of_the_environment_is_shown_to_the_hub(
    run: Run, far: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    run("get", "softedge_pidi", "--yes")
    assert {one.token for one in far.asked if "/resolve/" in one.path} == {"Bearer hf_secret"}


def test_a_name_that_is_none_is_refused(run: Run, far: FakeHub) -> None:
    code, answer = run("get", "banana", "--yes")
    assert (code, answer["error"]["code"]) == (1, "PARAM_CHOICE")


@pytest.mark.parametrize("arguments", [[], ["fetch"], ["get"], ["get", "--weights"], ["list", "canny"]])
def test_bad_usage_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["weights", *arguments])
    assert left.value.code == 2


def test_verifying_finds_damage_and_fetching_again_mends_it(run: Run, far: FakeHub, tmp_path: Path) -> None:
    assert run("verify") == (0, {"well": True, "files": []})
    run("get", "softedge_pidi", "--yes")
    assert run("verify") == (0, {"well": True, "files": [{"file": PLACE, "state": "ok"}]})
    (tmp_path / "weights" / PLACE).write_bytes(BYTES[::-1])
    code, answer = run("verify")
    assert (code, answer["well"], len(answer["files"])) == (1, False, 1)
    assert run("get", "softedge_pidi", "--yes")[1]["files"] == []
    assert run("get", "softedge_pidi", "--yes", "--again")[1]["files"] == [PLACE]
    assert run("verify")[0] == 0


def test_row_78_a_bit_that_has_turned_has_its_code(
    far: FakeHub, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file is looked at, and each that is not as it was says how to get it again."""
    for path in ("ControlNetHED.pth", "sk_model.pth", "sk_model2.pth"):
        far.add(REPO, path, BYTES)
    weights = ["--weights", str(tmp_path / "weights")]
    names = ("softedge_hed", "softedge_pidi", "lineart")
    cli.main(["weights", "get", *names, "--yes", *weights])
    turned, gone = Path(PLACE), Path(PLACE).with_name("sk_model.pth")
    (tmp_path / "weights" / turned).write_bytes(bytes([BYTES[0] ^ 1]) + BYTES[1:])
    (tmp_path / "weights" / gone).unlink()
    capsys.readouterr()

    assert cli.main(["weights", "verify", *weights]) == 1
    out, err = capsys.readouterr()
    assert sorted(out.split()[::2]) == ["damaged", "missing", "ok", "ok"]
    damaged, missing = sorted(err.splitlines())
    assert damaged.startswith(f"HUB_INTEGRITY: {turned.as_posix()} has other bytes than were fetched")
    assert "cli.py weights get softedge_pidi --again" in damaged
    assert missing.startswith(f"MODEL_MISSING: {gone.as_posix()} was fetched, and is gone")
    assert "cli.py weights get lineart" in missing

    code, answer = run("verify")
    errors = {one["file"]: one["error"] for one in answer["files"] if one["state"] != "ok"}
    assert (code, len(answer["files"])) == (1, 4)
    assert {place: error["code"] for place, error in errors.items()} == {
        turned.as_posix(): "HUB_INTEGRITY",
        gone.as_posix(): "MODEL_MISSING",
    }
    assert errors[turned.as_posix()]["message"] in damaged


def test_it_speaks_to_people_too(far: FakeHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = ["--weights", str(tmp_path / "weights")]
    assert cli.main(["weights", "get", "softedge_pidi", "--yes", *weights]) == 0
    assert cli.main(["weights", "list", *weights]) == 0
    assert cli.main(["weights", "verify", *weights]) == 0
    out = capsys.readouterr().out
    assert f"{tmp_path / 'weights' / PLACE}\n" in out
    assert f"Soft edges, PiDiNet ({REPO}, for research only)" in out
    assert f"ok       {PLACE}\n" in out


def test_a_disk_without_room_is_said_before_anything_is_asked(
    run: Run, far: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 0, 10**9))
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    code, answer = run("get", "softedge_pidi")
    assert (code, answer["error"]["code"]) == (1, "DISK_FULL")
    assert "found: 1.00 GB free; allowed: 1.02 MB and 1.00 GB to work with" in answer["error"]["message"]
    assert far.bodies() == []


def test_a_terminal_is_told_how_far_it_is(
    far: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Terminal()
    monkeypatch.setattr(sys, "stderr", said)
    cli.main(["weights", "get", "softedge_pidi", "--yes", "--weights", str(tmp_path)])
    assert "fetching 1.02 MB of 1.02 MB" in said.getvalue()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_program_that_is_ended_leaves_a_part_that_the_next_one_takes_up(
    how: signal.Signals, run: Run, far: FakeHub, tmp_path: Path
) -> None:
    far.fail(FILE, "holds", 1)
    weights = tmp_path / "weights"
    command = [sys.executable, "cli.py", "weights", "get", "softedge_pidi", "--yes"]
    program = subprocess.Popen(
        [*command, "--weights", str(weights)], cwd=ROOT, env=dict(os.environ), stderr=subprocess.PIPE
    )
    try:
        until(lambda: sum(path.stat().st_size for path in weights.rglob(f"{FILE}*")), seconds=60)
    finally:
        program.send_signal(how)
        _, said = program.communicate(timeout=20)
    assert (how == signal.SIGINT) is (b"Paused: the same command goes on from there." in said)
    far.go.set()
    (part,) = weights.rglob(f"{FILE}*")
    assert part.name == f"{FILE}.tmp-{sha256(BYTES)[:16]}"
    kept = part.stat().st_size
    assert 0 < kept < len(BYTES)
    assert run("get", "softedge_pidi", "--yes") == (0, {"files": [PLACE], "bytes": len(BYTES)})
    assert far.bodies()[-1].range == f"bytes={kept}-"
    assert [path.name for path in weights.rglob(f"{FILE}*")] == [FILE]
    manifest = json.loads((weights / "manifest.json").read_text())
    assert (manifest[PLACE]["commit"], manifest[PLACE]["sha256"]) == (COMMIT, sha256(BYTES))
