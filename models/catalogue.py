"""What exists: the model families and their controls, as frozen entries. Recipes, never live models.

Nothing here imports torch or touches the disk. Revisions and hashes can't be looked up offline; the store
records them at the first fetch and holds to them afterwards.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One file or folder on the Hub, and the licence under which it comes.

    Without a `repo` it comes with the program, and `subfolder` is below the folder of weights. `size` is
    about how many bytes are fetched of it, as its networks have in half precision if they belong to a family
    and else in float32: the Hub itself is asked before a fetch.
    """

    repo: str = ""
    file: str = ""
    subfolder: str = ""
    licence: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One ControlNet of a family; `name` is its folder under `weights/<family>/controls/`.

    What is `pooled` over the picture has a mood and no place; a configuration says so, a single file can't.
    """

    name: str
    weight: Weight | None = None
    pooled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A base with the controls of its architecture.

    `side` is the native short side in pixels; sizes are multiples of `multiple` from `smallest` to `largest`.
    `base` is None for a family that ships with the program or is put in place by hand. `base_files` are the
    files that are fetched of it, the small ones first: what is complete then has them too. `preview` is a
    tiny autoencoder that shows pictures while they are made. `guidance` and `mode` are what suits it.
    `harmless` is one that has learnt from nothing that its pictures would have to be checked for. With
    `few_steps_by_lora` it takes a LoRA to paint in few steps.
    """

    name: str
    title: str
    help: str
    side: int
    multiple: int
    smallest: int
    largest: int
    base: Weight | None
    controls: tuple[Control, ...]
    base_files: tuple[str, ...] = ()
    preview: Weight | None = None
    guidance: float = 7.5
    mode: str = "balanced"
    harmless: bool = False
    few_steps_by_lora: bool = False

    def control(self, name: str) -> Control | None:
        """The control of that name, or None."""
        return next((control for control in self.controls if control.name == name), None)


RAIL = "CreativeML OpenRAIL-M"
CONTROL = 723_000_000  # bytes of a control of Stable Diffusion 1.5
TOKENIZER = "tokenizer"  # what a base in one file takes from its family; fetched alone under this name
TOKENIZER_SIZE = 1_590_000  # about how many bytes


def _v11(name: str, hub_name: str, *, pooled: bool = False) -> Control:
    weight = Weight(repo=f"lllyasviel/{hub_name}", licence=RAIL, size=CONTROL)
    return Control(name=name, weight=weight, pooled=pooled)


POCKET = Family(
    name="pocket",
    title="Pocket",
    help="Small and built in: works at once, everywhere, on drawn scenes.",
    side=128,
    multiple=64,
    smallest=128,
    largest=512,
    base=None,
    guidance=3.0,  # with more it follows its controls less, as measured in docs/pocket.md
    mode="strict",  # so it follows them far more, as measured in docs/decisions/0040
    harmless=True,
    controls=tuple(
        Control(name=name) for name in ("lines", "openpose", "depth", "normal", "seg", "inpaint", "tile")
    ),
)

SD15 = Family(
    name="sd15",
    title="Stable Diffusion 1.5",
    help="The full model with the ControlNet 1.1 controls, from the Hub.",
    side=512,
    multiple=8,
    smallest=256,
    largest=2048,
    base=Weight(repo="stable-diffusion-v1-5/stable-diffusion-v1-5", licence=RAIL, size=2_133_000_000),
    base_files=(
        "model_index.json",
        "scheduler/scheduler_config.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/special_tokens_map.json",
        "tokenizer/merges.txt",
        "tokenizer/vocab.json",
        "text_encoder/config.json",
        "unet/config.json",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
    ),
    preview=Weight(repo="madebyollin/taesd", licence="MIT"),
    few_steps_by_lora=True,
    controls=(
        _v11("canny", "control_v11p_sd15_canny"),
        _v11("softedge", "control_v11p_sd15_softedge"),
        _v11("mlsd", "control_v11p_sd15_mlsd"),
        _v11("scribble", "control_v11p_sd15_scribble"),
        _v11("lineart", "control_v11p_sd15_lineart"),
        _v11("lineart_anime", "control_v11p_sd15s2_lineart_anime"),
        _v11("openpose", "control_v11p_sd15_openpose"),
        _v11("depth", "control_v11f1p_sd15_depth"),
        _v11("normal", "control_v11p_sd15_normalbae"),
        _v11("seg", "control_v11p_sd15_seg"),
        _v11("shuffle", "control_v11e_sd15_shuffle", pooled=True),
        _v11("ip2p", "control_v11e_sd15_ip2p"),
        _v11("inpaint", "control_v11p_sd15_inpaint"),
        _v11("tile", "control_v11f1e_sd15_tile"),
        Control(
            name="qr",
            weight=Weight(
                repo="monster-labs/control_v1p_sd15_qrcode_monster",
                subfolder="v2",
                licence=RAIL,
                size=CONTROL,
            ),
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """What looks whether finished pictures may be shown; its files lie in the base of a family."""

    name: str
    title: str
    family: str
    weight: Weight
    files: tuple[str, ...]


SAFETY = Checker(
    name="safety",
    title="Safety checker",
    family=SD15.name,
    weight=Weight(repo="stable-diffusion-v1-5/stable-diffusion-v1-5", licence=RAIL, size=608_000_000),
    files=(
        "feature_extractor/preprocessor_config.json",
        "safety_checker/config.json",
        "safety_checker/model.safetensors",
    ),
)

FAMILIES: dict[str, Family] = {family.name: family for family in (POCKET, SD15)}


def family_of(model: str) -> Family:
    """The family of a model, of `sd15` itself as of `sd15/mine.safetensors`, a base of one's own."""
    return FAMILIES[model.partition("/")[0]]


def own_base(model: str) -> str:
    """The name of a base of one's own; "" for a family's."""
    return model.partition("/")[2]
