"""In which number formats models are stored, and what is told of that. Importing this imports torch."""

from collections.abc import Iterable
from pathlib import Path

import torch

from errors import ArmatureError
from models import inspect
from models.loading import ModelKey, folder_of, weights_of
from models.store import Store

NAMES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8 (E4M3)",
    "F8_E5M2": "float8 (E5M2)",
}
USUAL = ("F32", "F16", "BF16")  # one of them for all of a file, which is not worth a word


def notice_of(store: Store, key: ModelKey, dtype: torch.dtype) -> str:
    """What to tell of the file that a key was loaded from in a format; "" where it is stored as usual."""
    if key.part in ("annotator", "safety"):  # which stay as they are
        return ""
    try:
        place = folder_of(store, key)
    except ArmatureError:  # it has gone since it was loaded
        return ""
    # all files in diffusers' layout have the same few names
    return notice(place.name if place.is_file() else str(key), weights_of(store, key), dtype)


def notice(name: str, files: Iterable[Path], dtype: torch.dtype) -> str:
    """The same of some files, by a name for people."""
    try:
        stored = [inspect.look(path).dtypes for path in files]
    except ArmatureError:
        return ""
    odd = [dtypes for dtypes in stored if len(dtypes) > 1 or not {*dtypes} <= {*USUAL}]
    if not odd:
        return ""
    found = " and ".join(dict.fromkeys(NAMES.get(one, one) for dtypes in odd for one in dtypes))
    return f"{name} is stored in {found}, and was converted to {str(dtype).removeprefix('torch.')}."
