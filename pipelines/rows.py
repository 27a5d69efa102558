"""The SQLite file behind the job book: rows in, rows out. Its errors are ours."""

import json
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from errors import CODES, DIR_READONLY, DISK_FAILED, DISK_FULL, NOT_ALLOWED, ArmatureError, ours

if TYPE_CHECKING:
    from pipelines.jobs import Job

log = logging.getLogger(__name__)

VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    payload TEXT NOT NULL,
    outcome TEXT,
    error TEXT,
    queued_at REAL NOT NULL,
    changed_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state);
"""
HELD: list[sqlite3.Connection] = []  # open as long as the process: a lock that no crash leaves behind
LOCKED = 10.0  # seconds that somebody else may keep the file: a backup, or a look at it with another tool
OVER = "('done', 'failed', 'cancelled', 'interrupted')"


class Rows:
    """The table of jobs. One connection, used under the book's lock; `path` None keeps it in memory.

    Every change is on the disk when its call returns (WAL, synchronous FULL). A file that is no database any
    more is put aside under another name, and a new one begun, which `anew` says: the pictures carry their
    requests themselves.
    """

    def __init__(self, path: Path | None) -> None:
        self.anew = False
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = _opened(path)
            except sqlite3.OperationalError as error:
                raise _ours(error) from error
            except sqlite3.DatabaseError:
                if path is None:
                    raise
                _put_aside(path)
                self.anew = True
                self._connection = _opened(path)
        except OSError as error:
            raise ours(error) from error

    def insert(self, job: "Job", payload: str) -> int:
        """A new row; answers its place in all time."""
        now = time.time()
        with self._writing() as connection:
            cursor = connection.execute(
                "INSERT INTO jobs (id, kind, owner, state, payload, queued_at, changed_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (job.id, job.kind, job.owner, job.state, payload, now, now),
            )
        return int(cursor.lastrowid or 0)

    def enter(self, done: Iterable[tuple[str, str, str, str]]) -> None:
        """New rows of jobs that are done, in one transaction: id, kind, payload and outcome of each."""
        now = time.time()
        with self._writing() as connection:
            connection.executemany(
                "INSERT INTO jobs (id, kind, owner, state, payload, outcome, queued_at, changed_at)"
                " VALUES (?, ?, '', 'done', ?, ?, ?, ?)",
                ((*row, now, now) for row in done),
            )

    def update(self, job: "Job", outcome: str | None) -> None:
        """The row as the job stands now."""
        error = None if job.error is None else error_text(job.error)
        with self._writing() as connection:
            connection.execute(
                "UPDATE jobs SET state = ?, outcome = ?, error = ?, changed_at = ? WHERE id = ?",
                (job.state, outcome, error, time.time(), job.id),
            )

    def one(self, job_id: str) -> sqlite3.Row | None:
        """The row of a job, if there is one."""
        rows = self._asked("SELECT * FROM jobs WHERE id = ?", job_id)
        return rows[0] if rows else None

    def unfinished(self) -> list[sqlite3.Row]:
        """The rows of all that is not over, oldest first."""
        return self._asked(f"SELECT * FROM jobs WHERE state NOT IN {OVER} ORDER BY seq")

    def undone(self) -> frozenset[str]:
        """The ids of all that is not done, over or not."""
        return frozenset(row["id"] for row in self._asked("SELECT id FROM jobs WHERE state <> 'done'"))

    def done(self, limit: int) -> list[sqlite3.Row]:
        """The newest rows that are done, newest first."""
        return self._asked("SELECT * FROM jobs WHERE state = 'done' ORDER BY seq DESC LIMIT ?", limit)

    def counts(self) -> Counter[str]:
        """How many rows are in each state."""
        rows = self._asked("SELECT state, COUNT(*) FROM jobs GROUP BY state")
        return Counter({row[0]: row[1] for row in rows})

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _asked(self, question: str, *values: object) -> list[sqlite3.Row]:
        try:
            return self._connection.execute(question, values).fetchall()
        except sqlite3.Error as error:
            raise _ours(error) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        try:
            with self._connection:
                yield self._connection
        except sqlite3.Error as error:
            raise _ours(error) from error


def hold(path: Path) -> None:
    """Keep the outputs folder for this process until it ends, in any way; a second program is refused."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = sqlite3.connect(path.with_name(".lock"), timeout=0, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise (ours(error) if isinstance(error, OSError) else _ours(error)) from error
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        lock.close()
        if "locked" not in str(error):
            raise _ours(error) from error
        raise NOT_ALLOWED(
            "Another Armature works in this outputs folder",
            todo="Stop it, or start this one with another --outputs",
        ) from None
    HELD.append(lock)


def _opened(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(path or ":memory:", timeout=LOCKED, check_same_thread=False)
    with ExitStack() as failed:
        failed.callback(connection.close)
        _prepare(connection)
        failed.pop_all()
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Bring a new or an old file to what this program needs, or raise why it can't be."""
    connection.row_factory = sqlite3.Row
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise NOT_ALLOWED(
            "The job book was written by a newer Armature",
            found=f"version {version}",
            allowed=f"up to {VERSION}",
            todo="Update the program, or name another --outputs folder",
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    # damage in the middle of the file would otherwise show when somebody asks for just that row
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(found)
    connection.executescript(SCHEMA)
    if version < VERSION:
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _put_aside(path: Path) -> None:
    """Keep a file that can't be read, with what belongs to it, under a name that nobody else has."""
    aside = path.with_name(f"{path.name}.corrupt-{time.time_ns()}")
    log.warning("the job book can't be read; it is kept as %s, and a new one begins", aside.name)
    for ending in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))


def _ours(error: sqlite3.Error) -> ArmatureError:
    """SQLite says what is wrong in words only."""
    words = str(error)
    if "full" in words:
        return DISK_FULL("There is no space left for the job book", todo="Free some space and try again")
    if "readonly" in words or "unable to open" in words:
        return DIR_READONLY(
            "The job book can't be written",
            todo="Give the program write access, or name another --outputs folder",
        )
    return DISK_FAILED("The job book can't be used", found=words, todo="Check the disk and try again")


def error_text(error: ArmatureError) -> str:
    """One of our errors as JSON."""
    return json.dumps(
        {
            "code": error.code.name,
            "what": error.what,
            "found": error.found,
            "allowed": error.allowed,
            "todo": error.todo,
        }
    )


def error_from(text: str) -> ArmatureError:
    """The error that `error_text` wrote."""
    entry = json.loads(text)
    code = CODES[entry.pop("code")]
    return code(entry.pop("what"), **entry)
