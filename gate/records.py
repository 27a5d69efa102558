"""Lists that somebody brings: JSON lines, read one by one, and the files that they name."""

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from errors import INPUT_GONE, INPUT_SOURCE, PARAM_TYPE, ArmatureError
from gate.limits import Limits
from gate.values import clean_text, parse_json

MARK = b"\xef\xbb\xbf"  # which some editors of Windows put before the first line
DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a list: its number, from 1, and its fields; or what is wrong with it."""

    line: int
    fields: Mapping[str, object] = field(default_factory=dict)
    fault: str = ""


def read_records(path: Path, limits: Limits) -> Iterator[Record]:
    """The lines of a file, each a JSON object in UTF-8 that ends with a line feed, whatever they are worth.

    The file is never held as a whole, so that it may be as long as it likes.
    """
    number = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(limits.json_bytes + 1):
                number += 1
                yield _record(number, line, limits)
                if len(line) > limits.json_bytes:
                    return  # what follows is in the middle of a line
    except (OSError, ValueError):
        raise INPUT_GONE(
            f"{path.name} is not there or can't be read", todo="Bring it, or name another file"
        ) from None


def read_text(path: Path, limits: Limits, *, label: str) -> str:
    """The text in a file of UTF-8, cleaned, without the blanks around it; `label` is what it is for."""
    most = 4 * limits.prompt_characters  # bytes; a character has at most four
    try:
        with path.open("rb") as file:
            data = file.read(most + 4)
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(data, final=len(data) <= most)
    except UnicodeDecodeError:
        raise PARAM_TYPE(
            f"{label} can't be read", found="bytes that are not UTF-8", allowed="UTF-8", todo="Save it again"
        ) from None
    except OSError:
        raise INPUT_GONE(
            f"{label} is not there or can't be read", todo=f"Write it into {path.name}"
        ) from None
    return clean_text(text, label=label, most=limits.prompt_characters).strip()


def _record(number: int, line: bytes, limits: Limits) -> Record:
    text = line.removesuffix(b"\n")
    if text.startswith(MARK):
        return Record(number, fault="begins with a byte order mark: save the file as UTF-8 without one")
    if text.endswith(b"\r"):
        return Record(number, fault="ends with a carriage return: save the file with line feeds alone")
    try:
        fields = parse_json(text, most_bytes=limits.json_bytes)
    except ArmatureError as error:
        return Record(number, fault=f"{error.found}, not {error.allowed}")
    if not isinstance(fields, dict):
        return Record(number, fault=f"a JSON {type(fields).__name__}, not an object")
    return Record(number, fields)


def name_inside(name: object) -> str:
    """The place of a file below a folder, with / between its parts; what could lead elsewhere is refused."""
    if not isinstance(name, str) or not name.strip():
        raise _refusal("no text")
    path = PurePosixPath(name)
    if path.is_absolute() or DRIVE.match(name) or "\\" in name or "\0" in name:
        raise _refusal("a path from the root, or of another system")
    if ".." in path.parts:
        raise _refusal("a path that leads out of its folder")
    return path.as_posix()


def _refusal(found: str) -> ArmatureError:
    return INPUT_SOURCE(
        "This is no file of the set",
        found=found,
        allowed="its place below the folder of the list, such as target/1.png",
        todo="Change the name",
    )
