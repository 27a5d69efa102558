"""From files to modules: one key, one module, on the CPU. Local folders, safetensors, no foreign code.

Importing this imports torch; diffusers and transformers come with the first load.
"""

import copy
import pickle
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from safetensors import SafetensorError
from torch import nn

from errors import MODEL_CORRUPT, ModelError
from models import bases, extras, lora, own, safety, single_file, torchvision_ops
from models.catalogue import family_of, own_base
from models.inspect import config_of
from models.store import Store
from models.strips import Strips, bytes_at_once

Part: TypeAlias = Literal["text", "unet", "vae", "preview", "control", "lora", "safety", "annotator"]
PART_TITLES: dict[Part, str] = {
    "text": "text encoder",
    "unet": "U-Net",
    "vae": "decoder",
    "preview": "small decoder",
    "control": "control",
    "lora": "LoRA",
    "safety": "safety checker",
    "annotator": "annotator",
}


# Of a base in diffusers' layout.
FOLDERS: Mapping[Part, str] = {"text": "text_encoder", "unet": "unet", "vae": "vae"}
LOG_VARIANCE = (-30.0, 20.0)  # as far as an autoencoder of diffusers believes its own

# What diffusers, transformers and safetensors were seen to raise on damaged or foreign files.
BROKEN = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, RuntimeError),
    *(SafetensorError, pickle.UnpicklingError),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelKey:
    """One module: a part of a family's base, or by name one of its controls, or an annotator's network.

    A decoder with a name is one of one's own, for the base of the family. `stamp` tells a file or a folder of
    one's own from another one of the same name that takes its place, as training does with controls; what is
    loaded of a base stays in use until it is let go. The safety checker is the same for all.
    """

    part: Part
    family: str = ""  # of an annotator, a LoRA and the safety checker there is none
    name: str = ""
    stamp: str = ""

    def __str__(self) -> str:
        family = own_base(self.family) or (self.family and family_of(self.family).title)
        return f"{f'{family}: ' if family else ''}{PART_TITLES[self.part]} {self.name}".rstrip()


Rows: TypeAlias = Mapping[tuple[int, int], torch.Tensor]


class Text(nn.Module):
    """CLIP's text encoder with its tokenizer, and the states of the prompts it read lately.

    These go when the encoder goes. Whoever changes its weights forgets them; what it wears is in their keys.
    """

    def __init__(self, tokenizer: Any, encoder: nn.Module) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.encoder = encoder
        self.kept: dict[Hashable, torch.Tensor] = {}  # (1, N, C), the latest last

    def forward(self, ids: torch.Tensor, *, skip: int = 0, rows: Rows | None = None) -> torch.Tensor:
        """The states (N, 77, C) of token ids (N, 77), of which the encoder's last `skip` layers know nothing.

        `rows` (C) stand in for what the encoder has for the tokens at some places (n, i).
        """
        encoder: Any = self.encoder
        with _standing_in(encoder.get_input_embeddings(), rows or {}):
            if not skip:
                states: torch.Tensor = encoder(ids).last_hidden_state
                return states
            inner = encoder(ids, output_hidden_states=True).hidden_states[-(skip + 1)]
        body = getattr(encoder, "text_model", encoder)
        normed: torch.Tensor = body.final_layer_norm(inner)
        return normed


