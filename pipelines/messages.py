"""What the engine and its worker say to each other: frozen, picklable, and nothing else crosses."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from errors import ArmatureError
from pipelines.request import Progress

Phase: TypeAlias = Literal["starting", "loading", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class Held:
    """One network in memory: what it is, in words that no other has, and its bytes.

    One that is `resting` lies in the machine's own memory, beside the device, and fills nothing of it.
    """

    name: str
    size: int
    resting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineState:
    """What the page says about the models: the phase, what is being loaded or failed, and the device.

    `held` is in its memory and beside it now, the least recently used first; `budget` is the bytes that the
    device has room for.
    """

    phase: Phase = "starting"
    detail: str = ""
    device: str = ""
    held: tuple[Held, ...] = ()
    budget: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """Work on a job. An urgent one goes in between two steps of the one that runs."""

    job_id: str
    kind: str
    payload: Any
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """Leave a job at its next step: with nothing, or keeping the pictures that are finished."""

    job_id: str
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?"""

    number: int


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave after the step that runs."""


Order: TypeAlias = Run | Stop | Ping | Quit


@dataclass(frozen=True, slots=True)
class Standing:
    """How the models stand. After a preparation that failed, why: no job can run."""

    state: EngineState
    error: ArmatureError | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """A job has come further."""

    job_id: str
    progress: Progress


@dataclass(frozen=True, slots=True)
class Ended:
    """A job has left the worker: with an outcome, with an error, or, stopped, with neither."""

    job_id: str
    outcome: Any = None
    error: ArmatureError | None = None


@dataclass(frozen=True, slots=True)
class Pong:
    """Here, to the ping of that number."""

    number: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker is gone. Its home says this, once; after it the home can be started again."""

    reason: str


Report: TypeAlias = Standing | Moved | Ended | Pong | Lost
