"""Text, settings, sizes and JSON from outside, as values that the rest may rely on."""

import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from errors import PARAM_RANGE, PARAM_TYPE, POSE_INVALID, PROMPT_TOO_LONG, ArmatureError
from params import Param, Value

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f]")
# Half a character, and the code points that Unicode promises never to assign.
NO_CHARACTERS = re.compile(
    "[\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF))
    + "]"
)


def clean_text(text: object, *, label: str, most: int) -> str:
    """The text without controls (newline and tab stay), and with U+FFFD for what is no character."""
    if not isinstance(text, str):
        raise PARAM_TYPE(
            f"{label} can't be taken",
            found=type(text).__name__,
            allowed="text",
            todo=f"Change {label.lower()}",
        )
    cleaned = CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if len(cleaned) > most:
        raise PROMPT_TOO_LONG(
            f"{label} is too long",
            found=f"{len(cleaned)} characters",
            allowed=f"at most {most}",
            todo="Shorten it",
        )
    return NO_CHARACTERS.sub("\ufffd", cleaned)


def check_values(params: Iterable[Param], values: Mapping[str, object]) -> dict[str, Value]:
    """The value of every declared control, given or by default; what is not declared is refused."""
    table = {param.name: param for param in params}
    unknown = [name for name in values if name not in table]
    if unknown:
        raise PARAM_TYPE(
            "There is no such setting",
            found=", ".join(repr(name)[:40] for name in unknown[:5]),
            allowed=", ".join(table) or "no settings",
            todo="Leave it out",
        )
    return {name: _checked(param, values.get(name, param.default)) for name, param in table.items()}


def _checked(param: Param, value: object) -> Value:
    if param.kind == "text" and param.length is not None:
        value = clean_text(value, label=param.label, most=param.length)
    return param.check(value)


SIZE = re.compile(r"\s*([0-9]{1,20})\s*[xX×]\s*([0-9]{1,20})\s*")


def check_size(
    text: object, *, multiple: int, smallest: int, largest: int
) -> tuple[int, int, tuple[str, ...]]:
    """Width and height that "768x512" means, at the nearest multiple, with a notice if that moved them."""
    parts = SIZE.fullmatch(text) if isinstance(text, str) else None
    if parts is None:
        raise PARAM_TYPE(
            "The size can't be read",
            found=repr(text)[:40],
            allowed="width x height, such as 768x512",
            todo="Change size",
        )
    width, height = int(parts[1]), int(parts[2])
    if not (smallest <= width <= largest and smallest <= height <= largest):
        raise PARAM_RANGE(
            "The size is out of bounds",
            found=f"{width}x{height}",
            allowed=f"sides from {smallest} to {largest}",
            todo="Change size",
        )
    near_width, near_height = (
        min(max(round(side / multiple), -(-smallest // multiple)), largest // multiple) * multiple
        for side in (width, height)
    )
    if (near_width, near_height) == (width, height):
        return width, height, ()
    notice = f"The size is {near_width}x{near_height}: sides are multiples of {multiple}."
    return near_width, near_height, (notice,)


DEEPEST = 64
# A bracket, or a string, in which brackets don't count; its end is optional, so that nothing is read twice.
NESTING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


def parse_json(data: bytes | str, *, most_bytes: int) -> object:
    """The JSON value in a text, of bounded size and depth, all numbers finite and all keys single."""
    size = len(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    if size > most_bytes:
        _refuse_json(f"{size} bytes", f"at most {most_bytes}")
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        _check_depth(text)
        return json.loads(
            text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_single_keys
        )
    except ValueError:
        _refuse_json("text that is not JSON", "JSON in UTF-8")


def _check_depth(text: str) -> None:
    depth = 0
    for token in NESTING.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > DEEPEST:
            _refuse_json(f"more than {DEEPEST} levels", f"at most {DEEPEST}")


def _no_constant(name: str) -> NoReturn:
    raise PARAM_RANGE(
        "A number can't be taken", found=name, allowed="finite numbers", todo="Send another number"
    )


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        _no_constant(digits[:40])
    return number


def _single_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        _refuse_json("a key that comes twice", "every key once")
    return table


def _refuse_json(found: str, allowed: str) -> NoReturn:
    raise PARAM_TYPE(
        "The data can't be read", found=found, allowed=allowed, todo="Send it again as JSON"
    ) from None


def parse_toml(data: bytes, *, most_bytes: int) -> dict[str, Any]:
    """The tables of a TOML text in UTF-8 of bounded size."""
    if len(data) > most_bytes:
        _refuse_toml(f"{len(data)} bytes", f"at most {most_bytes}")
    try:
        return tomllib.loads(data.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError:
        _refuse_toml("bytes that are no text", "TOML in UTF-8")
    except tomllib.TOMLDecodeError as error:
        _refuse_toml(str(error), "TOML in UTF-8")
    except RecursionError:
        _refuse_toml("tables in tables without end", "TOML in UTF-8")


def _refuse_toml(found: str, allowed: str) -> NoReturn:
    raise PARAM_TYPE("The file can't be read", found=found, allowed=allowed, todo="Mend the file") from None


MOST_POSE_BYTES = 4 * 2**20


def parse_pose(data: bytes | str) -> object:
    """The plain data of a pose's JSON, for an annotator to read; what can't be JSON is refused as a pose."""
    try:
        return parse_json(data, most_bytes=MOST_POSE_BYTES)
    except ArmatureError as error:
        raise POSE_INVALID(
            "The pose can't be read",
            found=error.found,
            allowed=error.allowed,
            todo="Give a pose in OpenPose's JSON",
        ) from None
