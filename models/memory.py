"""How the models of a request share a device's memory: the modes, and which one is taken. No torch.

A request goes through stages, and each stage computes with some of its models only. What does not compute may
rest in the machine's own memory, where the device has one apart from it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from errors import PARAM_CHOICE, PARAM_TYPE

Stage: TypeAlias = Literal["begin", "step", "decode"]
# The parts that compute at the same time.
STAGES: Mapping[Stage, tuple[str, ...]] = MappingProxyType(
    {
        "begin": ("text", "vae", "lora"),
        "step": ("unet", "control", "preview", "lora"),
        "decode": ("vae",),
    }
)

AUTO = "auto"
UNITS = MappingProxyType(
    {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
)
LARGEST_PIECE = 128_000_000  # bytes: in half precision one residual block or one transformer of SD 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryMode:
    """One way to share the device.

    `together`, all models of a request are there from its begin to its end; else only those of the stage that
    computes. Those of the parts `in_pieces` rest even then, and visit one piece after the other.
    """

    name: str
    help: str
    together: bool = False
    in_pieces: tuple[str, ...] = ()


# The quickest first, the thriftiest last.
MODES: Mapping[str, MemoryMode] = MappingProxyType(
    {
        mode.name: mode
        for mode in (
            MemoryMode(name="whole", help="all models of a picture stay on the device", together=True),
            MemoryMode(name="parts", help="text encoder, U-Net with controls and decoder take turns"),
            MemoryMode(
                name="blocks",
                help="U-Net and controls come block by block, at every step",
                in_pieces=("unet", "control"),
            ),
        )
    }
)
THRIFTIEST = tuple(MODES)[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The bytes of one model of a part, and those of its largest piece."""

    part: str
    whole: int
    piece: int


def need(mode: MemoryMode, sizes: Sequence[Size]) -> int:
    """The bytes that models fill at once in a mode."""
    if mode.together:
        return sum(size.whole for size in sizes)
    there = [(size.part, size.piece if size.part in mode.in_pieces else size.whole) for size in sizes]
    return max(sum(bytes for part, bytes in there if part in parts) for parts in STAGES.values())


def fitting(sizes: Sequence[Size], budget: int, wanted: str = AUTO) -> MemoryMode:
    """The mode that is wanted, else the quickest that fits into a budget, else the thriftiest."""
    if wanted != AUTO:
        return MODES[wanted]
    fit = (mode for mode in MODES.values() if need(mode, sizes) <= budget)
    return next(fit, MODES[THRIFTIEST])


def check_mode(name: str) -> str:
    """The name of a mode, or a refusal that lists them."""
    if name not in (AUTO, *MODES):
        raise PARAM_CHOICE(
            "There is no such memory mode",
            found=repr(name),
            allowed=", ".join((AUTO, *MODES)),
            todo="Change --memory-mode",
        )
    return name


def parse_bytes(text: str) -> int | None:
    """A number of bytes as people write it, such as 6GB or 800 MiB; "auto" is None."""
    if text == AUTO:
        return None
    found = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]{1,3})?)\s*([KMG]i?B)?\s*", text, re.IGNORECASE)
    size = int(float(found[1]) * UNITS[(found[2] or "").upper()]) if found else 0
    if size <= 0:
        raise PARAM_TYPE(
            "The memory can't be taken",
            found=repr(text[:40]),
            allowed="auto, or bytes such as 6GB, 800MB or 4GiB",
            todo="Change --memory",
        )
    return size


def pieces(sizes: Mapping[str, int], most: int = LARGEST_PIECE) -> dict[str, int]:
    """The pieces of a module, by their names, and their bytes; `sizes` are those of its tensors by name.

    A piece is as large as it may be, all below it included. What has tensors of its own stays whole, and what
    has numbered parts only is a list, which nobody calls, and is no piece.
    """
    found: dict[str, int] = {}
    _split("", sizes, most, found)
    return found


def _split(name: str, sizes: Mapping[str, int], most: int, found: dict[str, int]) -> None:
    children: dict[str, dict[str, int]] = {}
    for path, size in sizes.items():
        child, _, rest = path.partition(".")
        children.setdefault(child, {})[rest] = size
    has_own = any("" in inner for inner in children.values())
    is_list = not has_own and all(child.isdecimal() for child in children)
    total = sum(sizes.values())
    if has_own or (name and not is_list and total <= most):
        found[name] = total
        return
    for child, inner in children.items():
        _split(f"{name}.{child}".lstrip("."), inner, most, found)
