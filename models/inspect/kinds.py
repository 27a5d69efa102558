"""The kinds of files that artists bring, each told by names that only it has; in the order of asking."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from models.inspect.headers import Tensor

Test: TypeAlias = Callable[[str, Mapping[str, Tensor]], bool]
FACTORS = (
    r"(?:lora_(?:down|up|A|B)|lora\.(?:down|up)|_lora\.(?:down|up)|lora_linear_layer\.(?:down|up))[.\w]*"
)
LARGEST_EMBEDDING = 8  # tensors


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of file: its title for people, by what it is told, and where in the weights it belongs.

    `why` says why it can't be used here; "" where it can. `prefixes` may stand before the names of its U-Net.
    """

    name: str
    title: str
    marks: str
    test: Test
    folder: str = ""
    why: str = ""
    prefixes: tuple[str, ...] = ("",)


def _names(*patterns: str) -> Test:
    """Whether each pattern is found at the beginning of some name."""
    known = [re.compile(rf"^{pattern}", re.M) for pattern in patterns]
    return lambda text, tensors: all(pattern.search(text) for pattern in known)


def _any(*patterns: str) -> Test:
    """Whether one pattern at least is found anywhere in a name."""
    known = re.compile("|".join(patterns), re.M)
    return lambda text, tensors: bool(known.search(text))


def _is_embedding(text: str, tensors: Mapping[str, Tensor]) -> bool:
    """A few rows of numbers, one for each token, and nothing else; or the names that have become usual."""
    if {"emb_params", "clip_l", "clip_g"} & tensors.keys():
        return True
    rows = all(len(one.shape) <= 2 and one.side(len(one.shape) - 1) >= 32 for one in tensors.values())
    return rows and len(tensors) == 1 and not re.search(r"\.(?:weight|bias)$", text)


