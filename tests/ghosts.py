"""A device with a memory of its own, played in the machine's: what rests has no numbers to compute with."""

from collections.abc import Iterator

import torch
from torch import nn

from models.carrying import Carrier
from models.device import Device


class Ghost(Carrier):
    """Weights at rest are not numbers (NaN), so whoever computes with a model that rests is found out.

    It counts how often each whole module came, the calls for single tensors, and the most bytes of weights
    that were there at once.
    """

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self.came: list[nn.Module] = []
        self.visitors = 0
        self.peak = 0
        self._known: dict[int, torch.Tensor] = {}
        self._real: dict[int, torch.Tensor] = {}
        self._hidden: dict[int, torch.Tensor] = {}

    @property
    def there(self) -> int:
        """The bytes of weights that are on the device now."""
        return sum(
            tensor.numel() * tensor.element_size()
            for key, tensor in self._known.items()
            if tensor.data_ptr() != self._hidden[key].data_ptr()
        )

    def lay_out(self, module: nn.Module) -> None:
        """What has just been loaded rests."""
        super().lay_out(module)
        for tensor in module.parameters():
            self._known[id(tensor)] = tensor
            self._hidden[id(tensor)] = torch.full_like(tensor, float("nan"))
        self.rest(module)

    def bring(self, module: nn.Module) -> None:
        self.came.append(module)
        for tensor in self._ours(module):
            tensor.data = self._real[id(tensor)]
        self._look()

    def rest(self, module: nn.Module) -> None:
        for tensor in self._ours(module):
            if tensor.data_ptr() != self._hidden[id(tensor)].data_ptr():
                self._real[id(tensor)] = tensor.data
                tensor.data = self._hidden[id(tensor)]

    def copy(self, tensor: torch.Tensor) -> torch.Tensor:
        self.visitors += 1
        self._look(tensor.numel() * tensor.element_size())
        return self._real[id(tensor)].clone() if id(tensor) in self._known else tensor.data

    def _look(self, more: int = 0) -> None:
        self.peak = max(self.peak, self.there + more)

    def _ours(self, module: nn.Module) -> Iterator[torch.Tensor]:
        """Its weights; what is no parameter, such as places in a text, is the same wherever it is."""
        return (tensor for tensor in module.parameters() if id(tensor) in self._known)
