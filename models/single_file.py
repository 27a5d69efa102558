"""Networks out of one safetensors file, in the original's names or in diffusers': no network, no guess.

Which tensors a network has is known before a single one is read: it is built without memory, from a
configuration of ours, and every name of it is looked up in the file's header. Importing this imports torch.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from errors import MODEL_KEYS, MODEL_NUMERIC
from models import original_names as names
from models.inspect.forms import header
from models.inspect.headers import Header
from models.layout import CONTROL_FILES
from models.original_names import Naming

log = logging.getLogger(__name__)

AT_ONCE = 2**28  # bytes of a file that are in memory while its tensors are taken over
MOST_EXTRAS = 0.01  # of the tensors of a network; more, and the file is for another one
SHOWN = 5
# What stands beside the weights in files that are well: marks, tables of places, leftovers of training.
BESIDE = re.compile(
    r"(?:^|\.)(?:loss|model_ema|discriminator)\.|(?:position_ids|logit_scale|text_projection(?:\.weight)?"
    r"|logvar|num_batches_tracked|alphas_cumprod\w*|betas|difference|v_pred|ztsnr|scaled_fp8)$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where a network lies in a file: its names there, beside those here, and what may stand before."""

    namings: tuple[Naming, ...]
    prefixes: tuple[str, ...]


UNET = Layout(namings=(names.of_unet,), prefixes=("model.diffusion_model.", ""))
CONTROL = Layout(namings=(names.of_control,), prefixes=("control_model.", ""))
VAE = Layout(namings=(names.of_vae, names.of_older_vae), prefixes=("first_stage_model.", ""))
TEXT = Layout(namings=(names.of_text,), prefixes=("cond_stage_model.transformer.", ""))
AS_BUILT = Layout(namings=(), prefixes=("",))


def unet(path: Path, config: Mapping[str, Any], dtype: torch.dtype) -> nn.Module:
    """The U-Net in a file."""
    from diffusers import UNet2DConditionModel

    return _filled(lambda: UNet2DConditionModel.from_config(config), path, UNET, dtype)


def vae(path: Path, config: Mapping[str, Any], dtype: torch.dtype) -> nn.Module:
    """The autoencoder in a file."""
    from diffusers import AutoencoderKL

    return _filled(lambda: AutoencoderKL.from_config(config), path, VAE, dtype)


def text(path: Path, config: Mapping[str, Any], dtype: torch.dtype) -> nn.Module:
    """CLIP's text encoder in a file."""
    from transformers import CLIPTextConfig, CLIPTextModel

    return _filled(lambda: CLIPTextModel(CLIPTextConfig.from_dict(dict(config))), path, TEXT, dtype)


def control(path: Path, config: Mapping[str, Any], dtype: torch.dtype, *, pooled: bool) -> nn.Module:
    """The ControlNet in a file, for a base whose U-Net has that configuration."""
    from diffusers import ControlNetModel, UNet2DConditionModel

    channels = _hint_channels(header(path))

    def built() -> nn.Module:
        base = UNet2DConditionModel.from_config(config)
        made: Any = ControlNetModel.from_unet(
            base, conditioning_embedding_out_channels=channels, load_weights_from_unet=False
        )
        made.register_to_config(global_pool_conditions=pooled)
        network: nn.Module = made
        return network

    return _filled(built, path, CONTROL, dtype)


def as_built(kind: Any, folder: Path, dtype: torch.dtype) -> nn.Module:
    """A network of diffusers out of its own folder, in no more memory than it fills."""
    file = next(path for name in CONTROL_FILES[-1] if (path := folder / name).is_file())
    return _filled(lambda: kind.from_config(kind.load_config(folder)), file, AS_BUILT, dtype)


def _hint_channels(found: Header) -> tuple[int, ...]:
    """The channels of the hint network at 1/1, 1/2, 1/4 and 1/8, from its shapes."""
    hint = re.compile(
        r"(?:(?:control_model\.)?input_hint_block|controlnet_cond_embedding\.(?:conv_in|blocks))\.?(\d*)\.weight"
    )
    places = {
        int(m[1] or -1): one.side(0) for name, one in found.tensors.items() if (m := hint.fullmatch(name))
    }
    widths = [places[place] for place in sorted(places)]
    # the original counts the zero convolution at the end as well, which is as wide as the base
    inner = widths[:-1] if any("input_hint_block" in name for name in found.tensors) else widths
    return tuple(inner[::2])


