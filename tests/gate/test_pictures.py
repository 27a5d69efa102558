"""Whatever bytes come in, the right picture or a coded refusal comes out.

Row numbers are those of the list of bad inputs in the facts about reliability.
"""

import os
import struct
import sys
import threading
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, features

from errors import (
    FILE_TOO_LARGE,
    IMG_ASPECT,
    IMG_CORRUPT,
    IMG_EMPTY,
    IMG_FORMAT,
    IMG_TOO_MANY_PIXELS,
    IMG_TOO_SMALL,
    IMG_TRUNCATED,
    INPUT_GONE,
    INPUT_SOURCE,
    TIMEOUT,
    ArmatureError,
    Code,
)
from gate import LIMITS, OWN_FILES, Limits, open_picture
from tests.gate.made import (
    CALM,
    GREY,
    PALETTE,
    RGB,
    SIGNATURE,
    chunk,
    exif,
    noise,
    png,
    png_header,
    saved,
    segment,
    tiff,
    with_segments,
    without_jfif,
)

LOCAL, LAN, PUBLIC = LIMITS["local"], LIMITS["lan"], LIMITS["public"]
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")


def refusal(data: bytes | Path, limits: Limits = LOCAL) -> ArmatureError:
    """The refusal of these bytes; the next good picture must pass after it."""
    with pytest.raises(ArmatureError) as caught:
        open_picture(data, limits)
    assert open_picture(saved(noise(), "PNG"), limits).notices == ()
    return caught.value


def code_of(data: bytes | Path, limits: Limits = LOCAL) -> Code:
    return refusal(data, limits).code


