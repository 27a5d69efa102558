"""Networks of other libraries, filled from files: tensors only, nothing that could run, and all of them.

The annotators' `load` functions build their networks with these. Importing this imports torch.
"""

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import nn

from models import torchvision_ops


@contextmanager
def building() -> Iterator[None]:
    """Around the imports and constructors of controlnet_aux, timm and transformers.

    They announce what they build on stdout, which belongs to our own output, and warn of what no user mends.
    """
    torchvision_ops.define_missing()
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read(source: Path | BinaryIO, *, mapped: bool = False) -> Any:
    """The tensors of a `.pth`, `.pt` or `.bin` file on the CPU, in whatever dicts they lie.

    Those that are `mapped` come from the disk when they are used; only files that are zip archives can be.
    """
    return torch.load(source, map_location="cpu", weights_only=True, mmap=mapped)


def filled(module: nn.Module, state: Mapping[str, torch.Tensor]) -> nn.Module:
    """The module with the tensors of `state` in it, in float32, frozen; a tensor that is missing is an error.

    What the module has no place for is left out: tables of indices that newer libraries make themselves. A
    prefix `module.` is what training on several cards leaves in front of the names.
    """
    tensors = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    _refuse_missing(module.load_state_dict(tensors, strict=False).missing_keys)
    return module.float().eval().requires_grad_(False)


def pretrained(kind: Any, folder: Path) -> nn.Module:
    """A network of transformers from its folder, in float32, frozen; a tensor that is missing is an error."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    module: nn.Module
    module, report = kind.from_pretrained(
        folder,
        dtype=torch.float32,
        use_safetensors=(folder / "model.safetensors").is_file(),
        weights_only=True,
        local_files_only=True,
        output_loading_info=True,
    )
    _refuse_missing([*report["missing_keys"], *report["mismatched_keys"]])
    return module.float().eval().requires_grad_(False)


def _refuse_missing(names: Sequence[str]) -> None:
    if names:
        raise ValueError(f"the file lacks {len(names)} tensors, such as {names[0]}")
