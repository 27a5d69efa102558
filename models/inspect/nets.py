"""The outline of a network, from the shapes of its tensors or from its configuration, and whose it is.

The width of the prompt's tokens tells the architectures apart: 768 numbers in Stable Diffusion 1.5, 1024 in
2, 2048 in XL. Transformers are told apart by names that only they have.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.inspect.headers import Tensor

# What a control shares with its base; in diffusers' configurations of both.
SHARED = (
    *("in_channels", "block_out_channels", "down_block_types", "layers_per_block"),
    *("cross_attention_dim", "attention_head_dim", "transformer_layers_per_block", "norm_num_groups"),
)
USUAL_HINT = 3  # channels of the map, where a configuration is too old to name them: red, green and blue


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A kind of base. `family` is the one of ours that has its controls, if any."""

    name: str
    title: str
    context: int = 0
    family: str = ""
    marks: re.Pattern[str] | None = None


SD15 = Architecture(name="sd1", title="Stable Diffusion 1.5", context=768, family="sd15")
POCKET = Architecture(name="pocket", title="Pocket", context=96, family="pocket")
ANY_SD = Architecture(name="sd", title="Stable Diffusion 1.5, 2 and XL alike")
UNKNOWN = Architecture(name="", title="an architecture that is not known here")
XL = Architecture(
    name="sdxl",
    title="Stable Diffusion XL",
    context=2048,
    marks=re.compile(r"lora_te2_|^text_encoder_2\.|^conditioner\.embedders\.1\.|^clip_g$", re.M),
)
TRANSFORMERS = (
    Architecture(
        name="flux",
        title="Flux",
        marks=re.compile(r"\bdouble_blocks[._]\d|lora_unet_double_blocks|single_transformer_blocks", re.M),
    ),
    Architecture(
        name="sd3",
        title="Stable Diffusion 3",
        marks=re.compile(r"joint_blocks[._]\d|transformer_blocks[._]\d+[._]attn[._]add_q_proj", re.M),
    ),
    Architecture(
        name="transformer",
        title="a transformer of another family",
        marks=re.compile(
            r"^(?:model\.)?(?:diffusion_model\.|transformer\.)?(?:transformer_)?blocks\.\d+\.(?!resnets)\w*attn",
            re.M,
        ),
    ),
)
BY_CONTEXT: Mapping[int, Architecture] = {
    known.context: known
    for known in (
        SD15,
        POCKET,
        XL,
        Architecture(name="sd2", title="Stable Diffusion 2", context=1024),
        Architecture(name="refiner", title="the refiner of Stable Diffusion XL", context=1280),
    )
}
BY_NAME: Mapping[str, Architecture] = {
    known.name: known for known in (*BY_CONTEXT.values(), *TRANSFORMERS, ANY_SD)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """A U-Net or a control: the width of the prompt's tokens, its channels level by level, and what goes in.

    `latents` are the channels of the latents, `hint` those of the map that a control follows.
    """

    context: int
    widths: tuple[int, ...]
    latents: int
    hint: int = 0

    def fits(self, other: "Net") -> bool:
        """Whether a control of the one can steer the other."""
        ours = (self.context, self.widths, self.latents)
        return ours == (other.context, other.widths, other.latents)

    @property
    def title(self) -> str:
        """For people: "Stable Diffusion XL (2048 numbers to a token)"."""
        return f"{self.architecture.title} ({self.context or 'no'} numbers to a token)"

    @property
    def architecture(self) -> Architecture:
        """Whose it is, by the width of the prompt's tokens."""
        return BY_CONTEXT.get(self.context, UNKNOWN)


def of_config(config: Mapping[str, Any]) -> Net:
    """The outline that a configuration of diffusers describes; empty where it describes none."""
    context, latents = config.get("cross_attention_dim"), config.get("in_channels")
    widths = config.get("block_out_channels")
    is_control = "conditioning_embedding_out_channels" in config
    hint = config.get("conditioning_channels", USUAL_HINT if is_control else 0)
    return Net(
        context=context if isinstance(context, int) else 0,
        widths=tuple(widths) if isinstance(widths, list) else (),
        latents=latents if isinstance(latents, int) else 0,
        hint=hint if isinstance(hint, int) else 0,
    )


def of_tensors(tensors: Mapping[str, Tensor], prefix: str) -> Net:
    """The outline of the network whose names begin with `prefix`, which are the original's or diffusers'."""
    inside = {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}

    def side(name: str, axis: int) -> int:
        return inside[name].side(axis) if name in inside else 0

    return Net(
        context=context_of(inside),
        widths=_original_widths(inside) or _diffusers_widths(inside),
        latents=side("input_blocks.0.0.weight", 1) or side("conv_in.weight", 1),
        hint=side("input_hint_block.0.weight", 1) or side("controlnet_cond_embedding.conv_in.weight", 1),
    )


# A matrix that takes tokens of the prompt: of a network itself, or its small factor in a LoRA.
READS_PROMPT = re.compile(
    r"attn2[._](?:processor[._])?to_k(?:_lora)?[._]"
    r"(?:weight|lora_down\.weight|lora_A(?:\.\w+)?\.weight|lora\.down\.weight|down\.weight|hada_w1_b)$"
)
# And the text encoder's own width, where a LoRA changes nothing else.
READS_TOKEN = re.compile(
    r"^(?:lora_te1?_|text_encoder\.|te\.).*(?:q_proj|k_proj)[._]"
    r"(?:lora_down|lora_A(?:\.\w+)?|lora\.down|lora_linear_layer\.down)\.weight$"
)


def context_of(tensors: Mapping[str, Tensor]) -> int:
    """The numbers to a token that some tensors are made for; 0 where none of them tells."""
    for pattern in (READS_PROMPT, READS_TOKEN):
        for name, tensor in tensors.items():
            if pattern.search(name) and tensor.side(1):
                return tensor.side(1)
    return 0


def architecture_of(text: str, context: int) -> Architecture:
    """Whose tensors these are, by their names (one on each line), then by the width of their tokens."""
    for known in (*TRANSFORMERS, XL):
        if known.marks is not None and known.marks.search(text):
            return known
    return BY_CONTEXT.get(context, UNKNOWN)


RESNET = re.compile(r"input_blocks\.(\d+)\.0\.(in_layers\.2|op)\.weight")
LEVEL = re.compile(r"down_blocks\.(\d+)\.resnets\.0\.conv1\.weight")


def _original_widths(tensors: Mapping[str, Tensor]) -> tuple[int, ...]:
    """The channels of each level: a level ends where the picture is halved."""
    found = sorted((int(m[1]), m[2] == "op", one.side(0)) for m, one in _matching(RESNET, tensors))
    widths: dict[int, int] = {}
    level = 0
    for _, halves, channels in found:
        if halves:
            level += 1
        else:
            widths[level] = channels
    return tuple(widths.values())


def _diffusers_widths(tensors: Mapping[str, Tensor]) -> tuple[int, ...]:
    found = {int(m[1]): one.side(0) for m, one in _matching(LEVEL, tensors)}
    return tuple(found[level] for level in sorted(found))


def _matching(pattern: re.Pattern[str], tensors: Mapping[str, Tensor]) -> list[tuple[re.Match[str], Tensor]]:
    matches = ((pattern.fullmatch(name), one) for name, one in tensors.items())
    return [(match, one) for match, one in matches if match and len(match[1]) < 6]
