"""The log: JSON lines in files that rotate, and the same as short lines for people on stderr.

A line has `time` (UTC), `monotonic` (seconds), `level`, `logger` and `event`; of a job also `job`, `kind`,
`state` and `code`; of an error, `trace`. In the profile public nothing that a visitor says can get in: of our
errors the code and the fixed words are written, of others where they happened, of what libraries say only
where they said it.
"""

import json
import logging
import sys
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from errors import ArmatureError
from gate import Profile

FILE = "armature.jsonl"
FILES, FILE_BYTES = 5, 10_000_000
FIELDS = ("job", "kind", "state", "code")
# The first names of our own loggers: only these know what they may say.
OWN = frozenset(
    "__main__ app armature annotators cli conditions doctor errors gate logs models params pipelines settings"
    " training ui".split()
)


def configure(folder: Path, profile: Profile) -> None:
    """Send the log of this process into a folder and to stderr; where the folder can't be had, only there."""
    discreet = profile == "public"
    people = logging.StreamHandler(sys.stderr)
    people.setFormatter(Line(discreet))
    handlers: list[logging.Handler] = [people]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handlers.append(_File(folder / FILE, maxBytes=FILE_BYTES, backupCount=FILES - 1, encoding="ascii"))
        handlers[-1].setFormatter(Json(discreet))
    except OSError as error:
        sys.stderr.write(f"The log can't be written to its folder ({error.strerror}); it goes here only.\n")
    for handler in handlers:
        handler.addFilter(_is_wanted)
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)


class Json(logging.Formatter):
    """A record as one line of JSON: whatever is in it, a line ends only where the record does."""

    def __init__(self, discreet: bool) -> None:
        super().__init__()
        self._discreet = discreet

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "monotonic": round(time.monotonic(), 3),
            "level": record.levelname,
            "logger": record.name,
            "event": message(record, self._discreet),
        }
        known = {name: getattr(record, name, None) for name in FIELDS}
        entry |= {name: value for name, value in known.items() if value is not None}
        trace = _trace(record, self._discreet)
        return json.dumps(entry | ({"trace": trace} if trace else {}), default=str)


class Line(logging.Formatter):
    """A record as a short line for people: the time, what is worse than usual, and what happened."""

    def __init__(self, discreet: bool) -> None:
        super().__init__()
        self._discreet = discreet

    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        words = " ".join(message(record, self._discreet).splitlines())
        return f"{self.formatTime(record, '%H:%M:%S')} {level}{words}"


def message(record: logging.LogRecord, discreet: bool) -> str:
    """What the record says; discreetly, without anything that came from a visitor."""
    if not discreet:
        return record.getMessage()
    if not _is_ours(record):
        return f"{record.module}:{record.lineno} (what it said is left out)"
    args: object = record.args
    if isinstance(args, Mapping):
        args = {name: _fixed_words(value) for name, value in args.items()}
    elif isinstance(args, tuple):
        args = tuple(_fixed_words(value) for value in args)
    return str(record.msg) % args if args else str(record.msg)


def _fixed_words(value: object) -> object:
    """Of one of our errors, the code and what the code's author wrote: not what was found."""
    return f"{value.code.name}: {value.what}" if isinstance(value, ArmatureError) else value


def _trace(record: logging.LogRecord, discreet: bool) -> str:
    """Where an error came from. Its own words may quote anything."""
    if record.exc_info and record.exc_info[0] is not None:
        kind, error, place = record.exc_info
        if discreet:
            return "".join(traceback.format_tb(place)) + kind.__qualname__
        return "".join(traceback.format_exception(kind, error, place))
    # from a worker, where it was written down in both ways
    return str(getattr(record, "frames" if discreet else "trace", ""))


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.split(".")[0] in OWN


def _is_wanted(record: logging.LogRecord) -> bool:
    """All that we say, and what libraries warn of."""
    return _is_ours(record) or record.levelno >= logging.WARNING


class _File(RotatingFileHandler):
    """The rotating file. When its disk is full the studio goes on, and stderr has the line already."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass
