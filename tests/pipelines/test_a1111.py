"""The text for other tools, read back by a parser that was written from the format alone."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

import conditions
from annotators import ANNOTATORS
from pipelines import a1111
from pipelines.a1111 import MASKED, MODES, MODULES, parameters
from pipelines.fills import FILLS
from pipelines.modes import AUTO
from pipelines.request import ControlUnit, GenerateRequest
from pipelines.request.controls import UNIT_PARAMS
from pipelines.schedulers import SCHEDULERS

UNIT = ControlUnit(
    condition="canny",
    map="0" * 64,
    annotator="canny",
    values={"low_threshold": 60, "high_threshold": 120},
    strength=0.7,
    end=0.8,
)
REQUEST = GenerateRequest(
    prompt="a red house",
    negative_prompt="fog",
    controls=(UNIT,),
    width=512,
    height=768,
    family="sd15",
    seed=40,
    guidance=7.0,
)

PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def parsed(text: str) -> tuple[str, str, dict[str, str]]:
    """Prompt, negative prompt and the pairs of the last line, as those tools find them."""
    *lines, last = text.strip().split("\n")
    found = PAIR.findall(last)
    if len(found) < 3:
        lines, found = [*lines, last], []
    prompt: list[str] = []
    negative: list[str] = []
    target = "prompt"
    for line in lines:
        if line.startswith("Negative prompt:"):
            target, line = "negative", line[len("Negative prompt:") :]
        (negative if target == "negative" else prompt).append(line.strip())
    pairs = {key: json.loads(value) if value.startswith('"') else value for key, value in found}
    return "\n".join(prompt), "\n".join(negative), pairs


def unit_of(pairs: dict[str, str], place: int = 0) -> dict[str, str]:
    """The fields of a ControlNet unit, of which none may hold a comma or a colon."""
    fields = [field.partition(": ") for field in pairs[f"ControlNet {place}"].split(", ")]
    assert not any(":" in value for _, _, value in fields)
    return {key: value for key, _, value in fields}


def test_the_whole_text_of_a_usual_picture() -> None:
    assert parameters(REQUEST, 41) == (
        "a red house\n"
        "Negative prompt: fog\n"
        "Steps: 20, Sampler: UniPC, Schedule type: Automatic, CFG scale: 7, Seed: 41, Size: 512x768, "
        "Model: stable-diffusion-v1-5, RNG: CPU, "
        'ControlNet 0: "Module: canny, Model: control_v11p_sd15_canny, Weight: 0.7, '
        "Resize Mode: Crop and Resize, Processor Res: 512, Threshold A: 60.0, Threshold B: 120.0, "
        'Guidance Start: 0.0, Guidance End: 0.8, Pixel Perfect: True, Control Mode: Balanced", '
        "Version: Armature"
    )


ODD = {
    "nothing": "",
    "several lines": "a house\nby the sea\n\nat dawn",
    "quotes and commas": "a \"red\", 'blue' house: (large:1.3), [small], a\\b",
    "other letters": "家 – café, дом, 🗿 e\u0301",
    "a line end of Unicode": "one\u2028two\x85three",
    "a LoRA": "a house <lora:ink:0.8>, <lora:wash_v2:1>",
    "JSON": '{"format": 1, "request": {"seed": 3}, "list": [1, 2]}',
    "what looks like the last line": "Steps: 3, Sampler: none, Seed: 1, Size: 1x1",
    "8000 characters": "a house, " * 888 + "by the s",
    "8000 large characters": "🗿" * 8000,
}


@pytest.mark.parametrize("prompt", ODD.values(), ids=ODD)
@pytest.mark.parametrize("negative", ["", "fog: thick, grey\nrain", '"'])
def test_odd_prompts_come_back_from_the_text(prompt: str, negative: str) -> None:
    request = replace(REQUEST, prompt=prompt, negative_prompt=negative)
    found, against, pairs = parsed(parameters(request, 5))
    assert found == prompt
    assert against == negative
    assert (pairs["Steps"], pairs["Seed"], pairs["Size"]) == ("20", "5", "512x768")
    assert unit_of(pairs)["Weight"] == "0.7"
    assert pairs["Version"] == "Armature"


def test_what_a_prompt_does_to_itself_leaves_the_last_line_whole() -> None:
    request = replace(REQUEST, prompt="a house\nNegative prompt: not really")
    _, _, pairs = parsed(parameters(request, 5))
    assert pairs["Seed"] == "5"


ORDER = (
    *("Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Model", "VAE"),
    *("Denoising strength", "Clip skip", "RNG", "ControlNet 0", "ControlNet 1"),
    *("Mask blur", "Masked content", "Version"),
)


def test_all_keys_come_in_their_order() -> None:
    full = replace(
        REQUEST,
        base="bases/Dream, Shaper: 8.safetensors",
        vae="C:\\somebody\\vae-ft-mse.pt",
        loras=(("ink", 0.8), ("wash", 1.0)),
        prompt="a house <lora:ink:0.8>",
        clip_skip=1,
        init="1" * 64,
        denoise=0.55,
        mask="2" * 64,
        fill="noise",
        controls=(UNIT, replace(UNIT, condition="depth", annotator="depth_zoe", values={}, mode="guess")),
    )
    prompt, _, pairs = parsed(parameters(full, 5))
    assert tuple(pairs) == ORDER
    assert pairs["Model"] == "Dream, Shaper: 8"
    assert pairs["VAE"] == "vae-ft-mse"
    assert pairs["Clip skip"] == "2"
    assert pairs["Denoising strength"] == "0.55"
    assert prompt == "a house <lora:ink:0.8> <lora:wash:1>"
    second = unit_of(pairs, 1)
    assert (second["Module"], second["Model"]) == ("depth_zoe", "control_v11f1p_sd15_depth")
    assert (second["Threshold A"], second["Control Mode"]) == ("-1.0", "ControlNet is more important")


FIELDS = (
    *("Module", "Model", "Weight", "Resize Mode", "Processor Res", "Threshold A", "Threshold B"),
    *("Guidance Start", "Guidance End", "Pixel Perfect", "Control Mode"),
)


@pytest.mark.parametrize("annotator", ANNOTATORS)
def test_every_annotator_makes_a_unit_of_eleven_fields(annotator: str) -> None:
    values = {param.name: param.default for param in ANNOTATORS[annotator].params}
    condition = next(c for c in conditions.CONDITIONS.values() if annotator in c.annotators)
    unit = replace(UNIT, condition=condition.name, annotator=annotator, values=values)
    _, _, pairs = parsed(parameters(replace(REQUEST, controls=(unit,)), 5))
    fields = unit_of(pairs)
    assert tuple(fields) == FIELDS
    assert fields["Module"] in {"none", *(module.name for module in MODULES.get(annotator, ()))}


@pytest.mark.parametrize(
    ("annotator", "values", "module"),
    [
        ("softedge_hed", {"safe": True}, "softedge_hedsafe"),
        ("softedge_hed", {"safe": False}, "softedge_hed"),
        ("openpose", {"body": True, "hands": True, "face": True}, "openpose_full"),
        ("openpose", {"body": True, "hands": False, "face": True}, "openpose_face"),
        ("openpose", {"body": True, "hands": False, "face": False}, "openpose"),
        ("lineart", {"coarse": True}, "lineart_coarse"),
        ("none", {}, "none"),
        ("softedge_gradient", {}, "none"),
    ],
)
def test_switches_choose_the_module(annotator: str, values: dict[str, Any], module: str) -> None:
    unit = replace(UNIT, annotator=annotator, values=values)
    assert unit_of(parsed(parameters(replace(REQUEST, controls=(unit,)), 5))[2])["Module"] == module


def test_the_modules_are_of_annotators_that_are_there() -> None:
    assert set(MODULES) <= set(ANNOTATORS)
    for name, modules in MODULES.items():
        settings = {param.name: param.kind for param in ANNOTATORS[name].params}
        for module in modules:
            assert all(settings[switch] == "switch" for switch in module.on)
            assert all(settings[value] in ("integer", "number") for value in module.thresholds)
            assert not set(module.name) & set(",:")
        assert not modules[-1].on, "one must fit"


def test_every_mode_has_its_name() -> None:
    declared = [param for param in UNIT_PARAMS if param.name == "mode"]
    assert {choice for param in declared for choice in param.choices} - {AUTO} == set(MODES)


# The words of the web UI 1.10, from its own tables; what it lacks has none.
ITS_SAMPLERS = {"UniPC", "DPM++ 2M", "DPM++ 2M SDE", "Euler", "Euler a", "Heun", "DDIM", "PLMS", "LCM"}
ITS_SCHEDULES = {"Automatic", "Uniform", "Karras", "Exponential", "Align Your Steps"}
UNKNOWN_THERE = {"ddpm", "tcd"}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_is_a_sampler_and_a_schedule_of_theirs(name: str) -> None:
    _, _, pairs = parsed(parameters(replace(REQUEST, scheduler=name), 5))
    assert (pairs["Sampler"] in ITS_SAMPLERS) == (name not in UNKNOWN_THERE)
    assert pairs["Schedule type"] in ITS_SCHEDULES
    karras = bool(SCHEDULERS[name].config.get("use_karras_sigmas"))
    assert (pairs["Schedule type"] == "Karras") == karras


def test_a_spacing_is_told_where_theirs_would_be_another() -> None:
    """Left to itself, DPM++ 2M is spaced as Karras has it there."""
    _, _, pairs = parsed(parameters(replace(REQUEST, scheduler="dpmpp_2m"), 5))
    assert (pairs["Sampler"], pairs["Schedule type"]) == ("DPM++ 2M", "Uniform")
    _, _, pairs = parsed(parameters(replace(REQUEST, scheduler="ays", steps=10), 5))
    assert (pairs["Sampler"], pairs["Schedule type"]) == ("DPM++ 2M", "Align Your Steps")


MASK_KEYS = ("Denoising strength", "Mask blur", "Masked content")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"denoise": 0.4}, {}),
        ({"init": "1" * 64, "denoise": 0.4}, {"Denoising strength": "0.4"}),
        ({"init": "1" * 64}, {"Denoising strength": "1"}),
        (
            {"init": "1" * 64, "mask": "2" * 64, "denoise": 0.75},
            {"Denoising strength": "0.75", "Mask blur": "4"},
        ),
        (
            {"init": "1" * 64, "mask": "2" * 64, "mask_blur": 0.0, "fill": "around"},
            {"Denoising strength": "1", "Masked content": "fill"},
        ),
        (
            {"init": "1" * 64, "mask": "2" * 64, "mask_blur": 2.5, "fill": "noise"},
            {"Denoising strength": "1", "Mask blur": "2.5", "Masked content": "latent noise"},
        ),
        (
            {"init": "1" * 64, "mask": "2" * 64, "fill": "nothing"},
            {"Denoising strength": "1", "Mask blur": "4", "Masked content": "latent nothing"},
        ),
    ],
)
def test_a_start_picture_and_a_mask_are_told_as_they_are_there(
    fields: dict[str, Any], expected: dict[str, str]
) -> None:
    _, _, pairs = parsed(parameters(replace(REQUEST, **fields), 5))
    assert {key: value for key, value in pairs.items() if key in MASK_KEYS} == expected


def test_every_fill_has_its_word() -> None:
    assert {*MASKED, "original"} == set(FILLS)


@pytest.mark.parametrize("family", ["pocket", "sd15"])
def test_every_condition_is_a_unit_with_its_own_model(family: str) -> None:
    """One unit for each, in the stack's order, all of them read back."""
    served = [condition for condition in conditions.CONDITIONS.values() if family in condition.controls]
    units = tuple(
        ControlUnit(condition=condition.name, map="0" * 64, strength=0.1 * place, start=0.25)
        for place, condition in enumerate(served, 1)
    )
    _, _, pairs = parsed(parameters(replace(REQUEST, family=family, controls=units), 5))
    read = [unit_of(pairs, place) for place in range(len(units))]
    assert f"ControlNet {len(units)}" not in pairs
    for condition, unit, fields in zip(served, units, read, strict=True):
        weight = condition.control(family).weight
        model = weight.repo.rpartition("/")[2] if weight else condition.controls[family]
        assert fields["Model"] == model
        assert float(fields["Weight"]) == unit.strength
        assert (fields["Module"], fields["Guidance Start"]) == ("none", "0.25")


def test_the_built_in_family_has_its_own_names() -> None:
    request = replace(REQUEST, family="pocket", width=256, height=256)
    _, _, pairs = parsed(parameters(request, 5))
    assert (pairs["Model"], unit_of(pairs)["Model"]) == ("pocket", "lines")
    assert a1111.KEY == "parameters"
