"""One look at a file or a folder: its kind, architecture, size, number formats, and what else it tells."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from errors import MODEL_ARCH, MODEL_DTYPE, MODEL_KEYS, MODEL_PAIRING
from models.inspect import folders, forms, kinds, nets
from models.inspect.headers import Header
from models.inspect.kinds import Kind
from models.inspect.nets import Architecture, Net

# What becomes float16, bfloat16 or float32 as it is loaded; the rest are numbers in a code of their own.
LOADABLE = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
WEIGHTS = re.compile(r"\.(?:weight|bias)$")
HINT = 3  # channels of a map
PREDICTS_V = "v_pred"  # a tensor that is a mere mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a file or folder is. `size` are the bytes of its tensors, `dtypes` their formats, most used first.

    `net` is the outline of its U-Net or control, `details` what else its header tells, in words, and `empty`
    are names of tensors without numbers. One that `predicts_v` was trained to answer
    with v in place of the noise.
    """

    name: str
    kind: Kind
    architecture: Architecture
    size: int
    net: Net | None = None
    dtypes: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    predicts_v: bool = False

    @property
    def title(self) -> str:
        """For people: "a LoRA for Stable Diffusion XL"."""
        made_for = f" for {self.architecture.title}" if self.architecture is not nets.UNKNOWN else ""
        return f"{self.kind.title}{made_for}"


def look(path: Path) -> Finding:
    """What lies at a path, by its header alone; what can't be read is refused in words."""
    if path.is_dir():
        return _folder(path)
    try:
        found = path.stat()
    except OSError:
        return _file(path)  # which says so
    return _known(path, found.st_mtime_ns, found.st_size, found.st_ino)


@lru_cache(maxsize=512)
def _known(path: Path, mtime: int, size: int, inode: int) -> Finding:
    """The finding of a file while it stays as it is."""
    return _file(path)


def _file(path: Path) -> Finding:
    header = forms.header(path)
    text = "\n".join(header.tensors)
    kind = kinds.kind_of(text, header.tensors)
    net = _net(kind, header, text)
    context = (net.context if net else 0) or nets.context_of(header.tensors)
    architecture = nets.architecture_of(text, context)
    rows = list(header.tensors.values())
    if kind is kinds.BY_NAME["embedding"] and architecture is nets.UNKNOWN:
        architecture = nets.BY_CONTEXT.get(rows[0].side(len(rows[0].shape) - 1), nets.UNKNOWN)
    if kind is kinds.BY_NAME["VAE"]:
        architecture = _of_vae(header)
    counted = _formats(header)
    return Finding(
        name=path.name,
        kind=kind,
        architecture=architecture,
        size=header.size,
        net=net,
        dtypes=tuple(dtype for dtype, _ in counted.most_common()),
        details=tuple(_details(kind, header, text, net)),
        empty=tuple(name for name, one in header.tensors.items() if WEIGHTS.search(name) and not one.size),
        predicts_v=PREDICTS_V in header.tensors,
    )


def _formats(header: Header) -> Counter[str]:
    """The bytes in each number format."""
    weights = [one for name, one in header.tensors.items() if WEIGHTS.search(name)]
    counted: Counter[str] = Counter()
    for one in weights or header.tensors.values():  # beside weights lie tables of places, and marks
        counted[one.dtype] += one.size
    return counted


def _net(kind: Kind, header: Header, text: str) -> Net | None:
    if not any(
        re.search(rf"^{re.escape(prefix)}(?:input_blocks|down_blocks)\.", text, re.M)
        for prefix in kind.prefixes
    ):
        return None
    prefix = next(one for one in kind.prefixes if not one or f"\n{one}" in f"\n{text}")
    return nets.of_tensors(header.tensors, prefix)


def _of_vae(header: Header) -> Architecture:
    """The VAEs of Stable Diffusion 1.5, 2 and XL have the same shapes; newer ones have more channels."""
    shapes = {
        name.rpartition("conv_in")[0][-8:]: one
        for name, one in header.tensors.items()
        if "r.conv_in.weight" in name
    }
    latents = shapes["decoder."].side(1)
    wide = shapes["encoder."].side(0) == 128
    if latents == 4 and wide:
        return nets.ANY_SD
    return nets.BY_NAME["sd3"] if latents == 16 and wide else nets.UNKNOWN


def _details(kind: Kind, header: Header, text: str, net: Net | None) -> Iterable[str]:
    if net is not None and net.latents not in (0, 4):
        yield f"its U-Net takes {net.latents} channels{INPUTS.get(net.latents, '')}"
    if kind.folder == "loras":
        yield from _details_of_lora(header, text)
    if kind.folder == "embeddings":
        rows = max((one.side(0) for one in header.tensors.values() if len(one.shape) == 2), default=1)
        yield f"{rows} tokens"
    if PREDICTS_V in header.tensors:
        yield "predicts v"


