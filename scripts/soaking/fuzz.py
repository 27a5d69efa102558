"""Damaged pictures and JSON through the gate: it refuses in words, it never crashes, it never takes long.

It runs in a process of its own, which a fault in a decoder would end; then a file has what it looked at last.
"""

import faulthandler
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

import gate
from annotators import ANNOTATORS
from errors import ArmatureError
from gate import LIMITS
from scripts.soaking.tools import LIMIT, Figures
from tests.gate import made

SLOWEST = 2.0  # seconds of the processor's time
HANGS = 60.0  # seconds after which it hangs, whatever else the machine does
LAST = "last"  # the file with what was looked at last
EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\x01", b"\xff\xff")

ODD: tuple[Any, ...] = (
    *(1e308, -1e308, 5e-324, 10**400, -(10**18), 2**63, 0.1 + 0.2, -0.0, float("nan"), float("inf")),
    *(True, None, "", "1", "0x10", "x" * 10_000, "\ud800", "\0", [], [1], {}, {"a": {}}),
)

Mutation: TypeAlias = Callable[[bytearray, random.Random], None]


def run(folder: Path, minutes: float, seed: int | None = None) -> Figures:
    """Fuzz in another process for so long; its figures, or what brought it down."""
    seed = random.randrange(2**32) if seed is None else seed
    answer = subprocess.run(
        [sys.executable, "-m", __name__, str(folder), str(60 * minutes), str(seed)],
        capture_output=True,
        text=True,
        timeout=60 * minutes + 2 * LIMIT,
    )
    if answer.returncode:
        kept = Path.cwd() / f"fuzz-{seed}"
        kept.write_bytes((folder / LAST).read_bytes())
        raise AssertionError(f"seed {seed}, input kept as {kept.name}: {answer.stderr[-3000:]}")
    figures: Figures = json.loads(answer.stdout)
    return {"seed": str(seed), **figures}


def fuzz(folder: Path, seconds: float, seed: int) -> Figures:
    """The loop: a picture, and a JSON text, and again."""
    chance = random.Random(seed)
    pictures, texts = picture_seeds(), json_seeds()
    ends: dict[str, Counter[str]] = {"pictures": Counter(), "JSON texts": Counter()}
    slowest = {name: 0.0 for name in ends}
    with (folder / LAST).open("wb") as last:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for name, data, look in (
                ("pictures", mutated(pictures, chance), look_at_picture),
                ("JSON texts", changed_json(texts, chance), look_at_json),
            ):
                os.pwrite(last.fileno(), data, 0)
                last.truncate(len(data))
                faulthandler.dump_traceback_later(HANGS, exit=True)
                began = time.thread_time()
                ends[name][look(data, chance)] += 1
                took = time.thread_time() - began
                slowest[name] = max(slowest[name], took)
                assert took < SLOWEST, f"{took:.2f} s"
    faulthandler.cancel_dump_traceback_later()
    figures: Figures = {}
    for name, counts in ends.items():
        figures[f"{name} tried"] = f"{counts.total():,}"
        figures[f"{name}: what became of them"] = ", ".join(
            f"{count:,} {end}" for end, count in counts.most_common()
        )
        figures[f"{name}: slowest"] = f"{slowest[name] * 1000:.0f} ms"
    figures["crashes, hangs, errors without a code"] = "0, 0, 0"
    figures["most memory"] = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
    return figures


def look_at_picture(data: bytes, chance: random.Random) -> str:
    """Through the gate under the limits of some profile; the code of the refusal, or "taken"."""
    try:
        picture = gate.open_picture(data, LIMITS[chance.choice(list(LIMITS))])
    except ArmatureError as error:
        return error.code.name
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.shape[2:] == (3,)
    return "taken"


def look_at_json(data: bytes, chance: random.Random) -> str:
    """Through the parser, and where it is an object, through the settings of some annotator."""
    try:
        value = gate.parse_json(data, most_bytes=LIMITS["public"].json_bytes)
        if isinstance(value, dict):
            entries = [entry for entry in ANNOTATORS.values() if {p.name for p in entry.params} >= set(value)]
            gate.check_values(chance.choice(entries or list(ANNOTATORS.values())).params, value)
    except ArmatureError as error:
        return error.code.name
    return "taken"


