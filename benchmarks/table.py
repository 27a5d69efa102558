"""What a benchmark finds, and how it is shown."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import torch

PACKAGES = ("gradio", "torch", "diffusers", "transformers", "opencv-python-headless", "numpy")
HEAD = ("what", "ours", "other", "the other is", "bound", "median of")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A series of ours beside another, run by run. One that is empty could not be measured on this machine.

    What was promised of ours is a `bound` by itself, or so many `times` the other, or so much `added` to it.
    """

    what: str
    unit: str
    ours: Sequence[float]
    other: Sequence[float]
    beside: str
    bound: float | None = None
    times: float | None = None
    added: float | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """The row in words."""
        ours, other = map(self._in_words, (self.ours, self.other))
        return (self.what, ours, other, self.beside, self._promise, str(len(self.ours)))

    def _in_words(self, series: Sequence[float]) -> str:
        return f"{median(series):.3g} {self.unit}" if series else "not measured"

    @property
    def _promise(self) -> str:
        if self.times is not None:
            return f"{self.times:g} x; is {median(self.ours) / median(self.other):.2f} x"
        if self.added is not None:
            more = median(self.ours) - median(self.other)
            return f"+ {self.added:g} {self.unit}; is + {max(more, 0):.1f}"
        return "" if self.bound is None else f"{self.bound:g} {self.unit}"


def aligned(rows: Sequence[Row]) -> str:
    """The rows as a table of Markdown that reads well as it is."""
    lines = [HEAD, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    padded = (map(str.ljust, line, widths) for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def machine() -> str:
    """The GPU if there is one, the processor, how busy it was with other things, and the versions."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    gpu = f"{torch.cuda.get_device_name()}, " if torch.cuda.is_available() else ""
    return (
        f"{gpu}{(names or [platform.machine()])[0]}, {cores} cores, load {os.getloadavg()[0]:.1f} before; "
        f"Python {platform.python_version()}, {versions}"
    )
