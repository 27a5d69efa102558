"""Whatever the colour mode, RGB comes out as the artist saw it: nothing clipped, nothing hidden shown."""

import colorsys
import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, features

from errors import IMG_CORRUPT, IMG_FORMAT, ArmatureError
from gate import LIMITS, open_picture
from gate.pictures import Pixels
from tests.gate.made import (
    D65,
    GREY,
    GREY_ALPHA,
    PALETTE,
    RGB,
    chunk,
    icc,
    noise,
    png,
    saved,
    segment,
    tiff,
    with_segments,
)

LOCAL, PUBLIC = LIMITS["local"], LIMITS["public"]
SIDE = 64
P3 = {"r": (0.51512, 0.24120, -0.00105), "g": (0.29198, 0.69225, 0.04189), "b": (0.15710, 0.06657, 0.78407)}
SRGB = {"r": (0.43607, 0.22249, 0.01392), "g": (0.38515, 0.71687, 0.09708), "b": (0.14307, 0.06061, 0.71410)}


def plain(*colour: int) -> Pixels:
    return np.full((SIDE, SIDE, 3), colour, np.uint8)


def pixels_of(data: bytes) -> NDArray[np.int64]:
    return open_picture(data, LOCAL).pixels.astype(np.int64)


def notices_of(data: bytes) -> tuple[str, ...]:
    return open_picture(data, LOCAL).notices


# Rows 21 to 24, 27: depths and modes


def rows16(*values: NDArray[np.int64]) -> bytes:
    """16-bit channels of one row each after its filter byte."""
    return b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)


def test_row_21_sixteen_bits_of_grey_are_scaled() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.int64)
    pixels = pixels_of(png(256, SIDE, 16, GREY, rows16(*[ramp] * SIDE)))
    assert np.array_equal(pixels[0, :, 0], np.rint(ramp / 257))
    assert abs(pixels.mean() - 127.5) < 2
    assert np.ptp(pixels, axis=2).max() == 0