# Good pictures


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize(("format", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_a_lossless_picture_comes_through_bit_by_bit(
    limits: Limits, format: str, options: dict[str, bool]
) -> None:
    picture = open_picture(saved(noise(), format, **options), limits)
    assert np.array_equal(picture.pixels, noise())
    assert picture.notices == ()


@pytest.mark.parametrize("format", ["BMP", "TIFF"])
def test_more_formats_at_home(format: str) -> None:
    data = saved(noise(), format)
    assert np.array_equal(open_picture(data, LOCAL).pixels, noise())
    assert code_of(data, PUBLIC) is IMG_FORMAT


def test_pixels_are_plain_and_read_only() -> None:
    pixels = open_picture(saved(noise(), "PNG"), LOCAL).pixels
    assert pixels.dtype == np.uint8
    assert pixels.shape == (48, 64, 3)
    assert pixels.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0, 0] = 1


def test_a_file_and_its_bytes_are_the_same_picture(tmp_path: Path) -> None:
    file = tmp_path / "picture.gif"  # what a file is called counts for nothing
    file.write_bytes(saved(noise(), "PNG"))
    assert np.array_equal(open_picture(file, LOCAL).pixels, noise())


def test_our_own_files_may_be_narrow_and_large() -> None:
    thin = np.zeros((1, 5000, 3), np.uint8)
    assert open_picture(saved(thin, "PNG"), OWN_FILES).pixels.shape == (1, 5000, 3)
    assert code_of(saved(noise(), "JPEG"), OWN_FILES) is IMG_FORMAT


# Rows 1 to 4: empty, cut, damaged


def test_row_1_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    assert code_of(b"") is IMG_EMPTY
    assert code_of(tmp_path / "empty.png") is IMG_EMPTY


@pytest.mark.parametrize("part", [0.5, 0.9])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_rows_2_and_3_cut_files_are_never_filled_with_grey(format: str, part: float) -> None:
    data = saved(noise(), format)
    assert code_of(data[: int(len(data) * part)]) is IMG_TRUNCATED
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_row_2_a_cut_jpeg_with_a_whole_thumbnail_inside() -> None:
    thumbnail = segment(0xE1, b"Exif\0\0II*\0" + saved(noise(32, 32), "JPEG"))
    data = with_segments(saved(noise(), "JPEG"), thumbnail)
    assert code_of(data[: len(data) - 500]) is IMG_TRUNCATED


def test_row_4_a_flipped_byte_anywhere_in_a_png_is_noticed() -> None:
    data = saved(noise(16, 16), "PNG")
    limits = replace(LOCAL, shortest_side=1)
    for place in range(len(SIGNATURE), len(data) - 12):
        damaged = data[:place] + bytes((data[place] ^ 0x55,)) + data[place + 1 :]
        with pytest.raises(ArmatureError) as caught:
            open_picture(damaged, limits)
        assert caught.value.code is IMG_CORRUPT, f"byte {place}"


# Rows 5 to 13: what is no picture, or none that we read

JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
OTHER_FILES = {
    "noise": (np.random.default_rng(1).bytes(2000), "unknown"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "PDF"),
    "HTML": (b"\n<!DOCTYPE html><html><svg></svg>Access denied</html>", "HTML"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "SVG with a head": (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- made --><svg/>", "SVG"),
    "XML": (b"<?xml version='1.0'?><feed/>", "XML"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n", "EPS"),
    "EPS with a preview": (b"\xc5\xd0\xd3\xc6" + bytes(40), "EPS"),
    "TGA": (saved(noise(), "TGA"), "unknown"),
    "JPEG 2000": (JP2 + bytes(40), "JPEG 2000"),
    "Photoshop": (b"8BPS\0\1" + bytes(40), "Photoshop"),
    "FITS": (b"SIMPLE  =                    T" + bytes(40), "FITS"),
    "ICNS": (b"icns" + bytes(40), "ICNS"),
    "ICO": (saved(noise(), "ICO"), "ICO"),
    "DDS": (saved(noise(), "DDS"), "DDS"),
    "WMF": (b"\xd7\xcd\xc6\x9a" + bytes(40), "WMF"),
    "EMF": (b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(40), "EMF"),
    "BUFR": (b"BUFR" + bytes(40), "BUFR"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5"),
    "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), "HEIC: export as JPEG"),
    "HEIC by another name": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(40), "HEIC"),
    "video": (b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(40), "video"),
    "ZIP": (b"PK\x03\x04" + bytes(40), "ZIP"),
    "text": (b"BMW is a word, and not a bitmap at all", "unknown"),
    "one byte": (b"\xff", "unknown"),
}


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize(("data", "word"), OTHER_FILES.values(), ids=OTHER_FILES)
def test_rows_5_to_11_other_files_are_named(data: bytes, word: str, limits: Limits, tmp_path: Path) -> None:
    file = tmp_path / "renamed.png"
    file.write_bytes(data)
    refused = refusal(file, limits)
    assert refused.code is IMG_FORMAT
    assert word in refused.message
    assert "PNG, JPEG" in refused.allowed


@pytest.mark.skipif(sys.platform == "win32", reason="the false Ghostscript is a shell script")
def test_row_9_ghostscript_is_never_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, trace = tmp_path / "gs", tmp_path / "called"
    script.write_text(f"#!/bin/sh\ntouch {trace}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    eps = saved(noise(), "EPS")
    with pytest.raises(OSError, match="identify"), Image.open(BytesIO(eps)) as image:
        image.load()
    assert trace.exists(), "Pillow by itself does call it, so that this test can fail"
    trace.unlink()
    assert code_of(eps) is IMG_FORMAT
    assert not trace.exists()


@needs_avif
def test_row_12_avif_at_home_only() -> None:
    data = saved(np.full((64, 64, 3), (200, 60, 30), np.uint8), "AVIF", quality=95)
    assert np.abs(open_picture(data, LOCAL).pixels.astype(int) - (200, 60, 30)).max() < 8
    assert code_of(data, LAN) is IMG_FORMAT
    assert code_of(data, PUBLIC) is IMG_FORMAT


@pytest.mark.parametrize("bits", [0, 13, 255])
def test_row_13_bmp_of_impossible_depth(bits: int) -> None:
    data = bytearray(saved(noise(), "BMP"))
    struct.pack_into("<H", data, 28, bits)
    assert code_of(bytes(data)) is IMG_CORRUPT


# Rows 14 to 20: size and shape, from the header

LARGE = {
    "13000": png(13000, 13000, 1, GREY),
    "20000": png(20000, 20000, 1, GREY),
    "2^31 - 1": png_header(2**31 - 1, 2**31 - 1),
    "2^31 - 1 wide": png_header(2**31 - 1, 1),
    "8000 (Pillow would take it)": png_header(8000, 8000),
    "BMP": b"BM" + struct.pack("<LLLLllHHLLllLL", 90, 0, 54, 40, 30000, 30000, 1, 24, 0, 0, 0, 0, 0, 0),
    "GIF": b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"," + bytes(20),
    "TIFF": tiff(60000, 60000, {258: (3, 8), 259: (3, 1), 262: (3, 1), 277: (3, 1)}, bytes(64)),
    "JPEG": saved(noise(), "JPEG").replace(struct.pack(">HH", 48, 64), struct.pack(">HH", 60000, 60000)),
}


@pytest.mark.parametrize("data", LARGE.values(), ids=LARGE)
def test_rows_14_to_16_a_bomb_is_refused_by_its_header(data: bytes) -> None:
    assert len(data) < 100_000
    tracemalloc.start()
    begin = time.monotonic()
    try:
        refused = refusal(data)
        seconds, peak = time.monotonic() - begin, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused.code is IMG_TOO_MANY_PIXELS
    assert refused.allowed == "at most 50 million"
    assert seconds < 0.5
    assert peak < 10_000_000


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_rows_14_to_16_leave_the_memory_of_the_process_as_it_was() -> None:
    import resource

    open_picture(saved(noise(), "PNG"), LOCAL)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data in LARGE.values():
        code_of(data)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 10_000, "in kB, as Linux counts; each of these pictures would take a hundred MB and more"


@pytest.mark.parametrize("size", [(0, 0), (0, 64), (64, 0)])
def test_row_17_no_pixels(size: tuple[int, int]) -> None:
    assert code_of(png_header(*size)) is IMG_CORRUPT


def test_row_18_a_large_photograph() -> None:
    photograph = saved(Image.new("L", (7056, 7072), 90), "JPEG", quality=50)
    picture = open_picture(photograph, LOCAL)
    assert picture.pixels.shape == (7072, 7056, 3)
    assert np.abs(picture.pixels[::500, ::500].astype(int) - 90).max() <= 2
    refused = refusal(photograph, PUBLIC)
    assert refused.code is IMG_TOO_MANY_PIXELS
    assert refused.found == "7056x7072, 49.9 million pixels"


@pytest.mark.parametrize(
    ("size", "limits", "code"),
    [
        ((1, 1), LOCAL, IMG_TOO_SMALL),
        ((31, 64), LOCAL, IMG_TOO_SMALL),
        ((1, 20000), LOCAL, IMG_ASPECT),
        ((20000, 1), LOCAL, IMG_ASPECT),
        ((32, 16 * 32 + 1), LOCAL, IMG_ASPECT),
        ((8 * 32 + 1, 32), PUBLIC, IMG_ASPECT),
    ],
)
def test_rows_19_and_20_small_and_narrow(size: tuple[int, int], limits: Limits, code: Code) -> None:
    assert code_of(png(*size, 1, GREY), limits) is code


@pytest.mark.parametrize(("size", "limits"), [((32, 32), PUBLIC), ((32, 512), LOCAL), ((256, 32), PUBLIC)])
def test_the_smallest_and_narrowest_that_are_taken(size: tuple[int, int], limits: Limits) -> None:
    assert open_picture(png(*size, 1, GREY), limits).pixels.shape == (size[1], size[0], 3)


# Rows 25, 33, 34, 44: several pictures in one file


def frames(format: str, count: int, **options: object) -> bytes:
    pictures = [Image.new("RGB", (64, 64), (200, index % 256, 0)) for index in range(count)]
    return saved(pictures[0], format, save_all=True, append_images=pictures[1:], **options)


@pytest.mark.parametrize(
    ("data", "notice"),
    [
        (frames("GIF", 50), "The file holds several frames: the first is used."),
        (frames("WEBP", 5, lossless=True), "The file holds several frames: the first is used."),
        (frames("PNG", 5), "The file holds several frames: the first is used."),
        (frames("TIFF", 3), "The file holds several pages: the first is used."),
    ],
    ids=["GIF", "WebP", "APNG", "TIFF"],
)
def test_rows_25_33_and_34_the_first_frame_with_a_notice(data: bytes, notice: str) -> None:
    picture = open_picture(data, LOCAL)
    assert np.array_equal(picture.pixels, np.full((64, 64, 3), (200, 0, 0)))
    assert picture.notices == (notice,)


def test_row_25_pages_in_a_circle() -> None:
    tags = {258: (3, 8), 259: (3, 1), 262: (3, 1), 277: (3, 1)}
    assert open_picture(tiff(32, 32, tags, bytes(1024)), LOCAL).pixels.max() == 0
    begin = time.monotonic()
    assert code_of(tiff(32, 32, tags, bytes(1024), following=8)) is IMG_CORRUPT
    assert code_of(tiff(32, 32, tags, bytes(1024), following=2**31)) is IMG_CORRUPT
    assert time.monotonic() - begin < 2


def test_row_33_one_frame_is_decoded() -> None:
    data = frames("GIF", 3)
    second = data.index(b"\x21\xf9", data.index(b"\x21\xf9") + 1)
    damaged = data[: second + 30] + bytes(len(data) - second - 31) + b";"
    assert np.array_equal(open_picture(damaged, LOCAL).pixels, np.full((64, 64, 3), (200, 0, 0)))


def test_row_34_an_animation_of_ten_thousand_frames() -> None:
    control = struct.pack(">LLLLLHHBB", 0, 64, 64, 0, 0, 1, 25, 0, 0)
    pixels = zlib.compress(bytes(65 * 64))
    data = SIGNATURE + chunk(b"IHDR", struct.pack(">LLBBBBB", 64, 64, 8, GREY, 0, 0, 0))
    data += chunk(b"acTL", struct.pack(">LL", 10_001, 0)) + chunk(b"fcTL", control) + chunk(b"IDAT", pixels)
    for index in range(10_000):
        again = struct.pack(">L", 2 * index + 1) + control[4:]
        data += chunk(b"fcTL", again) + chunk(b"fdAT", struct.pack(">L", 2 * index + 2) + pixels)
    begin = time.monotonic()
    picture = open_picture(data + chunk(b"IEND", b""), LOCAL)
    assert time.monotonic() - begin < 10, "one second is the bound; ten on a machine that is busy"
    assert picture.notices == ("The file holds several frames: the first is used.",)


def test_row_44_the_first_picture_of_a_stereo_photograph() -> None:
    left, right = Image.new("RGB", (64, 64), (200, 0, 0)), Image.new("RGB", (64, 64), (0, 0, 200))
    data = saved(left, "MPO", save_all=True, append_images=[right])
    assert data.count(b"MPF\0") == 1
    picture = open_picture(data, LOCAL)
    assert np.abs(picture.pixels.astype(int) - (200, 0, 0)).max() < 5
    assert picture.notices == ()


# Rows 35 to 37: EXIF

UPRIGHT: dict[int, Callable[[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]], object]] = {
    1: lambda pixels: pixels,
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: np.swapaxes(pixels, 0, 1),
    6: lambda pixels: np.rot90(pixels, 1),
    7: lambda pixels: np.rot90(np.swapaxes(pixels, 0, 1), 2),
    8: lambda pixels: np.rot90(pixels, -1),
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("turn", "stored"), UPRIGHT.items())
@pytest.mark.parametrize(("format", "options"), [("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})])
def test_row_35_every_orientation_comes_out_upright(
    format: str,
    options: dict[str, bool],
    turn: int,
    stored: Callable[[object], np.ndarray[tuple[int, ...], np.dtype[np.uint8]]],
    order: str,
) -> None:
    data = saved(np.ascontiguousarray(stored(noise())), format, exif=exif(turn, order), **options)
    assert np.array_equal(open_picture(data, LOCAL).pixels, noise())


@pytest.mark.parametrize("turn", UPRIGHT)
def test_row_35_orientations_of_a_jpeg(turn: int) -> None:
    upright = np.zeros((48, 64, 3), np.uint8)
    upright[:16, :16] = 255
    stored = Image.fromarray(np.ascontiguousarray(UPRIGHT[turn](upright)))
    pixels = open_picture(saved(stored, "JPEG", quality=95, exif=exif(turn)), PUBLIC).pixels
    assert np.abs(pixels.astype(int) - upright).max() < 12


@needs_avif
@pytest.mark.parametrize("turn", UPRIGHT)
def test_row_35_orientations_of_an_avif(turn: int) -> None:
    upright = np.zeros((48, 64, 3), np.uint8)
    upright[:16, :16] = 255
    stored = Image.fromarray(np.ascontiguousarray(UPRIGHT[turn](upright)))
    pixels = open_picture(saved(stored, "AVIF", quality=95, exif=exif(turn)), LOCAL).pixels
    assert np.abs(pixels.astype(int) - upright).max() < 12


BROKEN_EXIF = {
    "orientation 9": exif(9),
    "orientation 0": exif(0),
    "cut": exif(6)[:20],
    "a place far outside": b"Exif\0\0II*\0\xff\xff\xff\xff",
    "more entries than bytes": b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
    "no TIFF": b"Exif\0\0" + bytes(100),
    "only a name": b"Exif\0\0",
}


@pytest.mark.parametrize("block", BROKEN_EXIF.values(), ids=BROKEN_EXIF)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_row_36_exif_without_sense_is_passed_over(block: bytes, format: str) -> None:
    plain = saved(noise(), format)
    if format == "JPEG":
        data = with_segments(without_jfif(plain), segment(0xE1, block))
    elif format == "PNG":
        data = plain[:33] + chunk(b"eXIf", block[6:]) + plain[33:]
    else:
        data = saved(noise(), format, exif=block)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = open_picture(data, PUBLIC)
    assert np.array_equal(picture.pixels, open_picture(plain, PUBLIC).pixels)
    assert picture.notices == ()


def test_row_36_the_first_of_two_exif_blocks_counts() -> None:
    data = with_segments(saved(noise(), "JPEG"), segment(0xE1, exif(6)), segment(0xE1, exif(1)))
    assert open_picture(data, PUBLIC).pixels.shape == (64, 48, 3)


def test_row_37_a_large_exif_block() -> None:
    data = with_segments(saved(noise(), "JPEG"), segment(0xE1, exif(1) + bytes(60_000)))
    assert np.array_equal(
        open_picture(data, PUBLIC).pixels, open_picture(saved(noise(), "JPEG"), PUBLIC).pixels
    )


def test_exif_entries_that_overlap_take_no_memory() -> None:
    entries = b"".join(struct.pack("<HHLL", tag, 7, 500_000, 8) for tag in range(1, 2001))
    block = (b"II*\0\x08\0\0\0" + struct.pack("<H", 2000) + entries).ljust(500_100, b"\0")
    parts = [block[start : start + 65_000] for start in range(0, len(block), 65_000)]
    bomb = with_segments(
        without_jfif(saved(noise(), "JPEG")), *(segment(0xE1, b"Exif\0\0" + part) for part in parts)
    )
    tracemalloc.start()
    try:
        open_picture(bomb, PUBLIC)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000, "Pillow alone takes 1 GB for this file of 500 kB"


# Rows 40 to 43: made to cost time or memory


def test_row_40_text_that_unpacks_to_a_hundred_megabytes() -> None:
    text = zlib.compressobj(9)
    packed = b"".join(text.compress(bytes(1_000_000)) for _ in range(100)) + text.flush()
    bomb = png(64, 64, 8, GREY, before=chunk(b"zTXt", b"note\0\0" + packed))
    assert code_of(bomb) is IMG_CORRUPT


def test_row_41_a_hundred_thousand_chunks() -> None:
    begin = time.monotonic()
    few = png(64, 64, 8, GREY, before=chunk(b"tEXt", b"a\0b") * 100_000)
    assert open_picture(few, LOCAL).pixels.max() == 0
    assert time.monotonic() - begin < 20, "two seconds are the bound; twenty on a machine that is busy"
    many = png(64, 64, 8, GREY, before=chunk(b"tEXt", b"") * 1_000_000)
    begin = time.monotonic()
    assert code_of(many) is IMG_CORRUPT
    assert time.monotonic() - begin < 5


def test_row_42_a_progressive_jpeg_of_two_hundred_passes() -> None:
    data = saved(Image.fromarray(noise()), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    scan, size = data[last:-2], struct.pack(">HH", 48, 64)
    assert data.count(size) == 1
    begin = time.monotonic()
    endless = (data[:-2] + scan * 200 + b"\xff\xd9").replace(size, struct.pack(">HH", 6000, 8000))
    assert code_of(endless) is TIMEOUT
    assert time.monotonic() - begin < 2
    assert open_picture(data[:-2] + scan * 200 + b"\xff\xd9", LOCAL).pixels.shape == (48, 64, 3)


def test_a_jpeg_of_nothing_but_segments() -> None:
    begin = time.monotonic()
    assert code_of(b"\xff\xd8" + segment(0xFE, b"") * 2_000_000) is IMG_CORRUPT
    assert code_of(with_segments(saved(noise(), "JPEG"), segment(0xFE, b"") * 30_000)) is IMG_CORRUPT
    commented = with_segments(saved(noise(), "JPEG"), segment(0xFE, b"") * 1000)
    assert np.array_equal(
        open_picture(commented, LOCAL).pixels, open_picture(saved(noise(), "JPEG"), LOCAL).pixels
    )
    assert code_of(b"\xff\xd8" + b"\xff" * 10_000_000 + b"\0") is IMG_CORRUPT
    assert code_of(b"\xff\xd8\xff\xe0" + bytes(10_000_000)) is IMG_CORRUPT
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("options", [{"restart_marker_blocks": 1}, {"progressive": True}, {"subsampling": 0}])
def test_what_is_left_of_a_jpeg_has_all_its_pixels(options: dict[str, int]) -> None:
    data = saved(noise(), "JPEG", **options)
    with Image.open(BytesIO(data)) as image:
        expected = np.asarray(image)
    padded = data.replace(b"\xff\xda", b"\xff\xff\xff\xda", 1)
    for each in (data, padded):
        assert np.array_equal(open_picture(each, PUBLIC).pixels, expected)


def test_row_43_a_jpeg_that_is_an_archive_as_well() -> None:
    plain = saved(noise(), "JPEG")
    picture = open_picture(plain + b"PK\x03\x04" + bytes(10_000), PUBLIC)
    assert np.array_equal(picture.pixels, open_picture(plain, PUBLIC).pixels)


# Rows 45, 46, 50: files


def test_row_45_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    with file.open("wb") as handle:
        handle.truncate(60_000_000)
    tracemalloc.start()
    try:
        refused = refusal(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused.code is FILE_TOO_LARGE
    assert (refused.found, refused.allowed) == ("60.0 MB", "at most 50 MB")
    assert peak < 10_000_000
    with pytest.raises(ArmatureError) as caught:
        open_picture(bytes(101), replace(LOCAL, file_bytes=100))
    assert caught.value.code is FILE_TOO_LARGE


@pytest.mark.parametrize("name", ["☃ \u202egnp.exe", "CON", "a\nb.png", "-rf", "x" * 200 + ".png"])
def test_row_46_a_name_is_nothing_to_the_gate(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(saved(noise(), "PNG"))
    assert np.array_equal(open_picture(tmp_path / name, LOCAL).pixels, noise())


@pytest.mark.parametrize("name", ["gone.png", "x" * 400, "a\0b.png", "no/such/folder.png", "\ud800.png"])
def test_row_50_a_file_that_is_not_there(name: str, tmp_path: Path) -> None:
    refused = refusal(tmp_path / name)
    assert refused.code is INPUT_GONE
    assert str(tmp_path) not in refused.message


def test_links_and_folders_are_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "real.png").write_bytes(saved(noise(), "PNG"))
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    assert code_of(tmp_path / "link.png") is INPUT_SOURCE
    assert code_of(tmp_path) is INPUT_SOURCE


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_does_not_hang_the_gate(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert code_of(tmp_path / "pipe.png") is INPUT_SOURCE


# Everything else


@pytest.mark.parametrize("format", LOCAL.formats)
def test_only_the_decoder_of_the_format_is_asked(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    data, asked, open_image = saved(noise(), format), [], Image.open

    def spy(file: BytesIO, formats: list[str]) -> ImageFile.ImageFile:
        asked.append(formats)
        return open_image(file, formats=formats)

    monkeypatch.setattr(Image, "open", spy)
    open_picture(data, LOCAL)
    assert asked == [[format], [format]]


@pytest.mark.parametrize("ours", ["ignore", "error"])
def test_a_warning_is_damage_unless_it_is_about_metadata(ours: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    units = bytearray(saved(noise(), "TIFF", dpi=(72, 72)))
    entry = units.index(struct.pack("<HHL", 296, 3, 1))
    struct.pack_into("<L", units, entry + 4, 2)

    def warn(image: Image.Image) -> None:
        warnings.warn_explicit("Something is strange", UserWarning, "Strange.py", 1, module="PIL.Strange")

    with warnings.catch_warnings():
        warnings.simplefilter(ours)
        assert np.array_equal(open_picture(bytes(units), LOCAL).pixels, noise())
        monkeypatch.setattr(ImageFile.ImageFile, "verify", warn)
        with pytest.raises(ArmatureError) as caught:
            open_picture(saved(noise(), "GIF"), LOCAL)
    assert caught.value.code is IMG_CORRUPT


def test_pillow_is_left_as_it_was() -> None:
    before = list(warnings.filters), Image.MAX_IMAGE_PIXELS
    open_picture(saved(noise(), "PNG"), LOCAL)
    code_of(LARGE["20000"])
    assert (list(warnings.filters), Image.MAX_IMAGE_PIXELS) == before


def test_many_threads_at_once() -> None:
    good, results = saved(noise(), "PNG"), []

    def work() -> None:
        for _ in range(5):
            results.append(np.array_equal(open_picture(good, LOCAL).pixels, noise()))
            with pytest.raises(ArmatureError):
                open_picture(LARGE["20000"], LOCAL)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 40


SEEDS = (
    saved(noise(32, 32), "PNG"),
    saved(noise(32, 32), "JPEG", exif=exif(6)),
    saved(noise(32, 32), "WEBP", exif=exif(6)),
    saved(noise(32, 32), "BMP"),
    saved(noise(32, 32), "GIF"),
    saved(noise(32, 32), "TIFF"),
    saved(noise(32, 32), "TIFF", compression="tiff_lzw"),
    png(32, 32, 4, PALETTE, before=chunk(b"PLTE", bytes(range(48)))),
    png(32, 32, 16, RGB),
)


@settings(CALM, max_examples=300)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), max_size=6),
    st.floats(0.3, 1),
)
def test_damage_of_any_kind_is_a_coded_refusal_or_a_picture(
    seed: bytes, edits: list[tuple[float, bytes]], part: float
) -> None:
    data = bytearray(seed)
    for where, patch in edits:
        place = int(where * len(data))
        data[place : place + len(patch)] = patch
    try:
        pixels = open_picture(bytes(data[: round(part * len(data))]), LOCAL).pixels
    except ArmatureError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3


@CALM
@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ArmatureError):
        open_picture(data, LOCAL)
