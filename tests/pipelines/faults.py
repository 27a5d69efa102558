"""A worker of the tiny family whose networks fail as a file says, in whatever process it lives.

The file is JSON: for a place in the work ("unet", "vae", ...) what happens there, and how often. It is read
at every call, so a test changes its mind between two jobs.
"""

import gc
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from pipelines.messages import EngineState
from pipelines.runner import Handler
from pipelines.worker import Worker
from tests.pipelines.recipes import wait_for

ALWAYS = 10**6
HELD = ExitStack()  # of a process of its own, as long as it lives
ILLEGAL = "CUDA error: an illegal memory access was encountered"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to fail; `set` before a job. At a "gate" the work waits until it may `go_on`.

    Each setting is a turn with a gate of its own, so that whoever waited at an older one goes on, too.
    """

    folder: Path

    def set(self, **faults: tuple[str, int]) -> None:
        """From now on these happen, and no others."""
        turn = self._turn() + 1 if self._file.exists() else 0
        self._write(turn, faults)

    def _write(self, turn: int, faults: Mapping[str, Any]) -> None:
        aside = self.folder / "plan.new"
        aside.write_text(json.dumps([turn, faults]))
        aside.replace(self._file)

    @property
    def _file(self) -> Path:
        return self.folder / "plan"

    def _turn(self) -> int:
        return int(json.loads(self._file.read_text())[0])

    def take(self, place: str) -> str:
        """What happens at a place now: once less from here on."""
        turn, faults = json.loads(self._file.read_text())
        kind, times = faults.get(place, ("", 0))
        if times < 1:
            return ""
        self._write(turn, faults | {place: (kind, times - 1)})
        return str(kind)

    def wait_at_gate(self) -> None:
        turn = self._turn()
        (self.folder / f"at gate {turn}").touch()
        wait_for((self.folder / f"go on {turn}").exists)

    def wait_until_at_gate(self) -> None:
        wait_for((self.folder / f"at gate {self._turn()}").exists)

    def go_on(self) -> None:
        (self.folder / f"go on {self._turn()}").touch()


@dataclass(frozen=True, slots=True)
class Faulty:
    """A picklable worker that fails by a plan. In a process of its own nothing needs to be undone."""

    worker: Worker
    plan: Plan

    def __call__(self, report: Callable[[EngineState], None]) -> Mapping[str, Handler]:
        HELD.enter_context(failing(self.plan))
        gc.freeze()  # what was imported is not looked through at each fault, three times for 0.3 s
        return self.worker(report)


@contextmanager
def failing(plan: Plan) -> Iterator[None]:
    """Until it is left, this process fails by the plan. Its processor computes in bfloat16."""
    from models import torchvision_ops

    torchvision_ops.define_missing()
    from diffusers import UNet2DConditionModel

    import annotators
    from models import device, loading
    from models.loading import Text, Vae
    from models.safety import Checker
    from pipelines import judging, results

    places: list[tuple[Any, str, str]] = [
        (Text, "forward", "text"),
        (UNet2DConditionModel, "forward", "unet"),
        (Vae, "decode", "vae"),
        (Vae, "decode_in_strips", "strips"),
        (Vae, "encode", "encode"),
        (loading, "load", "loading"),
        (Checker, "flags", "checking"),
        (judging, "judge", "judging"),
        (annotators, "annotate", "annotating"),
        (results, "save", "saving"),
    ]
    with ExitStack() as stack:
        for owner, name, place in places:
            stack.enter_context(mock.patch.object(owner, name, _faulty(plan, place, getattr(owner, name))))
        stack.enter_context(mock.patch.object(device, "has_native_bfloat16", return_value=True))
        yield


def _faulty(plan: Plan, place: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def answer(*given: Any, **named: Any) -> Any:
        kind = plan.take(place)
        if kind == "oom":
            kept = torch.zeros(250_000)  # what was computed half, in the frame that the traceback holds
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {kept.nbytes} bytes")
        if kind == "fault":
            raise RuntimeError(ILLEGAL)
        if kind == "gate":
            plan.wait_at_gate()
        made = real(*given, **named)
        return made * float("nan") if kind == "nan" else made

    return answer
