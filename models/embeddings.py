"""Textual inversion (https://arxiv.org/abs/2208.01618): what stands in for the tokens of a word.

The tokenizer knows nothing of it: where the word is, rows of these numbers take the place of those that the
encoder has for its tokens. Importing this imports torch.
"""

from pathlib import Path

import torch
from safetensors import safe_open

from errors import MODEL_NUMERIC
from models.loading import refusing

NAMES = ("emb_params", "clip_l")  # of other programs; diffusers uses the word itself


def read(path: Path) -> torch.Tensor:
    """The rows (n, C) in a safetensors file, in float32 on the CPU."""
    with (
        refusing(f"The textual inversion {path.stem}"),
        safe_open(path, framework="pt", device="cpu") as file,
    ):
        names = [*(name for name in NAMES if name in file.keys()), *file.keys()]  # noqa: SIM118
        rows: torch.Tensor = file.get_tensor(names[0]).float().clone()
    if not torch.isfinite(rows).all():
        raise MODEL_NUMERIC(
            f"The textual inversion {path.stem} has numbers that are none",
            found="NaN or infinite",
            todo="Fetch the file again, or choose another: pictures made with it would be black",
        )
    return rows.reshape(-1, rows.shape[-1])
