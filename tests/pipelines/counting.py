"""How often each network of a run is called, and with how many rows."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pipelines.cache import ModelCache
from pipelines.generate import borrow
from pipelines.request import GenerateRequest

Calls = dict[str, list[int]]  # of a network by name: the rows of each call


@contextmanager
def counting(request: GenerateRequest, cache: ModelCache) -> Iterator[Calls]:
    """The calls that the networks of a request get in a block; hint network and encoder apart."""
    calls: Calls = defaultdict(list)
    handles = []
    with borrow(request, cache) as models:
        autoencoder = models.vae.autoencoder
        watched = {
            "text": models.text.encoder,
            "unet": models.unet,
            "encode": autoencoder.encoder,
            "decode": autoencoder.decoder,
        }
        for name, control in models.controls.items():
            watched[f"{name} hint"] = control.controlnet_cond_embedding
            watched[f"{name} encoder"] = control.conv_in
        for name, network in watched.items():
            handles.append(network.register_forward_hook(_note(calls[name])))
        try:
            yield calls
        finally:
            for handle in handles:
                handle.remove()


def _note(rows: list[int]) -> Any:
    """A hook that notes the rows of every call."""

    def hook(module: Any, inputs: Any, output: Any) -> None:
        rows.append(len(output if isinstance(output, torch.Tensor) else output[0]))

    return hook
