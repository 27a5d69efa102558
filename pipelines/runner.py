"""The worker's own loop: one job at a time, urgent ones between two steps; in a thread or in a process."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, TypeAlias

from errors import ArmatureError, ours
from pipelines.messages import Ended, EngineState, Moved, Order, Ping, Pong, Quit, Report, Run, Standing, Stop
from pipelines.request import Progress

log = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[str, Any], Iterator[Any]]
Prepare: TypeAlias = Callable[[Callable[[EngineState], None]], Mapping[str, Handler]]


class KeepFinished(Exception):
    """Thrown into a handler that is to end now with what is finished; it answers with an outcome."""


class Runner:
    """Runs handlers on one thread, so that the device is never shared; orders come from another.

    A handler is a generator of `Progress` that ends with its outcome: stopping is closing it at a yield, and
    an urgent job runs while the other rests at one. `prepare(report)` imports and loads on that same thread.
    """

    def __init__(self, prepare: Prepare, tell: Callable[[Report], None]) -> None:
        self._prepare = prepare
        self._tell = tell
        self._ordered = threading.Condition()
        self._urgent: deque[Run] = deque()
        self._normal: deque[Run] = deque()
        self._stops: dict[str, Stop] = {}
        self._quitting = False
        self._handlers: Mapping[str, Handler] = {}
        self._running: str | None = None

    def put(self, order: Order) -> None:
        """Take an order. A ping is answered here and now, by whoever brings it."""
        if isinstance(order, Ping):
            self._tell(Pong(order.number))
            return
        with self._ordered:
            match order:
                case Run(urgent=True):
                    self._urgent.append(order)
                case Run():
                    self._normal.append(order)
                case Stop():
                    self._stops[order.job_id] = order
                case Quit():
                    self._quitting = True
            self._ordered.notify_all()

    def serve(self) -> None:
        """Prepare, then run what is ordered until told to quit."""
        try:
            self._handlers = self._prepare(lambda state: self._tell(Standing(state)))
        except Exception as error:
            known = ours(error)
            log.exception("the worker could not start: %s", known)
            self._tell(Standing(EngineState(phase="failed", detail=known.message), known))
            return
        while (run := self._next()) is not None:
            self._work(run)

    def _next(self) -> Run | None:
        with self._ordered:
            self._ordered.wait_for(lambda: self._quitting or self._urgent or self._normal)
            if self._quitting:
                return None
            return self._urgent.popleft() if self._urgent else self._normal.popleft()

    def _work(self, run: Run) -> None:
        if not run.urgent:
            assert self._running is None, "two jobs would share the device"
            self._running = run.job_id
        events = self._handlers[run.kind](run.job_id, run.payload)
        try:
            ended = Ended(run.job_id, outcome=self._outcome(run, events))
        except Exception as error:
            known = ours(error)
            log.exception("job %s failed: %s", run.job_id, known)
            ended = Ended(run.job_id, error=bare(known))
        if isinstance(events, Generator):
            events.close()
        self._stops.pop(run.job_id, None)
        if not run.urgent:
            self._running = None
        self._tell(ended)

    def _outcome(self, run: Run, events: Iterator[Any]) -> Any:
        """What the handler answers last, or None where it was stopped."""
        outcome = None
        for event in events:
            if isinstance(event, Progress):
                self._tell(Moved(run.job_id, event))
            else:
                outcome = event
            stop = self._stops.get(run.job_id)
            if outcome is None and (stop or self._quitting):
                return _kept(events) if stop and stop.keep else None
            while not run.urgent and self._urgent:
                self._work(self._urgent.popleft())
        return outcome


def _kept(events: Iterator[Any]) -> Any:
    """The outcome that a handler makes of what is finished, if it can."""
    if not isinstance(events, Generator):
        return None
    try:
        return events.throw(KeepFinished())
    except (KeepFinished, StopIteration):
        return None


def bare(error: ArmatureError) -> ArmatureError:
    """The error without the way it came: whoever keeps it would keep all that was computed there."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
