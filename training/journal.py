"""What a run writes down for people: a log of JSON lines, TensorBoard, and sheets of samples.

A line that belongs to steps after the checkpoint that a run goes on from is taken out again, so that every
step is in the log once.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gate
from annotators.base import Pixels
from errors import ArmatureError
from pipelines import durable
from pipelines.results import write_png

LOG, SHEETS, TENSORBOARD = "log.jsonl", "samples", "tensorboard"
LONGEST_LINE = 2**16  # bytes


class Journal:
    """The log of a run that stands at `step`."""

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._folder = folder
        kept = [line for line in entries(folder) if line["step"] <= step]
        text = "".join(f"{json.dumps(line)}\n" for line in kept).encode()
        durable.write(folder / LOG, lambda file: file.writelines([text]))
        self._board = SummaryWriter(folder / TENSORBOARD, purge_step=step + 1)

    def write(self, step: int, **values: Any) -> None:
        """A line of the log; its numbers go to TensorBoard as well. What is not finite is null."""
        line = {"step": step} | {name: _plain(value) for name, value in values.items()}
        with open(self._folder / LOG, "a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line, allow_nan=False)}\n")
        for name, value in values.items():
            if isinstance(value, float) and math.isfinite(value):
                self._board.add_scalar(name, value, step)

    def sheet(self, step: int, pixels: Pixels) -> Path:
        """A sheet of samples, RGB uint8 (H, W, 3), as a file and on TensorBoard; answers where it is."""
        path = self._folder / SHEETS / f"step-{step:08d}.png"
        write_png(path, pixels, {})
        self._board.add_image("samples", pixels, step, dataformats="HWC")
        return path

    def close(self) -> None:
        """Bring everything to the disk."""
        self._board.close()


def entries(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log; one that was cut by a kill is left out."""
    path = folder / LOG
    return list(_whole_lines(path.read_bytes())) if path.is_file() else []


def _whole_lines(data: bytes) -> Iterator[dict[str, Any]]:
    for line in data.splitlines():
        try:
            entry = gate.parse_json(line, most_bytes=LONGEST_LINE)
        except ArmatureError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("step"), int):
            yield entry


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
