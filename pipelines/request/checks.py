"""Whether a request is within bounds, and asks for nothing that is not there yet."""

import conditions
from errors import (
    BUDGET,
    IMG_EMPTY,
    PARAM_CHOICE,
    PARAM_RANGE,
    PARAM_TYPE,
    PROMPT_SYNTAX,
    PROMPT_TOO_LONG,
)
from gate import Limits
from models import bases, own
from models.catalogue import FAMILIES, Family
from pipelines import prompts
from pipelines.request import ControlUnit, GenerateRequest
from pipelines.request.controls import (
    AGREEMENT,
    CLIP_SKIP,
    COUNT,
    GUIDANCE,
    LAYER_WEIGHT,
    LORA_WEIGHT,
    MOST_CONTROLS,
    MOST_LORAS,
    SAFETY,
    SCHEDULER,
    SEED,
    START_PARAMS,
    STEPS,
    UNIT_PARAMS,
    VAE,
    allowed_params,
)
from pipelines.schedulers import SCHEDULERS

UNET_COST, CONTROL_COST = 803, 283  # what a step of each costs, in GFLOP, of Stable Diffusion 1.5 at 512x512


def checked(request: GenerateRequest, limits: Limits) -> GenerateRequest:
    """The request itself when every field is within bounds and is supported; else a refusal."""
    if not isinstance(request.family, str) or request.family not in FAMILIES:
        raise PARAM_CHOICE(
            "There is no such model family",
            found=repr(request.family),
            allowed=", ".join(FAMILIES),
            todo="Change the model",
        )
    if request.base is not None and not (
        isinstance(request.base, str) and bases.NAME.fullmatch(request.base)
    ):
        raise PARAM_CHOICE(
            "There is no such base",
            found=repr(request.base)[:70],
            allowed="the name of a file or folder in weights/bases",
            todo="Change the model",
        )
    for param in allowed_params(
        (STEPS, GUIDANCE, SCHEDULER, SEED, COUNT, AGREEMENT, CLIP_SKIP, SAFETY), limits
    ):
        param.check(getattr(request, param.name))
    VAE.check(VAE.default if request.vae is None else request.vae)
    for text in (request.prompt, request.negative_prompt):
        if not isinstance(text, str):
            raise PARAM_TYPE("A prompt is text", found=type(text).__name__, todo="Change the prompt")
        if len(text) > limits.prompt_characters:
            raise PROMPT_TOO_LONG(
                "The prompt is too long",
                found=f"{len(text)} characters",
                allowed=f"at most {limits.prompt_characters}",
                todo="Shorten it",
            )
        prompts.parse(text)
    _check_loras(request)
    _check_steps(request)
    _check_size(request, FAMILIES[request.family], limits)
    if len(request.controls) > MOST_CONTROLS:
        raise PARAM_RANGE(
            "These are too many controls",
            found=f"{len(request.controls)} controls",
            allowed=f"at most {MOST_CONTROLS}",
            todo="Remove some",
        )
    for unit in request.controls:
        _check_unit(unit, request.family)
    _check_start(request)
    return request


def _check_loras(request: GenerateRequest) -> None:
    """Each LoRA once, and those that the prompt names among them, with the same weight."""
    if prompts.loras(request.negative_prompt):
        raise PROMPT_SYNTAX(
            "A LoRA can't be named in the negative prompt",
            found=", ".join(name for name, _ in prompts.loras(request.negative_prompt))[:60],
            todo="Name it in the prompt, with a negative weight if you like",
        )
    for name, weight in request.loras:
        if not isinstance(name, str):
            raise PARAM_TYPE("A LoRA has a name", found=type(name).__name__, todo="Change loras")
        LORA_WEIGHT.check(weight)
    asked, named = dict(request.loras), prompts.loras(request.prompt)
    if len(asked) < len(request.loras) or any(asked.get(name) != weight for name, weight in named):
        raise PARAM_CHOICE(
            "The LoRAs are not those that the prompt names",
            found=", ".join(f"{name}: {weight:g}" for name, weight in request.loras)[:120] or "none",
            allowed=", ".join(f"{name}: {weight:g}" for name, weight in named)[:120] or "each once",
            todo="Change loras, or the prompt",
        )
    if len(asked) > MOST_LORAS:
        raise PARAM_RANGE(
            "These are too many LoRAs",
            found=f"{len(asked)} LoRAs",
            allowed=f"at most {MOST_LORAS}",
            todo="Remove some",
        )


def _check_steps(request: GenerateRequest) -> None:
    scheduler = SCHEDULERS[request.scheduler]
    allowed = scheduler.allowed_steps
    if request.steps not in allowed:
        raise PARAM_RANGE(
            f"{scheduler.label} can't take this number of steps",
            found=f"{request.steps} steps",
            allowed=f"{allowed[0]} steps" if len(allowed) == 1 else f"up to {allowed[-1]} steps",
            todo="Change steps, or choose another scheduler",
        )


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
    work = request.steps * request.width * request.height
    share = (UNET_COST + CONTROL_COST * len(request.controls)) / (UNET_COST + CONTROL_COST)
    if request.count * work * share > limits.budget:
        raise BUDGET(
            "This is more work than one job may be",
            found=f"{request.count} pictures of {request.width}x{request.height} in {request.steps} steps"
            f" with {len(request.controls)} controls",
            allowed=f"{int(limits.budget / (work * share))} pictures so",
            todo="Make fewer pictures, fewer steps or a smaller size",
        )


def _check_unit(unit: ControlUnit, family: str) -> None:
    conditions.find(unit.condition)
    if unit.control:
        own.refuse_name(unit.control)
    unit.network(family)
    for param in UNIT_PARAMS:
        param.check(getattr(unit, param.name))
    for weight in unit.layer_weights:
        LAYER_WEIGHT.check(weight)
    if unit.start >= unit.end:
        raise PARAM_RANGE(
            "The control ends before it begins",
            found=f"from {unit.start:g} until {unit.end:g}",
            allowed="a start below the end",
            todo="Change start or end",
        )


def _check_start(request: GenerateRequest) -> None:
    """Start picture and mask: each is there where another needs it, and something of the run is left."""
    for param in START_PARAMS:
        param.check(getattr(request, param.name))
    if request.init is None and (request.mask is not None or request.denoise != 1):
        raise IMG_EMPTY("There is no start picture to change", todo="Give one, or leave out mask and denoise")
    if not request.taken:
        raise PARAM_RANGE(
            "Nothing would change",
            found=f"{request.denoise:g} of {request.steps} steps",
            allowed="at least one step",
            todo="Change denoise or steps",
        )
    holed = [unit.condition for unit in request.controls if conditions.find(unit.condition).has_hole]
    if holed and request.mask is None:
        raise IMG_EMPTY(
            f"{conditions.find(holed[0]).title} does not know yet what to repaint",
            todo="Paint a mask over it, or bring one",
        )