def test_row_22_sixteen_bits_of_colour_are_scaled() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.int64)
    line = np.stack([ramp, ramp[::-1], ramp // 2], axis=-1).ravel()
    pixels = pixels_of(png(256, SIDE, 16, RGB, rows16(*[line] * SIDE)))
    expected = np.stack([ramp, ramp[::-1], ramp // 2], axis=-1) / 257
    assert np.abs(pixels[0] - expected).max() <= 1


def test_sixteen_and_twelve_bits_in_a_tiff() -> None:
    ramp = np.linspace(0, 65535, SIDE).astype(np.uint16)
    deep = np.repeat(ramp[None], SIDE, axis=0)
    assert np.array_equal(pixels_of(saved(deep, "TIFF"))[0, :, 0], np.rint(ramp / 257))
    grey = {258: (3, 16), 259: (3, 1), 262: (3, 0), 277: (3, 1)}
    inverted = pixels_of(tiff(SIDE, SIDE, grey, deep.astype("<u2").tobytes()))
    assert np.array_equal(inverted[0, :, 0], 255 - np.rint(ramp / 257))
    twelve = {**grey, 258: (3, 12), 262: (3, 1)}
    white = pixels_of(tiff(SIDE, SIDE, twelve, b"\xff" * (SIDE * SIDE * 3 // 2)))
    assert np.array_equal(white, plain(255, 255, 255))


def test_row_23_a_float_tiff_is_scaled() -> None:
    ramp = np.linspace(0, 1, SIDE, dtype=np.float32)
    data = saved(np.repeat(ramp[None], SIDE, axis=0), "TIFF")
    assert np.array_equal(pixels_of(data)[0, :, 0], np.rint(ramp * 255))
    with pytest.raises(ArmatureError) as caught:
        open_picture(data, PUBLIC)
    assert caught.value.code is IMG_FORMAT


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf"), 1.01, 255.0, -0.01])
def test_row_24_float_values_out_of_range(odd: float) -> None:
    values = np.full((SIDE, SIDE), 0.5, np.float32)
    values[3, 5] = odd
    with pytest.raises(ArmatureError) as caught:
        open_picture(saved(values, "TIFF"), LOCAL)
    assert caught.value.code is IMG_CORRUPT
    assert caught.value.allowed == "0 to 1"


def test_row_27_whole_numbers_of_32_bits_have_no_white() -> None:
    with pytest.raises(ArmatureError) as caught:
        open_picture(saved(np.zeros((SIDE, SIDE), np.int32), "TIFF"), LOCAL)
    assert caught.value.code is IMG_FORMAT


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "LAB"])
def test_row_27_every_mode_of_a_tiff(mode: str) -> None:
    grey = Image.fromarray(plain(255, 255, 255))
    grey.paste((0, 0, 0), (0, 0, SIDE, SIDE // 2))
    if mode == "LAB":
        whole = ImageCms.profileToProfile(
            grey, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
        assert whole is not None
    else:
        whole = grey.convert(mode)
    data = saved(whole, "TIFF", compression="tiff_lzw")  # uncompressed YCbCr is more than Pillow can read
    assert np.abs(pixels_of(data) - np.asarray(grey)).max() <= 2


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_rows_27_and_28_grey_and_palette_of_every_depth(depth: int) -> None:
    levels = 2**depth
    values = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % levels
    bits = (values[..., None] >> np.arange(depth)[::-1]) & 1
    rows = b"".join(b"\0" + np.packbits(line).tobytes() for line in bits.reshape(SIDE, -1))
    assert np.array_equal(pixels_of(png(SIDE, SIDE, depth, GREY, rows))[..., 0], values * 255 // (levels - 1))
    palette = np.random.default_rng(3).integers(0, 256, (levels, 3), dtype=np.uint8)
    data = png(SIDE, SIDE, depth, PALETTE, rows, before=chunk(b"PLTE", palette.tobytes()))
    assert np.array_equal(pixels_of(data), palette[values])


# Row 26: CMYK


def from_ink(ink: tuple[int, int, int, int]) -> list[float]:
    """RGB of cyan, magenta, yellow and black ink from 0 to 255, as screens show CMYK without a profile."""
    return [255 * (1 - part / 255) * (1 - ink[3] / 255) for part in ink[:3]]


INKS = [(0, 0, 0, 0), (200, 0, 0, 0), (0, 180, 220, 0), (30, 60, 90, 100), (0, 0, 0, 255)]


@pytest.mark.parametrize("ink", INKS)
def test_row_26_cmyk_jpeg_with_and_without_the_mark_of_adobe(ink: tuple[int, int, int, int]) -> None:
    data = saved(Image.new("CMYK", (SIDE, SIDE), ink), "JPEG", quality=95)
    assert np.abs(pixels_of(data) - from_ink(ink)).max() <= 5
    place = data.index(b"\xff\xee\x00\x0eAdobe")
    assert np.abs(pixels_of(data[:place] + data[place + 16 :]) - from_ink(ink)).max() <= 5


@pytest.mark.parametrize("ink", INKS)
def test_row_26_ycck_jpeg(ink: tuple[int, int, int, int]) -> None:
    # Adobe's YCC is made of the ink as it is, and its K is inverted; Pillow inverts all four on writing.
    red, green, blue = ink[:3]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    stored = (luma, 128 + (blue - luma) * 0.564, 128 + (red - luma) * 0.713, 255 - ink[3])
    raw = Image.new("CMYK", (SIDE, SIDE), tuple(round(255 - part) for part in stored))
    data = bytearray(saved(raw, "JPEG", quality=95))
    place = data.index(b"Adobe")
    assert data[place + 11] == 0
    data[place + 11] = 2
    assert np.abs(pixels_of(bytes(data)) - from_ink(ink)).max() <= 8


# Rows 29 to 32: transparency


def layered(mode: str, colour: tuple[int, ...], alpha: NDArray[np.uint8]) -> Image.Image:
    whole = Image.new(mode, (SIDE, SIDE), colour)
    whole.putalpha(Image.fromarray(alpha))
    return whole


def transparent(*key: int) -> bytes:
    """The chunk that makes one grey or one colour of a PNG transparent."""
    return chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))


STEPS = np.repeat(np.linspace(0, 255, SIDE).astype(np.uint8)[None], SIDE, axis=0)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_row_30_the_hidden_colour_stays_hidden(format: str) -> None:
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    data = saved(layered("RGBA", (255, 0, 0, 0), STEPS), format, **options)
    pixels = pixels_of(data)
    assert np.array_equal(pixels[:, 0], np.full((SIDE, 3), 255))
    assert np.abs(pixels[0, :, 1] - (255 - STEPS[0].astype(int))).max() <= 1
    assert (pixels[..., 0] == 255).all()
    assert notices_of(data) == ()


def test_row_31_grey_with_transparency() -> None:
    pixels = pixels_of(saved(layered("LA", (0, 0), STEPS), "PNG"))
    assert np.abs(pixels[0, :, 0] - (255 - STEPS[0].astype(int))).max() <= 1
    deep = pixels_of(png(SIDE, SIDE, 16, GREY_ALPHA, rows16(*[np.tile([0, 32768], SIDE)] * SIDE)))
    assert np.abs(deep - 127).max() <= 1


def test_row_29_a_palette_with_transparency() -> None:
    palette = chunk(b"PLTE", bytes((255, 0, 0, 0, 255, 0, 0, 0, 255)))
    rows = b"".join(b"\0" + bytes(index % 3 for index in range(SIDE)) for _ in range(SIDE))
    pixels = pixels_of(png(SIDE, SIDE, 8, PALETTE, rows, before=palette + chunk(b"tRNS", bytes((0, 128)))))
    assert pixels[0, :3].tolist() == [[255, 255, 255], [127, 255, 127], [0, 0, 255]]


def test_row_29_a_gif_with_transparency() -> None:
    whole = Image.new("P", (SIDE, SIDE), 1)
    whole.putpalette(bytes((255, 0, 0, 0, 255, 0)))
    whole.paste(0, (0, 0, 32, SIDE))
    pixels = pixels_of(saved(whole, "GIF", transparency=0))
    assert np.array_equal(pixels[:, :32], plain(255, 255, 255)[:, :32])
    assert np.array_equal(pixels[:, 32:], plain(0, 255, 0)[:, 32:])


@pytest.mark.parametrize("key", [0, 1])
@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_row_29_one_transparent_grey_of_every_depth(depth: int, key: int) -> None:
    # One row of 0 1 0 1 ... at that depth; either the zeros or the ones are transparent.
    row = b"\0" + {1: b"\x55", 2: b"\x11", 4: b"\x01", 8: b"\0\1", 16: b"\0\0\0\1"}[depth] * SIDE
    pixels = pixels_of(
        png(SIDE, SIDE, depth, GREY, row[: 1 + SIDE * depth // 8] * SIDE, before=transparent(key))
    )
    seen = [round(255 / (2**depth - 1)) * value for value in (0, 1)]
    seen[key] = 255
    assert pixels[0, :4, 0].tolist() == seen * 2


def test_row_29_only_one_of_65536_greys_is_transparent() -> None:
    line = np.tile([1000, 1001], SIDE // 2)
    pixels = pixels_of(png(SIDE, SIDE, 16, GREY, rows16(*[line] * SIDE), before=transparent(1000)))
    assert pixels[0, :2, 0].tolist() == [255, 4]


def test_row_29_one_transparent_colour() -> None:
    rows = (b"\0" + bytes((10, 20, 30, 10, 20, 31)) * (SIDE // 2)) * SIDE
    pixels = pixels_of(png(SIDE, SIDE, 8, RGB, rows, before=transparent(10, 20, 30)))
    assert pixels[0, :2].tolist() == [[255, 255, 255], [10, 20, 31]]
    # With 16 bits Pillow would compare the lower byte of the key, and find the second pixel.
    deep = b"\0" + struct.pack(">6H", 0x0A0B, 0, 0, 0x0B0A, 0, 0) * (SIDE // 2)
    pixels = pixels_of(png(SIDE, SIDE, 16, RGB, deep * SIDE, before=transparent(0x0A0B, 0, 0)))
    assert pixels[0, :2].tolist() == [[255, 255, 255], [11, 0, 0]]


def test_row_32_nothing_visible_at_all() -> None:
    data = saved(layered("RGBA", (255, 0, 0, 0), np.zeros((SIDE, SIDE), np.uint8)), "PNG")
    assert np.array_equal(pixels_of(data), plain(255, 255, 255))
    assert notices_of(data) == ("The picture is fully transparent: it is seen as white.",)


# Rows 38 and 39: colour profiles

DROPPED = ("The colour profile can't be used and was left out.",)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_row_38_a_megabyte_of_garbage_for_a_profile(format: str) -> None:
    garbage = np.random.default_rng(5).bytes(1_000_000)
    data = saved(noise(), format, icc_profile=garbage)
    assert np.array_equal(pixels_of(data), pixels_of(saved(noise(), format)))
    assert notices_of(data) == DROPPED


def test_row_38_half_a_profile_and_the_wrong_kind() -> None:
    half = icc(P3, b"RGB ", "P3")[:200]
    grey = icc({}, b"GRAY", "Grey")
    for profile in (half, grey):
        data = saved(noise(), "PNG", icc_profile=profile)
        assert np.array_equal(pixels_of(data), noise())
        assert notices_of(data) == DROPPED


def encoded(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear light 0 to 1 as sRGB 0 to 255."""
    light = light.clip(0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("colour", [(200, 100, 50), (30, 180, 90), (255, 255, 255), (0, 0, 0), (90, 90, 200)])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_row_39_a_wide_gamut_becomes_srgb(colour: tuple[int, int, int], format: str) -> None:
    wide, narrow = (np.array([table[letter] for letter in "rgb"]).T for table in (P3, SRGB))
    expected = encoded(np.linalg.solve(narrow, wide @ (np.array(colour) / 255) ** 2.2))
    data = saved(plain(*colour), format, icc_profile=icc(P3, b"RGB ", "Display P3"))
    assert np.abs(pixels_of(data) - expected).max() <= 2
    assert notices_of(data) == ()


def test_row_39_a_profile_in_a_jpeg_and_with_transparency() -> None:
    profile = icc(P3, b"RGB ", "Display P3")
    expected = pixels_of(saved(plain(200, 100, 50), "PNG", icc_profile=profile))
    jpeg = saved(plain(200, 100, 50), "JPEG", quality=98, icc_profile=profile)
    assert np.abs(pixels_of(jpeg) - expected).max() <= 3
    opaque = layered("RGBA", (200, 100, 50, 255), np.full((SIDE, SIDE), 255, np.uint8))
    assert np.array_equal(pixels_of(saved(opaque, "PNG", icc_profile=profile)), expected)


def test_row_39_a_grey_profile_on_grey() -> None:
    ramp = np.repeat(np.arange(SIDE, dtype=np.uint8)[None] * 4, SIDE, axis=0)
    data = saved(ramp, "PNG", icc_profile=icc({}, b"GRAY", "Gamma 2.2"))
    assert np.abs(pixels_of(data)[0, :, 0] - encoded((ramp[0] / 255) ** 2.2)).max() <= 2
    assert notices_of(data) == ()


def test_row_39_a_grey_profile_on_grey_with_transparency() -> None:
    profile = icc({}, b"GRAY", "Gamma 2.2")
    seen = pixels_of(
        saved(layered("LA", (90, 0), np.full((SIDE, SIDE), 255, np.uint8)), "PNG", icc_profile=profile)
    )
    assert np.array_equal(
        seen, pixels_of(saved(np.full((SIDE, SIDE), 90, np.uint8), "PNG", icc_profile=profile))
    )
    assert abs(int(seen[0, 0, 0]) - encoded(np.array((90 / 255) ** 2.2))) <= 1


def test_row_39_a_profile_of_colour_on_grey() -> None:
    data = saved(np.full((SIDE, SIDE), 90, np.uint8), "PNG", icc_profile=icc(P3, b"RGB ", "Display P3"))
    assert np.abs(pixels_of(data) - encoded(np.array((90 / 255) ** 2.2))).max() <= 2
    assert notices_of(data) == ()


def test_row_39_white_stays_white() -> None:
    bluish = icc(P3, b"RGB ", "Display P3", white=D65)
    assert np.array_equal(
        pixels_of(saved(plain(255, 255, 255), "PNG", icc_profile=bluish)), plain(255, 255, 255)
    )


def test_row_39_a_profile_does_not_touch_lab() -> None:
    lab = Image.new("LAB", (SIDE, SIDE), (120, 30, 200))
    with_profile = pixels_of(saved(lab, "TIFF", icc_profile=icc(P3, b"RGB ", "Display P3")))
    assert np.array_equal(with_profile, pixels_of(saved(lab, "TIFF")))


@pytest.mark.parametrize("words", ["sRGB IEC61966-2.1", "sRGB built-in"])
def test_a_picture_in_srgb_keeps_its_values(words: str) -> None:
    data = saved(noise(), "PNG", icc_profile=icc(SRGB, b"RGB ", words))
    assert np.array_equal(pixels_of(data), noise())
    assert notices_of(data) == ()


def test_row_37_no_metadata_leaves_the_gate() -> None:
    data = with_segments(saved(noise(), "JPEG"), segment(0xFE, b"a secret"), segment(0xE1, b"Exif\0\0secret"))
    assert type(open_picture(data, LOCAL).pixels) is np.ndarray


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_with_transparency() -> None:
    whole = layered("RGBA", (255, 0, 0, 0), np.zeros((SIDE, SIDE), np.uint8))
    assert np.array_equal(pixels_of(saved(whole, "AVIF")), plain(255, 255, 255))


def test_hues_are_not_swapped() -> None:
    for hue in (0.0, 1 / 3, 2 / 3):
        colour = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, 1, 1))
        options: list[tuple[str, dict[str, Any]]] = [
            ("PNG", {}),
            ("JPEG", {"quality": 95}),
            ("WEBP", {}),
            ("BMP", {}),
        ]
        for format, more in options:
            assert np.abs(pixels_of(saved(plain(*colour), format, **more)) - colour).max() < 8
