"""Networks of other libraries, filled from files: tensors only, nothing that could run, and all of them.

The annotators' `load` functions build their networks with these. Importing this imports torch.
"""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

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


def read(path: Path) -> Any:
    """The tensors of a `.pth`, `.pt` or `.bin` file on the CPU, in whatever dicts they lie."""
    return torch.load(path, map_location="cpu", weights_only=True)


def filled(module: nn.Module, state: Mapping[str, torch.Tensor]) -> nn.Module:
    """The module with the tensors of `state` in it, in float32, frozen; every name has to fit.

    A prefix `module.` is what training on several cards leaves in front of the names.
    """
    module.load_state_dict({name.removeprefix("module."): tensor for name, tensor in state.items()})
    return module.float().eval().requires_grad_(False)


def pretrained(kind: Any, folder: Path) -> nn.Module:
    """A network of transformers from its folder, in float32, frozen; a tensor that is missing is an error."""
    module: nn.Module
    module, report = kind.from_pretrained(
        folder,
        dtype=torch.float32,
        use_safetensors=(folder / "model.safetensors").is_file(),
        weights_only=True,
        local_files_only=True,
        output_loading_info=True,
    )
    lacking = [*report["missing_keys"], *report["mismatched_keys"]]
    if lacking:
        raise ValueError(f"{folder.name} lacks {len(lacking)} tensors, such as {lacking[0]}")
    return module.eval().requires_grad_(False)
