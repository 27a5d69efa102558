"""Files made for the tests of the gate: good, odd and hostile, byte by byte where no library writes them."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray
from PIL import Image

from gate.pictures import Pixels

# A machine that is busy is slow, and that is no failure.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA = 0, 2, 3, 4  # the colour types of PNG


def noise(width: int = 64, height: int = 48) -> Pixels:
    """RGB uint8 (height, width, 3), the same at every run."""
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)


def saved(image: Image.Image | NDArray[Any], format: str, **options: Any) -> bytes:
    """The picture as a file of that format."""
    file = BytesIO()
    whole = image if isinstance(image, Image.Image) else Image.fromarray(image)
    whole.save(file, format=format, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def png(
    width: int, height: int, depth: int, colour: int, rows: bytes | None = None, before: bytes = b""
) -> bytes:
    """A PNG with `rows` (each after its filter byte), or with zeros; `before` are chunks ahead of them."""
    if rows is None:
        channels = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2}[colour]
        row = bytes(1 + (width * depth * channels + 7) // 8)
        packer = zlib.compressobj(9)
        packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    else:
        packed = zlib.compress(rows)
    header = struct.pack(">LLBBBBB", width, height, depth, colour, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + before + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds next to nothing."""
    header = struct.pack(">LLBBBBB", width, height, 1, GREY, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def exif(orientation: int, order: str = "<") -> bytes:
    """An EXIF block with an orientation and a GPS entry."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entries = struct.pack(order + "HHLHxx", 0x0112, 3, 1, orientation)
    entries += struct.pack(order + "HHLL", 0x8825, 4, 1, 38)
    body = struct.pack(order + "LH", 8, 2) + entries + struct.pack(order + "L", 0)
    gps = struct.pack(order + "HHHL4sL", 1, 1, 2, 2, b"N\0\0\0", 0)
    return b"Exif\0\0" + mark + body + gps


def segment(code: int, body: bytes) -> bytes:
    """One marker segment of a JPEG."""
    return bytes((0xFF, code)) + struct.pack(">H", len(body) + 2) + body


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """The JPEG with segments right after its start."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def without_jfif(jpeg: bytes) -> bytes:
    """The JPEG without its first segment, which Pillow always writes."""
    return jpeg[:2] + jpeg[4 + struct.unpack_from(">H", jpeg, 4)[0] :]


def tiff(
    width: int, height: int, tags: dict[int, tuple[int, int]], pixels: bytes, following: int = 0
) -> bytes:
    """A little-endian TIFF of one page and one strip; `tags` are tag: (type, value)."""
    size = 8 + 2 + 12 * (len(tags) + 5) + 4
    entries = {
        256: (4, width),
        257: (4, height),
        273: (4, size),
        278: (4, height),
        279: (4, len(pixels)),
        **tags,
    }
    page = b"".join(
        struct.pack("<HHLL", tag, kind, 1, value) for tag, (kind, value) in sorted(entries.items())
    )
    return struct.pack("<2sHLH", b"II", 42, 8, len(entries)) + page + struct.pack("<L", following) + pixels


D50, D65 = (0.9642, 1.0, 0.8249), (0.9505, 1.0, 1.0891)


def icc(
    primaries: dict[str, tuple[float, float, float]],
    space: bytes,
    description: str,
    white: tuple[float, float, float] = D50,
) -> bytes:
    """A display profile of gamma 2.2: `primaries` as XYZ under D50 (for RGB), or none (for grey)."""

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">l", round(value * 65536)) for value in values)

    def text(kind: bytes, words: str) -> bytes:
        record = words.encode("utf-16-be")
        return b"mluc" + struct.pack(">LLL4sLL", 0, 1, 12, b"enUS", len(record), 28) + record

    curve = b"curv" + struct.pack(">LLH", 0, 1, round(2.2 * 256)) + b"\0\0"
    bodies = {b"desc": text(b"mluc", description), b"cprt": text(b"mluc", "none")}
    bodies[b"wtpt"] = b"XYZ " + bytes(4) + fixed(*white)
    if space == b"GRAY":
        bodies[b"kTRC"] = curve
    for letter, point in primaries.items():
        bodies[letter.encode() + b"XYZ"] = b"XYZ " + bytes(4) + fixed(*point)
        bodies[letter.encode() + b"TRC"] = curve
    table, data, place = b"", b"", 128 + 4 + 12 * len(bodies)
    for name, body in bodies.items():
        padded = body + bytes(-len(body) % 4)
        table += name + struct.pack(">LL", place + len(data), len(body))
        data += padded
    header = struct.pack(">L4sL4s4s4s", place + len(data), bytes(4), 0x04200000, b"mntr", space, b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + fixed(*D50)
    return header.ljust(128, b"\0") + struct.pack(">L", len(bodies)) + table + data