INPUTS = {9: ": it is made for inpainting", 8: ": it follows instructions", 5: ": it follows depth"}
PARTS = {
    "U-Net": re.compile(
        r"^(?:lora_unet_|unet\.|base_model\.model\.(?:unet\.)?(?:down|up|mid)|(?:down|up|mid)_)", re.M
    ),
    "text encoder": re.compile(r"^(?:lora_te|text_encoder|text_model|base_model\.model\.text)", re.M),
}
STYLES = {
    "kohya": re.compile(r"\.lora_(?:down|up)\.", re.M),
    "PEFT": re.compile(r"\.lora_[AB]\.", re.M),
    "diffusers": re.compile(r"\.lora\.(?:down|up)\.|_lora\.(?:down|up)\.|lora_linear_layer", re.M),
}
FORMS_OF_LYCORIS = {
    "LoHa": r"\.hada_",
    "LoKr": r"\.lokr_",
    "LoCon with a core": r"\.lora_mid\.",
    "DoRA": r"dora_scale|lora_magnitude_vector",
    "OFT": r"\boft_|_oft_",
    "IA3": r"\.on_input$",
    "GLoRA": r"\.[ab][12]\.weight$",
    "whole differences": r"\.diff(?:_b)?$",
}
DOWN = re.compile(
    r"lora_down\.weight$|lora_A(?:\.\w+)?\.weight$|(?:lora\.|lora_linear_layer\.|_lora\.)down\.weight$"
)


def _details_of_lora(header: Header, text: str) -> Iterable[str]:
    names = [name for name, pattern in FORMS_OF_LYCORIS.items() if re.search(pattern, text, re.M)]
    yield from names or [f"{style}'s names" for style, pattern in STYLES.items() if pattern.search(text)]
    parts = [part for part, pattern in PARTS.items() if pattern.search(text)]
    if parts:
        yield "for the " + " and the ".join(parts)
    ranks = {one.side(0) for name, one in header.tensors.items() if DOWN.search(name)}
    if ranks:
        yield f"rank {min(ranks)}" if len(ranks) == 1 else f"ranks {min(ranks)} to {max(ranks)}"
    if trained := header.metadata.get("ss_network_module"):
        yield f"made with {trained[:40]}"


def _folder(path: Path) -> Finding:
    model = folders.model_in(path)
    if model is None:
        return look(folders.only_file(path))
    heads = [forms.header(file) for file in model.files]
    counted = sum((_formats(header) for header in heads), Counter[str]())
    return Finding(
        name=path.name,
        kind=model.kind,
        architecture=model.architecture,
        size=sum(header.size for header in heads),
        net=model.net,
        dtypes=tuple(dtype for dtype, _ in counted.most_common()),
        details=tuple(
            f"its U-Net takes {net.latents} channels{INPUTS.get(net.latents, '')}"
            for net in (model.net,)
            if net is not None and net.latents not in (0, 4)
        ),
        empty=tuple(
            name
            for header in heads
            for name, one in header.tensors.items()
            if WEIGHTS.search(name) and not one.size
        ),
    )


def require_kind(found: Finding, *wanted: str, as_what: str) -> Finding:
    """The finding, if it is one of some kinds with numbers that can be used; else a refusal of what it is."""
    if found.kind.name not in wanted:
        raise MODEL_ARCH(
            f"{found.name} is not {as_what}",
            found=found.title,
            allowed=as_what,
            todo=f"Put it into weights/{found.kind.folder}" if found.kind.folder else "Choose another file",
        )
    odd = [dtype for dtype in found.dtypes if dtype not in LOADABLE]
    if odd:
        raise MODEL_DTYPE(
            f"The numbers of {found.name} are in a format that can't be used here",
            found=", ".join(odd),
            allowed=", ".join(LOADABLE),
            todo="Choose a file in float16, bfloat16 or float32",
        )
    if found.empty:
        raise MODEL_KEYS(
            f"{found.name} has tensors without any numbers",
            found=f"{len(found.empty)}, such as {', '.join(found.empty[:5])}",
            todo="Fetch the file again, or choose another",
        )
    return found


def require_control(found: Finding, base: Net, base_title: str) -> Finding:
    """The finding, if it is a ControlNet that can steer a base; else a refusal: what it was made for."""
    require_kind(found, "control", "merged", as_what="a ControlNet")
    net = found.net
    if net is None:
        raise MODEL_PAIRING(
            f"This control was made for {found.architecture.title}, and not for {base_title}",
            todo="Choose a control that was made for your base",
        )
    if net.hint != HINT:
        raise MODEL_ARCH(
            f"{found.name} follows another kind of map",
            found=f"{net.hint} channels",
            allowed=f"{HINT} channels: red, green and blue",
            todo="Choose another control",
        )
    if not net.fits(base):
        raise MODEL_PAIRING(
            f"This control was made for {net.title}, and not for {base_title}",
            found=_outline(net),
            allowed=_outline(base),
            todo="Choose a control that was made for your base",
        )
    return found


def _outline(net: Net) -> str:
    return f"{net.context} numbers to a token, {'-'.join(map(str, net.widths))} channels"
