"""LoRAs of random numbers for the tiny family, in every way of naming their layers that is about."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors.torch import save_file

RANK = 3
Factors: TypeAlias = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
Named: TypeAlias = Iterator[tuple[str, torch.Tensor]]


def factors(network: Any, *, seed: int = 0, convolutions: bool = True) -> Factors:
    """A and B for every attention, feed-forward and projecting layer of a network, by the layer's name."""
    chance = torch.Generator().manual_seed(seed)
    found = {}
    for name, layer in network.named_modules():
        wide = isinstance(layer, torch.nn.Conv2d) and layer.kernel_size != (1, 1)
        if not isinstance(layer, torch.nn.Linear | torch.nn.Conv2d) or (wide and not convolutions):
            continue
        if not any(word in name for word in ("attn", "ff.", "proj_", "mlp", "resnets.0.conv1")):
            continue
        out, *into = layer.weight.shape
        ends = [1] * (len(into) - 1)
        down = torch.randn((RANK, *into), generator=chance) / 4
        up = torch.randn((out, RANK, *ends), generator=chance) / 4
        found[name] = (down, up)
    return found


def kohya(part: str, found: Factors, alpha: float = 2.0) -> Named:
    """As kohya's trainer writes it: one word for a layer, and alpha beside the factors."""
    begin = {"unet": "lora_unet_", "text": "lora_te_text_model_"}[part]
    for name, (down, up) in found.items():
        stem = begin + name.replace(".", "_")
        yield f"{stem}.lora_down.weight", down
        yield f"{stem}.lora_up.weight", up
        yield f"{stem}.alpha", torch.tensor(alpha)


def _dotted(part: str, down_end: str, up_end: str) -> Callable[[Factors], Named]:
    begin = {"unet": "unet.", "text": "text_encoder.text_model."}[part]

    def named(found: Factors) -> Named:
        for name, (down, up) in found.items():
            yield f"{begin}{name}{down_end}.weight", down
            yield f"{begin}{name}{up_end}.weight", up

    return named


def peft(part: str, found: Factors) -> Named:
    """As diffusers writes it today."""
    return _dotted(part, ".lora_A", ".lora_B")(found)


def peft_default(part: str, found: Factors) -> Named:
    """As PEFT itself keeps it: in a model around the model, with the name of the adapter."""
    named = _dotted(part, ".lora_A.default", ".lora_B.default")(found)
    return ((f"base_model.model.{name}", tensor) for name, tensor in named)


def diffusers(part: str, found: Factors) -> Named:
    """As diffusers wrote it for a while."""
    ends = {"unet": "lora", "text": "lora_linear_layer"}[part]
    return _dotted(part, f".{ends}.down", f".{ends}.up")(found)


def processors(part: str, found: Factors) -> Named:
    """As diffusers wrote it at first: of a U-Net's attention only, below its processors."""
    for name, pair in found.items():
        stem, _, last = name.removesuffix(".0").rpartition(".")
        if part == "unet" and last.startswith("to_"):
            for end, factor in zip(("down", "up"), pair, strict=True):
                yield f"unet.{stem}.processor.{last}_lora.{end}.weight", factor


STYLES = {style.__name__: style for style in (kohya, peft, peft_default, diffusers, processors)}


def write(path: Path, *named: Named, metadata: dict[str, str] | None = None) -> Path:
    """A file of some tensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.clone() for some in named for name, tensor in some}
    save_file(tensors, path, metadata=metadata)
    return path


@torch.no_grad()
def merge(network: Any, found: Factors, scale: float) -> None:
    """The independent way: s B A added to the weights themselves."""
    for name, (down, up) in found.items():
        weight = network.get_submodule(name).weight
        change = torch.einsum("or,ri->oi", up.flatten(1), down.flatten(1)).reshape(weight.shape)
        weight += scale * change
