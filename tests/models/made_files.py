"""Model files made of a header and nothing: any size, any names, no bytes on the disk that count.

And the names that the original code gives to its networks, found out as its constructors count them.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from models.inspect.headers import BITS

Shapes = Mapping[str, tuple[int, ...]]


def write(
    path: Path, shapes: Shapes, *, dtype: str = "F16", metadata: Mapping[str, str] | None = None
) -> Path:
    """A safetensors file with tensors of these shapes; the numbers are a hole in the file, and read as 0."""
    entries: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        size = BITS[dtype] // 8
        for side in shape:
            size *= side
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    return write_header(path, json.dumps(entries).encode(), end)


def write_header(path: Path, header: bytes, size: int, *, length: int | None = None) -> Path:
    """Any bytes as a header, with any length before them, and `size` bytes of zeros behind them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    announced = len(header) if length is None else length
    with path.open("wb") as file:
        file.write(announced.to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    return path


def one_tensor(name: str = "a.weight", **changes: Any) -> dict[str, Any]:
    """The header of a file with one tensor of 4 numbers, with fields of it changed."""
    return {name: {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]} | changes}


RESNET = (
    *(("in_layers.0", "norm1"), ("in_layers.2", "conv1"), ("emb_layers.1", "time_emb_proj")),
    *(("out_layers.0", "norm2"), ("out_layers.3", "conv2"), ("skip_connection", "conv_shortcut")),
)
VAE_RESNET = (
    *(("norm1", "norm1"), ("conv1", "conv1"), ("norm2", "norm2")),
    *(("conv2", "conv2"), ("nin_shortcut", "conv_shortcut")),
)
VAE_ATTENTION = (
    *(("norm", "group_norm"), ("q", "to_q"), ("k", "to_k")),
    *(("v", "to_v"), ("proj_out", "to_out.0")),
)


def unet_names(config: Mapping[str, Any], *, decoder: bool = True) -> Iterator[tuple[str, str]]:
    """Beginnings of the original's names and of diffusers', block by block as `UNetModel` makes them."""
    levels, layers = len(config["block_out_channels"]), config["layers_per_block"]
    yield from (("time_embed.0.", "time_embedding.linear_1."), ("time_embed.2.", "time_embedding.linear_2."))
    yield "input_blocks.0.0.", "conv_in."
    count = 1
    for level in range(levels):
        for layer in range(layers):
            yield from _block(f"input_blocks.{count}", f"down_blocks.{level}", layer)
            count += 1
        if level < levels - 1:
            yield f"input_blocks.{count}.0.op.", f"down_blocks.{level}.downsamplers.0.conv."
            count += 1
    for place, name in enumerate(("resnets.0", "attentions.0", "resnets.1")):
        inner = RESNET if name.startswith("resnets") else (("", ""),)
        yield from _inside(f"middle_block.{place}", f"mid_block.{name}", inner)
    if not decoder:
        return
    count = 0
    for level in range(levels):
        for layer in range(layers + 1):
            yield from _block(f"output_blocks.{count}", f"up_blocks.{level}", layer)
            if layer == layers and level < levels - 1:
                attends = config["up_block_types"][level].startswith("CrossAttn")
                yield f"output_blocks.{count}.{1 + attends}.", f"up_blocks.{level}.upsamplers.0."
            count += 1
    yield from (("out.0.", "conv_norm_out."), ("out.2.", "conv_out."))


def _block(ours: str, theirs: str, layer: int) -> Iterator[tuple[str, str]]:
    yield from _inside(f"{ours}.0", f"{theirs}.resnets.{layer}", RESNET)
    yield f"{ours}.1.", f"{theirs}.attentions.{layer}."


