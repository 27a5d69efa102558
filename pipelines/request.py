"""What one generation is asked for and what it answers: frozen, torch-free, plain JSON.

Browser, API, command line and tests all make the same `GenerateRequest`. Pictures in it are SHA-256 hashes of
files that the picture store keeps, so a request survives a restart and travels in a PNG.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias

import conditions
from annotators.base import Pixels
from errors import BUDGET, PARAM_CHOICE, PARAM_RANGE, PARAM_TYPE, PROMPT_TOO_LONG
from gate import Limits
from models.catalogue import FAMILIES, Family
from params import Param, Value
from pipelines.schedulers import SCHEDULERS

Stage: TypeAlias = Literal["loading", "annotating", "denoising", "decoding", "saving"]
LARGEST_SEED = 2**32 - 1

PROMPT = Param(
    name="prompt",
    label="Prompt",
    kind="text",
    default="",
    length=8000,
    lines=3,
    help="What the picture shows, in your words.",
)
NEGATIVE_PROMPT = Param(
    name="negative_prompt",
    label="Negative prompt",
    kind="text",
    default="",
    length=8000,
    lines=2,
    help="What the picture should not show.",
)
STEPS = Param(
    name="steps",
    label="Steps",
    kind="integer",
    default=20,
    minimum=1,
    maximum=150,
    step=1,
    help="More steps take longer and settle finer detail; 20 is usually enough.",
)
GUIDANCE = Param(
    name="guidance",
    label="Guidance",
    kind="number",
    default=7.5,
    minimum=1,
    maximum=30,
    step=0.5,
    help="How closely the prompt is followed; 1 switches guidance off and is twice as fast.",
)
SCHEDULER = Param(
    name="scheduler",
    label="Scheduler",
    kind="choice",
    default="unipc",
    choices=tuple(SCHEDULERS),
    help="The solver that walks from noise to the picture.",
)
SIZE = Param(
    name="size",
    label="Size",
    kind="text",
    default="auto",
    length=20,
    help="“auto” keeps the picture's shape at the model's own scale; or width and height, such as 768x512.",
)
SEED = Param(
    name="seed",
    label="Seed",
    kind="integer",
    default=-1,
    minimum=-1,
    maximum=LARGEST_SEED,
    step=1,
    help="The same seed makes the same picture again; -1 draws one and shows it.",
)
COUNT = Param(
    name="count",
    label="Pictures",
    kind="integer",
    default=1,
    minimum=1,
    maximum=8,
    step=1,
    help="How many pictures to make; each has its own seed, counting up.",
)
STRENGTH = Param(
    name="strength",
    label="Control strength",
    kind="number",
    default=1.0,
    minimum=0,
    maximum=2,
    step=0.05,
    help="How firmly the map is followed: 0 ignores it, 1 is as trained.",
)
START = Param(
    name="start",
    label="Control from",
    kind="number",
    default=0.0,
    minimum=0,
    maximum=1,
    step=0.05,
    help="The part of the run at which the control sets in.",
)
END = Param(
    name="end",
    label="Control until",
    kind="number",
    default=1.0,
    minimum=0,
    maximum=1,
    step=0.05,
    help="The part of the run at which the control lets go.",
)

UNIT_PARAMS: tuple[Param, ...] = (STRENGTH, START, END)
RUN_PARAMS: tuple[Param, ...] = (STEPS, GUIDANCE, SCHEDULER, SIZE, SEED, COUNT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlUnit:
    """One control: its map, where the map came from, and how firmly and when it holds.

    `map` and `region` are content hashes; `layer_weights` are 13 factors, shallowest first.
    """

    condition: str
    map: str
    annotator: str = "none"
    values: Mapping[str, Value] = field(default_factory=dict)
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    mode: str = "balanced"
    layer_weights: tuple[float, ...] = ()
    region: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest:
    """Everything that makes one batch of pictures again; `init` and `mask` are content hashes.

    Image `i` of the batch is made from seed `(seed + i) mod 2^32`, alone or together.
    """

    prompt: str
    controls: tuple[ControlUnit, ...]
    width: int
    height: int
    negative_prompt: str = ""
    family: str = "pocket"
    base: str | None = None
    vae: str | None = None
    loras: tuple[tuple[str, float], ...] = ()
    clip_skip: int = 0
    init: str | None = None
    denoise: float = 1.0
    mask: str | None = None
    steps: int = 20
    guidance: float = 7.5
    scheduler: str = "unipc"
    seed: int = -1
    count: int = 1
    agreement: bool = False

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each picture; the request's own seed must have been drawn by now."""
        assert self.seed >= 0, "the seed is drawn when the request is built"
        return tuple((self.seed + index) % (LARGEST_SEED + 1) for index in range(self.count))

    def to_json(self) -> str:
        """The request as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "GenerateRequest":
        """The request that `to_json` wrote; `checked` still has to see it."""
        entry = json.loads(text)
        entry["controls"] = tuple(
            ControlUnit(**{**unit, "layer_weights": tuple(unit["layer_weights"])})
            for unit in entry["controls"]
        )
        entry["loras"] = tuple((name, weight) for name, weight in entry["loras"])
        return cls(**entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands; in the stage "denoising" one comes after each of the `total` steps.

    `preview` is RGB uint8 (h, w, 3) of at most 256 pixels a side, or None.
    """

    stage: Stage = "denoising"
    step: int
    total: int
    preview: Pixels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The finished pictures, RGB uint8 (H, W, 3), with the seed of each and the request that makes them again."""

    images: tuple[Pixels, ...]
    seeds: tuple[int, ...]
    maps: tuple[Pixels, ...]
    request: GenerateRequest
    notices: tuple[str, ...] = ()


def allowed_params(params: tuple[Param, ...], limits: Limits) -> tuple[Param, ...]:
    """The controls with the bounds of a profile, for the widgets and for the checks alike."""
    most = {"steps": limits.steps, "count": limits.count, "prompt": limits.prompt_characters}
    most["negative_prompt"] = limits.prompt_characters
    return tuple(
        replace(param, **{"length" if param.kind == "text" else "maximum": most[param.name]})
        if param.name in most
        else param
        for param in params
    )


def checked(request: GenerateRequest, limits: Limits) -> GenerateRequest:
    """The request itself when every field is within bounds and is supported; else a refusal."""
    if request.family not in FAMILIES:
        raise PARAM_CHOICE(
            "There is no such model family",
            found=repr(request.family),
            allowed=", ".join(FAMILIES),
            todo="Change the model",
        )
    for param in allowed_params((STEPS, GUIDANCE, SCHEDULER, SEED, COUNT), limits):
        param.check(getattr(request, param.name))
    for text in (request.prompt, request.negative_prompt):
        if len(text) > limits.prompt_characters:
            raise PROMPT_TOO_LONG(
                "The prompt is too long",
                found=f"{len(text)} characters",
                allowed=f"at most {limits.prompt_characters}",
                todo="Shorten it",
            )
    _check_size(request, FAMILIES[request.family], limits)
    _check_later_fields(request)
    for unit in request.controls:
        _check_unit(unit, request.family)
    return request


def _check_size(request: GenerateRequest, family: Family, limits: Limits) -> None:
    largest = min(family.largest, limits.largest_side)
    for side in (request.width, request.height):
        if isinstance(side, bool) or not isinstance(side, int):
            raise PARAM_TYPE("A side is a whole number of pixels", found=repr(side), todo="Change size")
        if not family.smallest <= side <= largest or side % family.multiple:
            raise PARAM_RANGE(
                f"{family.title} can't make this size",
                found=f"{request.width}x{request.height}",
                allowed=f"sides from {family.smallest} to {largest} in steps of {family.multiple}",
                todo="Change size",
            )
    work = request.count * request.steps * request.width * request.height
    if work > limits.budget:
        raise BUDGET(
            "This is more work than one job may be",
            found=f"{request.count} pictures of {request.width}x{request.height} in {request.steps} steps",
            allowed=f"{limits.budget // (request.width * request.height * request.steps)} pictures so",
            todo="Make fewer pictures, fewer steps or a smaller size",
        )


def _check_unit(unit: ControlUnit, family: str) -> None:
    conditions.find(unit.condition).control(family)
    for param in UNIT_PARAMS:
        param.check(getattr(unit, param.name))
    if unit.start >= unit.end:
        raise PARAM_RANGE(
            "The control ends before it begins",
            found=f"from {unit.start:g} until {unit.end:g}",
            allowed="a start below the end",
            todo="Change start or end",
        )


# Fields whose work comes later, with the only value that is taken until then.
LATER_REQUEST = {
    "base": None,
    "vae": None,
    "loras": (),
    "clip_skip": 0,
    "init": None,
    "denoise": 1.0,
    "mask": None,
    "agreement": False,
}
LATER_UNIT = {"mode": "balanced", "layer_weights": (), "region": None}


def _check_later_fields(request: GenerateRequest) -> None:
    held = [(request, LATER_REQUEST), *((unit, LATER_UNIT) for unit in request.controls)]
    for entry, later in held:
        for name, only in later.items():
            if getattr(entry, name) != only:
                raise PARAM_CHOICE(
                    f"{name} is not supported yet",
                    found=repr(getattr(entry, name)),
                    allowed=repr(only),
                    todo=f"Leave {name} out",
                )
    if len(request.controls) != 1:
        raise PARAM_CHOICE(
            "Several controls together are not supported yet",
            found=f"{len(request.controls)} controls",
            allowed="exactly one",
            todo="Keep one control",
        )
