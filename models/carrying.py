"""Modules on their way to a device and back: as a whole, or piece by piece as they are called.

Importing this imports torch.
"""

import gc
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from models.device import Device


class Carrier:
    """Moves modules between one device and the memory of the machine. The cache has it, and nobody else."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def lay_out(self, module: nn.Module) -> None:
        """Lay the weights of a module that has just been loaded as the device likes them best."""
        if self.device.channels_last:
            convert_conv2d_weight_memory_format(module, torch.channels_last)

    def bring(self, module: nn.Module) -> None:
        """A whole module to the device."""
        module.to(self.device.name)

    def rest(self, module: nn.Module) -> None:
        """A whole module off the device."""
        module.to("cpu")

    def copy(self, tensor: torch.Tensor) -> torch.Tensor:
        """A copy on the device of one tensor of a module that rests."""
        return tensor.data.to(self.device.name)

    def free(self) -> None:
        """Give the device what nobody refers to any more."""
        gc.collect()  # CLIP hangs in a cycle, and the memory is wanted now; it takes 0.3 s
        if self.device.kind != "cpu":
            getattr(torch, self.device.kind).empty_cache()


class Visits:
    """A module that rests and whose pieces come to the device for as long as each is called.

    The weights at home are not written to and not copied back: whatever is done to them there counts at the
    next call. A piece that fails goes home as well.
    """

    def __init__(self, module: nn.Module, pieces: Iterable[str], carrier: Carrier) -> None:
        self._carrier = carrier
        self._homes: dict[nn.Module, list[tuple[torch.Tensor, torch.Tensor]]] = {}
        self._hooks: list[Any] = []
        for name in pieces:
            piece = module.get_submodule(name)
            self._hooks.append(piece.register_forward_pre_hook(self._come))
            self._hooks.append(piece.register_forward_hook(self._go, always_call=True))

    def end(self) -> None:
        """Leave the module as it was before."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _come(self, piece: nn.Module, inputs: Any) -> None:
        home = self._homes[piece] = []
        for tensor in tensors_of(piece):
            there = self._carrier.copy(tensor)
            home.append((tensor, tensor.data))
            tensor.data = there

    def _go(self, piece: nn.Module, inputs: Any, output: Any) -> None:
        for tensor, data in self._homes.pop(piece, ()):
            tensor.data = data


def tensors_of(module: nn.Module) -> Iterator[torch.Tensor]:
    """A module's parameters and buffers, each once."""
    seen: set[int] = set()
    for tensor in (*module.parameters(), *module.buffers()):
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield tensor


def bytes_of(module: nn.Module) -> int:
    """The bytes of a module's parameters and buffers, each tensor once."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors_of(module))


def sizes_of(module: nn.Module) -> Mapping[str, int]:
    """The bytes of each parameter and buffer, by name."""
    named = (*module.named_parameters(), *module.named_buffers())
    return {name: tensor.numel() * tensor.element_size() for name, tensor in named}
