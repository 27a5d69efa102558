"""What a file is, by its header alone; and what is refused, and in which words, before anything is loaded."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from errors import ArmatureError
from models import inspect
from models.inspect.kinds import BY_NAME
from models.inspect.nets import Net
from tests.models import made_files
from tests.models.made_files import ATTENTION, KOHYA, control_names, kohya, originally, unet_names, write

ROOT = Path(__file__).parents[2]
SD15 = Net(context=768, widths=(320, 640, 1280, 1280), latents=4)
TITLE = "Stable Diffusion 1.5"


def control(context: int = 768, prefix: str | None = None, *, hint: int = 3) -> dict[str, Any]:
    """The tensors of a ControlNet in diffusers' names, or in the original's behind a prefix."""
    config, shapes = made_files.control(context, hint=hint)
    return dict(shapes) if prefix is None else originally(shapes, control_names(config), prefix)


def renamed(shapes: dict[str, Any], *changes: tuple[str, str]) -> dict[str, Any]:
    """The same tensors with parts of their names replaced."""
    for old, new in changes:
        shapes = {name.replace(old, new): shape for name, shape in shapes.items()}
    return shapes


PEFT = {
    f"unet.{ATTENTION}.to_k.lora_A.weight": (4, 768),
    f"unet.{ATTENTION}.to_k.lora_B.weight": (640, 4),
    "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight": (4, 768),
    "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_B.weight": (768, 4),
}
LYCORIS: dict[str, dict[str, tuple[int, ...]]] = {
    "LoHa": {f"{KOHYA}.hada_w1_a": (640, 4), f"{KOHYA}.hada_w1_b": (4, 768), f"{KOHYA}.hada_w2_a": (640, 4)},
    "LoKr": {f"{KOHYA}.lokr_w1": (8, 8), f"{KOHYA}.lokr_w2": (80, 96)},
    "DoRA": {f"{KOHYA}.dora_scale": (1, 768), **kohya(768)},
    "OFT": {f"{KOHYA}.oft_blocks": (4, 160, 160)},
    "IA3": {f"{KOHYA}.weight": (640,), f"{KOHYA}.on_input": ()},
    "whole differences": {f"{KOHYA}.diff": (640, 768)},
    "LoCon with a core": {**kohya(768), f"{KOHYA}.lora_mid.weight": (8, 8, 3, 3)},
}
FLUX = {
    "double_blocks.0.img_attn.qkv.weight": (9216, 3072),
    "single_blocks.0.linear1.weight": (21504, 3072),
}
TOLD = ("LoHa", "DoRA", "LoCon with a core")  # by whose shapes the width of a token can be told
# Shapes, the kind that they are of, and whose.
FILES: dict[str, tuple[Callable[[], dict[str, Any]], str, str]] = {
    "checkpoint of SD 1.5": (made_files.checkpoint, "checkpoint", TITLE),
    "checkpoint of SD 2": (lambda: made_files.checkpoint(1024), "checkpoint", "Stable Diffusion 2"),
    "checkpoint of SD XL": (
        lambda: {
            "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, 2048),
            "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
            "conditioner.embedders.1.model.ln_final.weight": (1280,),
            "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
        },
        "checkpoint",
        "Stable Diffusion XL",
    ),
    "checkpoint of Flux": (
        lambda: {f"model.diffusion_model.{name}": shape for name, shape in FLUX.items()}
        | {"vae.decoder.conv_in.weight": (512, 16, 3, 3)},
        "checkpoint",
        "Flux",
    ),
    "v1.0 control": (
        lambda: made_files.checkpoint() | control(prefix="control_model."),
        "merged",
        TITLE,
    ),
    "control": (lambda: control(prefix="control_model."), "control", TITLE),
    "control without prefix": (lambda: control(prefix=""), "control", TITLE),
    "control of diffusers": (control, "control", TITLE),
    "control of SD 2": (lambda: control(1024, prefix=""), "control", "Stable Diffusion 2"),
    "control of SD XL": (lambda: dict(made_files.xl_control()[1]), "control", "Stable Diffusion XL"),
    "control of Flux": (
        lambda: {
            "controlnet_blocks.0.weight": (3072, 3072),
            "controlnet_x_embedder.weight": (3072, 64),
            "transformer_blocks.0.attn.to_q.weight": (3072, 3072),
            "single_transformer_blocks.0.attn.to_q.weight": (3072, 3072),
        },
        "control",
        "Flux",
    ),
    "difference control": (lambda: control(prefix="") | {"difference": ()}, "difference control", TITLE),
    "control LoRA": (
        lambda: {"lora_controlnet": (0,), "input_hint_block.0.weight": (16, 3, 3, 3)},
        "control LoRA",
        "",
    ),
    "LLLite": (lambda: {"lllite_unet_input_blocks_4_1_conv1.weight": (32, 64, 1, 1)}, "control LoRA", ""),
    "LoRA of kohya": (lambda: kohya(768), "LoRA", TITLE),
    "LoRA of SD 2": (lambda: kohya(1024), "LoRA", "Stable Diffusion 2"),
    "LoRA of SD XL": (lambda: kohya(2048, text=False), "LoRA", "Stable Diffusion XL"),
    "LoRA of SD XL's text encoder": (
        lambda: {"lora_te2_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight": (8, 1280)},
        "LoRA",
        "Stable Diffusion XL",
    ),
    "LoRA of a text encoder": (
        lambda: {name: shape for name, shape in kohya(768).items() if name.startswith("lora_te")},
        "LoRA",
        TITLE,
    ),
    "LoRA of Flux": (
        lambda: {"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": (16, 3072)},
        "LoRA",
        "Flux",
    ),
    "LoRA of PEFT": (lambda: PEFT, "LoRA", TITLE),
    "LoRA of diffusers": (
        lambda: renamed(PEFT, ("lora_A", "lora.down"), ("lora_B", "lora.up")),
        "LoRA",
        TITLE,
    ),
    "LoRA of older diffusers": (
        lambda: {f"{ATTENTION}.processor.to_k_lora.down.weight": (4, 768)},
        "LoRA",
        TITLE,
    ),
    "embedding": (lambda: {"emb_params": (4, 768)}, "embedding", TITLE),
    "embedding of SD 2": (lambda: {"emb_params": (4, 1024)}, "embedding", "Stable Diffusion 2"),
    "embedding of diffusers": (lambda: {"<castle>": (768,)}, "embedding", TITLE),
    "embedding of SD XL": (
        lambda: {"clip_l": (4, 768), "clip_g": (4, 1280)},
        "embedding",
        "Stable Diffusion XL",
    ),
    "VAE": (lambda: dict(made_files.vae()[1]), "VAE", "Stable Diffusion 1.5, 2 and XL alike"),
    "VAE in the original's names": (
        lambda: originally(made_files.vae()[1], made_files.vae_names(made_files.vae()[0])),
        "VAE",
        "Stable Diffusion 1.5, 2 and XL alike",
    ),
    "VAE out of a checkpoint": (
        lambda: {n: s for n, s in made_files.checkpoint().items() if n.startswith("first_stage")},
        "VAE",
        "Stable Diffusion 1.5, 2 and XL alike",
    ),
    "VAE of 16 channels": (lambda: dict(made_files.vae(16)[1]), "VAE", "Stable Diffusion 3"),
    "tiny VAE": (
        lambda: dict(made_files.network("AutoencoderTiny")[1]),
        "tiny VAE",
        "",
    ),
    "U-Net": (lambda: dict(made_files.unet()[1]), "U-Net", TITLE),
    "U-Net in the original's names": (
        lambda: originally(made_files.unet()[1], unet_names(made_files.unet()[0]), "model.diffusion_model."),
        "U-Net",
        TITLE,
    ),
    "transformer": (lambda: FLUX, "transformer", "Flux"),
    "T2I-Adapter": (lambda: dict(made_files.network("T2IAdapter")[1]), "T2I-Adapter", ""),
    "IP-Adapter": (
        lambda: {"image_proj.proj.weight": (3072, 1024), "ip_adapter.1.to_k_ip.weight": (320, 768)},
        "IP-Adapter",
        "",
    ),
    "motion module": (
        lambda: {"down_blocks.0.motion_modules.0.temporal_transformer.norm.weight": (320,)},
        "motion module",
        "",
    ),
    "upscaler": (
        lambda: {"conv_first.weight": (64, 3, 3, 3), "body.0.rdb1.conv1.weight": (32, 64, 3, 3)},
        "upscaler",
        "",
    ),
    "upscaler of the old kind": (
        lambda: {"model.0.weight": (64, 3, 3, 3), "model.1.sub.0.RDB1.conv1.0.weight": (32, 64, 3, 3)},
        "upscaler",
        "",
    ),
    "text encoder": (lambda: {"text_model.encoder.layers.0.layer_norm1.weight": (768,)}, "text encoder", ""),
    "image encoder": (lambda: {"vision_model.post_layernorm.weight": (1024,)}, "image encoder", ""),
    "something else": (lambda: {"fc.weight": (10, 20), "fc.bias": (10,)}, "unknown", ""),
    **{
        f"LyCORIS {name}": (partial(dict, LYCORIS[name]), "LyCORIS", TITLE if name in TOLD else "")
        for name in LYCORIS
    },
}  # fmt: skip


@pytest.mark.parametrize("what", FILES)
def test_a_file_is_told_by_its_header(what: str, tmp_path: Path) -> None:
    shapes, kind, whose = FILES[what]
    found = inspect.look(write(tmp_path / "x.safetensors", shapes()))
    assert found.kind.name == kind
    assert found.architecture.title == (whose or "an architecture that is not known here")
    assert found.title.startswith(found.kind.title)


def test_every_kind_that_files_may_have_is_told() -> None:
    told = {kind for _, kind, _ in FILES.values()} | {"control XS", "base"}
    assert told == set(BY_NAME)


def test_an_xs_control_is_told(tmp_path: Path) -> None:
    names = {
        "down_blocks.0.ctrl_to_base.0.weight": (320, 320, 1, 1),
        "controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3),
    }
    assert inspect.look(write(tmp_path / "x.safetensors", names)).kind.name == "control XS"


@pytest.mark.parametrize("name", LYCORIS)
def test_the_relatives_of_lora_are_named_and_not_applied(name: str, tmp_path: Path) -> None:
    found = inspect.look(write(tmp_path / "x.safetensors", LYCORIS[name]))
    assert name in found.details
    assert found.kind.why


def test_what_a_lora_changes_is_told(tmp_path: Path) -> None:
    metadata = {"ss_network_module": "networks.lora"}
    found = inspect.look(write(tmp_path / "x.safetensors", kohya(768, 16), metadata=metadata))
    assert found.details == (
        "kohya's names",
        "for the U-Net and the text encoder",
        "rank 16",
        "made with networks.lora",
    )
    peft = inspect.look(write(tmp_path / "y.safetensors", PEFT))
    assert peft.details == ("PEFT's names", "for the U-Net and the text encoder", "rank 4")
    alone = inspect.look(write(tmp_path / "z.safetensors", kohya(768, text=False)))
    assert "for the U-Net" in alone.details


def test_the_outline_of_a_network_is_told_in_both_layouts(tmp_path: Path) -> None:
    for prefix in (None, "", "control_model."):
        found = inspect.look(write(tmp_path / f"{prefix}x.safetensors", control(prefix=prefix)))
        assert found.net == Net(context=768, widths=(320, 640, 1280, 1280), latents=4, hint=3)
    base = inspect.look(write(tmp_path / "base.safetensors", made_files.checkpoint(channels=9)))
    assert base.net is not None
    assert base.net.latents == 9
    assert "made for inpainting" in base.details[0]


def refused_control(path: Path, shapes: dict[str, Any], *words: str, **how: Any) -> str:
    """The code with which a file is refused as a control of Stable Diffusion 1.5, in some words."""
    found = inspect.look(write(path / "x.safetensors", shapes, **how))
    with pytest.raises(ArmatureError) as refusal:
        inspect.require_control(found, SD15, TITLE)
    assert all(word in refusal.value.message for word in words), refusal.value.message
    return refusal.value.code.name


@pytest.mark.parametrize("prefix", [None, "", "control_model."])
def test_a_control_of_the_base_is_taken(prefix: str | None, tmp_path: Path) -> None:
    found = inspect.look(write(tmp_path / "x.safetensors", control(prefix=prefix)))
    assert inspect.require_control(found, SD15, TITLE) is found


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("VAE", "a VAE for Stable Diffusion 1.5, 2 and XL alike"),
        ("LoRA of kohya", "a LoRA for Stable Diffusion 1.5"),
        ("checkpoint of SD 1.5", "a whole base in one file"),
        ("T2I-Adapter", "a T2I-Adapter"),
    ],
)
def test_row_84_something_else_in_the_place_of_a_control_is_named(
    what: str, words: str, tmp_path: Path
) -> None:
    assert refused_control(tmp_path, FILES[what][0](), "not a ControlNet", words) == "MODEL_ARCH"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("control of SD XL", "This control was made for Stable Diffusion XL (2048 numbers to a token)"),
        ("control of SD 2", "This control was made for Stable Diffusion 2 (1024 numbers to a token)"),
        ("control of Flux", "This control was made for Flux"),
    ],
)
def test_rows_85_and_86_a_control_of_another_base_says_which(what: str, words: str, tmp_path: Path) -> None:
    assert refused_control(tmp_path, FILES[what][0](), words, f"not for {TITLE}") == "MODEL_PAIRING"


def test_row_90_a_control_that_follows_no_rgb_is_refused(tmp_path: Path) -> None:
    assert refused_control(tmp_path, control(prefix="", hint=4), "4 channels", "3 channels") == "MODEL_ARCH"


@pytest.mark.parametrize("dtype", ["I8", "U8", "I32"])
def test_row_88_numbers_in_a_code_of_their_own_are_refused(dtype: str, tmp_path: Path) -> None:
    assert refused_control(tmp_path, control(), dtype, "F16", dtype=dtype) == "MODEL_DTYPE"


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"])
def test_row_88_numbers_that_can_be_converted_are_taken(dtype: str, tmp_path: Path) -> None:
    found = inspect.look(write(tmp_path / "x.safetensors", control(), dtype=dtype))
    assert inspect.require_control(found, SD15, TITLE).dtypes == (dtype,)


def test_row_89_a_tensor_without_numbers_is_refused(tmp_path: Path) -> None:
    shapes = control(prefix="") | {"zero_convs.0.0.bias": (0,)}
    assert refused_control(tmp_path, shapes, "1, such as zero_convs.0.0.bias") == "MODEL_KEYS"


def test_row_89_a_tensor_of_another_rank_is_no_outline(tmp_path: Path) -> None:
    shapes = control(prefix="") | {"input_hint_block.0.weight": (16,)}
    assert refused_control(tmp_path, shapes, "0 channels") == "MODEL_ARCH"


def test_a_file_that_changes_is_looked_at_again(tmp_path: Path) -> None:
    path = write(tmp_path / "x.safetensors", control())
    assert inspect.look(path).kind.name == "control"
    write(path, kohya(768))
    assert inspect.look(path).kind.name == "LoRA"


def test_folders_of_diffusers_are_told(store: Any, tmp_path: Path) -> None:
    base = inspect.look(store.base("pocket"))
    assert base.kind is inspect.FOLDER_BASE
    assert base.net == Net(context=32, widths=(32, 64), latents=4)
    held = inspect.look(store.control("pocket", "lines"))
    assert held.kind.name == "control"
    assert held.net is not None
    assert base.net.fits(held.net)
    assert inspect.look(store.base("pocket") / "vae").kind.name == "VAE"
    assert inspect.look(store.base("pocket") / "unet").kind.name == "U-Net"
    assert inspect.look(store.base("pocket") / "text_encoder").kind.name == "text encoder"
    write(tmp_path / "lora" / "pytorch_lora_weights.safetensors", PEFT)
    assert inspect.look(tmp_path / "lora").kind.name == "LoRA"


@pytest.mark.parametrize(
    ("pipeline", "whose"),
    [("StableDiffusionXLPipeline", "Stable Diffusion XL"), ("FluxPipeline", "Flux")],
)
def test_a_folder_of_another_architecture_is_named(pipeline: str, whose: str, tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": pipeline}))
    found = inspect.look(tmp_path)
    assert found.kind is inspect.FOLDER_BASE
    assert found.architecture.title == whose


def test_a_folder_that_is_not_complete_says_what_is_missing(store: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(store.control("pocket", "lines"), tmp_path / "mine")
    weights = folder / "diffusion_pytorch_model.safetensors"
    for make, code, words in (
        (lambda: weights.rename(folder / "diffusion_pytorch_model.bin"), "MODEL_UNSAFE", "pickled"),
        (lambda: (folder / "diffusion_pytorch_model.bin").unlink(), "MODEL_MISSING", "1 files missing"),
        (lambda: (folder / "config.json").write_text("["), "MODEL_CORRUPT", "configuration"),
        (lambda: (folder / "config.json").unlink(), "MODEL_MISSING", "no model that is known"),
    ):
        make()
        with pytest.raises(ArmatureError, match=words) as refusal:
            inspect.look(folder)
        assert refusal.value.code.name == code


def test_looking_needs_no_torch() -> None:
    program = "import sys; from models import inspect; print('torch' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout == "False\n"


def test_the_docs_name_every_kind() -> None:
    page = (ROOT / "docs" / "models.md").read_text("utf-8")
    for kind in BY_NAME.values():
        assert re.search(rf"^\| {re.escape(kind.title[:1].upper() + kind.title[1:])} \|", page, re.M), (
            kind.title
        )