@contextmanager
def _standing_in(table: nn.Module, rows: Rows) -> Iterator[None]:
    """Until the block ends, some rows of what a table answers are these."""

    def replaced(module: nn.Module, args: tuple[Any, ...], answer: torch.Tensor) -> torch.Tensor:
        for place, row in rows.items():
            answer[place] = torch.as_tensor(row, device=answer.device, dtype=answer.dtype)
        return answer

    handle = table.register_forward_hook(replaced)
    try:
        yield
    finally:
        handle.remove()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The latents that a picture may have: mean and deviation (1, 4, h, w), in float32, before scaling."""

    mean: torch.Tensor
    std: torch.Tensor
    scale: float

    def draw(self, generator: torch.Generator) -> torch.Tensor:
        """Latents (1, 4, h, w) by the chance of a generator of the CPU."""
        chance = torch.as_tensor(torch.randn(self.mean.shape, generator=generator), device=self.mean.device)
        return self.scale * (self.mean + self.std * chance)


class Decoder(nn.Module):
    """An autoencoder of diffusers, large or small, as far as it makes pictures."""

    def __init__(self, autoencoder: Any) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def decode(self, x_0: torch.Tensor) -> torch.Tensor:
        """The pictures (N, 3, 8h, 8w), about -1 to 1, of latents (N, 4, h, w)."""
        pictures: torch.Tensor = self.autoencoder.decode(self.unscaled(x_0)).sample
        return pictures

    def unscaled(self, x_0: torch.Tensor) -> torch.Tensor:
        """Latents as the autoencoder itself has them."""
        latents: torch.Tensor = x_0.type(self.autoencoder.dtype) / self.autoencoder.config.scaling_factor
        return latents


class Vae(Decoder):
    """The base's autoencoder, and beside it the linear map from a latent to a colour that fits it best."""

    rgb: torch.Tensor

    def __init__(self, autoencoder: Any) -> None:
        super().__init__(autoencoder)
        # no weight: it follows from the others, and differs in its last digits from process to process
        self.register_buffer("rgb", fit_rgb(self), persistent=False)

    def encode(self, picture: torch.Tensor, *, in_strips: bool = False) -> Spread:
        """The latents that a picture (1, 3, 8h, 8w), from -1 to 1, may have."""
        own = next(self.autoencoder.parameters())
        x = torch.as_tensor(picture, device=own.device, dtype=own.dtype)
        if in_strips:
            moments = Strips(own.device).encode(self.autoencoder, x)
            mean, log_variance = moments.float().chunk(2, dim=1)
            std = (log_variance.clamp(*LOG_VARIANCE) / 2).exp()
        else:
            found = self.autoencoder.encode(x)
            mean, std = found.latent_dist.mean.float(), found.latent_dist.std.float()
        return Spread(mean=mean, std=std, scale=self.autoencoder.config.scaling_factor)

    def decode_in_strips(self, x_0: torch.Tensor) -> torch.Tensor:
        """What `decode` makes of latents (1, 4, h, w), in less memory and a little more time."""
        return Strips(x_0.device).decode(self.autoencoder, self.unscaled(x_0))

    def bytes_at_once(self, height: int, width: int) -> int:
        """About how many bytes it takes to code a picture of so many pixels in one piece."""
        return bytes_at_once(self.autoencoder, height, width)

    def in_float32(self) -> "Vae | None":
        """A copy that computes in float32, or None where this one does."""
        if self.autoencoder.dtype == torch.float32:
            return None
        return copy.deepcopy(self).float()


@torch.no_grad()
def fit_rgb(vae: Decoder) -> torch.Tensor:
    """The matrix (5, 3) that takes a latent and a one to the mean colour, -1 to 1, of its pixels.

    Least squares over two smooth random latents, 8 by 8; with SD 1.5 it takes a second or two.
    """
    channels = vae.autoencoder.config.latent_channels
    coarse = torch.randn((2, channels, 3, 3), generator=torch.Generator().manual_seed(0))
    x_0 = nn.functional.interpolate(coarse, size=(8, 8), mode="bicubic", align_corners=True)
    colours = nn.functional.adaptive_avg_pool2d(vae.decode(x_0), (8, 8))
    inputs = x_0.movedim(1, -1).reshape(-1, channels)
    inputs = torch.cat((inputs, torch.ones(len(inputs), 1)), dim=1)
    rgb: torch.Tensor = torch.linalg.lstsq(inputs, colours.movedim(1, -1).reshape(-1, 3)).solution
    return rgb


def load(store: Store, key: ModelKey, dtype: torch.dtype) -> nn.Module:
    """The module of a key on the CPU, frozen, in `dtype`; missing or broken files are refused in words."""
    if key.part == "lora":
        with refusing(key):
            return lora.read(folder_of(store, key), dtype)
    if key.part == "safety":
        store.require_safety()
        with refusing(key):
            return safety.read(store.safety).eval().requires_grad_(False)
    _require(store, key)
    path = folder_of(store, key)
    try:
        if path.is_file():
            return _read_file(store, key, path, dtype)
        return read(path, key.part, dtype, what=key)
    except ModelError:
        _require(store, key)  # it may have gone meanwhile, which is another thing to say
        raise


def _require(store: Store, key: ModelKey) -> None:
    """Refuse what is not there whole; of files that users bring, also what the header says against them."""
    store.require(key.family, key.name if key.part == "control" else None)
    if key.part == "control" and "/" in key.name:
        own.require(store, key.family, key.name)
    elif key.part != "control":
        bases.require(store, key.family)


