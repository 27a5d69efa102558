"""The request: JSON and back, seeds, and what is refused until its part arrives."""

import json
from dataclasses import replace
from typing import Any

import pytest

from errors import ArmatureError
from gate import LIMITS
from pipelines.request import ControlUnit, GenerateRequest
from pipelines.request.checks import checked

UNIT = ControlUnit(condition="canny", map="0" * 64, annotator="canny", values={"low_threshold": 50})
REQUEST = GenerateRequest(prompt="“ein Haus” 家", controls=(UNIT,), width=256, height=320, seed=7, count=3)


def test_json_and_back_is_the_same_request() -> None:
    full = replace(
        REQUEST,
        loras=(("ink", 0.8),),
        controls=(replace(UNIT, layer_weights=(0.5,) * 13), UNIT),
        init="1" * 64,
    )
    assert GenerateRequest.from_json(full.to_json()) == full
    assert json.loads(full.to_json())["controls"][0]["layer_weights"] == [0.5] * 13


def test_image_i_has_seed_plus_i_around_the_end() -> None:
    assert replace(REQUEST, seed=2**32 - 2).seeds == (2**32 - 2, 2**32 - 1, 0)


def test_a_good_request_passes_unchanged() -> None:
    assert checked(REQUEST, LIMITS["local"]) is REQUEST


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"base": "../dreamshaper"}, "PARAM_CHOICE"),
        ({"vae": 5}, "PARAM_TYPE"),
        ({"vae": "x" * 201}, "PARAM_RANGE"),
        ({"loras": (("ink", 11.0),)}, "PARAM_RANGE"),
        ({"loras": (("ink", "1"),)}, "PARAM_TYPE"),
        ({"loras": ((7, 1.0),)}, "PARAM_TYPE"),
        ({"loras": (("ink", 1.0), ("ink", 0.5))}, "PARAM_CHOICE"),
        ({"loras": tuple((f"ink{i}", 1.0) for i in range(11))}, "PARAM_RANGE"),
        ({"prompt": "<lora:ink:0.8> a"}, "PARAM_CHOICE"),
        ({"prompt": "<lora:ink:0.8> a", "loras": (("ink", 0.7),)}, "PARAM_CHOICE"),
        ({"prompt": "<lora:ink:much> a"}, "PROMPT_SYNTAX"),
        ({"prompt": "<lora:ink:0.8:0.5> a"}, "PROMPT_SYNTAX"),
        ({"prompt": "<hypernet:ink:1>"}, "PROMPT_SYNTAX"),
        ({"negative_prompt": "<lora:ink:1>"}, "PROMPT_SYNTAX"),
        ({"clip_skip": -1}, "PARAM_RANGE"),
        ({"clip_skip": 12}, "PARAM_RANGE"),
        ({"clip_skip": "1"}, "PARAM_TYPE"),
        ({"denoise": 0.5}, "IMG_EMPTY"),
        ({"mask": "1" * 64}, "IMG_EMPTY"),
        ({"init": "1" * 64, "denoise": 1.1}, "PARAM_RANGE"),
        ({"init": "1" * 64, "denoise": "1"}, "PARAM_TYPE"),
        ({"init": "1" * 64, "denoise": 0.04}, "PARAM_RANGE"),
        ({"init": "1" * 64, "denoise": 0.0}, "PARAM_RANGE"),
        ({"init": "1" * 64, "mask": "2" * 64, "mask_blur": -1.0}, "PARAM_RANGE"),
        ({"init": "1" * 64, "mask": "2" * 64, "fill": "water"}, "PARAM_CHOICE"),
        ({"controls": (UNIT, replace(UNIT, condition="inpaint"))}, "IMG_EMPTY"),
        ({"controls": (replace(UNIT, condition="inpaint"),), "init": "1" * 64}, "IMG_EMPTY"),
        ({"agreement": "yes"}, "PARAM_TYPE"),
        ({"controls": (UNIT,) * 11}, "PARAM_RANGE"),
        ({"controls": (UNIT, replace(UNIT, mode="loose"))}, "PARAM_CHOICE"),
        ({"controls": (replace(UNIT, layer_weights=(1.0, 3.0)),)}, "PARAM_RANGE"),
        ({"controls": (replace(UNIT, layer_weights=(1.0, True)),)}, "PARAM_TYPE"),
        ({"controls": (replace(UNIT, condition="nonsense"),)}, "PARAM_CHOICE"),
        ({"controls": (replace(UNIT, condition="qr"),)}, "MODEL_MISSING"),
        ({"controls": (replace(UNIT, start=0.6, end=0.4),)}, "PARAM_RANGE"),
        ({"family": "sdxl"}, "PARAM_CHOICE"),
        ({"family": ["pocket"]}, "PARAM_CHOICE"),
        ({"prompt": 7}, "PARAM_TYPE"),
        ({"width": 250}, "PARAM_RANGE"),
        ({"width": 1024}, "PARAM_RANGE"),
        ({"height": 320.0}, "PARAM_TYPE"),
        ({"steps": 151}, "PARAM_RANGE"),
        ({"scheduler": "magic"}, "PARAM_CHOICE"),
        ({"prompt": "x" * 8001}, "PROMPT_TOO_LONG"),
        ({"prompt": "(" * 8000}, "PROMPT_SYNTAX"),
        ({"negative_prompt": "(hands:99)"}, "PROMPT_SYNTAX"),
        ({"family": "sd15", "width": 2048, "height": 2048, "steps": 150, "count": 8}, "BUDGET"),
    ],
)
def test_what_is_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(ArmatureError) as refusal:
        checked(replace(REQUEST, **change), LIMITS["local"])
    assert refusal.value.code.name == code
    assert refusal.value.todo


@pytest.mark.parametrize(
    "controls",
    [
        (),
        (UNIT,) * 10,
        (replace(UNIT, mode="guess"), replace(UNIT, layer_weights=(0.5,) * 13, region="1" * 64)),
    ],
)
def test_any_number_of_controls_passes_up_to_ten(controls: tuple[ControlUnit, ...]) -> None:
    request = replace(REQUEST, controls=controls)
    assert checked(request, LIMITS["local"]) is request


@pytest.mark.parametrize(
    "change",
    [
        {"init": "1" * 64},
        {"init": "1" * 64, "denoise": 0.05},
        {"init": "1" * 64, "mask": "2" * 64, "denoise": 0.8, "mask_blur": 9.0, "fill": "around"},
        {"init": "1" * 64, "mask": "2" * 64, "controls": (replace(UNIT, condition="inpaint"), UNIT)},
    ],
)
def test_a_start_picture_passes_with_and_without_a_mask(change: dict[str, Any]) -> None:
    request = replace(REQUEST, **change)
    assert checked(request, LIMITS["local"]) is request
    assert GenerateRequest.from_json(request.to_json()) == request


def test_more_controls_are_more_work() -> None:
    request = replace(REQUEST, count=8, width=512, height=512, steps=150)
    limits = replace(LIMITS["local"], budget=8 * 512 * 512 * 150)
    assert checked(request, limits) is request
    with pytest.raises(ArmatureError, match="5 pictures so") as refusal:
        checked(replace(request, controls=(UNIT,) * 3), limits)
    assert refusal.value.code.name == "BUDGET"


def test_the_budget_says_what_would_fit() -> None:
    request = replace(REQUEST, family="sd15", width=1024, height=1024, steps=150, count=8)
    with pytest.raises(ArmatureError) as refusal:
        checked(request, LIMITS["local"])
    fits = int(refusal.value.allowed.split()[0])
    assert checked(replace(request, count=fits), LIMITS["local"]).count == fits
