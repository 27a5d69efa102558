"""A lane: one worker of the engine at its home, the jobs that it holds, and when it must be started again."""

import logging
import time

from errors import GPU_FAULT, GPU_OOM, ArmatureError
from pipelines.homes import Hear, Home
from pipelines.messages import EngineState, Run, Stop

log = logging.getLogger(__name__)

MOST_SHORT = 3  # jobs in a row that may end for want of memory before the worker is replaced


class Lane:
    """What the engine knows of one worker; used on the engine's thread only."""

    def __init__(self, name: str, home: Home, patience: float) -> None:
        self.name = name
        self.home = home
        self.state = EngineState()
        self.broken: ArmatureError | None = None  # why the worker can't run anything
        self.running: set[str] = set()  # what the worker holds: one job, and urgent ones beside it
        self.began: dict[str, float] = {}  # jobs that have their models, and since when
        self.late: dict[str, float] = {}  # stopped jobs, and when they must have come back
        self._patience = patience
        self._short = 0  # jobs in a row that the device had no memory for
        self._dying = False
        self._deaths = 0  # in a row, without having been ready in between
        self._restart_at: float | None = None

    @property
    def takes(self) -> bool:
        """Whether there is a worker to give jobs to."""
        return self._restart_at is None and not self._dying

    def stand(self, state: EngineState, error: ArmatureError | None) -> None:
        """The worker says how it stands."""
        self.state, self.broken = state, error
        if state.phase == "ready":
            self._deaths = 0

    def give(self, run: Run) -> None:
        """Hand the worker a job."""
        self.running.add(run.job_id)
        self.home.send(run)

    def stop(self, stop: Stop) -> None:
        """Tell the worker to leave a job, and from when on it is late: never, if some of it is to be kept."""
        if not stop.keep:
            self.late.setdefault(stop.job_id, time.monotonic() + self._patience)
        self.home.send(stop)

    def work(self, job_id: str) -> None:
        """A job has its models, and its time runs."""
        if job_id in self.running:
            self.began.setdefault(job_id, time.monotonic())

    def overlong(self, seconds: float) -> list[str]:
        """The jobs that have worked for longer than that, and were not told to end yet."""
        now = time.monotonic()
        return [name for name, since in self.began.items() if now - since > seconds and name not in self.late]

    def left(self, job_id: str) -> None:
        """A job has come back."""
        self.running.discard(job_id)
        self.began.pop(job_id, None)
        self.late.pop(job_id, None)

    def learn(self, error: ArmatureError | None) -> None:
        """How a job ended. After a failure of the device, or too many for want of memory, the worker goes.

        A worker that can't be replaced goes on without memory, but can do nothing on a device that failed.
        """
        code = error.code if error else None
        self._short = self._short + 1 if code is GPU_OOM else 0
        if code is not GPU_FAULT and self._short < MOST_SHORT:
            return
        self._short = 0
        if self.home.can_kill:
            log.warning("the worker is replaced after %s", code.name if code else "")
            self._dying = True
            self.home.kill()
        elif code is GPU_FAULT and error is not None:
            self.stand(EngineState(phase="failed", detail=error.what, device=self.state.device), error)

    def clear(self) -> set[str]:
        """Forget what the worker held; answers what that was."""
        held, self.running = self.running, set()
        self.began.clear()
        self.late.clear()
        return held

    def lose(self) -> None:
        """The worker is gone: at once the next one, but one that can't get ready not in a tight loop."""
        self._dying = False
        if self.broken is None:
            self.state = EngineState(phase="starting", detail="again")
            self._deaths += 1
            self._restart_at = time.monotonic() + min(5.0, 0.5 * (self._deaths - 1))

    def replace_late(self) -> None:
        """A worker that does not come back from a stopped job is ended, and lost."""
        if self.home.can_kill and any(time.monotonic() > until for until in self.late.values()):
            log.warning("the worker did not come back in %.0f s, and is replaced", self._patience)
            self.late.clear()
            self.home.kill()

    def restart(self, hear: Hear) -> None:
        """Start the next worker when it is time."""
        if self._restart_at is not None and time.monotonic() >= self._restart_at:
            self._restart_at = None
            self.home.start(hear)
