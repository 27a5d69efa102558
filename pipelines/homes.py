"""Where a worker lives: in a thread of this process, or in a process of its own.

A home can be started again after it was lost. Only a process can be killed.
"""

import copy
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Protocol, TypeAlias

from errors import ArmatureError
from pipelines.messages import Lost, Order, Quit, Report
from pipelines.runner import Prepare, Runner

log = logging.getLogger(__name__)

LONGEST_END = 25  # seconds that the program may take to end

Hear: TypeAlias = Callable[[Report], None]


class Home(Protocol):
    """What the engine needs of a worker's home. What the worker says arrives at `hear`, on any thread."""

    @property
    def can_kill(self) -> bool:
        """Whether a worker that does not come back can be replaced."""

    def start(self, hear: Hear) -> None:
        """Start a worker, the first or the next one."""

    def send(self, order: Order) -> None:
        """Tell the worker; what a lost worker doesn't hear is not an error, since `Lost` says so."""

    def kill(self) -> None:
        """End the worker at once. `Lost` follows."""

    def close(self, patience: float) -> None:
        """Let the worker leave, and after `patience` seconds make it."""


class ThreadHome:
    """The worker as a thread of this process: for tests, for the command line, and for Spaces."""

    can_kill = False

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self._runner: Runner | None = None
        self._thread: threading.Thread | None = None

    def start(self, hear: Hear) -> None:
        self._runner = Runner(self._prepare, hear)
        self._thread = threading.Thread(target=self._runner.serve, name="worker", daemon=True)
        self._thread.start()

    def send(self, order: Order) -> None:
        assert self._runner is not None, "the home is started first"
        self._runner.put(order)

    def kill(self) -> None:
        raise NotImplementedError("a thread can't be killed")

    def close(self, patience: float) -> None:
        if self._thread is not None:
            self.send(Quit())
            self._thread.join(patience)


class ProcessHome:
    """The worker as a process with a fresh interpreter. `prepare` is pickled, so it is a frozen recipe.

    The web process never imports torch; a worker that hangs, or whose device failed, is killed and replaced.
    """

    can_kill = True

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._sending = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The worker's process id, for whoever wants to kill it from outside."""
        return self._process.pid if self._process else None

    def start(self, hear: Hear) -> None:
        fresh = multiprocessing.get_context("spawn")
        ours, theirs = fresh.Pipe()
        process = fresh.Process(
            target=work,
            args=(theirs, self._prepare, logging.getLogger().level),
            name="armature-worker",
            daemon=True,
        )
        process.start()
        theirs.close()  # else the pipe would not end with the worker
        self._process, self._pipe = process, ours
        threading.Thread(target=_listen, args=(ours, process, hear), name="listener", daemon=True).start()

    def send(self, order: Order) -> None:
        assert self._pipe is not None, "the home is started first"
        try:
            with self._sending:
                self._pipe.send(order)
        except OSError:
            log.info("the worker did not hear %s", type(order).__name__)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def close(self, patience: float) -> None:
        if self._process is None:
            return
        self.send(Quit())
        self._process.join(patience)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _listen(pipe: Connection, process: BaseProcess, hear: Hear) -> None:
    """Pass on what the worker says, until its end of the pipe closes: that is noticed at once."""
    try:
        while True:
            said = pipe.recv()
            if isinstance(said, logging.LogRecord):
                logging.getLogger(said.name).handle(said)
            else:
                hear(said)
    except (EOFError, OSError):
        process.join(5)
        hear(Lost(f"exit code {process.exitcode}"))


def work(pipe: Connection, prepare: Prepare, log_level: int) -> None:
    """The life of a worker process: orders are heard on a thread, jobs run on the main one.

    When nobody is there any more to work for it ends at once, in the middle of a step: its files are whole or
    not there, and the next program may be about to clear away what is unfinished.
    """
    # Ctrl-C in a terminal and the stop of a service reach every process of the group. When the worker goes is
    # for the program to say, which may let it end what runs; a worker that it forgets does not stay for ever
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(LONGEST_END))
    telling = threading.Lock()

    def tell(report: Report | logging.LogRecord) -> None:
        try:
            with telling:
                pipe.send(report)
        except OSError:
            os._exit(1)

    logging.basicConfig(level=log_level, handlers=[Across(tell)], force=True)
    runner = Runner(prepare, tell)

    def hear() -> None:
        try:
            while True:
                runner.put(pipe.recv())
        except (EOFError, OSError):
            os._exit(1)

    threading.Thread(target=hear, name="orders", daemon=True).start()
    runner.serve()


class Across(logging.Handler):
    """Sends the worker's log to the process that keeps it: two can't write to one file that rotates."""

    def __init__(self, tell: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._tell(_portable(record))
        except (pickle.PicklingError, TypeError, ValueError, AttributeError):
            self.handleError(record)


def _portable(record: logging.LogRecord) -> logging.LogRecord:
    """The record in plain values. Our errors stay errors, since what they say depends on who reads it."""
    record = copy.copy(record)
    if isinstance(record.args, tuple):
        plain = (str, int, float, ArmatureError)
        record.args = tuple(arg if isinstance(arg, plain) else str(arg) for arg in record.args)
    else:
        record.msg, record.args = record.getMessage(), ()
    if record.exc_info and record.exc_info[0] is not None:
        kind, error, place = record.exc_info
        record.trace = "".join(traceback.format_exception(kind, error, place))
        record.frames = "".join(traceback.format_tb(place)) + kind.__qualname__
        record.exc_info = record.exc_text = None
    return record
