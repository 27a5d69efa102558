"""Where a worker lives: in a thread of this process, or in a process of its own.

A home can be started again after it was lost. Only a process can be killed.
"""

import logging
import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Protocol, TypeAlias

from pipelines.messages import Lost, Order, Quit, Report
from pipelines.runner import Prepare, Runner

log = logging.getLogger(__name__)

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
            target=work, args=(theirs, self._prepare), name="armature-worker", daemon=True
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
            hear(pipe.recv())
    except (EOFError, OSError):
        process.join(5)
        hear(Lost(f"exit code {process.exitcode}"))


def work(pipe: Connection, prepare: Prepare) -> None:
    """The life of a worker process: orders are heard on a thread, jobs run on the main one."""
    telling = threading.Lock()

    def tell(report: Report) -> None:
        with telling:
            pipe.send(report)

    runner = Runner(prepare, tell)

    def hear() -> None:
        try:
            while True:
                runner.put(pipe.recv())
        except (EOFError, OSError):
            runner.put(Quit())  # nobody is there any more to work for

    threading.Thread(target=hear, name="orders", daemon=True).start()
    runner.serve()
