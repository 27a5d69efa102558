"""The command line: its JSON, its exit codes, and that it takes the same road as the page."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import cli
from annotators import ANNOTATORS
from conditions import CONDITIONS
from errors import MODEL_MISSING
from models.store import Store
from pipelines.masking import final_mask
from pipelines.metadata import request_from_png
from pipelines.pictures import PICTURES, PictureStore
from tests import tiny_family
from tests.annotators import random_weights
from tests.conftest import drawn_map


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
    request = request_from_png(Path(answer["images"][0]["path"]))
    assert (request.steps, request.scheduler, request.controls[0].strength) == (3, "ddim", 0.7)
    again = run(capsys, *arguments)[1]
    with (
        Image.open(answer["images"][1]["path"]) as first,
        Image.open(again["images"][1]["path"]) as second,
    ):
        assert np.array_equal(np.asarray(first), np.asarray(second))


def test_what_is_said_about_the_map_comes_with_the_answer(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, store: Store
) -> None:
    drawing = tmp_path / "drawing.png"
    Image.fromarray(drawn_map(128, 128)).save(drawing)
    code, answer = run(
        capsys, "generate", "--condition", "canny", "--image", drawing, "--prompt", "a house",
        "--out", tmp_path / "out", "--steps", 1, "--size", "128x128", "--annotator", "canny",
        "--weights", store.weights, "--device", "cpu", "--json",
    )  # fmt: skip
    assert code == 0
    (notice,) = answer["notices"]
    assert "looks like a line map already" in notice
    assert "annotator none" in notice


def test_agreement_is_measured_on_request_and_a_picture_tells_how_it_was_made(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path, store: Store
) -> None:
    arguments = [
        "generate", "--condition", "canny", "--image", picture, "--prompt", "a house, by the sea",
        "--out", tmp_path / "out", "--steps", 2, "--seed", 41, "--size", "128x128", "--agreement",
        "--weights", store.weights, "--device", "cpu",
    ]  # fmt: skip
    code, answer = run(capsys, *arguments, "--json")
    assert code == 0
    [image] = answer["images"]
    [control] = image["agreements"]
    assert (control["condition"], control["annotator"], control["share"]) == (
        "canny",
        "canny",
        image["agreement"],
    )
    assert 0 <= image["agreement"] <= 1
    said = f"keeps {round(100 * image['agreement'])} % of the edges"
    assert cli.main([str(argument) for argument in arguments]) == 0
    path, _, words = capsys.readouterr().out.strip().partition(", ")
    assert words == said

    code, told = run(capsys, "info", path, "--json")
    assert code == 0
    assert told["request"]["prompt"] == "a house, by the sea"
    assert told["request"]["agreement"] is True
    assert (told["image"], told["seed"], told["agreement"]) == (0, 41, image["agreement"])
    [entry] = told["maps"]
    assert Path(entry["path"]).parent == tmp_path / "out"
    assert entry["sha256"] == told["request"]["controls"][0]["map"]
    Path(entry["path"]).unlink()
    assert cli.main(["info", path]) == 0
    out = capsys.readouterr().out
    assert out.startswith("a house, by the sea\nSteps: 2, Sampler: UniPC, ")
    assert "Map of canny: no longer beside the picture" in out
    assert f"Agreement: {said}" in out


def test_without_being_asked_agreement_is_not_measured(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path, store: Store
) -> None:
    _, answer = run(
        capsys, "generate", "--condition", "canny", "--image", picture, "--prompt", "x", "--out", tmp_path,
        "--steps", 1, "--size", "128x128", "--weights", store.weights, "--device", "cpu", "--json",
    )  # fmt: skip
    assert [(image["agreement"], image["agreements"]) for image in answer["images"]] == [(None, [])]


def test_info_reads_what_other_programs_wrote(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("parameters", "a house\nSteps: 20, Seed: 5, Size: 512x512")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=info)
    code, told = run(capsys, "info", tmp_path / "a.png", "--json")
    assert (code, told) == (
        0,
        {"parameters": "a house\nSteps: 20, Seed: 5, Size: 512x512", "request": None},
    )
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    code, answer = run(capsys, "info", tmp_path / "b.png", "--json")
    assert (code, answer["error"]["code"]) == (1, "META_MISSING")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A tiny family with the controls of several conditions."""
    weights = tmp_path_factory.mktemp("crowd")
    tiny_family.write(weights)
    for seed, name in enumerate(("depth", "inpaint")):
        tiny_family.add_control(weights, name, seed=seed)
    return Store(weights)


