"""Models that are folders, in diffusers' layout: told by their configurations, complete or refused."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errors import MODEL_CORRUPT, MODEL_MISSING, MODEL_UNSAFE, ArmatureError
from models import layout
from models.inspect import kinds, nets
from models.inspect.forms import CONVERT
from models.inspect.kinds import Kind
from models.inspect.nets import Architecture, Net
from models.layout import BASE_FILES, CONTROL_FILES

LARGEST_CONFIG = 2**20  # bytes
# Of a text encoder the weights have another name, for it comes from another library.
WEIGHTS = ((*CONTROL_FILES[-1], "model.safetensors", "model.fp16.safetensors"),)
# Kinds by the class that a configuration names, and whose they are where the class alone tells.
CLASSES: Mapping[str, tuple[str, str]] = {
    "ControlNetModel": ("control", ""),
    "ControlNetUnionModel": ("control", "sdxl"),
    "SD3ControlNetModel": ("control", "sd3"),
    "FluxControlNetModel": ("control", "flux"),
    "ControlNetXSAdapter": ("control XS", ""),
    "UNet2DConditionModel": ("U-Net", ""),
    "AutoencoderKL": ("VAE", "sd"),
    "AutoencoderTiny": ("tiny VAE", ""),
    "T2IAdapter": ("T2I-Adapter", ""),
    "MotionAdapter": ("motion module", ""),
    "FluxTransformer2DModel": ("transformer", "flux"),
    "SD3Transformer2DModel": ("transformer", "sd3"),
}
PIPELINES = {"StableDiffusionXL": "sdxl", "StableDiffusion3": "sd3", "Flux": "flux"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A folder's model by its configurations, and the files of its weights."""

    kind: Kind
    architecture: Architecture
    net: Net | None
    files: tuple[Path, ...]


def config_of(path: Path) -> Mapping[str, Any]:
    """A configuration; empty where there is none that can be read."""
    try:
        with path.open("rb") as file:
            config = json.loads(file.read(LARGEST_CONFIG))
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


def model_in(folder: Path) -> Model | None:
    """The model that a folder's configurations describe; None where it has none."""
    if (folder / "model_index.json").is_file():
        return _base(folder)
    if not (folder / "config.json").is_file():
        return None
    config = config_of(folder / "config.json")
    name, whose = CLASSES.get(str(config.get("_class_name")), ("unknown", ""))
    if any("CLIPTextModel" in str(one) for one in config.get("architectures") or ()):
        name = "text encoder"
    kind, net = kinds.BY_NAME[name], None
    if nets.of_config(config).widths and "cross_attention_dim" in config:
        net = nets.of_config(config)
    if not config:
        raise MODEL_CORRUPT(
            f"The configuration of {folder.name} can't be read", todo="Fetch config.json again"
        )
    architecture = nets.BY_NAME.get(whose) or (net.architecture if net else nets.UNKNOWN)
    return Model(kind=kind, architecture=architecture, net=net, files=_files(folder, WEIGHTS))


def _base(folder: Path) -> Model:
    pipeline = str(config_of(folder / "model_index.json").get("_class_name"))
    other = next((name for begin, name in PIPELINES.items() if pipeline.startswith(begin)), None)
    if other:
        files = tuple(sorted(folder.glob("*/*.safetensors")))
        return Model(kind=kinds.FOLDER_BASE, architecture=nets.BY_NAME[other], net=None, files=files)
    files = _files(folder, BASE_FILES)
    net = nets.of_config(config_of(folder / "unet" / "config.json"))
    return Model(kind=kinds.FOLDER_BASE, architecture=net.architecture, net=net, files=files)


def only_file(folder: Path) -> Path:
    """The one model file of a folder without a configuration."""
    path = layout.model_at(folder)
    if path != folder:
        return path
    raise MODEL_MISSING(
        f"The folder {folder.name} holds no model that is known here",
        found=f"{len(layout.files_in(folder))} safetensors files, and no model_index.json or config.json",
        todo="Choose the file itself, or a folder in diffusers' layout",
    )


def _files(folder: Path, wanted: tuple[tuple[str, ...], ...]) -> tuple[Path, ...]:
    """The weights of a folder, all there; else a refusal that names what is missing."""
    found = [next(filter(Path.is_file, map(folder.joinpath, names)), None) for names in wanted]
    missing = [names for names, path in zip(wanted, found, strict=True) if path is None]
    if missing:
        raise _lacking(folder, missing)
    return tuple(path for path in found if path and path.suffix == ".safetensors")


def _lacking(folder: Path, missing: list[tuple[str, ...]]) -> ArmatureError:
    pickled = [
        other.relative_to(folder).as_posix()
        for names in missing
        for other in sorted((folder / names[0]).parent.glob("*.bin"))
        if names[0].endswith(".safetensors")
    ]
    if pickled:
        return MODEL_UNSAFE(
            f"The weights of {folder.name} are pickled: opening them can run code",
            found=pickled[0],
            allowed=missing[0][0],
            todo=CONVERT.replace("FILE", shlex.quote(f"{folder.name}/{pickled[0]}")),
        )
    return MODEL_MISSING(
        f"The folder {folder.name} is not complete",
        found=f"{len(missing)} files missing, such as {missing[0][0]}",
        todo="Complete it",
    )
