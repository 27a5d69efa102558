"""What each profile allows, in one place: the gate checks it, the screen shows it."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Profile: TypeAlias = Literal["local", "lan", "public"]

MEGA = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one profile allows.

    `formats` are Pillow's names, `files` how many one upload may bring. `pixels`, `shortest_side` and
    `aspect` hold for pictures that come in, `smallest_side`, `largest_side` and `budget` (count * steps *
    width * height) for pictures that are made, `working_side` (a short side) and `maps` (at once) for
    annotating. `job_seconds` is how long a job may hold the device, `fetches` whether visitors may have
    weights fetched, `converts` whether pickled files may be opened once, to be kept in another form.
    `safety` is whether the safety checker sees every picture that could need it, or only those of whoever
    asks.
    """

    formats: tuple[str, ...]
    file_bytes: int
    request_bytes: int
    files: int
    json_bytes: int
    pixels: int
    shortest_side: int
    aspect: int
    prompt_characters: int
    steps: int
    count: int
    smallest_side: int
    largest_side: int
    budget: int
    working_side: int
    maps: int
    job_seconds: int | None
    queue: int
    queue_each: int
    fetches: bool
    converts: bool
    safety: bool


LOCAL = Limits(
    formats=("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"),
    file_bytes=50 * MEGA,
    request_bytes=256 * MEGA,
    files=8,
    json_bytes=MEGA,
    pixels=50 * MEGA,
    shortest_side=32,
    aspect=16,
    prompt_characters=8000,
    steps=150,
    count=8,
    smallest_side=128,
    largest_side=2048,
    budget=8 * 50 * 1024 * 1024,
    working_side=4096,
    maps=100,
    job_seconds=None,
    queue=200,
    queue_each=200,
    fetches=True,
    safety=False,
    converts=True,
)
# A guest in the house may make what the owner makes, but hands files only to well-tried decoders.
LAN = replace(
    LOCAL,
    formats=("PNG", "JPEG", "WEBP", "BMP", "GIF"),
    job_seconds=600,
    queue=64,
    queue_each=64,
    converts=False,
)
PUBLIC = replace(
    LAN,
    formats=("PNG", "JPEG", "WEBP"),
    file_bytes=20 * MEGA,
    request_bytes=64 * MEGA,
    json_bytes=MEGA // 4,
    pixels=25 * MEGA,
    aspect=8,
    prompt_characters=2000,
    steps=50,
    count=2,
    largest_side=768,
    budget=2 * 50 * 768 * 768,
    working_side=1024,
    maps=16,
    job_seconds=60,
    queue_each=3,
    fetches=False,
    safety=True,
)
LIMITS: dict[Profile, Limits] = {"local": LOCAL, "lan": LAN, "public": PUBLIC}

# For PNG files that we wrote ourselves: any picture that we can make or keep must come back.
OWN_FILES = replace(
    LOCAL, formats=("PNG",), file_bytes=400 * MEGA, pixels=80 * MEGA, shortest_side=1, aspect=100_000
)
