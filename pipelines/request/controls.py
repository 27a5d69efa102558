"""The controls of a generation, declared once for page, endpoints, command line and checks."""

from dataclasses import replace
from typing import Any

from annotators import LARGEST_WORK, SMALLEST_WORK
from gate import Limits
from params import Param
from pipelines.fills import FILLS
from pipelines.modes import AUTO, MODES
from pipelines.schedulers import SCHEDULERS

LARGEST_SEED = 2**32 - 1
MOST_CONTROLS = 10
MOST_LORAS = 10

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
    labels=tuple(scheduler.label for scheduler in SCHEDULERS.values()),
    help="The solver that walks from noise to the picture.",
)
SIZE = Param(
    name="size",
    label="Size",
    kind="text",
    default="auto",
    length=20,
    choices=("auto", "256x256", "512x512", "512x768", "768x512"),
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
AGREEMENT = Param(
    name="agreement",
    label="Measure agreement",
    kind="switch",
    default=False,
    help="Looks at each finished picture again, and tells how much of the structure it has kept.",
)
SAFETY = Param(
    name="safety",
    label="Safety checker",
    kind="switch",
    default=False,
    help="Holds back finished pictures that the safety checker flags, and shows no previews.",
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
MODE = Param(
    name="mode",
    label="Balance",
    kind="choice",
    default=AUTO,
    choices=(AUTO, *MODES),
    labels=("As suits the model", *(mode.label for mode in MODES.values())),
    help="Which of the two gives way where the prompt and the control want different things.",
)
LAYER_WEIGHT = Param(
    name="layer_weights",
    label="Layer weight",
    kind="number",
    default=1.0,
    minimum=0,
    maximum=2,
    help="How much one layer of a control counts.",
)
CLIP_SKIP = Param(
    name="clip_skip",
    label="Clip skip",
    kind="integer",
    default=0,
    minimum=0,
    maximum=11,
    step=1,
    help="How many of the text encoder's last layers are left out; where other tools say 2, this is 1.",
)
VAE = Param(
    name="vae",
    label="VAE",
    kind="text",
    default="",
    length=200,
    help="A decoder of your own from weights/vaes, by its name; left empty, the model's.",
)
LORA_WEIGHT = Param(
    name="loras",
    label="LoRA weight",
    kind="number",
    default=1.0,
    minimum=-10,
    maximum=10,
    help="How much a LoRA counts: 0 ignores it, 1 is as trained.",
)
DENOISE = Param(
    name="denoise",
    label="Change",
    kind="number",
    default=0.75,
    minimum=0,
    maximum=1,
    step=0.05,
    help="How far the result may go from the start picture: 0 is not at all, 1 is as far as from none.",
)
MASK_BLUR = Param(
    name="mask_blur",
    label="Soft edge",
    kind="number",
    default=4.0,
    minimum=0,
    maximum=64,
    step=0.5,
    help="Over how many pixels the new part of the picture passes into the old.",
)
FILL = Param(
    name="fill",
    label="The hole begins with",
    kind="choice",
    default="original",
    choices=tuple(FILLS),
    labels=tuple(fill.label for fill in FILLS.values()),
    help="What is in the masked part before the first step; it matters less the more may change.",
)


def _extend(side: str, way: str) -> Param:
    return Param(
        name=side,
        label=f"Extend {way}",
        kind="integer",
        default=0,
        minimum=0,
        maximum=1024,
        step=64,
        help="By how many pixels the canvas grows there; the new part is painted.",
    )


RESOLUTION = Param(
    name="resolution",
    label="Resolution",
    kind="integer",
    default=512,
    minimum=SMALLEST_WORK,
    maximum=LARGEST_WORK,
    step=1,
    help="The short side of the picture while it is annotated.",
)

CONTROL = Param(
    name="control",
    label="Control",
    kind="text",
    default="",
    length=120,
    help="A control of your own from weights/controls, by its name; left empty, the model's.",
)

UNIT_PARAMS: tuple[Param, ...] = (STRENGTH, START, END, MODE, CONTROL)
START_PARAMS: tuple[Param, ...] = (DENOISE, MASK_BLUR, FILL)
SIDE_PARAMS: tuple[Param, ...] = (
    _extend("left", "left"),
    _extend("top", "up"),
    _extend("right", "right"),
    _extend("bottom", "down"),
)
ADVANCED_PARAMS: tuple[Param, ...] = (CLIP_SKIP, VAE)
RUN_PARAMS: tuple[Param, ...] = (
    *(STEPS, GUIDANCE, SCHEDULER, SIZE, SEED, COUNT, AGREEMENT, SAFETY),
    *ADVANCED_PARAMS,
)


def allowed_params(params: tuple[Param, ...], limits: Limits) -> tuple[Param, ...]:
    """The controls with the bounds of a profile, for the widgets and for the checks alike."""
    bounds: dict[str, dict[str, Any]] = {
        PROMPT.name: {"length": limits.prompt_characters},
        NEGATIVE_PROMPT.name: {"length": limits.prompt_characters},
        STEPS.name: {"maximum": limits.steps},
        COUNT.name: {"maximum": limits.count},
        RESOLUTION.name: {"maximum": limits.working_side},
    }
    return tuple(replace(param, **bounds.get(param.name, {})) for param in params)