def test_several_controls_hold_together(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path, crowd: Store
) -> None:
    region = tmp_path / "a region, left.png"
    pixels = np.zeros((100, 130, 3), np.uint8)
    pixels[:, :65] = 255
    Image.fromarray(pixels).save(region)
    depth = f"condition=depth,annotator=none,image={picture},strength=.4,start=.1,end=.9,mode=guess"
    code, answer = run(
        capsys, "generate", "--condition", "canny", "--image", picture, "--set", "low_threshold=60",
        "--mode", "control", "--unit", f"{depth},region={region}",
        "--unit", f"condition=canny,image={picture},high_threshold=90,layer_weights=1/.5/0/1/2",
        "--prompt", "a house", "--out", tmp_path / "out", "--steps", 2, "--seed", 41, "--size", "128x192",
        "--weights", crowd.weights, "--device", "cpu", "--json",
    )  # fmt: skip
    assert code == 0
    assert [entry["condition"] for entry in answer["maps"]] == ["canny", "depth", "canny"]
    first, second, third = request_from_png(Path(answer["images"][0]["path"])).controls
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
    request = request_from_png(Path(answer["images"][0]["path"]))
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
    request = request_from_png(Path(answer["images"][0]["path"]))
    assert (request.denoise, request.mask, request.taken) == (0.5, None, 2)
    code, answer = run(capsys, "generate", "--extend", "left=64,bottom=128", *common)
    assert code == 0
    request = request_from_png(Path(answer["images"][0]["path"]))
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
        (["qr", "{picture}"], "PARAM_TYPE"),
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
        ("condition=canny,image={picture},mode=loose", "PARAM_CHOICE"),
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


# A folder


@pytest.fixture
def pictures(picture: Path, tmp_path: Path) -> Path:
    """A folder with two pictures, one of them below, and a broken file between them."""
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.png").write_bytes(picture.read_bytes())
    (folder / "deep" / "z.png").write_bytes(picture.read_bytes())
    (folder / "broken.png").write_text("no picture at all")
    (folder / "captions.txt").write_text("not looked at")
    return folder


def test_a_folder_becomes_a_folder_of_maps_and_a_broken_file_is_told(
    capsys: pytest.CaptureFixture[str], pictures: Path, picture: Path, tmp_path: Path
) -> None:
    maps = tmp_path / "maps"
    arguments = ["annotate", "canny", pictures, maps, "--json", "--set", "low_threshold=10"]
    code, answer = run(capsys, *arguments)
    assert code == 1
    assert [(entry["map"], entry["state"]) for entry in answer["maps"]] == [
        (str(maps / "a.png"), "made"),
        (str(maps / "deep" / "z.png"), "made"),
    ]
    (failed,) = answer["failed"]
    assert (failed["picture"], failed["code"]) == (str(pictures / "broken.png"), "IMG_FORMAT")
    with Image.open(picture) as source, Image.open(maps / "deep" / "z.png") as found:
        assert np.array_equal(np.asarray(found)[..., 0], cv2.Canny(np.asarray(source), 10, 200))
    (pictures / "broken.png").write_bytes(picture.read_bytes())
    code, answer = run(capsys, *arguments)
    assert code == 0
    assert [entry["state"] for entry in answer["maps"]] == ["kept", "made", "kept"]
    assert answer["failed"] == []


