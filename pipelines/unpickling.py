"""The child that opens a pickled file once, as tensors only, and writes them as safetensors.

`pipelines/converting.py` runs `python -m pipelines.unpickling SOURCE TARGET` with an empty environment.
What it finds out is its exit code, and on stdout the name of a refusal with what was found.

Only `weights_only=True` stands between a file and the machine; the rest is there in case that has a hole: no
tokens to steal, no network, no other program, no file to write but one, and a bound to the memory.
"""

import pickle
import re
import resource
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from errors import MODEL_ARCH, MODEL_CORRUPT, MODEL_UNSAFE, ArmatureError
from models import checkpoints
from models.single_file import refuse_not_finite

REFUSED = 3  # the exit code of a refusal in words
ROOM = 6 * 2**30  # bytes for torch itself, beside the file's own
# Where the tensors of a model lie in what trainers save.
INSIDE = ("state_dict", "model_state_dict", "params_ema", "params")
ONE_WORD = "string_to_param"  # of a textual inversion, whose only tensor has no name of its own
# What stands in old checkpoints as a mere mark, by the name that the file gives it.
MARKS = ("pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",)
FORBIDDEN = re.compile(
    r"(?:socket|subprocess|ctypes|shutil|pty|urllib|http|ftplib|smtplib|webbrowser)\."
    r"|os\.(?:system|exec|fork|forkpty|posix_spawn|spawn|kill|remove|rename|rmdir|mkdir|chmod|chown"
    r"|link|symlink|truncate|putenv)"
)


class Forbidden(Exception):
    """The file tried something that no tensor needs."""


class Mark:
    """Takes the place of a class of a trainer's that a file names and that nobody needs."""


def forbid(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: from here on this process reads."""
    writes = event == "open" and isinstance(arguments[1], str) and bool(set(arguments[1]) & set("wax+"))
    if writes or FORBIDDEN.match(event):
        raise Forbidden(event)


def tensors_in(loaded: Any) -> dict[str, torch.Tensor]:
    """The tensors of a model, by name, in whatever dicts they lie."""
    if isinstance(loaded, Mapping) and isinstance(loaded.get(ONE_WORD), Mapping):
        loaded = {"emb_params": next(iter(loaded[ONE_WORD].values()), None)}
    for name in INSIDE:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(name), Mapping):
            loaded = loaded[name]
    found = loaded.items() if isinstance(loaded, Mapping) else ()
    tensors = {str(name): one.detach() for name, one in found if isinstance(one, torch.Tensor)}
    if not tensors:
        raise MODEL_ARCH("", found="no tensors")
    return tensors


def plain(tensors: Mapping[str, torch.Tensor], most: int) -> dict[str, torch.Tensor]:
    """The same without strides and sharing, as safetensors keeps them; `most` bytes, all of them finite."""
    if sum(one.nbytes for one in tensors.values()) > most:
        raise MODEL_CORRUPT("", found="more numbers than the file has room for")
    made, seen = {}, set()
    for name, tensor in tensors.items():
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta:
            raise MODEL_CORRUPT("", found=f"{name} is no plain tensor")
        if tensor.is_floating_point() and tensor.element_size() > 1:
            refuse_not_finite("", name, tensor)
        place = tensor.untyped_storage().data_ptr()
        alone = tensor.is_contiguous() and tensor.untyped_storage().nbytes() == tensor.nbytes
        made[name] = tensor if alone and place not in seen else tensor.contiguous().clone()
        seen.add(place)
    return made


def opened(source: Path) -> Any:
    """What a pickled file holds, as far as it is tensors in dicts; else a refusal that names the rest."""
    marks: list[Any] = [(Mark, name) for name in MARKS]
    misnamed = source.suffix == ".safetensors"  # torch would believe it, and not look
    mapped = zipfile.is_zipfile(source) and not misnamed
    try:
        with torch.serialization.safe_globals(marks), source.open("rb") as file:
            return checkpoints.read(source if mapped else file, mapped=mapped)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise MODEL_UNSAFE("", found=asked[1] if asked else "instructions that are no tensors") from error
    except MemoryError as error:
        raise MODEL_UNSAFE("", found="it fills the memory") from error
    except (RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        raise MODEL_CORRUPT("", found=str(error).partition("\n")[0][:80]) from error


def convert(source: Path, target: Path) -> None:
    """Write the tensors of a pickled file as safetensors."""
    size = source.stat().st_size
    resource.setrlimit(resource.RLIMIT_DATA, (ROOM + 4 * size,) * 2)
    sys.addaudithook(forbid)
    try:
        save_file(plain(tensors_in(opened(source)), 2 * size), target, metadata={"format": "pt"})
    except Forbidden as error:
        raise MODEL_UNSAFE("", found=f"it tried {error}") from error


if __name__ == "__main__":
    try:
        convert(Path(sys.argv[1]), Path(sys.argv[2]))
    except ArmatureError as error:
        sys.stdout.write(f"{error.code.name} {error.found}")
        sys.exit(REFUSED)
