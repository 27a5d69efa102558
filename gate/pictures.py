"""From a user's bytes to pixels: cheap checks first, and nothing too large or not allowed is decoded."""

import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from errors import (
    IMG_ASPECT,
    IMG_CORRUPT,
    IMG_TOO_MANY_PIXELS,
    IMG_TOO_SMALL,
    IMG_TRUNCATED,
    TIMEOUT,
)
from gate import files
from gate.colours import mend_key, to_rgb
from gate.limits import MEGA, Limits
from gate.uploads import check_length, file_bytes

Pixels: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """A user's picture: RGB uint8 (H, W, 3) in sRGB, upright, opaque, read-only; and what was done to it.

    `mode` is what the file holds, in Pillow's words, with an A for any kind of transparency: "RGB" as it is.
    """

    pixels: Pixels
    notices: tuple[str, ...] = ()
    mode: str = "RGB"


# What Pillow and its codecs raise about bytes that they can't make sense of.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
    Warning,
)
# Warnings about what is not pixels: the picture is whole.
HARMLESS = r"Metadata Warning|(Possibly c|C)orrupt EXIF|Invalid APNG"

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_turn = threading.Lock()


def open_picture(source: bytes | Path, limits: Limits) -> Picture:
    """The picture in a file or in bytes, as RGB uint8 (H, W, 3).

    Grey, palette, CMYK, LAB, 16-bit and float pictures become 8-bit RGB, transparency lies on white, EXIF
    orientation and colour profile are applied; of an animation or a document the first frame is taken.
    """
    data = source if isinstance(source, bytes) else file_bytes(source, limits)
    check_length(len(data), limits)
    name = files.format_of(data, limits)
    try:
        with _decoding():
            return _decoded(data, name, limits)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        # Pillow's own bounds lie beyond all of ours; it says how many pixels, but not which sides.
        _refuse_pixels(f"more than {(Image.MAX_IMAGE_PIXELS or 0) // MEGA} million pixels", limits)
    except DAMAGE as error:
        _refuse_damage(data, name, error)


@contextmanager
def _decoding() -> Iterator[None]:
    """One picture at a time: that bounds the memory, and Python's warning filters belong to all threads."""
    with _turn, warnings.catch_warnings():
        warnings.filterwarnings("error", module=r"PIL\.")
        warnings.filterwarnings("ignore", message=HARMLESS, module=r"PIL\.")
        yield


def _decoded(data: bytes, name: str, limits: Limits) -> Picture:
    exif, passes = b"", 1
    match name:
        case "JPEG":
            data, exif, passes = files.plain_jpeg(data)
        case "PNG":
            files.check_png_chunks(data)
        case "TIFF":
            files.check_tiff_pages(data)
    with Image.open(BytesIO(data), formats=[name]) as image:
        _check_shape(image.width, image.height, limits)
        _check_passes(passes, image.width * image.height)
        image.verify()
    with Image.open(BytesIO(data), formats=[name]) as image:
        several = getattr(image, "is_animated", False)
        mend_key(image)
        image.load()
        mode = f"{image.mode.removesuffix('A')}A" if image.has_transparency_data else image.mode
        # A TIFF has no such block: Pillow turns it upright by itself.
        turn = files.orientation(exif or image.info.get("exif", b""))
        rgb, notices = to_rgb(image)
    pixels = np.array(rgb.transpose(TURNS[turn]) if turn in TURNS else rgb)
    pixels.flags.writeable = False
    if several:
        notices = (
            f"The file holds several {'pages' if name == 'TIFF' else 'frames'}: the first is used.",
            *notices,
        )
    return Picture(pixels, notices, mode)


def _check_shape(width: int, height: int, limits: Limits) -> None:
    """By the header alone, before memory is taken for pixels."""
    if width * height > limits.pixels:
        _refuse_pixels(f"{width}x{height}, {width * height / MEGA:.1f} million pixels", limits)
    if max(width, height) > limits.aspect * min(width, height):
        raise IMG_ASPECT(
            "The picture is too narrow",
            found=f"{width}x{height}",
            allowed=f"one side at most {limits.aspect} times the other",
            todo="Crop it",
        )
    if min(width, height) < limits.shortest_side:
        raise IMG_TOO_SMALL(
            "The picture is too small",
            found=f"{width}x{height}",
            allowed=f"sides of at least {limits.shortest_side} pixels",
            todo="Choose a larger picture",
        )


# Passes times pixels of a progressive JPEG that take about two seconds; ten passes are usual.
MOST_PASSED = 1500 * MEGA
USUAL_PASSES = 20


def _check_passes(passes: int, pixels: int) -> None:
    """A progressive JPEG goes over all its pixels in each pass, and a few bytes are enough for a pass."""
    if passes > max(USUAL_PASSES, MOST_PASSED // pixels):
        raise TIMEOUT(
            "The JPEG would take too long to decode",
            found=f"{passes} passes",
            allowed=f"{max(USUAL_PASSES, MOST_PASSED // pixels)} at this size",
            todo="Save the picture again",
        )


def _refuse_pixels(found: str, limits: Limits) -> NoReturn:
    raise IMG_TOO_MANY_PIXELS(
        "The picture has too many pixels",
        found=found,
        allowed=f"at most {limits.pixels // MEGA} million",
        todo="Scale it down first",
    ) from None


def _refuse_damage(data: bytes, name: str, error: Exception) -> NoReturn:
    if files.is_cut(data, name, error):
        raise IMG_TRUNCATED(
            f"The {name} file ends too early",
            found=f"{len(data)} bytes",
            allowed="a whole file",
            todo="Download or save it again",
        ) from None
    raise IMG_CORRUPT(
        f"The {name} file is damaged", found="data that can't be decoded", todo="Save the picture again"
    ) from None
