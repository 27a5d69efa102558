"""The command line: its JSON, its exit codes, and that it takes the same road as the page."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import cli
from conditions import CONDITIONS
from models.store import Store
from pipelines.request import GenerateRequest


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.full((200, 260, 3), 230, np.uint8)
    cv2.rectangle(pixels, (60, 40), (190, 150), (40, 70, 160), -1)
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any]:
    """Exit code and what stdout holds as JSON."""
    code = cli.main([str(argument) for argument in arguments])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else None


def test_conditions_lists_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    code, entries = run(capsys, "conditions", "--json")
    assert code == 0
    assert [entry["name"] for entry in entries] == list(CONDITIONS)
    canny = entries[0]
    assert canny["annotators"][0]["params"]["low_threshold"]["default"] == 100
    assert canny["controls"]["sd15"]["repo"] == "lllyasviel/control_v11p_sd15_canny"


def test_conditions_speaks_to_people_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["conditions"]) == 0
    out = capsys.readouterr().out
    assert all(condition.title in out for condition in CONDITIONS.values())


def test_annotate_writes_the_map(capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "maps" / "map.png"
    arguments = ["annotate", "canny", picture, target, "--resolution", 200, "--json"]
    code, answer = run(capsys, *arguments, "--set", "low_threshold=10", "--set", "high_threshold=20")
    assert (code, answer["map"]) == (0, str(target))
    with Image.open(picture) as source, Image.open(target) as found:
        edges = cv2.Canny(np.asarray(source), 10, 20)
        assert np.array_equal(np.asarray(found)[..., 0], edges)


def test_generate_makes_pictures_that_name_their_seeds(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path, store: Store
) -> None:
    arguments = [
        "generate", "--condition", "canny", "--image", picture, "--prompt", "a house",
        "--out", tmp_path / "out", "--steps", 3, "--seed", 41, "--count", 2, "--size", "128x192",
        "--scheduler", "ddim", "--strength", 0.7, "--weights", store.weights, "--device", "cpu", "--json",
    ]  # fmt: skip
    code, answer = run(capsys, *arguments)
    assert code == 0
    assert [image["seed"] for image in answer["images"]] == [41, 42]
    assert [entry["condition"] for entry in answer["maps"]] == ["canny"]
    assert answer["seconds"] > 0
    with Image.open(answer["images"][0]["path"]) as made:
        assert made.size == (128, 192)
        request = GenerateRequest.from_json(made.text["armature"])  # type: ignore[attr-defined]
    assert (request.steps, request.scheduler, request.controls[0].strength) == (3, "ddim", 0.7)
    again = run(capsys, *arguments)[1]
    with (
        Image.open(answer["images"][1]["path"]) as first,
        Image.open(again["images"][1]["path"]) as second,
    ):
        assert np.array_equal(np.asarray(first), np.asarray(second))


def test_without_a_model_it_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path
) -> None:
    code, answer = run(
        capsys, "generate", "--condition", "canny", "--image", picture, "--prompt", "x", "--out", tmp_path,
        "--weights", tmp_path / "nothing", "--model", "sd15", "--json",
    )  # fmt: skip
    assert code == 1
    assert answer["error"]["code"] == "MODEL_MISSING"
    assert "hf download stable-diffusion-v1-5/stable-diffusion-v1-5" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["banana", "{picture}"], "PARAM_CHOICE"),
        (["canny", "{picture}", "--set", "low_threshold=999"], "PARAM_RANGE"),
        (["canny", "{picture}", "--set", "low_threshold=abc"], "PARAM_TYPE"),
        (["canny", "{picture}", "--set", "sigma=1"], "PARAM_TYPE"),
        (["canny", "{picture}", "--set", "low_threshold"], "PARAM_TYPE"),
        (["canny", "{picture}", "--resolution", "3"], "PARAM_RANGE"),
        (["canny", "{text}"], "IMG_FORMAT"),
        (["canny", "{gone}"], "INPUT_GONE"),
    ],
)
def test_a_refusal_is_exit_code_1_with_its_code(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path, arguments: list[str], code: str
) -> None:
    text = tmp_path / "text.png"
    text.write_text("not a picture at all")
    places = {"picture": picture, "text": text, "gone": tmp_path / "gone.png"}
    name, source, *rest = [argument.format(**places) for argument in arguments]
    target = tmp_path / "map.png"
    exit_code, answer = run(capsys, "annotate", name, source, target, "--json", *rest)
    assert (exit_code, answer["error"]["code"]) == (1, code)
    assert not target.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paint"],
        ["annotate", "canny"],
        ["generate", "--condition", "canny"],
        ["generate", "--condition", "x", "--image", "i", "--prompt", "p", "--out", "o"],
        ["generate", "--condition", "canny", "--image", "i", "--prompt", "p", "--out", "o", "--steps", "0"],
    ],
)
def test_bad_usage_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