def _filled(build: Callable[[], nn.Module], path: Path, layout: Layout, dtype: torch.dtype) -> nn.Module:
    """A network with its tensors out of a file: all there, finite, in `dtype`, and in memory of their own."""
    with torch.device("meta"):
        network = build()
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    places = _places(wanted, header(path), layout, getattr(network, "config", None))
    _check(path.name, wanted, places, header(path), layout)
    state: dict[str, torch.Tensor] = {}
    for part in _slices(places, header(path)):
        with safe_open(path, framework="pt", device="cpu") as file:
            for name in part:
                tensor = file.get_tensor(places[name])
                state[name] = _tensor(path.name, name, tensor, wanted[name], dtype)
    network.load_state_dict(state, strict=True, assign=True)
    _materialise(network)
    return network.eval().requires_grad_(False)


def _slices(places: Mapping[str, str], found: Header) -> Iterator[list[str]]:
    """The names of the tensors, as many together as may be in memory at once.

    What was read of an open file stays in memory until it is closed: in float32 that is twice what a network
    fills in half precision.
    """
    part: list[str] = []
    size = 0
    for name, place in places.items():
        part.append(name)
        size += found.tensors[place].size
        if size >= AT_ONCE:
            yield part
            part, size = [], 0
    yield part


def _places(wanted: Iterable[str], found: Header, layout: Layout, config: Any) -> dict[str, str]:
    """Where in the file each tensor of the network is, as far as it is there."""
    places = {}
    for name in wanted:
        known = (*(naming(name, config) for naming in layout.namings), name)
        candidates = [f"{prefix}{one}" for prefix in layout.prefixes for one in known]
        place = next((one for one in candidates if one in found.tensors), None)
        if place is not None:
            places[name] = place
    return places


def _check(
    name: str,
    wanted: Mapping[str, tuple[int, ...]],
    places: Mapping[str, str],
    found: Header,
    layout: Layout,
) -> None:
    """Refuse a file in which tensors are missing, have another shape, or stand for something else."""
    refuse_missing(name, [one for one in wanted if one not in places], of=len(wanted))
    odd = [place for one, place in places.items() if not _alike(wanted[one], found.tensors[place].shape)]
    if odd:
        raise MODEL_KEYS(
            f"{name} has tensors of another shape than this network",
            found=f"{len(odd)}, such as {', '.join(odd[:SHOWN])}",
            todo="Choose a file for this base",
        )
    used = set(places.values())
    begin = next((prefix for prefix in layout.prefixes if any(one.startswith(prefix) for one in used)), "")
    extra = [
        one for one in found.tensors if one.startswith(begin) and one not in used and not BESIDE.search(one)
    ]
    if len(extra) > MOST_EXTRAS * len(wanted):
        raise MODEL_KEYS(
            f"{name} has tensors that this network has no place for",
            found=f"{len(extra)} beside {len(wanted)}, such as {', '.join(extra[:SHOWN])}",
            allowed=f"at most {MOST_EXTRAS:.0%}",
            todo="Choose a file for this base",
        )
    if extra:
        log.warning("%s: %d tensors are left out, such as %s", name, len(extra), extra[0])


def refuse_missing(name: str, missing: Sequence[str], *, of: int) -> None:
    """Refuse a file or folder that lacks some `of` so many tensors, with their number and first names."""
    if missing:
        raise MODEL_KEYS(
            f"{name} lacks tensors of this network",
            found=f"{len(missing)} of {of} missing, such as {', '.join(missing[:SHOWN])}",
            todo="Fetch the files again, or choose another",
        )


def _alike(wanted: tuple[int, ...], found: tuple[int, ...]) -> bool:
    """The same shape, or a matrix that was kept as a convolution of one pixel."""
    return found == wanted or (len(wanted) == 2 and found == (*wanted, 1, 1))


def _tensor(
    file: str, name: str, tensor: torch.Tensor, shape: tuple[int, ...], dtype: torch.dtype
) -> torch.Tensor:
    """The tensor in memory of its own: what becomes of the file afterwards changes nothing."""
    own = torch.empty(shape, dtype=dtype)
    own.copy_(tensor.reshape(shape))
    refuse_not_finite(file, name, own)
    return own


def refuse_not_finite(file: str, name: str, tensor: torch.Tensor) -> None:
    """Refuse a tensor in which a number is none, or beyond all bounds."""
    if torch.isfinite(tensor.sum(dtype=torch.float32)) or bool(torch.isfinite(tensor).all()):
        return
    raise MODEL_NUMERIC(
        f"{file} has numbers that are none",
        found=f"NaN or infinite in {name}",
        todo="Fetch the file again, or choose another: pictures made with it would be black",
    )


def _materialise(network: nn.Module) -> None:
    """Give memory to what a network makes itself and keeps in no file: CLIP's table of places."""
    for module in network.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.is_meta:
                assert name == "position_ids", name
                setattr(module, name, torch.arange(buffer.shape[-1]).expand(buffer.shape).clone())
