"""The texts of a PNG: those that Pillow writes come back, and what is made to do harm costs nothing."""

import struct
import time
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import gate
from errors import ArmatureError
from gate import OWN_FILES
from gate.texts import MOST_TEXT

KEY = "armature"


def png(info: PngInfo | None = None) -> bytes:
    """A picture of one pixel, with texts."""
    file = BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def chunk(kind: bytes, body: bytes, *, length: int | None = None, check: int | None = None) -> bytes:
    """A chunk; a false length or a false check sum where one is given."""
    size = len(body) if length is None else length
    return struct.pack(">I", size) + kind + body + struct.pack(">I", check or zlib.crc32(kind + body))


def with_chunks(*chunks: bytes) -> bytes:
    """A whole picture with chunks of one's own after its head."""
    whole = png()
    return whole[:33] + b"".join(chunks) + whole[33:]


def found(data: bytes) -> dict[str, str]:
    return dict(gate.png_texts(data, (KEY, "parameters"), OWN_FILES))


TEXTS = ["plain", "café", "家 – 🗿", "a\nb\tc", '{"a": "b, c: d"}', "é" * 8000, "🗿" * 8000, "x"]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:12])
@pytest.mark.parametrize("kind", ["text", "itxt", "ztxt", "packed itxt"])
def test_what_pillow_writes_comes_back(text: str, kind: str) -> None:
    info = PngInfo()
    if kind.endswith("itxt"):
        info.add_itxt(KEY, text, zip="packed" in kind)
    else:
        info.add_text(KEY, text, zip=kind == "ztxt")
    info.add_text("parameters", "of another")
    info.add_text("Software", "somebody's")
    assert found(png(info)) == {KEY: text, "parameters": "of another"}


def test_a_picture_that_says_nothing_has_no_texts(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    assert gate.png_texts(tmp_path / "a.png", (KEY,), OWN_FILES) == {}


def test_texts_after_the_pixels_count_and_those_after_the_end_do_not() -> None:
    whole = png()
    late = whole[:-12] + chunk(b"tEXt", b"armature\0late") + whole[-12:]
    assert found(late) == {KEY: "late"}
    assert found(whole + chunk(b"tEXt", b"armature\0after")) == {}


def test_of_equal_keys_the_first_counts() -> None:
    assert found(with_chunks(chunk(b"tEXt", b"armature\0one"), chunk(b"tEXt", b"armature\0two"))) == {
        KEY: "one"
    }


PACKED = zlib.compress(b"0" * (MOST_TEXT + 1), 9)
HOSTILE = {
    "no PNG": (b"\xff\xd8\xff\xe0 a JPEG", "IMG_FORMAT"),
    "nothing": (b"", "IMG_EMPTY"),
    "a text without end": (with_chunks(chunk(b"tEXt", b"armature\0" + b"a" * 2 * MOST_TEXT)), "META_INVALID"),
    "a packed text without end": (with_chunks(chunk(b"zTXt", b"armature\0\0" + PACKED)), "META_INVALID"),
    "a packed UTF-8 text without end": (
        with_chunks(chunk(b"iTXt", b"armature\0\1\0\0\0" + PACKED)),
        "META_INVALID",
    ),
    "a text longer than the file": (png()[:33] + chunk(b"tEXt", b"armature\0a", length=999), "IMG_TRUNCATED"),
    "a wrong check sum": (with_chunks(chunk(b"tEXt", b"armature\0a", check=1)), "IMG_CORRUPT"),
    "no UTF-8": (with_chunks(chunk(b"iTXt", b"armature\0\0\0\0\0\xff\xfe")), "IMG_CORRUPT"),
    "no packed data": (with_chunks(chunk(b"zTXt", b"armature\0\0not packed")), "IMG_CORRUPT"),
    "an iTXt of nothing": (with_chunks(chunk(b"iTXt", b"armature\0")), "IMG_CORRUPT"),
}


@pytest.mark.parametrize(("data", "code"), HOSTILE.values(), ids=HOSTILE)
def test_what_can_not_be_read_is_refused_in_words(data: bytes, code: str) -> None:
    with pytest.raises(ArmatureError) as refusal:
        found(data)
    assert refusal.value.code.name == code


@pytest.mark.parametrize(
    "other",
    [
        chunk(b"tEXt", b"XML:com.adobe.xmp\0" + b"a" * 2 * MOST_TEXT),
        chunk(b"zTXt", b"Comment\0\0" + PACKED),
        chunk(b"zTXt", b"Comment\0\0not packed"),
        chunk(b"tEXt", b"Comment\0a", check=1),
        chunk(b"tEXt", b""),
        chunk(b"tEXt", b"a" * 500),
    ],
    ids=["huge", "bomb", "not packed", "check sum", "empty", "no key"],
)
def test_what_others_wrote_does_not_matter(other: bytes) -> None:
    assert found(with_chunks(other, chunk(b"tEXt", b"armature\0ours"))) == {KEY: "ours"}


def test_a_cut_picture_still_says_what_comes_before_the_cut() -> None:
    assert found(with_chunks(chunk(b"tEXt", b"armature\0ours"))[:-30]) == {KEY: "ours"}


def test_a_million_chunks_and_as_many_bombs_take_no_time() -> None:
    begin = time.monotonic()
    with pytest.raises(ArmatureError, match="IMG_CORRUPT"):
        found(with_chunks(chunk(b"abCd", b"") * 300_000))
    bombs = chunk(b"zTXt", b"armature\0\0" + zlib.compress(b"0" * MOST_TEXT, 9)) * 5000
    assert len(found(with_chunks(bombs))[KEY]) == MOST_TEXT
    assert time.monotonic() - begin < 10


def test_a_link_and_a_folder_are_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    for path, code in (
        (tmp_path / "link.png", "INPUT_SOURCE"),
        (tmp_path, "INPUT_SOURCE"),
        (tmp_path / "no", "INPUT_GONE"),
    ):
        with pytest.raises(ArmatureError, match=code):
            gate.png_texts(path, (KEY,), OWN_FILES)
