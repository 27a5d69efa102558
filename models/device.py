"""Which processor runs the models, in which number format, and how much of its memory they may fill.

Importing this imports torch.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import psutil
import torch

from errors import NO_GPU, PARAM_CHOICE
from models.memory import AUTO, check_mode

DtypeName: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]
DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}

# The part of the free memory that models may fill; the rest is for what the steps and the decoder need.
SHARE = {"cuda": 0.75, "mps": 0.6, "cpu": 0.6}
APART = ("cuda",)  # has a memory of its own, apart from the machine's
RESTING_SHARE = 0.5  # the part of the machine's free memory that models at rest may fill
CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A processor as the cache uses it.

    `name` is torch's ("cpu", "cuda:0"), `title` is for people. `budget` is the bytes that models may fill,
    `memory` those that models and their work may fill together, None where nobody has set a bound. `resting`
    is what models that don't compute may fill beside the device, 0 where it has no memory of its own. `mode`
    is how they share it, by name, or auto.
    """

    name: str
    title: str
    dtype: torch.dtype
    budget: int
    channels_last: bool = False
    memory: int | None = None
    resting: int = 0
    mode: str = AUTO

    @property
    def kind(self) -> str:
        """The name without its number: cuda, mps or cpu."""
        return self.name.partition(":")[0]


def choose(
    name: str = "auto", dtype: DtypeName = "auto", *, memory: int | None = None, mode: str = AUTO
) -> Device:
    """The device of that name, or the best there is; refuses one that this machine lacks.

    `name` is auto, cpu, mps, cuda or cuda:N. With `dtype` "auto" the processor's own abilities decide. No
    more than `memory` bytes of it are filled, nor than are free now. `mode` is one of models/memory.py.
    """
    device_name = _best() if name == "auto" else _present(name)
    kind = device_name.partition(":")[0]
    chosen = DTYPES[dtype] if dtype != "auto" else _fast_dtype(device_name)
    free = _free_bytes(device_name)
    free = free if memory is None else min(free, memory)
    title = torch.cuda.get_device_name(device_name) if kind == "cuda" else kind.upper()
    return Device(
        name=device_name,
        title=title,
        dtype=chosen,
        budget=int(SHARE[kind] * free),
        channels_last=chosen != torch.float32,
        memory=free,
        resting=int(RESTING_SHARE * _free_host_bytes()) if kind in APART else 0,
        mode=check_mode(mode) if kind in APART else _only_mode(mode, title),
    )


def _only_mode(mode: str, title: str) -> str:
    """The mode of a device that computes in the machine's own memory: nothing is gained by moving there."""
    if check_mode(mode) != AUTO:
        raise PARAM_CHOICE(
            f"{title} has no memory of its own, and models have nowhere to rest",
            found=mode,
            allowed=AUTO,
            todo="Leave out --memory-mode",
        )
    return mode


def has_native_bfloat16() -> bool:
    """Whether this machine's CPU computes in bfloat16 itself (avx512_bf16 or amx_bf16).

    Measured with SD 1.5 at 512 pixels: 4 times as fast as float32 with AMX; 2 times with avx512_bf16 at 256.
    A U-Net of pocket size is as fast or a little faster. Without those instructions bfloat16 is slower.
    """
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda:0"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _present(name: str) -> str:
    """The device in torch's spelling, or a refusal where this machine does not have it."""
    kind, _, number = name.partition(":")
    if not re.fullmatch(r"cpu|mps|cuda(:[0-9]{1,3})?", name):
        raise PARAM_CHOICE(
            "There is no such device",
            found=repr(name),
            allowed="auto, cpu, mps, cuda or cuda:N",
            todo="Change --device",
        )
    there = {
        "cuda": torch.cuda.is_available() and int(number or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if not there[kind]:
        raise NO_GPU(
            f"The device {name} is not on this machine, or its driver does not answer",
            allowed=f"auto or {_best()}",
            todo="Start with --device auto, or repair the driver",
        )
    return f"cuda:{number or 0}" if kind == "cuda" else kind


def _fast_dtype(device_name: str) -> torch.dtype:
    """bfloat16 where the processor has it (it can't overflow), float16 on other GPUs, else float32."""
    if device_name == "cpu":
        return torch.bfloat16 if has_native_bfloat16() else torch.float32
    if device_name == "mps":
        return torch.float16
    major, _ = torch.cuda.get_device_capability(device_name)
    return torch.bfloat16 if major >= 8 else torch.float16


def _free_bytes(device_name: str) -> int:
    if device_name == "cpu":
        return _free_host_bytes()
    if device_name == "mps":
        return torch.mps.recommended_max_memory()
    free, _ = torch.cuda.mem_get_info(device_name)
    return free


def _free_host_bytes() -> int:
    """What the machine has free, or the container, where that is less."""
    free = int(psutil.virtual_memory().available)
    limit, used = CGROUP / "memory.max", CGROUP / "memory.current"
    if limit.is_file() and used.is_file() and limit.read_text().strip().isdecimal():
        free = min(free, int(limit.read_text()) - int(used.read_text()) + _kept_files())
    return max(free, 0)


def _kept_files() -> int:
    """The bytes of files that the container keeps in memory, and gives up as soon as somebody needs them."""
    path = CGROUP / "memory.stat"
    found = re.search(r"^inactive_file (\d+)$", path.read_text() if path.is_file() else "", re.MULTILINE)
    return int(found[1]) if found else 0