TRANSFORMER = r"(?:model\.diffusion_model\.)?(?:double_blocks|joint_blocks|transformer_blocks|blocks)\.\d"
KINDS: tuple[Kind, ...] = (
    Kind(
        name="merged",
        title="a ControlNet with its base in one file, as version 1.0 came",
        marks="`control_model.` and `model.diffusion_model.`",
        test=_names(r"control_model\.", r"model\.diffusion_model\."),
        folder="controls/<condition>",
        prefixes=("control_model.",),
    ),
    Kind(
        name="checkpoint",
        title="a checkpoint: a whole base in one file",
        marks="`model.diffusion_model.` with `first_stage_model.` or a text encoder",
        test=_names(
            r"model\.diffusion_model\.",
            r"(?:first_stage_model|vae|cond_stage_model|conditioner|text_encoders)\.",
        ),
        folder="bases",
        prefixes=("model.diffusion_model.",),
    ),
    Kind(
        name="difference control",
        title="a ControlNet stored as the difference to its base",
        marks="`difference`, with the names of a ControlNet",
        test=_names(r"difference$"),
        why="it is of use only to programs that add it to a base: choose the whole ControlNet",
    ),
    Kind(
        name="control LoRA",
        title="a Control-LoRA",
        marks="`lora_controlnet`, or `lllite_`",
        test=_any(r"^lora_controlnet$", r"^lllite_"),
        why="it is a shortened form, of use to other programs only: choose the whole ControlNet",
    ),
    Kind(
        name="control XS",
        title="a ControlNet-XS",
        marks="`ctrl_to_base` or `base_to_ctrl`",
        test=_any(r"ctrl_to_base", r"base_to_ctrl"),
        why="it is built in another way than a ControlNet, and can't be used here",
    ),
    Kind(
        name="control",
        title="a ControlNet",
        marks="`input_hint_block.` and `zero_convs.`, with or without `control_model.`; or"
        " `controlnet_cond_embedding.` and `controlnet_down_blocks.`",
        test=_any(
            r"^(?:control_model\.)?(?:input_hint_block\.0\.weight|zero_convs\.0\.0\.weight)$",
            r"^controlnet_cond_embedding\.conv_in\.weight$",
            r"^controlnet_(?:down_)?blocks\.0\.weight$",
        ),
        folder="controls/<condition>",
        prefixes=("control_model.", ""),
    ),
    Kind(
        name="LyCORIS",
        title="a LyCORIS: a relative of LoRA",
        marks="`hada_`, `lokr_`, `lora_mid`, `dora_scale`, `oft_`, `glora`, `.diff` or `on_input`",
        test=_any(
            *(r"\.hada_[wt]\d", r"\.lokr_[wt]\d", r"\.lora_mid\.", r"\.dora_scale$"),
            *(r"lora_magnitude_vector", r"\.oft_(?:blocks|diag)", r"^oft_unet_"),
            *(r"^lora_\w+\.[ab][12]\.weight$", r"\.diff(?:_b)?$", r"\.on_input$"),
        ),
        folder="loras",
        why="of the relatives of LoRA only LoRA itself can be applied here",
    ),
    Kind(
        name="LoRA",
        title="a LoRA",
        marks="`lora_down` and `lora_up` (kohya), `lora_A` and `lora_B` (PEFT), `lora.down` (diffusers)",
        test=_any(FACTORS),
        folder="loras",
    ),
    Kind(
        name="IP-Adapter",
        title="an IP-Adapter: a picture as a prompt",
        marks="`ip_adapter.` or `image_proj.`",
        test=_any(r"^ip_adapter\.", r"^image_proj\.", r"to_k_ip\b"),
        why="pictures as prompts are not supported",
    ),
    Kind(
        name="T2I-Adapter",
        title="a T2I-Adapter",
        marks="`adapter.body.`, or `body.0.block1.`",
        test=_any(r"^adapter\.(?:body|conv_in)\.", r"^body\.\d+\.(?:block1|resnets)\b", r"^style_embedding$"),
        why="it is another way to steer a base than a ControlNet, and can't be used here",
    ),
    Kind(
        name="motion module",
        title="a motion module of AnimateDiff",
        marks="`motion_modules.`",
        test=_any(r"motion_modules\.\d"),
        why="no films are made here",
    ),
    Kind(
        name="upscaler",
        title="an upscaler, such as ESRGAN",
        marks="`conv_first.` with `body.` or `layers.`; or `model.1.sub.`",
        test=_any(
            *(r"^conv_first\.weight$", r"\.RDB\d\.conv\d", r"\.rdb\d\.conv\d", r"^model\.1\.sub\."),
            *(r"^relative_position_index_SA$", r"^upsampler\.", r"^conv_before_upsample\."),
        ),
        why="upscaling by such a network is not supported",
    ),
    Kind(
        name="VAE",
        title="a VAE",
        marks="`decoder.conv_in.` with `encoder.conv_in.`, with or without `first_stage_model.`",
        test=_names(
            r"(?:first_stage_model\.|vae\.)?encoder\.conv_in\.weight$",
            r"(?:first_stage_model\.|vae\.)?decoder\.conv_in\.weight$",
        ),
        folder="vaes",
    ),
    Kind(
        name="tiny VAE",
        title="a tiny VAE, for previews",
        marks="`decoder.layers.` or `taesd_decoder.`",
        test=_any(
            r"^(?:en|de)coder\.layers\.\d+\.(?:conv\.\d+\.)?weight$",
            *(r"^taesd_(?:en|de)coder\.", r"^3\.conv\.0\.weight$"),
        ),
        why="it can't take the place of a whole VAE: its colours and detail are too rough",
    ),
    Kind(
        name="U-Net",
        title="a U-Net alone",
        marks="`input_blocks.` or `down_blocks.`, and nothing of a text encoder or a VAE",
        test=_any(
            r"^(?:model\.diffusion_model\.)?input_blocks\.0\.0\.weight$",
            r"^down_blocks\.0\.resnets\.0\.",
        ),
        why="a base needs its text encoder and its VAE as well: choose the whole checkpoint",
        prefixes=("model.diffusion_model.", ""),
    ),
    Kind(
        name="image encoder",
        title="an image encoder of CLIP, or a safety checker",
        marks="`vision_model.`",
        test=_any(r"(?:^|\.)vision_model\."),
        why="nothing here asks for it",
    ),
    Kind(
        name="text encoder",
        title="a text encoder alone",
        marks="`text_model.encoder.`, or T5's `encoder.block.`",
        test=_any(
            r"^(?:text_model\.)?(?:encoder\.layers|embeddings\.token_embedding)\.",
            r"^encoder\.block\.\d",
        ),
        why="a base brings its own text encoder",
    ),
    Kind(
        name="transformer",
        title="a transformer alone, as newer models have in place of a U-Net",
        marks="`double_blocks.`, `joint_blocks.` or `transformer_blocks.`",
        test=_names(TRANSFORMER),
        why="only U-Nets can be used here",
    ),
    Kind(
        name="embedding",
        title="a textual inversion",
        marks="`emb_params`, `clip_l` and `clip_g`, or one tensor under the name of a word",
        test=_is_embedding,
        folder="embeddings",
    ),
)  # fmt: skip
FOLDER_BASE = Kind(
    name="base",
    title="a base: a folder in diffusers' layout",
    marks="`model_index.json` with `unet/`, `vae/`, `text_encoder/`, `tokenizer/` and `scheduler/`",
    test=lambda text, tensors: False,
    folder="bases",
)
UNKNOWN = Kind(
    name="unknown",
    title="a file of tensors of no kind that is known here",
    marks="everything else",
    test=lambda text, tensors: True,
    why="nothing here knows what to do with it",
)
BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in (*KINDS, FOLDER_BASE, UNKNOWN)}


def kind_of(text: str, tensors: Mapping[str, Tensor]) -> Kind:
    """The kind of a file by the names of its tensors, one on each line of `text`."""
    return next((kind for kind in KINDS if kind.test(text, tensors)), UNKNOWN)
