"""What is found out about a file before a decoder sees it, by looking at bytes and jumping over the rest."""

import re
import struct

from errors import IMG_FORMAT
from gate.limits import Limits

# How files begin: first the formats that can be allowed, by Pillow's names, then what else people bring.
TEXT = r"(?:\xef\xbb\xbf)?\s*"
BEGINNINGS: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(pattern.encode("ascii"), re.DOTALL))
    for name, pattern in (
        ("PNG", r"\x89PNG\r\n\x1a\n"),
        ("JPEG", r"\xff\xd8\xff"),
        ("WEBP", r"RIFF....WEBP"),
        ("GIF", r"GIF8[79]a"),
        ("TIFF", r"II[*+]\0|MM\0[*+]"),
        ("AVIF", r"....ftyp(?:avi[fs]|(?:mif1|msf1)(?:....){1,9}avif)"),
        ("BMP", r"BM.{12}[\x0c-\x80]\0\0\0"),
        ("HEIC", r"....ftyp(?:he[iv]|mif1|msf1)"),
        ("JPEG 2000", r"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
        ("JPEG XL", r"\xff\x0a|\0\0\0\x0cJXL "),
        ("video", r"....ftyp|\x1a\x45\xdf\xa3|RIFF....AVI "),
        ("PDF", r"\s*%PDF"),
        ("EPS", r"\s*%!PS|\xc5\xd0\xd3\xc6"),
        ("Photoshop", r"8BPS"),
        ("FITS", r"SIMPLE  ="),
        ("ICNS", r"icns"),
        ("ICO", r"\0\0\x01\0"),
        ("DDS", r"DDS "),
        ("WMF", r"\xd7\xcd\xc6\x9a|\x01\0\x09\0"),
        ("EMF", r"\x01\0\0\0.{36} EMF"),
        ("BUFR", r"BUFR"),
        ("HDF5", r"\x89HDF\r\n\x1a\n"),
        ("OpenEXR", r"\x76\x2f\x31\x01"),
        ("ZIP", r"PK[\x03\x05\x07]"),
        ("gzip", r"\x1f\x8b"),
        ("HTML", TEXT + r"<(?i:!doctype html|html|head|body)"),
        ("SVG", TEXT + r"<(?:svg|[?!].{0,1000}<svg)"),
        ("XML", TEXT + r"<[?!]"),
    )
)


def format_of(data: bytes, limits: Limits) -> str:
    """Pillow's name of an allowed format by how the bytes begin; what a file is called counts for nothing."""
    head = data[:2000]
    name = next((name for name, beginning in BEGINNINGS if beginning.match(head)), "")
    if name in limits.formats:
        return name
    raise IMG_FORMAT(
        f"{name or 'This kind of file'} can't be read here",
        found=f"{name} data" if name else "data of an unknown kind",
        allowed=", ".join(limits.formats),
        todo=f"{name}: export as JPEG" if name == "HEIC" else "Export the picture as PNG or JPEG",
    )


PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


def is_cut(data: bytes, name: str, error: Exception) -> bool:
    """Whether a file is short rather than wrong: by its own word on its end, else by the decoder's."""
    match name:
        case "PNG":
            return PNG_END not in data
        case "WEBP":
            return int.from_bytes(data[4:8], "little") + 8 > len(data)
        case _:
            return isinstance(error, EOFError) or "truncated" in str(error).lower()


JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
# FF FF is padding and FF 00 is a value; inside a scan FF D0 to FF D7 belong to the scan.
MARKER = re.compile(rb"\xff([^\x00\xff])")
AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
BARE = frozenset((0x01, *range(0xD0, 0xD9)))
END, SCAN, EXIF, PROFILE = 0xD9, 0xDA, 0xE1, 0xE2
METADATA = frozenset((EXIF, *range(0xE3, 0xEE), 0xEF, 0xFE))
MOST_SEGMENTS = 20_000


def plain_jpeg(data: bytes) -> tuple[bytes, bytes, int]:
    """The JPEG with what makes its pixels and nothing else; its EXIF block; the number of its passes.

    Pillow reads all EXIF of a JPEG on opening and copies each entry: 500 kB of entries that overlap became
    1 GB. What comes after the picture (an archive, a film, a second picture) stays behind as well.
    """
    kept, exif, passes, place = [JPEG_START], b"", 0, 2
    for _ in range(MOST_SEGMENTS):
        found = MARKER.search(data, place)
        if not found or found[1][0] == END:
            return b"".join((*kept, JPEG_END if found else b"")), exif, passes
        code, place = found[1][0], found.end()
        if code in BARE:
            continue
        start, place = place, place + max(2, int.from_bytes(data[place : place + 2], "big"))
        body = data[start + 2 : place]
        if code == SCAN:
            passes += 1
            after = AFTER_SCAN.search(data, place)
            place = after.start() if after else len(data)
        if code == EXIF and body.startswith(b"Exif\0\0"):
            exif = exif or body
        if code not in METADATA and (code != PROFILE or body.startswith(b"ICC_PROFILE\0")):
            kept.append(data[start - 2 : place])
    raise ValueError("too many segments")


MOST_CHUNKS = 200_000


def check_png_chunks(data: bytes) -> None:
    """Pillow handles each chunk in Python: a million empty ones would keep it busy for long."""
    place = 8
    for _ in range(MOST_CHUNKS):
        if place >= len(data):
            return
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    raise ValueError("too many chunks")


def check_tiff_pages(data: bytes) -> None:
    """The pages must come to an end: each names the place of the next."""
    order = "<" if data.startswith(b"II") else ">"
    head, count, entry, following = (8, "Q", 20, "Q") if 43 in data[2:4] else (4, "H", 12, "L")
    (place,) = struct.unpack_from(order + following, data, head)
    seen: set[int] = set()
    while place:
        if place in seen:
            raise ValueError("pages in a circle")
        seen.add(place)
        (entries,) = struct.unpack_from(order + count, data, place)
        place += struct.calcsize(order + count) + entries * entry
        (place,) = struct.unpack_from(order + following, data, place)


ORIENTATION = 0x0112


def orientation(exif: bytes) -> int:
    """The orientation that an EXIF block names; 1, upright, where it names none or makes no sense."""
    block = exif.removeprefix(b"Exif\0\0")
    order = ">" if block.startswith(b"MM") else "<"
    try:
        (place,) = struct.unpack_from(order + "L", block, 4)
        (entries,) = struct.unpack_from(order + "H", block, place)
        for index in range(entries):
            tag, value = struct.unpack_from(order + "H6xH", block, place + 2 + 12 * index)
            if tag == ORIENTATION:
                return int(value)
    except struct.error:
        pass
    return 1
