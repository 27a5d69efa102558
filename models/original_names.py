"""What the original Stable Diffusion and ControlNet call the tensors of our networks. No torch.

Both count the same blocks. The original numbers those of each side through, with the halving (or doubling) of
the picture as a block of its own; diffusers numbers them level by level.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Config: TypeAlias = Mapping[str, Any]
BLOCK = re.compile(r"(?:(encoder|decoder)\.)?(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)")
MIDDLE = re.compile(r"(?:(encoder|decoder)\.)?mid_block\.(resnets|attentions)\.(\d+)\.(.+)")
RESNET: Mapping[str, str] = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET_ENDS: Mapping[str, str] = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "controlnet_mid_block": "middle_block_out.0",
}
VAE_ATTENTION: Mapping[str, str] = {
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}
OLDER_ATTENTION: Mapping[str, str] = {
    "to_q": "query",
    "to_k": "key",
    "to_v": "value",
    "to_out.0": "proj_attn",
}


def of_unet(name: str, config: Config) -> str:
    """The original's name of a tensor of a U-Net."""
    layers = config["layers_per_block"]
    if block := BLOCK.fullmatch(name):
        _, side, level, kind, place, rest = block.groups()
        if side == "down":
            return _of_down(layers, int(level), kind, int(place), rest)
        attends = config["up_block_types"][int(level)].startswith("CrossAttn")
        return _of_up(layers, int(level), kind, int(place), rest, attends=attends)
    if middle := MIDDLE.fullmatch(name):
        _, kind, place, rest = middle.groups()
        is_resnet = kind == "resnets"
        return f"middle_block.{2 * int(place) if is_resnet else 1}.{_resnet(rest) if is_resnet else rest}"
    stem, _, last = name.rpartition(".")
    return f"{UNET_ENDS[stem]}.{last}"


def _of_down(layers: int, level: int, kind: str, place: int, rest: str) -> str:
    count = 1 + level * (layers + 1) + (layers if kind == "downsamplers" else place)
    match kind:
        case "resnets":
            return f"input_blocks.{count}.0.{_resnet(rest)}"
        case "attentions":
            return f"input_blocks.{count}.1.{rest}"
        case _:
            return f"input_blocks.{count}.0.op.{rest.removeprefix('conv.')}"


def _of_up(layers: int, level: int, kind: str, place: int, rest: str, *, attends: bool) -> str:
    count = level * (layers + 1) + (layers if kind == "upsamplers" else place)
    match kind:
        case "resnets":
            return f"output_blocks.{count}.0.{_resnet(rest)}"
        case "attentions":
            return f"output_blocks.{count}.1.{rest}"
        case _:
            return f"output_blocks.{count}.{1 + attends}.{rest}"


def _resnet(rest: str) -> str:
    stem, _, last = rest.rpartition(".")
    return f"{RESNET[stem]}.{last}"


def of_control(name: str, config: Config) -> str:
    """The original's name of a tensor of a ControlNet."""
    if name.startswith("controlnet_down_blocks."):
        _, place, last = name.split(".")
        return f"zero_convs.{place}.0.{last}"
    if name.startswith("controlnet_cond_embedding."):
        stem, _, last = name.removeprefix("controlnet_cond_embedding.").rpartition(".")
        blocks = 2 * (len(config["conditioning_embedding_out_channels"]) - 1)
        ends = {"conv_in": 0, "conv_out": blocks + 1}
        at = ends[stem] if stem in ends else int(stem.removeprefix("blocks.")) + 1
        return f"input_hint_block.{2 * at}.{last}"  # in between is an activation, without numbers
    return of_unet(name, config)


def of_vae(name: str, config: Config) -> str:
    """The original's name of a tensor of an autoencoder; its decoder counts levels from the other end."""
    if block := BLOCK.fullmatch(name):
        side, way, level, kind, place, rest = block.groups()
        if way == "down":
            begin = f"{side}.down.{level}"
        else:
            begin = f"{side}.up.{len(config['block_out_channels']) - 1 - int(level)}"
        if kind == "resnets":
            return f"{begin}.block.{place}.{rest.replace('conv_shortcut', 'nin_shortcut')}"
        return f"{begin}.{kind.removesuffix('rs')}.{rest}"
    if middle := MIDDLE.fullmatch(name):
        side, kind, place, rest = middle.groups()
        if kind == "resnets":
            return f"{side}.mid.block_{int(place) + 1}.{rest.replace('conv_shortcut', 'nin_shortcut')}"
        stem, _, last = rest.rpartition(".")
        return f"{side}.mid.attn_1.{VAE_ATTENTION[stem]}.{last}"
    return name.replace("conv_norm_out", "norm_out")


def of_older_vae(name: str, config: Config) -> str:
    """What older versions of diffusers called a tensor of an autoencoder."""
    stem, attention, rest = name.partition(".attentions.")
    place, _, inner = rest.partition(".")
    layer, _, last = inner.rpartition(".")
    return f"{stem}{attention}{place}.{OLDER_ATTENTION.get(layer, layer)}.{last}" if attention else name


def of_text(name: str, config: Config) -> str:
    """The original's name of a tensor of the text encoder, which is that of the library it came from."""
    return f"text_model.{name.removeprefix('text_model.')}"


Naming: TypeAlias = Callable[[str, Config], str]
