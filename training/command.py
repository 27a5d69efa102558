"""`cli.py train`: a run in words and as JSON, and how it is stopped from outside."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType
from typing import Any

from models.store import Store
from training import config
from training.convergence import Convergence
from training.run import Event, Finished, Saved, Told, train
from training.trainer import Taken
from training.watch import Looked

RUNS = "training"  # in the outputs


def followed(
    path: Path,
    *,
    weights: Path,
    outputs: Path,
    cache: Path,
    device: str,
    tell: Callable[[str, bool], None],
) -> Finished | None:
    """Train as a file says. `tell` gets each line, and whether the next one may take its place.

    A process that only shares the work of another one has nothing to tell, and None to answer.
    """
    settings = config.load(path)
    if settings.data.cache is None:
        settings = replace(settings, data=replace(settings.data, cache=cache))
    finished = None
    with stopping() as stop:
        for event in train(settings, store=Store(weights), runs=outputs / RUNS, device=device, stop=stop):
            words = in_words(event, settings.train.steps)
            if words:
                tell(words, isinstance(event, Taken))
            if isinstance(event, Finished):
                finished = event
    return finished


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM as a wish that can be asked for; a second one ends the process as ever."""
    wishes: list[int] = []
    before: dict[int, Any] = {}

    def wish(number: int, frame: FrameType | None) -> None:
        wishes.append(number)
        signal.signal(number, before[number])

    for known in (signal.SIGINT, signal.SIGTERM):
        before[known] = signal.signal(known, wish)
    try:
        yield lambda: bool(wishes)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def in_words(event: Event, steps: int) -> str:
    """An event as a line for people."""
    match event:
        case Taken(skipped=True):
            return f"Step {event.step}/{steps} was skipped: its numbers were not finite"
        case Taken():
            return f"Step {event.step}/{steps}, loss {event.loss:.4f}, {event.seconds:.2f} s"
        case Looked():
            kept = "" if event.agreement is None else f", agreement {event.agreement:.3f}"
            return f"Step {event.step}: held-out loss {event.held_out_loss:.4f}{kept}"
        case Told():
            return event.words
        case Saved():
            return f"Saved {event.path.name}"
        case Finished():
            return in_words_of(event.convergence) if event.curve else ""


def in_words_of(found: Convergence | None) -> str:
    """Whether and when the control converged."""
    if found is None:
        return "No sudden convergence was seen"
    return (
        f"The control converged between step {found.after} and step {found.by}: "
        f"agreement went from {found.level_before:.2f} to {found.level_after:.2f}"
    )


def entry(finished: Finished) -> dict[str, Any]:
    """The end of a run as plain JSON."""
    return {
        "run": str(finished.folder),
        "steps": finished.steps,
        "made": [str(path) for path in finished.made],
        "agreement": [{"step": step, "value": value} for step, value in finished.curve],
        "convergence": None if finished.convergence is None else asdict(finished.convergence),
    }
