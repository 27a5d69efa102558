"""LoRA (https://arxiv.org/abs/2106.09685): beside a layer W x of a network, a narrow way s B A x around it.

The weights of the network are never touched. While it is asked, its layers have the narrow ways beside them,
and afterwards it is as it was, to the last bit. Files of kohya's trainer, of diffusers and of PEFT name the
same layers in their own ways. Importing this imports torch.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional

from errors import MODEL_KEYS, MODEL_NUMERIC, MODEL_PAIRING
from models.inspect.forms import header

Part: TypeAlias = Literal["unet", "text"]
SHOWN = 5
# What a tensor of such a file is for: the layer's name in one of the ways, and then its role.
DOWN = r"(?:\.lora_down|\.lora\.down|\.lora_linear_layer\.down|_lora\.down|\.lora_A(?:\.[\w-]+)?)\.weight"
UP = r"(?:\.lora_up|\.lora\.up|\.lora_linear_layer\.up|_lora\.up|\.lora_B(?:\.[\w-]+)?)\.weight"
ROLE = re.compile(rf"(?P<stem>.+?)(?:(?P<down>{DOWN})|(?P<up>{UP})|(?P<alpha>\.alpha))")
PREFIXES: Mapping[str, Part] = {
    "lora_unet_": "unet",
    "lora_te1_": "text",
    "lora_te_": "text",
    "unet.": "unet",
    "text_encoder.": "text",
}
ADAPTER = "lora_adapter_metadata"  # where diffusers keeps the settings of PEFT


class Lora(nn.Module):
    """The factors A (r, in ...) and B (out, r ...) of each layer, under the layer's name in the file."""

    def __init__(
        self,
        stems: Sequence[str],
        down: Sequence[torch.Tensor],
        up: Sequence[torch.Tensor],
        scales: Sequence[float],
        unread: Sequence[str] = (),
    ) -> None:
        """`scales` are alpha / r; `unread` are names in the file that are no factors of a layer."""
        super().__init__()
        self.stems = tuple(stems)
        self.scales = tuple(scales)
        self.unread = tuple(unread)
        self.down = nn.ParameterList(nn.Parameter(tensor, requires_grad=False) for tensor in down)
        self.up = nn.ParameterList(nn.Parameter(tensor, requires_grad=False) for tensor in up)


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """The narrow way beside one layer: A as the layer's own kind of map, B behind it, times s.

    The factors are those of the LoRA itself, which may travel between devices; they take their shapes as
    they are asked.
    """

    down: torch.Tensor
    up: torch.Tensor
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    scale: float

    def added(self, layer: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The layer's answer y to x, with s B A x added."""
        down, up = self.down.reshape(self.shapes[0]), self.up.reshape(self.shapes[1])
        if isinstance(layer, nn.Conv2d):
            inner = functional.conv2d(x, down, None, layer.stride, layer.padding, layer.dilation)
            return y.add_(functional.conv2d(inner, up), alpha=self.scale)
        return y.add_(functional.linear(functional.linear(x, down), up), alpha=self.scale)


Ways: TypeAlias = Mapping[nn.Module, tuple[Way, ...]]


@contextmanager
def beside(ways: Ways) -> Iterator[None]:
    """Until the block ends, the layers have these ways beside them."""
    handles = [layer.register_forward_hook(partial(_add, those)) for layer, those in ways.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _add(ways: tuple[Way, ...], layer: nn.Module, args: tuple[Any, ...], y: torch.Tensor) -> torch.Tensor:
    for way in ways:
        y = way.added(layer, args[0], y)
    return y


def read(path: Path, dtype: torch.dtype) -> Lora:
    """The LoRA in a safetensors file, on the CPU."""
    roles: dict[str, dict[str, str]] = {}
    unread = []
    found = header(path)
    for name in found.tensors:
        role = ROLE.fullmatch(name)
        if role is None:
            unread.append(name)
        else:
            roles.setdefault(role["stem"], {})[str(role.lastgroup)] = name
    halves = [stem for stem, names in roles.items() if ("down" in names) != ("up" in names)]
    if halves:
        raise MODEL_KEYS(
            f"The LoRA {path.stem} has only one half of a layer",
            found=f"{len(halves)}, such as {', '.join(halves[:SHOWN])}",
            todo="Fetch the file again, or choose another",
        )
    stems = [stem for stem, names in roles.items() if "down" in names]
    adapter = _adapter(found.metadata)
    with safe_open(path, framework="pt", device="cpu") as file:
        down = [_tensor(path, file, roles[stem]["down"], dtype) for stem in stems]
        up = [_tensor(path, file, roles[stem]["up"], dtype) for stem in stems]
        alphas = [
            float(file.get_tensor(roles[stem]["alpha"])) if "alpha" in roles[stem] else None for stem in stems
        ]
    scales = [
        _scale(stem, len(matrix), alpha, adapter)
        for stem, matrix, alpha in zip(stems, down, alphas, strict=True)
    ]
    return Lora(stems, down, up, scales, unread).eval()


def _tensor(path: Path, file: Any, name: str, dtype: torch.dtype) -> torch.Tensor:
    """A tensor in memory of its own: what becomes of the file afterwards changes nothing."""
    stored = file.get_tensor(name)
    tensor: torch.Tensor = torch.empty(stored.shape, dtype=dtype).copy_(stored)
    if not torch.isfinite(tensor).all():
        raise MODEL_NUMERIC(
            f"The LoRA {path.stem} has numbers that are none",
            found=f"NaN or infinite in {name}",
            todo="Fetch the file again, or choose another: pictures made with it would be black",
        )
    return tensor


def _adapter(metadata: Mapping[str, str]) -> Mapping[str, Any]:
    """The settings of PEFT, where diffusers has written them beside the tensors."""
    try:
        settings = json.loads(metadata.get(ADAPTER, "{}"))
    except (ValueError, RecursionError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _scale(stem: str, rank: int, alpha: float | None, adapter: Mapping[str, Any]) -> float:
    """What B A is multiplied by: alpha / r, and 1 where nothing says otherwise."""
    part = stem.partition(".")[0]
    if alpha is None:
        pattern = adapter.get(f"{part}.alpha_pattern")
        pairs = pattern.items() if isinstance(pattern, dict) else ()
        special = (value for key, value in pairs if stem.endswith(key))
        alpha = next(special, adapter.get(f"{part}.lora_alpha"))
    if alpha is None:
        return 1.0
    root = adapter.get(f"{part}.use_rslora")
    return float(alpha) / (rank**0.5 if root else rank)


def ways_of(lora: Lora, name: str, network: nn.Module, part: Part, weight: float) -> dict[nn.Module, Way]:
    """The ways of a LoRA beside the layers of a network, which is a U-Net or a text encoder."""
    layers = {
        _bare(path): layer
        for path, layer in network.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)
    }
    ways = {}
    for stem, down, up, scale in zip(lora.stems, lora.down, lora.up, lora.scales, strict=True):
        layer = _layer(stem, layers, part)
        if layer is not None:
            ways[layer] = _fitted(name, stem, layer, down, up, scale * weight)
    return ways


def _layer(stem: str, layers: Mapping[str, nn.Module], part: Part) -> nn.Module | None:
    """The layer of a part that a name in a file means."""
    rest = stem.removeprefix("base_model.model.")
    for prefix, of in PREFIXES.items():
        if rest.startswith(prefix):
            if of != part:
                return None
            rest = rest.removeprefix(prefix)
            break
    bare = _bare(rest)
    # old files of diffusers say `to_out` of the only layer in it that has weights
    return layers.get(bare) or layers.get(f"{bare}_0")


def _bare(path: str) -> str:
    """A layer's name as all ways of naming it have in common."""
    return path.replace(".processor.", ".").replace(".", "_").removeprefix("text_model_")


def _fitted(
    name: str, stem: str, layer: nn.Module, down: torch.Tensor, up: torch.Tensor, scale: float
) -> Way:
    """The way beside a layer, its factors in the shapes of the layer's own kind of map."""
    assert isinstance(layer, nn.Linear | nn.Conv2d)
    rank, (out, *into) = len(down), layer.weight.shape
    ends = [1] * (len(into) - 1)
    wanted = ((rank, *into), (out, rank, *ends))
    if [down.numel(), up.numel()] != [torch.Size(shape).numel() for shape in wanted]:
        raise MODEL_PAIRING(
            f"The LoRA {name} was made for another base: its layers have other shapes",
            found=f"{tuple(down.shape)} and {tuple(up.shape)} for {stem}",
            allowed=" and ".join(map(str, wanted)),
            todo="Choose a LoRA that was made for your base",
        )
    return Way(down, up, wanted, scale)
