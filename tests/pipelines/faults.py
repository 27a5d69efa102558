"""A worker of the tiny family whose networks fail as a file says, in whatever process it lives.

The file is JSON: for a place in the work ("unet", "vae", ...) what happens there, and how often. It is read
at every call, so a test changes its mind between two jobs.
"""

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
ILLEGAL = "CUDA error: an illegal memory access was encountered"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to fail; `set` before a job. At a "gate" the work waits until it may `go_on`."""

    folder: Path

    def set(self, **faults: tuple[str, int]) -> None:
        """From now on these happen, and no others."""
        for name in ("at gate", "go on"):
            (self.folder / name).unlink(missing_ok=True)
        self._write(faults)

    def _write(self, faults: Mapping[str, Any]) -> None:
        aside = self.folder / "plan.new"
        aside.write_text(json.dumps(faults))
        aside.replace(self.folder / "plan")

    def take(self, place: str) -> str:
        """What happens at a place now: once less from here on."""
        faults = json.loads((self.folder / "plan").read_text())
        kind, times = faults.get(place, ("", 0))
        if times < 1:
            return ""
        self._write(faults | {place: (kind, times - 1)})
        return str(kind)

    def wait_at_gate(self) -> None:
        (self.folder / "at gate").touch()
        wait_for((self.folder / "go on").exists)

    def wait_until_at_gate(self) -> None:
        wait_for((self.folder / "at gate").exists)

    def go_on(self) -> None:
        (self.folder / "go on").touch()


@dataclass(frozen=True, slots=True)
class Faulty:
    """A picklable worker that fails by a plan. In a process of its own nothing needs to be undone."""

    worker: Worker
    plan: Plan

    def __call__(self, report: Callable[[EngineState], None]) -> Mapping[str, Handler]:
        ExitStack().enter_context(failing(self.plan))
        return self.worker(report)


@contextmanager
def failing(plan: Plan) -> Iterator[None]:
    """Until it is left, this process fails by the plan. Its processor computes in bfloat16."""
    from diffusers import UNet2DConditionModel

    import annotators
    from models import device, loading
    from models.loading import Text, Vae
    from pipelines import judging, results

    places: list[tuple[Any, str, str]] = [
        (Text, "forward", "text"),
        (UNet2DConditionModel, "forward", "unet"),
        (Vae, "decode", "vae"),
        (Vae, "decode_in_strips", "strips"),
        (Vae, "encode", "encode"),
        (loading, "load", "loading"),
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
