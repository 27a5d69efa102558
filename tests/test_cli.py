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
from pipelines.masking import final_mask
from pipelines.pictures import PICTURES, PictureStore
from pipelines.request import GenerateRequest
from tests import tiny_family


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


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A tiny family with the controls of several conditions."""
    weights = tmp_path_factory.mktemp("crowd")
    tiny_family.write(weights)
    for seed, name in enumerate(("depth", "inpaint")):
        tiny_family.add_control(weights, name, seed=seed)
    return Store(weights)


def request_in(path: str) -> GenerateRequest:
    """The request that a picture was made with."""
    with Image.open(path) as made:
        return GenerateRequest.from_json(made.text["armature"])  # type: ignore[attr-defined]


def test_several_controls_hold_together(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path, crowd: Store
) -> None:
    region = tmp_path / "a region, left.png"
    pixels = np.zeros((100, 130, 3), np.uint8)
    pixels[:, :65] = 255
    Image.fromarray(pixels).save(region)
    depth = f"condition=depth,image={picture},strength=.4,start=.1,end=.9,mode=guess,region={region}"
    code, answer = run(
        capsys, "generate", "--condition", "canny", "--image", picture, "--set", "low_threshold=60",
        "--mode", "control", "--unit", depth,
        "--unit", f"condition=canny,image={picture},high_threshold=90,layer_weights=1/.5/0/1/2",
        "--prompt", "a house", "--out", tmp_path / "out", "--steps", 2, "--seed", 41, "--size", "128x192",
        "--weights", crowd.weights, "--device", "cpu", "--json",
    )  # fmt: skip
    assert code == 0
    assert [entry["condition"] for entry in answer["maps"]] == ["canny", "depth", "canny"]
    first, second, third = request_in(answer["images"][0]["path"]).controls
    assert (first.mode, first.values) == ("control", {"low_threshold": 60, "high_threshold": 200})
    assert (second.strength, second.start, second.end, second.mode) == (0.4, 0.1, 0.9, "guess")
    kept = PictureStore(tmp_path / "out" / PICTURES)
    assert second.region is not None
    white = kept.get(second.region)[..., 0]
    assert white.shape == (192, 128)
    assert white[:, :50].min() == 255
    assert white[:, 80:].max() == 0
    assert third.layer_weights == (1, 0.5, 0, 1, 2)
    assert third.values["high_threshold"] == 90


def test_a_mask_leaves_the_rest_of_the_picture_alone(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path, crowd: Store
) -> None:
    mask = tmp_path / "mask.png"
    pixels = np.zeros((200, 260, 3), np.uint8)
    pixels[60:120, 80:160] = 255
    Image.fromarray(pixels).save(mask)
    code, answer = run(
        capsys, "generate", "--unit", f"condition=inpaint,image={picture}", "--mask", mask,
        "--denoise", 1, "--mask-blur", 2, "--fill", "around",
        "--prompt", "a house", "--out", tmp_path / "out", "--steps", 2, "--size", "320x256",
        "--weights", crowd.weights, "--device", "cpu", "--json",
    )  # fmt: skip
    assert code == 0
    request = request_in(answer["images"][0]["path"])
    assert (request.denoise, request.mask_blur, request.fill) == (1, 2, "around")
    kept = PictureStore(tmp_path / "out" / PICTURES)
    assert request.init == request.controls[0].map
    assert request.mask is not None
    with Image.open(answer["images"][0]["path"]) as image:
        made = np.asarray(image)
    before = kept.get(request.init)
    outside = final_mask(kept.get(request.mask), 2) == 0
    assert np.array_equal(made[outside], before[outside])
    assert not np.array_equal(made, before)


def test_a_start_picture_and_a_larger_canvas(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path, crowd: Store
) -> None:
    start = tmp_path / "start.png"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(start)
    common = [
        "--condition", "canny", "--image", picture, "--prompt", "a house", "--out", tmp_path / "out",
        "--steps", 4, "--size", "128x128", "--weights", crowd.weights, "--device", "cpu", "--json",
    ]  # fmt: skip
    code, answer = run(capsys, "generate", "--init", start, "--denoise", ".5", *common)
    assert code == 0
    request = request_in(answer["images"][0]["path"])
    assert (request.denoise, request.mask, request.taken) == (0.5, None, 2)
    code, answer = run(capsys, "generate", "--extend", "left=64,bottom=128", *common)
    assert code == 0
    request = request_in(answer["images"][0]["path"])
    assert (request.width, request.height, request.denoise) == (192, 256, 1)
    with Image.open(answer["images"][0]["path"]) as image:
        made = np.asarray(image)
    assert request.init is not None
    old = PictureStore(tmp_path / "out" / PICTURES).get(request.init)[:128, 64:]
    assert np.array_equal(made[:100, 92:], old[:100, 28:]), "beyond the soft edge nothing changed"


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
    ("unit", "code"),
    [
        ("condition=canny", "PARAM_TYPE"),
        ("image={picture}", "PARAM_TYPE"),
        ("canny", "PARAM_TYPE"),
        ("condition=canny,image=", "PARAM_TYPE"),
        ("condition=canny,image={picture},condition=depth", "PARAM_TYPE"),
        ("condition=banana,image={picture}", "PARAM_CHOICE"),
        ("condition=canny,image={picture},mode=strict", "PARAM_CHOICE"),
        ("condition=canny,image={picture},strength=3", "PARAM_RANGE"),
        ("condition=canny,image={picture},start=.6,end=.4", "PARAM_RANGE"),
        ("condition=canny,image={picture},layer_weights=1/x", "PARAM_TYPE"),
        ("condition=canny,image={picture},sigma=1", "PARAM_TYPE"),
        ("condition=canny,image={picture},region=gone.png", "INPUT_GONE"),
        ("condition=inpaint,image={picture}", "IMG_EMPTY"),
    ],
)
def test_a_unit_that_makes_no_sense_is_refused(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path, crowd: Store, unit: str, code: str
) -> None:
    exit_code, answer = run(
        capsys, "generate", "--unit", unit.format(picture=picture), "--prompt", "p",
        "--out", tmp_path / "out", "--weights", crowd.weights, "--device", "cpu", "--json",
    )  # fmt: skip
    assert (exit_code, answer["error"]["code"]) == (1, code)


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--extend", "up=64"], "PARAM_RANGE"),
        (["--extend", "left=-64"], "PARAM_RANGE"),
        (["--extend", "left=32"], "PARAM_RANGE"),
        (["--extend", "left=640"], "PARAM_RANGE"),
        (["--mask", "{black}"], "IMG_EMPTY"),
        (["--init", "{picture}", "--denoise", "0.01"], "PARAM_RANGE"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused(
    capsys: pytest.CaptureFixture[str],
    picture: Path,
    tmp_path: Path,
    crowd: Store,
    flags: list[str],
    code: str,
) -> None:
    black = tmp_path / "black.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(black)
    given = [flag.format(picture=picture, black=black) for flag in flags]
    exit_code, answer = run(
        capsys, "generate", "--condition", "canny", "--image", picture, "--prompt", "p", *given,
        "--out", tmp_path / "out", "--weights", crowd.weights, "--device", "cpu", "--json",
    )  # fmt: skip
    assert (exit_code, answer["error"]["code"]) == (1, code)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paint"],
        ["annotate", "canny"],
        ["generate", "--condition", "canny"],
        ["generate", "--prompt", "p", "--out", "o"],
        ["generate", "--condition", "canny", "--prompt", "p", "--out", "o"],
        ["generate", "--image", "i", "--prompt", "p", "--out", "o"],
        ["generate", "--condition", "canny", "--image", "i", "--prompt", "p", "--out", "o", "--denoise", "2"],
        [
            *("generate", "--condition", "canny", "--image", "i", "--prompt", "p", "--out", "o"),
            *("--fill", "noise"),
        ],
        ["generate", "--condition", "x", "--image", "i", "--prompt", "p", "--out", "o"],
        ["generate", "--condition", "canny", "--image", "i", "--prompt", "p", "--out", "o", "--steps", "0"],
    ],
)
def test_bad_usage_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
