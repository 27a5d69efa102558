"""How many bytes a model will fill, from the headers of its files, before any of it is loaded.

Importing this imports torch.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from models.loading import ModelKey, weights_of
from models.store import Store

PREFIXES: Mapping[str, str] = {  # of what lies in a single file beside other parts
    "control": "control_model.",
    "text": "cond_stage_model.",
    "unet": "model.diffusion_model.",
    "vae": "first_stage_model.",
}
# The bytes of one number that keeps its format; those with a point are loaded in the device's format.
KEPT = {"BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "U32": 4, "I32": 4, "U64": 8, "I64": 8}


def foretold(store: Store, key: ModelKey, dtype: torch.dtype) -> int | None:
    """The bytes of the module of a key once it is loaded in `dtype`; None where no header tells.

    What only the loading shows is wrong with a file is left to the loading.
    """
    if key.part in ("annotator", "safety"):
        return None
    begins = PREFIXES.get(key.part, "")
    try:
        return sum(_bytes(path, dtype, begins) for path in weights_of(store, key)) or None
    except (OSError, SafetensorError):
        return None


def _bytes(path: Path, dtype: torch.dtype, begins: str) -> int:
    with safe_open(path, "pt") as file:
        every = list(file.keys())
        # a control or a VAE that is alone in its file need not begin so
        names = [name for name in every if name.startswith(begins)] or every
        slices = [file.get_slice(name) for name in names]
        return sum(
            torch.Size(one.get_shape()).numel() * KEPT.get(one.get_dtype(), dtype.itemsize) for one in slices
        )
