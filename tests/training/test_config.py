"""A run's file: what it may say, what is refused, and that nothing of it is lost."""

from pathlib import Path
from typing import Any

import pytest

import gate
from errors import PARAM_CHOICE, PARAM_RANGE, PARAM_TYPE, ArmatureError, Code
from tests.training.made import settings
from training import config

WHOLE = """
name = "circles"
objective = "control"

[base]
model = "pocket"

[data]
path = "circles/prompt.json"
condition = "canny"
size = 64
values = { low_threshold = 50 }

[train]
steps = 7
learning_rate = 1e-4
"""


def test_a_file_says_what_differs_and_the_rest_has_defaults(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(WHOLE)
    run = config.load(path)
    assert (run.name, run.objective, run.base.model) == ("circles", "control", "pocket")
    assert run.data.path == Path("circles/prompt.json")
    assert run.data.values == {"low_threshold": 50}
    assert (run.train.steps, run.train.learning_rate, run.train.batch) == (7, 1e-4, 4)
    assert run.train.prompt_dropout == 0.5
    assert run.stage2.after == 0


def test_what_is_written_down_reads_the_same(tmp_path: Path) -> None:
    run = settings(
        train={"learning_rate": 3.5e-7, "ema": 0.99},
        data={"prompt": 'a "house"\n', "values": {"low_threshold": 3}, "cache": "kept"},
    )
    again = config.read(gate.parse_toml(config.to_toml(run).encode(), most_bytes=10_000))
    assert again == run
    assert config.flat(again) == config.flat(run)


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("", "nmae"),
        ("train", "step"),
        ("data", "dir"),
        ("watch", "every"),
        ("base", "family"),
        ("extra", "x"),
    ],
)
def test_an_unknown_key_is_refused_by_name(section: str, name: str) -> None:
    with pytest.raises(ArmatureError) as refusal:
        settings(**{section: {name: 1}} if section else {name: 1})
    assert refusal.value.code is PARAM_TYPE
    assert (section if section == "extra" else name) in refusal.value.message


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"train": {"learning_rate": float("nan")}}, PARAM_RANGE),
        ({"train": {"learning_rate": 0}}, PARAM_RANGE),
        ({"train": {"learning_rate": 1e3}}, PARAM_RANGE),
        ({"train": {"learning_rate": "fast"}}, PARAM_TYPE),
        ({"train": {"batch": 0}}, PARAM_RANGE),
        ({"train": {"batch": 2.5}}, PARAM_TYPE),
        ({"train": {"steps": -1}}, PARAM_RANGE),
        ({"train": {"precision": "float8"}}, PARAM_CHOICE),
        ({"train": {"prompt_dropout": 1.1}}, PARAM_RANGE),
        ({"data": {"size": 100}}, PARAM_RANGE),
        ({"data": {"size": True}}, PARAM_TYPE),
        ({"data": {"condition": "cany"}}, PARAM_CHOICE),
        ({"data": {"path": 3}}, PARAM_TYPE),
        ({"data": {"values": 3}}, PARAM_TYPE),
        ({"data": 3}, PARAM_TYPE),
        ({"objective": "lora"}, PARAM_CHOICE),
        ({"name": "../elsewhere"}, PARAM_TYPE),
        ({"name": ""}, PARAM_TYPE),
        ({"base": {"fresh": True}}, PARAM_RANGE),
        ({"objective": "base", "stage2": {"after": 5}}, PARAM_RANGE),
    ],
    ids=str,
)
def test_what_is_out_of_bounds_is_refused(change: dict[str, Any], code: Code) -> None:
    with pytest.raises(ArmatureError) as refusal:
        settings(**change)
    assert refusal.value.code is code


@pytest.mark.parametrize("text", ["name = ", "name = 1\nname = 2", "[data", "\xff", "a = " + "[" * 10_000])
def test_a_file_that_is_no_toml_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ArmatureError) as refusal:
        config.load(path)
    assert refusal.value.code is PARAM_TYPE


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArmatureError):
        config.load(tmp_path / "run.toml")


def test_every_setting_is_explained_and_its_default_is_allowed() -> None:
    for name, kind in config.SECTIONS.items():
        for param in config.params_of(kind, name):
            assert param.help.endswith("."), param.label
            assert param.check(param.default) == param.default


def test_differences_leave_out_what_may_change() -> None:
    before = config.flat(settings())
    nothing: tuple[list[str], list[str]] = ([], [])
    assert config.differences(before, config.flat(settings(train={"steps": 9, "workers": 2}))) == nothing
    assert config.differences(before, config.flat(settings(watch={"save_every": 3}))) == nothing
    found = config.differences(before, config.flat(settings(train={"learning_rate": 0.5, "seed": 4})))
    assert found == (["train.seed was 0 and is 4"], ["train.learning_rate was 0.001 and is 0.5"])