def mutated(seeds: list[bytes], chance: random.Random) -> bytes:
    """One of the seeds with a few mutations; the checksums of a PNG are often made right again."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        if not data:
            break
        if chance.random() < 0.1:
            other = chance.choice(seeds)
            data[chance.randrange(len(data)) :] = other[chance.randrange(len(other)) :]
        else:
            chance.choice(MUTATIONS)(data, chance)
    if data.startswith(made.SIGNATURE) and chance.random() < 0.7:
        return with_checksums(bytes(data))
    return bytes(data)


def changed_json(seeds: list[bytes], chance: random.Random) -> bytes:
    """A text damaged like a picture; or settings, whole JSON, in which a value is of a kind nobody meant."""
    if chance.random() < 0.5:
        return mutated(seeds, chance)
    params = chance.choice(list(ANNOTATORS.values())).params
    values: dict[str, Any] = {param.name: param.default for param in params}
    for _ in range(chance.randint(1, 2)):
        name = chance.choice([*values, "unknown"])
        values[name] = chance.choice((*ODD, chance.uniform(-300, 300), chance.randint(-300, 300)))
    return json.dumps(values).encode()


def flip(data: bytearray, chance: random.Random) -> None:
    """One bit is another."""
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def put(data: bytearray, chance: random.Random) -> None:
    """One byte is another."""
    data[chance.randrange(len(data))] = chance.randrange(256)


def put_early(data: bytearray, chance: random.Random) -> None:
    """One byte of the head is another: that is where the lengths are."""
    data[chance.randrange(min(len(data), 64))] = chance.randrange(256)


def extreme(data: bytearray, chance: random.Random) -> None:
    """A number is as small or as large as can be."""
    place, number = chance.randrange(len(data)), chance.choice(EXTREMES)
    data[place : place + len(number)] = number


def cut(data: bytearray, chance: random.Random) -> None:
    """The end is missing."""
    del data[chance.randrange(len(data)) :]


def drop(data: bytearray, chance: random.Random) -> None:
    """A piece is missing."""
    place = chance.randrange(len(data))
    del data[place : place + chance.randint(1, 64)]


def repeat(data: bytearray, chance: random.Random) -> None:
    """A piece comes again, or often."""
    place = chance.randrange(len(data))
    data[place:place] = data[place : place + chance.randint(1, 64)] * chance.choice((1, 1, 2, 100))


def insert(data: bytearray, chance: random.Random) -> None:
    """Bytes that nobody wrote."""
    place = chance.randrange(len(data))
    data[place:place] = chance.randbytes(chance.randint(1, 32))


MUTATIONS: tuple[Mutation, ...] = (flip, put, put_early, extreme, cut, drop, repeat, insert)


def with_checksums(png: bytes) -> bytes:
    """The PNG with the right checksum after each chunk, so that a decoder goes on to what is in it."""
    mended, place = made.SIGNATURE, len(made.SIGNATURE)
    while place + 8 <= len(png):
        length = int.from_bytes(png[place : place + 4])
        kind, body = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        if len(body) < length:
            break
        mended += made.chunk(kind, body)
        place += 12 + length
    return mended + png[place:]


def picture_seeds() -> list[bytes]:
    """Small good files of every format and of many modes."""
    noise = made.noise(64, 48)
    rgb = Image.fromarray(noise)
    smooth = Image.linear_gradient("L").resize((300, 200))
    frames = [rgb, rgb.rotate(90), rgb.rotate(180)]
    clear = rgb.copy()
    clear.putalpha(Image.linear_gradient("L").resize(rgb.size))
    profile = made.icc({}, b"GRAY", "grey")
    jpeg = made.saved(rgb, "JPEG", exif=made.exif(6))
    return [
        *(made.saved(rgb.convert(mode), "PNG") for mode in ("RGB", "L", "1", "P", "LA", "RGBA")),
        made.saved(np.asarray(smooth).astype(np.uint16) * 257, "PNG"),
        made.saved(smooth, "PNG", icc_profile=profile),
        made.saved(rgb.quantize(16), "PNG", transparency=0),
        made.saved(rgb, "PNG", save_all=True, append_images=frames),
        made.png(64, 48, 16, made.RGB),
        made.png(96, 64, 1, made.GREY),
        jpeg,
        made.saved(smooth, "JPEG", progressive=True, quality=50),
        made.saved(rgb.convert("CMYK"), "JPEG"),
        made.saved(rgb, "WEBP"),
        made.saved(clear, "WEBP", lossless=True),
        made.saved(rgb, "WEBP", save_all=True, append_images=frames),
        made.saved(rgb, "GIF", save_all=True, append_images=frames),
        made.saved(rgb.quantize(8), "GIF", transparency=1),
        *(made.saved(rgb.convert(mode), "BMP") for mode in ("RGB", "L", "1", "P")),
        *(made.saved(rgb.convert(mode), "TIFF") for mode in "RGB L 1 P CMYK RGBA F LAB".split()),
        *(made.saved(rgb, "TIFF", compression=f"tiff_{name}") for name in ("lzw", "adobe_deflate")),
        made.saved(rgb, "TIFF", save_all=True, append_images=frames),
        made.saved(rgb, "AVIF"),
    ]  # fmt: skip


def json_seeds() -> list[bytes]:
    """Settings of every annotator, and JSON of every shape."""
    shapes: list[Any] = [
        {"a": [1, 2.5, -3e10, True, None, "ü", {"b": []}]},
        [[[[[]]]], {"": {"": {}}}],
        {"points": [[x, x * 1.5] for x in range(40)]},
        "text",
        -0.0,
        *({p.name: p.default for p in annotator.params} for annotator in ANNOTATORS.values()),
    ]
    texts = [json.dumps(shape).encode() for shape in shapes]
    odd = [
        b'{"a":1e999}',
        b'{"a":NaN}',
        b'{"a":1,"a":2}',
        b"[" * 500,
        b'{"a":' * 100,
        b"\xef\xbb\xbf{}",
        b"9" * 5000,
    ]
    return [*texts, *odd]  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps(fuzz(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))))
