"""Texts that a PNG carries beside its pixels, found by jumping from chunk to chunk: nothing is decoded.

A file may hold anything under any key: only the texts that are wanted are read, up to `MOST_TEXT` bytes each.
"""

import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from errors import IMG_CORRUPT, IMG_FORMAT, IMG_TRUNCATED, META_INVALID
from gate.files import MOST_CHUNKS
from gate.limits import Limits
from gate.uploads import check_length, file_bytes

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KINDS = (b"tEXt", b"zTXt", b"iTXt")
LONGEST_KEY = 79
MOST_TEXT = 2**20


def png_texts(source: bytes | Path, wanted: Collection[str], limits: Limits) -> Mapping[str, str]:
    """The texts of a PNG by their keys, of those that are wanted and there; of equal keys the first."""
    data = source if isinstance(source, bytes) else file_bytes(source, limits)
    check_length(len(data), limits)
    if not data.startswith(SIGNATURE):
        raise IMG_FORMAT(
            "Only a PNG carries the settings that it was made with",
            found="another kind of file",
            allowed="PNG",
            todo="Choose the file as it was saved here",
        )
    texts: dict[str, str] = {}
    for kind, place, length in _chunks(data):
        if kind in KINDS:
            key = data[place : place + min(length, LONGEST_KEY + 1)].partition(b"\0")[0].decode("latin-1")
            if key in wanted and key not in texts:
                texts[key] = _text(data, kind, place, length)
    return texts


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, place and length of each chunk, as the file says; what comes after the end does not count."""
    place = len(SIGNATURE)
    for _ in range(MOST_CHUNKS):
        kind, length = data[place + 4 : place + 8], int.from_bytes(data[place : place + 4], "big")
        if len(kind) < 4 or kind == b"IEND":
            return
        yield kind, place + 8, length
        place += 12 + length
    _refuse_damage()


def _text(data: bytes, kind: bytes, place: int, length: int) -> str:
    if length > MOST_TEXT + 2**10:
        _refuse_length()
    body = data[place : place + length]
    sum_of = data[place + length : place + length + 4]
    if len(sum_of) < 4:
        raise IMG_TRUNCATED(
            "The PNG file ends too early",
            found=f"{len(data)} bytes",
            allowed="a whole file",
            todo="Download or save it again",
        )
    if zlib.crc32(kind + body) != int.from_bytes(sum_of, "big"):
        _refuse_damage()
    try:
        text = _decoded(kind, body)
    except (ValueError, zlib.error):
        _refuse_damage()
    if len(text) > MOST_TEXT:
        _refuse_length()
    return text


def _decoded(kind: bytes, body: bytes) -> str:
    _, _, rest = body.partition(b"\0")
    match kind:
        case b"tEXt":
            return rest.decode("latin-1")
        case b"zTXt":
            return _inflated(rest[1:]).decode("latin-1")
        case _:  # a flag and a method, a language, the key in that language, and the text
            packed = rest[:1] == b"\1"
            text = rest[2:].split(b"\0", 2)[2:]
            if not text:
                raise ValueError("no text")
            return (_inflated(text[0]) if packed else text[0]).decode("utf-8")


def _inflated(packed: bytes) -> bytes:
    """What was packed, as far as it may be long; a thousand bytes can mean a million."""
    found = zlib.decompressobj().decompress(packed, MOST_TEXT + 1)
    if len(found) > MOST_TEXT:
        _refuse_length()
    return found


def _refuse_length() -> NoReturn:
    raise META_INVALID(
        "The settings in this picture can't be read",
        found="a text without end",
        allowed=f"at most {MOST_TEXT} bytes",
        todo="Choose another picture",
    )


def _refuse_damage() -> NoReturn:
    raise IMG_CORRUPT(
        "The PNG file is damaged", found="a text that can't be read", todo="Choose another copy of it"
    ) from None
