"""Many worlds one after the other, with their recipes made ahead in processes of their own."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

import torch

from training.world.recipe import Scene
from training.world.render import World, paint
from training.world.scene import scene

AHEAD = 2  # batches that each process may be ahead


def stream(
    seeds: Sequence[int], size: int, device: str | torch.device = "cpu", *, batch: int = 64, workers: int = 0
) -> Iterator[World]:
    """The worlds of seeds in batches, in order.

    Drawing on a GPU outruns one process that makes recipes, a millisecond each: `workers` more make them
    then. On a processor it does not, and none are needed.
    """
    parts = [seeds[start : start + batch] for start in range(0, len(seeds), batch)]
    if not workers:
        yield from (paint(_scenes(part), size, device) for part in parts)
        return
    waiting: deque[Future[list[Scene]]] = deque()
    # Spawned: a fork would carry the threads and locks of torch along.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for part in parts:
            waiting.append(pool.submit(_scenes, part))
            if len(waiting) > AHEAD * workers:
                yield paint(waiting.popleft().result(), size, device)
        while waiting:
            yield paint(waiting.popleft().result(), size, device)


def _scenes(seeds: Sequence[int]) -> list[Scene]:
    return [scene(seed) for seed in seeds]
