"""What an annotation costs beside the network or the method that does the work, at 512x512 pixels."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import torch
from torch import nn

from annotators import ANNOTATORS, Annotator, annotate
from annotators.base import Pixels
from benchmarks.networks import network
from benchmarks.table import Row
from pipelines.request.intake import fit
from scripts import scene

SIDE = 512
RUNS, FEWER, LONG = 30, 5, 0.5  # fewer runs of what takes longer than so many seconds for both
TIMES, ADDED, CANNY = 1.15, 3.0, 10.0  # the bounds: of a network, of the rest, and of Canny
POSE = scene.pose()
TEXT = "https://example.org"


def measure(folder: Path, weights: Path) -> list[Row]:
    """Milliseconds of `annotate` and of the bare work, in turns: first without a network, then with one."""
    torch.set_num_threads(1)
    picture = fit(scene.picture(), SIDE, SIDE, "area")
    rows = [_canny(picture)]
    rows += [_weightless(method, picture) for method in ANNOTATORS.values() if not method.weights]
    rows += [_networked(method, picture, folder) for method in ANNOTATORS.values() if method.weights]
    return rows


def _canny(picture: Pixels) -> Row:
    ours, other = _in_turns(lambda: annotate("canny", picture), lambda: cv2.Canny(picture, 100, 200))
    what, beside = "annotate canny", "cv2.Canny alone"
    return Row(what=what, unit="ms", ours=ours, other=other, beside=beside, bound=CANNY)


def _weightless(method: Annotator, picture: Pixels) -> Row:
    source = {"picture": picture, "pose": POSE, "text": TEXT}[method.source]
    values: dict[str, Any] = {param.name: param.default for param in method.params}
    ours, other = _in_turns(lambda: annotate(method.name, source), lambda: method.run(source, None, **values))
    beside = "its function alone"
    return Row(what=f"annotate {method.name}", unit="ms", ours=ours, other=other, beside=beside, added=ADDED)


def _networked(method: Annotator, picture: Pixels, folder: Path) -> Row:
    made = network(method, folder)
    calls = _calls(made, lambda: annotate(method.name, picture, networks=lambda _: made))

    def bare() -> None:
        with torch.no_grad():
            for module, values, named in calls:
                module(*values, **named)

    ours, other = _in_turns(lambda: annotate(method.name, picture, networks=lambda _: made), bare)
    beside = "its network alone"
    return Row(what=f"annotate {method.name}", unit="ms", ours=ours, other=other, beside=beside, times=TIMES)


def _calls(network: nn.Module, ask: Callable[[], object]) -> list[tuple[nn.Module, Any, Any]]:
    """What the network, or each of several, is called with as one picture goes through.

    The calls themselves are watched: hooks would not see HED's, which has a `__call__` of its own.
    """
    found: list[tuple[nn.Module, Any, Any]] = []
    modules = list(network.children()) if isinstance(network, nn.ModuleDict) else [network]

    def watched(really: Callable[..., Any]) -> Callable[..., Any]:
        def call(module: nn.Module, *values: Any, **named: Any) -> Any:
            if module in modules:
                found.append((module, values, named))
            return really(module, *values, **named)

        return call

    with ExitStack() as watching:
        for kind in {type(module) for module in modules}:
            watching.enter_context(patch.object(kind, "__call__", watched(kind.__call__)))
        ask()
    assert found, "the network was not called"
    return found


def _in_turns(ours: Callable[[], object], other: Callable[[], object]) -> tuple[list[float], list[float]]:
    """The milliseconds of both, run by run, each first in every other turn, after one that only warms up."""
    pair: list[tuple[Callable[[], object], list[float]]] = [(ours, []), (other, [])]
    runs = RUNS
    for turn in range(RUNS + 1):
        if turn > runs:
            break
        for act, series in pair if turn % 2 else pair[::-1]:
            began = time.perf_counter()
            act()
            series.append(1000 * (time.perf_counter() - began))
        if turn == 0 and sum(series[0] for _, series in pair) > 1000 * LONG:
            runs = FEWER
    return pair[0][1][1:], pair[1][1][1:]
