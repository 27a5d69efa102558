"""`python -m benchmarks [NAME ...] [--json FILE]`: every figure beside its alternative.

`full` needs 6 GB of disk, 12 GB of memory and its time, and is measured only when it is named.
"""

import os

# Before torch is imported: one thread, which never spins, so that the two sides of a figure get the same.
os.environ.update(GOMP_SPINCOUNT="0", OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import annotators, canny, full, loop, pocket, speed, start, training, world
from benchmarks.table import Row, aligned, machine
from tests import tiny_family

BENCHMARKS = {
    "start": start.measure,
    "canny": canny.measure,
    "loop": loop.measure,
    "annotators": annotators.measure,
    "pocket": pocket.measure,
    "speed": speed.measure,
    "training": training.measure,
    "world": world.measure,
}
FULL = "full"


def main() -> None:
    """Measure what was asked for, one after the other, and show one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join((*BENCHMARKS, FULL)))
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every run's figure there")
    parser.add_argument("--steps", type=int, default=full.STEPS, help="of full (%(default)s)")
    parser.add_argument("--runs", type=int, default=full.RUNS, help="of full (%(default)s)")
    given = parser.parse_args()
    known = (*BENCHMARKS, FULL)
    if unknown := set(given.names) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}: choose from {', '.join(known)}")
    about = machine()
    rows: list[Row] = []
    with TemporaryDirectory() as scratch:
        weights = Path(scratch) / "weights"
        tiny_family.write(weights)
        for name in given.names or BENCHMARKS:
            print(f"measuring {name} ...", file=sys.stderr)
            folder = Path(scratch) / name
            folder.mkdir()
            if name == FULL:
                rows += full.measure(folder, given.steps, given.runs)
            else:
                rows += BENCHMARKS[name](folder, weights)
    print(f"{about}\n\n{aligned(rows)}")
    if given.json:
        figures = {"machine": about, "rows": [asdict(row) for row in rows]}
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
