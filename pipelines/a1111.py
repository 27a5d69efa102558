"""The text under which other tools know a picture: AUTOMATIC1111's `parameters`, in its order and quoting.

    what the picture shows, in as many lines as that takes
    Negative prompt: what it should not show
    Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 5, Size: 512x768, ...

It says what those tools have a word for. What makes the picture again is in `pipelines/metadata.py`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PureWindowsPath
from types import MappingProxyType

import conditions
from models.catalogue import FAMILIES, Weight
from pipelines import prompts
from pipelines.request import ControlUnit, GenerateRequest

KEY = "parameters"
PROGRAM = "Armature"
SUFFIXES = (".safetensors", ".ckpt", ".pth", ".pt", ".bin")


@dataclass(frozen=True, slots=True)
class Module:
    """A preprocessor there, for an annotator here: when its switches `on` are on, with these `thresholds`."""

    name: str
    on: tuple[str, ...] = ()
    thresholds: tuple[str, ...] = ()


# For each annotator the nearest module, the first that fits. For all others there is none that makes such a
# map: a tool that reads "none" is given the map itself, which lies beside the picture.
MODULES: Mapping[str, tuple[Module, ...]] = MappingProxyType(
    {
        "canny": (Module("canny", thresholds=("low_threshold", "high_threshold")),),
        "softedge_pidi": (Module("softedge_pidisafe", on=("safe",)), Module("softedge_pidinet")),
        "softedge_hed": (Module("softedge_hedsafe", on=("safe",)), Module("softedge_hed")),
        "mlsd": (Module("mlsd", thresholds=("score", "distance")),),
        "scribble_xdog": (Module("scribble_xdog", thresholds=("threshold",)),),
        "scribble_hed": (Module("scribble_hed"),),
        "scribble_pidi": (Module("scribble_pidinet"),),
        "lineart_standard": (Module("lineart_standard (from white bg & black line)"),),
        "lineart": (Module("lineart_coarse", on=("coarse",)), Module("lineart_realistic")),
        "lineart_anime": (Module("lineart_anime"),),
        "openpose": (
            Module("openpose_full", on=("hands", "face")),
            Module("openpose_hand", on=("hands",)),
            Module("openpose_face", on=("face",)),
            Module("openpose"),
        ),
        "depth_anything": (Module("depth_anything_v2"),),
        "depth_midas": (Module("depth_midas"),),
        "depth_zoe": (Module("depth_zoe"),),
        "normal_bae": (Module("normal_bae"),),
        "normal_midas": (Module("normal_midas", thresholds=("background_threshold",)),),
        "seg_oneformer": (Module("seg_ofade20k"),),
        "shuffle": (Module("shuffle"),),
        "tile": (Module("tile_resample", thresholds=("factor",)),),
        "invert": (Module("invert (from white bg & black line)"),),
    }
)
NO_MODULE = Module("none")
MODES: Mapping[str, str] = MappingProxyType(
    {
        "balanced": "Balanced",
        "prompt": "My prompt is more important",
        "control": "ControlNet is more important",
        "strict": "ControlNet is more important",
        "guess": "ControlNet is more important",
    }
)
# Solver and spacing of the steps, for each scheduler. There, "Automatic" is the solver's own spacing: that of
# DPM++ 2M is Karras's. DDPM and TCD have no word there and keep their own.
SAMPLERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "unipc": ("UniPC", "Automatic"),
        "dpmpp_2m": ("DPM++ 2M", "Uniform"),
        "dpmpp_2m_karras": ("DPM++ 2M", "Karras"),
        "dpmpp_2m_sde_karras": ("DPM++ 2M SDE", "Karras"),
        "ays": ("DPM++ 2M", "Align Your Steps"),
        "euler": ("Euler", "Automatic"),
        "euler_a": ("Euler a", "Automatic"),
        "heun": ("Heun", "Automatic"),
        "ddim": ("DDIM", "Automatic"),
        "ddpm": ("DDPM", "Automatic"),
        "pndm": ("PLMS", "Automatic"),
        "lcm": ("LCM", "Automatic"),
        "tcd": ("TCD", "Automatic"),
    }
)
# What is in the hole at first; what is there already goes without saying.
MASKED: Mapping[str, str] = MappingProxyType(
    {"around": "fill", "noise": "latent noise", "nothing": "latent nothing"}
)


def parameters(request: GenerateRequest, seed: int) -> str:
    """The text for the picture of that seed."""
    prompt = prompts.tagged(request.prompt, request.loras)
    negative = f"Negative prompt: {request.negative_prompt}" if request.negative_prompt else ""
    pairs = ", ".join(f"{key}: {_quoted(value)}" for key, value in _pairs(request, seed))
    return "\n".join(part for part in (prompt, negative, pairs) if part).strip()


def _pairs(request: GenerateRequest, seed: int) -> Iterator[tuple[str, str]]:
    sampler, schedule = SAMPLERS[request.scheduler]
    yield "Steps", str(request.steps)
    yield "Sampler", sampler
    yield "Schedule type", schedule
    yield "CFG scale", f"{request.guidance:g}"
    yield "Seed", str(seed)
    yield "Size", f"{request.width}x{request.height}"
    yield "Model", _model(request)
    if request.vae:
        yield "VAE", _file_name(request.vae)
    if request.init:
        yield "Denoising strength", f"{request.denoise:g}"
    if request.clip_skip:
        yield "Clip skip", str(request.clip_skip + 1)  # there the last layer is 1
    yield "RNG", "CPU"  # where our noise is drawn, whatever runs the model
    for place, unit in enumerate(request.controls):
        yield f"ControlNet {place}", _control(request, unit)
    if request.mask and request.mask_blur:
        yield "Mask blur", f"{request.mask_blur:g}"
    if request.mask and request.fill in MASKED:
        yield "Masked content", MASKED[request.fill]
    yield "Version", PROGRAM


def _model(request: GenerateRequest) -> str:
    """The name of the base: of a file its own, and never its place on this machine."""
    if request.base:
        return _file_name(request.base)
    return _named(FAMILIES[request.family].base, request.family)


def _file_name(path: str) -> str:
    """What comes last, without its suffix; either kind of stroke parts it from what comes before."""
    name = PureWindowsPath(path).name
    return next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)


def _named(weight: Weight | None, otherwise: str) -> str:
    return weight.repo.rpartition("/")[2] if weight else otherwise


def _control(request: GenerateRequest, unit: ControlUnit) -> str:
    """The eleven fields of a unit. A comma or a colon in one of them would lose them all."""
    control = conditions.find(unit.condition).control(request.family)
    module = _module(unit)
    thresholds = [float(unit.values[name]) for name in module.thresholds if name in unit.values]
    low, high = (*thresholds, -1.0, -1.0)[:2]  # -1 stands for the module's own
    fields = {
        "Module": module.name,
        "Model": _named(control.weight, control.name),
        "Weight": unit.strength,
        "Resize Mode": "Crop and Resize",
        "Processor Res": min(request.width, request.height),
        "Threshold A": low,
        "Threshold B": high,
        "Guidance Start": unit.start,
        "Guidance End": unit.end,
        "Pixel Perfect": True,  # a picture is annotated at the size of the result
        "Control Mode": MODES.get(unit.mode, unit.mode),
    }
    return ", ".join(f"{key}: {_bare(value)}" for key, value in fields.items())


def _bare(value: object) -> str:
    return re.sub("[,:\n]+", " ", str(value))


def _module(unit: ControlUnit) -> Module:
    known = MODULES.get(unit.annotator, ())
    return next((module for module in known if all(map(unit.values.get, module.on))), NO_MODULE)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if re.search("[,:\n]", value) else value
