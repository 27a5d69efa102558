"""What the studio promises about kills, crowds and bad files, tried for a long time: `make soak`.

    kills     the whole program is killed (SIGKILL) while it generates, again and again, on one outputs folder
    saves     the same, always as it writes its pictures
    workers   only the worker is killed, at any moment
    training  a training run is killed at any moment, a third of the time while it saves
    clients   many visitors at once
    fuzz      damaged pictures and JSON through the gate

Each prints its figures and fails loudly. `--write` puts them into docs/reliability.md.
"""

import argparse
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from scripts.soaking import clients, fuzz, kills, training, workers
from scripts.soaking.tools import Figures, calm

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- soak: {} -->", "<!-- end of {} -->"

Trial: TypeAlias = Callable[[Path, float], Figures]
# each with how much of it is done when nothing is said: times, jobs of each client, or minutes
TRIALS: Mapping[str, tuple[Trial, float]] = {
    "kills": (kills.run, 200),
    "saves": (kills.run_saving, 50),
    "workers": (workers.run, 50),
    "training": (training.run, 100),
    "clients": (clients.run, 50),
    "fuzz": (fuzz.run, 10),
}


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m scripts.soak", description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", default="all", choices=("all", *TRIALS))
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--times", type=float, help="kills, or clients")
    amount.add_argument("--minutes", type=float, help="of fuzz")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/reliability.md")
    given = parser.parse_args(arguments)
    calm()
    for name in TRIALS if given.what == "all" else (given.what,):
        trial, usual = TRIALS[name]
        size = (given.minutes if name == "fuzz" else given.times) or usual
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            figures = trial(Path(folder), size)
        figures["took"] = f"{(time.monotonic() - began) / 60:.1f} min"
        flag = f"--minutes {size:g}" if name == "fuzz" else f"--times {size:g}"
        text = table(figures, f"python -m scripts.soak {name} {flag}")
        print(text, flush=True)
        if given.write:
            write(name, text)
    return 0


def table(figures: Figures, command: str) -> str:
    """The figures as a table for people, with what measured them and on what."""
    rows = "\n".join(f"| {what} | {value} |" for what, value in figures.items())
    return f"`{command}` on {machine()}:\n\n| measured | figure |\n| --- | --- |\n{rows}"


def machine() -> str:
    """The ground of the figures, in a line."""
    import psutil

    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{psutil.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB of memory, "
        f"{platform.system()}, Python {platform.python_version()}"
    )


def write(name: str, text: str) -> None:
    """Put a table between its two marks on the page."""
    begin, end = BEGIN.format(name), END.format(name)
    page = PAGE.read_text("utf-8")
    marks = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    assert len(marks.findall(page)) == 1, f"the page has one place for the figures of {name}"
    PAGE.write_text(marks.sub(lambda _: f"{begin}\n{text}\n{end}", page), "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
