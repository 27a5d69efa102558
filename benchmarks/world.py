"""Drawn scenes with all their layers and captions: one by one on a core, and in a stream on a GPU."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.table import Row
from training.world.render import World, render
from training.world.stream import stream

RUNS, SIZE = 32, 256
BATCH, BATCHES, WARM = 64, 16, 2
CORE_BOUND, GPU_BOUND = 1000 / 8, 1000 / 1000  # milliseconds: 8 scenes a second on a core, 1,000 on a GPU


def measure(folder: Path, weights: Path) -> list[Row]:
    """Milliseconds for each scene, the first seeds there are."""
    torch.set_num_threads(1)
    rows = [
        Row(
            what="world: a scene at 256 pixels, one core",
            unit="ms",
            ours=_each(lambda seed: render([seed], SIZE)),
            other=_each(lambda seed: _shrunk(render([seed], 2 * SIZE))),
            beside="drawn at 512 pixels and shrunk",
            bound=CORE_BOUND,
        )
    ]
    if torch.cuda.is_available():
        rows.append(
            Row(
                what=f"world: the same, on {torch.cuda.get_device_name()}",
                unit="ms",
                ours=_streamed("cuda", workers=max(1, (os.cpu_count() or 2) - 2)),
                other=rows[0].ours,
                beside="one core",
                bound=GPU_BOUND,
            )
        )
    return rows


def _each(act: Callable[[int], object]) -> Sequence[float]:
    """The time of each seed, after two that only warm up."""
    times = []
    for seed in range(-2, RUNS):
        began = time.perf_counter()
        act(abs(seed))
        times.append(1000 * (time.perf_counter() - began))
    return times[2:]


def _shrunk(world: World) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(world.picture.float(), 2)


def _streamed(device: str, workers: int) -> Sequence[float]:
    """The time of each batch in a stream, divided by its scenes; the first batches only warm up."""
    times, began = [], time.perf_counter()
    for _ in stream(range(BATCH * (BATCHES + WARM)), SIZE, device, batch=BATCH, workers=workers):
        torch.cuda.synchronize()
        now = time.perf_counter()
        times.append(1000 * (now - began) / BATCH)
        began = now
    return times[WARM:]