def test_a_folder_is_told_to_people_too(
    capsys: pytest.CaptureFixture[str], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert cli.main(["annotate", "canny", str(pictures), str(tmp_path / "maps")]) == 1
    told = capsys.readouterr()
    assert "] 3/3, 1 failed" in told.err
    assert f"{pictures / 'broken.png'}: IMG_FORMAT: " in told.err
    assert told.out == f"2 made, 0 kept from before, 1 failed: {tmp_path / 'maps'}\n"


def test_a_name_of_any_bytes_is_told(
    capsys: pytest.CaptureFixture[str], pictures: Path, tmp_path: Path
) -> None:
    try:
        (pictures / b"\xff.png".decode("utf-8", "surrogateescape")).write_text("no picture")
    except OSError:
        pytest.skip("this file system holds only names in UTF-8")
    code, answer = run(capsys, "annotate", "canny", pictures, tmp_path / "maps", "--json")
    assert code == 1
    assert {Path(entry["picture"]).name for entry in answer["failed"]} == {"broken.png", "\ufffd.png"}


def test_a_folder_goes_through_one_network_and_leaves_nothing_else(
    capsys: pytest.CaptureFixture[str],
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The weights are loaded once, and what passes to the worker and back is gone after each picture."""
    weights = Store(tmp_path / "weights")
    random_weights.write(weights, "depth_anything")
    method, loads, kept = ANNOTATORS["depth_anything"], [], []
    really = PictureStore.put

    def put(store: PictureStore, pixels: Any) -> str:
        kept.append(len(list(store.path("0" * 64).parents[1].rglob("*.png"))))
        return really(store, pixels)

    def load(files: tuple[Path, ...]) -> Any:
        loads.append(files)
        return method.load(files)

    monkeypatch.setattr(PictureStore, "put", put)
    monkeypatch.setitem(ANNOTATORS, method.name, replace(method, load=load))
    cv2.imwrite(str(pictures / "deep" / "z.png"), np.full((64, 64, 3), 9, np.uint8))
    code, answer = run(
        capsys, "annotate", method.name, pictures, tmp_path / "maps", "--resolution", 64, "--json",
        "--weights", weights.weights, "--device", "cpu",
    )  # fmt: skip
    assert code == 1
    assert [entry["state"] for entry in answer["maps"]] == ["made", "made"]
    assert len(loads) == 1
    assert kept == [0, 1, 0, 1], "a picture, its map, and then none of them"
    data = json.loads((tmp_path / "maps" / "a.data.json").read_text("utf-8"))
    assert data["unit"] == "inverse, relative"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["canny", "{folder}", "{folder}"], "PARAM_CHOICE"),
        (["canny", "{folder}", "{file}"], "PARAM_CHOICE"),
        (["canny", "{empty}", "{new}"], "IMG_EMPTY"),
        (["qr", "{folder}", "{new}"], "PARAM_CHOICE"),
        (["softedge_pidi", "{folder}", "{new}", "--weights", "{empty}"], "MODEL_MISSING"),
        (["canny", "{folder}", "{new}", "--resolution", "3"], "PARAM_RANGE"),
        (["canny", "{folder}", "{new}", "--set", "low_threshold=999"], "PARAM_RANGE"),
        (["canny", "{file}", "{file}"], "PARAM_CHOICE"),
    ],
)
def test_what_is_wrong_with_all_is_said_once_and_makes_nothing(
    capsys: pytest.CaptureFixture[str],
    pictures: Path,
    picture: Path,
    tmp_path: Path,
    arguments: list[str],
    code: str,
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"folder": pictures, "file": picture, "empty": tmp_path / "empty", "new": tmp_path / "new"}
    before = picture.read_bytes()
    exit_code, answer = run(capsys, "annotate", *(part.format(**places) for part in arguments), "--json")
    assert (exit_code, answer["error"]["code"]) == (1, code)
    assert not (tmp_path / "new").exists()
    assert picture.read_bytes() == before


def test_a_map_goes_into_a_folder_under_its_pictures_name(
    capsys: pytest.CaptureFixture[str], picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "maps").mkdir()
    code, answer = run(capsys, "annotate", "canny", picture, tmp_path / "maps", "--json")
    assert (code, answer["map"]) == (0, str(tmp_path / "maps" / "picture.png"))
    assert (tmp_path / "maps" / "picture.png").is_file()


@pytest.mark.parametrize(
    ("error", "news"), [(MODEL_MISSING("No weights"), False), (ValueError("a bug"), True)]
)
def test_a_refusal_in_a_job_is_said_once(error: Exception, news: bool) -> None:
    record = logging.LogRecord(
        "pipelines.runner", logging.ERROR, "", 0, "failed", (), (type(error), error, None)
    )
    assert cli._is_news(record) is news


@pytest.mark.parametrize(
    ("flags", "settings"),
    [
        ((), (20, 3.0, "unipc")),
        (("--preset", "lcm"), (4, 1.0, "lcm")),
        (("--preset", "tcd"), (8, 1.0, "tcd")),
        (("--steps", "6", "--preset", "lcm", "--guidance", "1.5"), (6, 1.5, "lcm")),
        (("--steps", "20", "--preset", "tcd"), (20, 1.0, "tcd")),
    ],
)
def test_a_preset_is_what_flags_that_are_left_out_have(
    flags: tuple[str, ...], settings: tuple[int, float, str]
) -> None:
    given = cli._parser().parse_args(["generate", "--prompt", "p", "--out", "out", *flags])
    values = cli._run_values(given, "pocket")
    assert (values["steps"], values["guidance"], values["scheduler"]) == settings
    assert (values["clip_skip"], values["vae"], values["seed"]) == (0, "", -1)
