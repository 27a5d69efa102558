"""The header of a safetensors file: names, shapes and number formats of its tensors, and not one tensor.

The format is eight bytes of length, a JSON object, and then the tensors without gaps. What comes may be made
to do harm: the header is measured before it is read, and every offset is checked before anybody uses it.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errors import MODEL_CORRUPT, MODEL_DTYPE, MODEL_MISSING, ArmatureError

LARGEST_HEADER = 16 * 2**20  # bytes; that of a whole checkpoint has a few hundred thousand
MOST_BYTES = 2**40  # eight letters of any text are a larger number
MOST_AXES = 16
FETCH_AGAIN = "Fetch the file again"
BITS: Mapping[str, int] = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as the header describes it: its number format, such as F16, its shape, and its bytes."""

    dtype: str
    shape: tuple[int, ...]
    size: int

    def side(self, axis: int) -> int:
        """The length along an axis; 0 where there is none."""
        return self.shape[axis] if axis < len(self.shape) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a file of tensors says about itself; `size` are the bytes of the tensors alone."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    size: int


def begins(head: bytes) -> bool:
    """Whether a JSON object comes after eight bytes."""
    return head[8:9] == b"{"


def could_be(head: bytes) -> bool:
    """Whether a file begins so: a length that some file might have, and a JSON object."""
    return begins(head) and int.from_bytes(head[:8], "little") < MOST_BYTES


def read(path: Path) -> Header:
    """The header of a file, checked; a file that is cut or altered is refused in words."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            _check_length(path.name, length, size)
            text = file.read(length)
    except OSError as error:
        raise MODEL_MISSING(
            f"{path.name} can't be opened", found=error.strerror or "", todo="Put it back, or choose another"
        ) from error
    entries = _parsed(path.name, text)
    metadata = entries.pop("__metadata__", {})
    tensors, end = _laid_out(path.name, entries)
    expected, found = 8 + length + end, size
    if found < expected:
        raise _cut(path.name, found, expected)
    if found > expected:
        raise _broken(path.name, f"{found - expected} bytes after the last tensor")
    known = metadata if isinstance(metadata, dict) else {}
    return Header(tensors=tensors, metadata={str(k): str(v) for k, v in known.items()}, size=end)


def _check_length(name: str, length: int, size: int) -> None:
    if size == 0:
        raise MODEL_CORRUPT(f"{name} is empty", found="0 bytes", todo=FETCH_AGAIN)
    if length > LARGEST_HEADER:
        raise MODEL_CORRUPT(
            f"The header of {name} can't be right",
            found=f"{length} bytes",
            allowed=f"at most {LARGEST_HEADER}",
            todo=FETCH_AGAIN,
        )
    if length + 8 > size:
        raise _cut(name, size, length + 8)


def _cut(name: str, found: int, expected: int) -> ArmatureError:
    return MODEL_CORRUPT(
        f"{name} is cut off",
        found=f"{found} bytes",
        allowed=f"{'at least ' if found < 10**4 else ''}{expected} bytes",
        todo=FETCH_AGAIN,
    )


def _broken(name: str, found: str) -> ArmatureError:
    return MODEL_CORRUPT(f"{name} is damaged, or was altered", found=found, todo=FETCH_AGAIN)


def _parsed(name: str, text: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name that comes twice")
        return found

    try:
        entries = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise _broken(name, "a header that is no JSON") from error
    if not isinstance(entries, dict):
        raise _broken(name, "a header that is no JSON object")
    return entries


def _laid_out(name: str, entries: Mapping[str, Any]) -> tuple[dict[str, Tensor], int]:
    """The tensors by name, and where the last one ends; each has to begin where the one before it ends."""
    placed = sorted(_placed(name, entries), key=lambda one: one[1:3])
    end = 0
    for tensor_name, begin, after, _ in placed:
        if begin != end:
            raise _broken(name, f"{tensor_name[:80]} overlaps another tensor, or lies behind a gap")
        end = after
    return {tensor_name: tensor for tensor_name, _, _, tensor in placed}, end


def _placed(name: str, entries: Mapping[str, Any]) -> Iterator[tuple[str, int, int, Tensor]]:
    """Name, first byte, byte after the last, and description of each tensor."""
    for tensor_name, entry in entries.items():
        fields: dict[str, Any] = entry if isinstance(entry, dict) else {}
        dtype: Any = fields.get("dtype")
        shape: Any = fields.get("shape")
        offsets: Any = fields.get("data_offsets")
        if not (
            _are_counts(shape) and len(shape) <= MOST_AXES and _are_counts(offsets) and len(offsets) == 2
        ):
            raise _broken(name, f"{tensor_name[:80]} without a shape or a place")
        if not isinstance(dtype, str) or dtype not in BITS:
            raise MODEL_DTYPE(
                f"{name} has numbers in a format that is not known here",
                found=str(dtype)[:20],
                allowed=", ".join(BITS),
                todo="Choose a file in float16 or float32",
            )
        begin, after = offsets
        size = math.prod(shape) * BITS[dtype]
        if size % 8 or after - begin != size // 8:
            raise _broken(name, f"{tensor_name[:80]} with a size that is not that of its shape")
        yield tensor_name, begin, after, Tensor(dtype, tuple(shape), size // 8)


def _are_counts(value: Any) -> bool:
    """Whether this is a list of whole numbers, none below zero."""
    return isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)