def _read_file(store: Store, key: ModelKey, path: Path, dtype: torch.dtype) -> nn.Module:
    """A part out of a single file, built by the configuration that its family has for it."""
    torchvision_ops.define_missing()
    from transformers import CLIPTokenizer

    configs = store.configs(key.family)
    with refusing(key):
        match key.part:
            case "text":
                tokenizer = CLIPTokenizer.from_pretrained(store.tokenizer(key.family), local_files_only=True)
                encoder = single_file.text(path, config_of(configs / "text_encoder" / "config.json"), dtype)
                return Text(tokenizer, encoder).eval()
            case "unet":
                return single_file.unet(path, config_of(configs / "unet" / "config.json"), dtype)
            case "vae":
                config = config_of(configs / "vae" / "config.json")
                vae = Vae(single_file.vae(path, config, torch.float32)).to(dtype)
                return vae.eval().requires_grad_(False)
            case _:
                served = family_of(key.family).control(key.name.partition("/")[0])
                config = config_of(configs / "unet" / "config.json")
                return single_file.control(path, config, dtype, pooled=served is not None and served.pooled)


def folder_of(store: Store, key: ModelKey) -> Path:
    """Where the files of a key are: a folder, or a single file."""
    if key.part == "lora":
        return extras.find(store, extras.LORA, key.name)
    if key.part == "vae" and key.name:
        return extras.find(store, extras.VAE, key.name)
    if key.part == "control":
        return store.control(key.family, key.name)
    return store.preview(key.family) if key.part == "preview" else store.base(key.family)


def weights_of(store: Store, key: ModelKey) -> tuple[Path, ...]:
    """The files with the weights of a key that is no annotator's; none where they are not there."""
    place = folder_of(store, key)
    if place.is_file():
        return (place,)
    folder = place / FOLDERS.get(key.part, "")
    found = [*folder.glob("*model.safetensors")] or [*folder.glob("*model.fp16.safetensors")]
    return tuple(found)


def read(folder: Path, part: Part, dtype: torch.dtype, *, what: object) -> nn.Module:
    """A part of the base in a folder, or the control in it, frozen; `what` names it where it is broken."""
    torchvision_ops.define_missing()
    import transformers
    from diffusers import AutoencoderKL, AutoencoderTiny, ControlNetModel, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    transformers.utils.logging.disable_progress_bar()
    module: nn.Module
    with refusing(what):
        match part:
            case "text":
                tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
                module = Text(tokenizer, _read(CLIPTextModel, folder / "text_encoder", dtype))
            case "unet":
                module = _built(UNet2DConditionModel, folder / "unet", dtype, what)
            case "vae":  # its colours are fitted in float32
                module = Vae(_read(AutoencoderKL, folder / "vae", torch.float32)).to(dtype)
            case "preview":
                module = Decoder(_read(AutoencoderTiny, folder, dtype))
            case "control":
                module = _built(ControlNetModel, folder, dtype, what)
            case "lora" | "safety" | "annotator":
                raise AssertionError("these are not parts of a folder")
    return module.eval().requires_grad_(False)


def _built(kind: Any, folder: Path, dtype: torch.dtype, what: object) -> nn.Module:
    """A large network of diffusers, in no more memory than it fills; all such files have one name."""
    try:
        return single_file.as_built(kind, folder, dtype)
    except ModelError as error:
        raise error.code(
            f"{what}: {error.what}", found=error.found, allowed=error.allowed, todo=error.todo
        ) from error


def _read(kind: Any, folder: Path, dtype: torch.dtype) -> nn.Module:
    """A module of diffusers or transformers; a tensor that the files lack is an error here, not a warning."""
    half = not list(folder.glob("*model.safetensors"))
    module: nn.Module
    module, report = kind.from_pretrained(
        folder,
        dtype=dtype,
        variant="fp16" if half else None,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    single_file.refuse_missing(folder.name, sorted(report["missing_keys"]), of=len(list(module.parameters())))
    if report["mismatched_keys"]:
        raise ValueError(f"{folder.name} has {len(report['mismatched_keys'])} tensors of another shape")
    for name, tensor in module.named_parameters():
        single_file.refuse_not_finite(folder.name, name, tensor)
        tensor.data = tensor.data.clone()  # else it lies in the file, and changes with it
    return module


@contextmanager
def refusing(what: object) -> Iterator[None]:
    """What the libraries raise on broken files, in our words; the details stay in the cause, for the log."""
    try:
        yield
    except BROKEN as error:
        raise MODEL_CORRUPT(
            f"{what} can't be read: a file is damaged, or made for something else",
            todo="Fetch the files again",
        ) from error
