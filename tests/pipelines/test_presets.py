"""Presets: each is a setting that its own scheduler and the checks take, and sets nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from gate import LIMITS, Profile
from models.catalogue import FAMILIES
from pipelines.cache import ModelCache
from pipelines.generate import generate
from pipelines.request import Result
from pipelines.request.checks import checked
from pipelines.request.controls import STEPS
from pipelines.request.presets import PRESET_PARAMS, PRESETS, few_steps, guidance_for, steps_for
from pipelines.schedulers import SCHEDULERS
from tests.conftest import MakeRequest


@pytest.mark.parametrize("profile", list(LIMITS))
@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_is_a_request_that_is_taken(name: str, profile: Profile, make_request: MakeRequest) -> None:
    values: dict[str, Any] = PRESETS[name].values("pocket")
    assert set(values) == {param.name for param in PRESET_PARAMS}
    request = make_request(width=128, height=128, **values)
    assert checked(request, LIMITS[profile]) is request


def test_the_usual_one_is_what_is_set_without_it() -> None:
    usual = {param.name: param.default for param in PRESET_PARAMS}
    assert PRESETS["usual"].values("sd15") == usual
    assert PRESETS["usual"].values("sd15/mine.safetensors") == usual


def test_each_family_has_the_guidance_that_suits_it() -> None:
    assert PRESETS["usual"].values("pocket")["guidance"] == FAMILIES["pocket"].guidance == 3
    assert guidance_for("sd15/mine.safetensors") == FAMILIES["sd15"].guidance == 7.5
    assert guidance_for("magic") == guidance_for(None) == 7.5, "what is not known is refused elsewhere"
    assert PRESETS["lcm"].values("pocket")["guidance"] == 1


@pytest.mark.parametrize("name", ["lcm", "tcd"])
def test_few_steps_with_the_solver_they_were_trained_for_and_no_guidance(name: str) -> None:
    preset = PRESETS[name]
    assert preset.steps <= 8
    assert preset.guidance == 1
    assert SCHEDULERS[preset.scheduler].kind == f"{name.upper()}Scheduler"


def test_where_no_steps_were_asked_for_they_are_such_as_the_scheduler_takes() -> None:
    for name, scheduler in SCHEDULERS.items():
        assert steps_for(name) in scheduler.allowed_steps
        assert steps_for(name) == (10 if name == "ays" else 20)


@pytest.mark.parametrize("name", ["lcm", "tcd"])
def test_few_steps_without_a_lora_are_hinted_at(name: str, make_request: MakeRequest) -> None:
    preset = PRESETS[name]
    request = make_request(family="sd15", **preset.values("sd15"))
    (words,) = few_steps(request)
    assert words.startswith(f"{SCHEDULERS[preset.scheduler].label} is {preset.help}")
    assert "no LoRA" in words
    assert "<lora:NAME:1>" in words
    assert few_steps(replace(request, base="mine.safetensors")) == (words,), "which may be distilled itself"
    assert few_steps(replace(request, loras=(("ink", 0.0),))) == (words,), "as if it were not named"


@pytest.mark.parametrize(
    "changes",
    [
        {"loras": (("lcm-sd15", 0.8),)},
        {"scheduler": "unipc"},
        {"steps": int(STEPS.default)},
        {"family": "pocket"},
    ],
    ids=["a LoRA", "another scheduler", "as many steps as usual", "the built-in family"],
)
def test_there_is_no_hint_where_nothing_seems_to_be_forgotten(
    changes: dict[str, Any], make_request: MakeRequest
) -> None:
    values: dict[str, Any] = {"family": "sd15", **PRESETS["lcm"].values("sd15")}
    assert few_steps(make_request(**values | changes)) == ()


def test_the_hint_comes_with_the_pictures(
    cache: ModelCache, make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = make_request(**PRESETS["lcm"].values("pocket"))

    def told() -> tuple[str, ...]:
        *_, result = generate(request, cache)
        assert isinstance(result, Result)
        return result.notices

    assert told() == ()
    monkeypatch.setitem(FAMILIES, "pocket", replace(FAMILIES["pocket"], few_steps_by_lora=True))
    assert told() == few_steps(request) != ()