def _inside(ours: str, theirs: str, pairs: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    for one, other in pairs:
        yield f"{ours}.{one}.".replace("..", "."), f"{theirs}.{other}.".replace("..", ".")


def control_names(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The same for a control: the encoder's names, the hint network's, and the zero convolutions'."""
    yield from unet_names(config, decoder=False)
    blocks = 2 * (len(config["conditioning_embedding_out_channels"]) - 1)
    hint = ["conv_in", *(f"blocks.{index}" for index in range(blocks)), "conv_out"]
    for index, name in enumerate(hint):  # in between stands an activation without numbers
        yield f"input_hint_block.{2 * index}.", f"controlnet_cond_embedding.{name}."
    zeros = len(config["block_out_channels"]) * (config["layers_per_block"] + 1)
    for index in range(zeros):
        yield f"zero_convs.{index}.0.", f"controlnet_down_blocks.{index}."
    yield "middle_block_out.0.", "controlnet_mid_block."


def vae_names(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The same for an autoencoder; its decoder counts its levels from the other end."""
    levels, layers = len(config["block_out_channels"]), config["layers_per_block"]
    yield from ((f"{name}quant_conv.", f"{name}quant_conv.") for name in ("", "post_"))
    for side in ("encoder", "decoder"):
        yield from ((f"{side}.conv_{end}.", f"{side}.conv_{end}.") for end in ("in", "out"))
        yield f"{side}.norm_out.", f"{side}.conv_norm_out."
        for block in (1, 2):
            yield from _inside(
                f"{side}.mid.block_{block}", f"{side}.mid_block.resnets.{block - 1}", VAE_RESNET
            )
        yield from _inside(f"{side}.mid.attn_1", f"{side}.mid_block.attentions.0", VAE_ATTENTION)
    for level in range(levels):
        for layer in range(layers):
            yield from _inside(
                f"encoder.down.{level}.block.{layer}",
                f"encoder.down_blocks.{level}.resnets.{layer}",
                VAE_RESNET,
            )
        yield f"encoder.down.{level}.downsample.conv.", f"encoder.down_blocks.{level}.downsamplers.0.conv."
        other = levels - 1 - level
        for layer in range(layers + 1):
            yield from _inside(
                f"decoder.up.{other}.block.{layer}", f"decoder.up_blocks.{level}.resnets.{layer}", VAE_RESNET
            )
        yield f"decoder.up.{other}.upsample.conv.", f"decoder.up_blocks.{level}.upsamplers.0.conv."


def originally(
    named: Mapping[str, Any], pairs: Iterator[tuple[str, str]], prefix: str = ""
) -> dict[str, Any]:
    """The same things under the original's names; every name must have one."""
    known = {theirs: ours for ours, theirs in pairs}
    found = {}
    for name, thing in named.items():
        begin = max((one for one in known if name.startswith(one)), key=len)
        found[f"{prefix}{known[begin]}{name.removeprefix(begin)}"] = thing
    return found


@lru_cache(maxsize=8)
def network(kind: str, **config: Any) -> tuple[Mapping[str, Any], Shapes]:
    """The configuration of a network of diffusers and the shapes of its tensors, which take no memory."""
    import torch

    from models import torchvision_ops

    torchvision_ops.define_missing()
    import diffusers

    with torch.device("meta"):
        module = getattr(diffusers, kind)(**config)
    shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    return dict(module.config), shapes


def control(
    context: int = 768, *, heads: int | tuple[int, ...] = 8, hint: int = 3
) -> tuple[Mapping[str, Any], Shapes]:
    """A ControlNet of Stable Diffusion 1.5 or 2, by the width of its tokens."""
    return network(
        "ControlNetModel", cross_attention_dim=context, attention_head_dim=heads, conditioning_channels=hint
    )


def xl_control() -> tuple[Mapping[str, Any], Shapes]:
    """A ControlNet of Stable Diffusion XL."""
    return network(
        "ControlNetModel",
        cross_attention_dim=2048,
        attention_head_dim=(5, 10, 20),
        block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        transformer_layers_per_block=(1, 2, 10),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )


def unet(context: int = 768, channels: int = 4) -> tuple[Mapping[str, Any], Shapes]:
    """The U-Net of Stable Diffusion 1.5 or 2, by the width of its tokens and the channels that go in."""
    return network(
        "UNet2DConditionModel", cross_attention_dim=context, attention_head_dim=8, in_channels=channels
    )


def vae(channels: int = 4) -> tuple[Mapping[str, Any], Shapes]:
    """The autoencoder of Stable Diffusion, by the channels of its latents."""
    return network(
        "AutoencoderKL",
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=channels,
    )


def checkpoint(context: int = 768, channels: int = 4) -> dict[str, tuple[int, ...]]:
    """The tensors of a whole checkpoint in the original's names; of the text encoder only a part."""
    config, shapes = unet(context, channels)
    vae_config, vae_shapes = vae()
    return {
        **originally(shapes, unet_names(config), "model.diffusion_model."),
        **originally(vae_shapes, vae_names(vae_config), "first_stage_model."),
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (49408, context),
        "betas": (1000,),
    }


KOHYA = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
KOHYA_TEXT = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
ATTENTION = "down_blocks.1.attentions.0.transformer_blocks.0.attn2"


def kohya(context: int, rank: int = 8, *, text: bool = True) -> dict[str, tuple[int, ...]]:
    """A LoRA as kohya's trainer writes it."""
    found: dict[str, tuple[int, ...]] = {
        f"{KOHYA}.lora_down.weight": (rank, context),
        f"{KOHYA}.lora_up.weight": (640, rank),
        f"{KOHYA}.alpha": (),
    }
    if text:
        found |= {
            f"{KOHYA_TEXT}.lora_down.weight": (rank, context),
            f"{KOHYA_TEXT}.lora_up.weight": (context, rank),
            f"{KOHYA_TEXT}.alpha": (),
        }
    return found
