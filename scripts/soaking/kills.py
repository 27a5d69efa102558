"""The whole program is killed while it generates, again and again, and must find itself whole each time.

One outputs folder lives through all kills. The program that is killed is this module run with a folder: it
submits requests without end, and says on its output what was accepted. After each kill another process opens
the book, as the next start would, and looks at every row and every file.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import psutil

from gate import LIMITS
from pipelines import durable, results
from pipelines.engine import Engine
from pipelines.home import lasting_engine
from pipelines.jobs import FINAL
from scripts.soaking.tools import LIMIT, Figures, any_request, check_saved, mark, wait_for, worker

Moment: TypeAlias = Callable[[Path, random.Random], None]

WAITING = 5  # jobs that the program keeps in its queue
ORPHAN_SECONDS = 5.0  # a worker may outlive its program by so much


def run(folder: Path, times: float) -> Figures:
    """Kill the program that often as it generates, now and then as it starts; what was found."""
    return killed(folder, round(times), starting=9)


def run_saving(folder: Path, times: float) -> Figures:
    """Kill the program that often in the few milliseconds in which it writes its pictures; what was found."""
    return killed(folder, round(times), starting=0, at=saving)


def generating(folder: Path, chance: random.Random) -> None:
    """Any moment."""
    time.sleep(chance.uniform(0.0, 1.2))


def saving(folder: Path, chance: random.Random) -> None:
    """The moment in which a picture is written aside, or one right after it."""
    images = folder / "outputs" / results.IMAGES
    until = time.monotonic() + LIMIT
    while not any(durable.ASIDE in name for *_, names in os.walk(images) for name in names):
        assert time.monotonic() < until, "nothing is saved"
    time.sleep(chance.choice((0.0, 0.0, 0.005, 0.01, 0.02)))


def killed(folder: Path, times: int, *, starting: int, at: Moment = generating) -> Figures:
    """Kill the program `times` times, every `starting`-th time before it works, else at that moment."""
    worker(folder)
    chance = random.Random(11)
    accepted: set[str] = set()
    found: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    orphans: list[float] = []
    for turn in range(times):
        with program(folder) as (process, heard):
            if starting and turn % starting == starting - 1:
                time.sleep(chance.uniform(0.0, 3.0))
            else:
                wait_for(lambda: any("running" in line for line in heard) or process.poll() is not None)
                at(folder, chance)
            strike(process, orphans, group=turn % 2 == 0)
        accepted |= {line["accepted"] for line in heard if "accepted" in line}
        seen = checked(folder, "--check")
        lost = accepted - set(seen["rows"])
        assert not lost, f"{len(lost)} accepted jobs are in no row"
        found.update(seen["figures"])
        caught.update(seen["caught"])
        print(f"kill {turn + 1}: {seen['figures']}", file=sys.stderr, flush=True)
    ends = finish(folder, accepted)
    return {
        "kills of the whole program, half of them of its worker too": str(times),
        "of these as it started": str(times // starting if starting else 0),
        "database whole, by `PRAGMA integrity_check`": f"{found['whole']} of {times}",
        "jobs accepted": str(len(accepted)),
        "their ends": ", ".join(f"{count} {state}" for state, count in sorted(ends.items())),
        "lost, or left without an end": "0",
        "jobs caught running": ", ".join(f"{count} {state}" for state, count in caught.most_common()) or "0",
        "of these `interrupted` afterwards": str(found["interrupted"]),
        "waiting jobs found in the queue again, in their order": str(found["queued"]),
        "pictures decoded after the kills (many several times), torn": f"{found['pictures']:,}, 0",
        "pictures without a finished job, out of sight after the start": f"{found['aside']}, all of them",
        "unfinished files cleared away": str(found["cleared"]),
        "longest that a worker outlived its program": f"{max(orphans, default=0.0):.2f} s",
    }


class program:
    """The program, started in a group of its own; what it says arrives in a list."""

    def __init__(self, folder: Path, *flags: str, module: str = __name__) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder), *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        self._heard: list[dict[str, Any]] = []
        self._errors: list[str] = []
        self._listeners = [
            threading.Thread(target=self._listen, daemon=True),
            threading.Thread(target=self._note, daemon=True),
        ]

    def __enter__(self) -> tuple[subprocess.Popen[str], list[dict[str, Any]]]:
        for listener in self._listeners:
            listener.start()
        return self._process, self._heard

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for pid in members(self._process.pid):
            os.kill(pid, signal.SIGKILL)
        self._process.wait()
        for listener in self._listeners:
            listener.join(LIMIT)
        if kind is not None:
            sys.stderr.writelines(self._errors[-40:])

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                if line.endswith("\n"):  # what was cut was not said
                    self._heard.append(json.loads(line))

    def _note(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            self._errors.extend(lines)


def strike(process: subprocess.Popen[str], orphans: list[float], *, group: bool) -> None:
    """Kill all of it, or only its first process, whose worker must follow."""
    assert process.poll() is None, "it ended by itself"
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    began = time.monotonic()
    wait_for(lambda: not members(process.pid), within=ORPHAN_SECONDS)
    if not group:
        orphans.append(time.monotonic() - began)


def members(group: int) -> list[int]:
    """The processes of a group that live."""
    return list(_living(group))


def _living(group: int) -> Iterator[int]:
    for process in psutil.process_iter(["status"]):
        try:
            if process.info["status"] != psutil.STATUS_ZOMBIE and os.getpgid(process.pid) == group:
                yield process.pid
        except ProcessLookupError:
            continue


def checked(folder: Path, flag: str) -> dict[str, Any]:
    """What another process finds in the folder."""
    answer = subprocess.run(
        [sys.executable, "-m", __name__, str(folder), flag],
        capture_output=True,
        text=True,
        timeout=5 * LIMIT,
    )
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def finish(folder: Path, accepted: set[str]) -> Counter[str]:
    """Start once more without new requests, until all that waited has run; the ends of all there was."""
    with program(folder, "--finish") as (process, _):
        assert process.wait(5 * LIMIT) == 0, "the last start did not finish what waited"
    seen = checked(folder, "--check-all")
    ends = Counter(seen["rows"][job_id] for job_id in accepted)
    assert set(ends) <= FINAL, f"some jobs have no end: {ends}"
    assert ends["failed"] == 0, "no job may fail for a program that is killed"
    return ends


def check(folder: Path, newest: int) -> dict[str, Any]:
    """Look at the folder as the next start would find it, and start. Fails at the first thing that is wrong.

    Pictures are decoded for the `newest` jobs; the older ones have been, after earlier kills.
    """
    path = folder / "outputs" / "jobs.sqlite3"
    before = rows(path) if path.exists() else {}
    shown = set((folder / "outputs" / results.IMAGES).rglob("*.png"))
    cleared = len(list((folder / "outputs").rglob(f"*{durable.ASIDE}*")))
    engine = lasting_engine(worker(folder), LIMITS["local"], in_process=False)
    after = rows(path)
    order = [job_id for job_id, state in after.items() if state == "queued"]
    assert order == [job_id for job_id, state in before.items() if state == "queued"]
    cut = {job_id: state for job_id, state in before.items() if state not in (*FINAL, "queued")}
    assert all(after[job_id] == "interrupted" for job_id in cut), "what ran is interrupted"
    kept = {job_id: state for job_id, state in before.items() if state in FINAL}
    assert all(after[job_id] == state for job_id, state in kept.items()), "what was over stays over"
    files, looked_at = look_at_the_done(engine, newest)
    now = set((folder / "outputs" / results.IMAGES).rglob("*.png"))
    assert now == files, "every picture in sight is of a job that is done"
    assert not list((folder / "outputs").rglob(f"*{durable.ASIDE}*"))
    engine.close(patience=0)
    return {
        "rows": after,
        "caught": Counter(cut.values()),
        "figures": {
            "whole": 1,
            "interrupted": len(cut),
            "queued": len(order),
            "pictures": looked_at,
            "aside": len(shown - now),
            "cleared": cleared,
        },
    }


def look_at_the_done(engine: Engine, newest: int) -> tuple[set[Path], int]:
    """The files of all jobs that are done, and how many of them were decoded."""
    files: set[Path] = set()
    looked_at = 0
    for index, job in enumerate(engine.history(limit=1_000_000)):
        assert job.outcome.request == job.payload
        assert not files & mark(job.outcome), "no picture is of two jobs"
        files |= mark(job.outcome)
        if index < newest:
            check_saved(job.outcome)
            looked_at += len(mark(job.outcome))
    return files, looked_at


def rows(path: Path) -> dict[str, str]:
    """The states of all jobs by their ids, oldest first, from a database that is whole."""
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = connection.execute("SELECT name FROM sqlite_master WHERE name = 'jobs'").fetchall()
        return dict(connection.execute("SELECT id, state FROM jobs ORDER BY seq")) if found else {}
    finally:
        connection.close()


def say(**what: object) -> None:
    """One line to whoever started this, at once."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def generate(folder: Path) -> None:
    """The program: submit without end, now and then cancel, and say what was accepted."""
    engine = lasting_engine(worker(folder), LIMITS["local"], in_process=False)
    engine.start()
    chance = random.Random()
    told = False
    ours: list[str] = []
    while True:
        ours = [job_id for job_id in ours if not engine.look(job_id).over]
        if len(ours) < WAITING:
            request = any_request(folder / "outputs", chance)
            ours.append(engine.submit("generate", request, owner=chance.choice("abc")))
            say(accepted=ours[-1])
        elif chance.random() < 0.02:
            engine.cancel(chance.choice(ours))
        if not told and any(engine.look(job_id).step for job_id in ours):
            told = True
            say(running=True)
        time.sleep(0.02)


def run_out(folder: Path) -> None:
    """Run what waits, until nothing does."""
    engine = lasting_engine(worker(folder), LIMITS["local"], in_process=False)
    engine.start()
    path = folder / "outputs" / "jobs.sqlite3"
    wait_for(lambda: set(rows(path).values()) <= FINAL, within=4 * LIMIT)
    engine.close(patience=5)


if __name__ == "__main__":
    where = Path(sys.argv[1])
    match sys.argv[2:]:
        case ["--check"]:
            say(**check(where, newest=50))
        case ["--check-all"]:
            say(**check(where, newest=1_000_000))
        case ["--finish"]:
            run_out(where)
        case _:
            generate(where)
