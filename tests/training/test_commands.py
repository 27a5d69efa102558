"""The command line's `dataset`: hints beforehand equal hints on the way, and the check says what is bad."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import annotators
import cli
from annotators import Annotation
from annotators.base import Pixels
from conditions import CONDITIONS
from errors import DISK_FAILED, ArmatureError
from tests.training.sets import captioned, listed, picture, save, write_list
from training import beforehand, hints
from training.data import DataConfig, open_pairs


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any]:
    """Exit code and what stdout holds as JSON."""
    code = cli.main(["dataset", *(str(argument) for argument in arguments), "--json"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else None


def pixels(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image)


# fill50k


def test_circles_are_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "set"
    code, answer = run(capsys, "fill50k", folder, "--count", 3, "--size", 64, "--seed", 5)
    assert (code, answer) == (0, {"list": f"{folder}/prompt.json", "pairs": 3, "size": 64, "seed": 5})
    assert sorted(path.name for path in (folder / "target").iterdir()) == ["0.png", "1.png", "2.png"]
    code, answer = run(capsys, "fill50k", folder, "--count", 3, "--size", 64)
    assert (code, answer["error"]["code"]) == (1, "TARGET_TAKEN")


def test_it_speaks_to_people_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["dataset", "fill50k", str(tmp_path), "--count", "2", "--size", "64"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (f"2 pairs: {tmp_path}/prompt.json\n", "")


# annotate


def test_hints_made_beforehand_are_those_that_are_made_on_the_way(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    captioned(tmp_path, 2, width=120, height=90)
    save(tmp_path / "deep" / "0.jpg", picture(9))
    (tmp_path / "deep" / "0.txt").write_text("deep")
    config = DataConfig(path=tmp_path, condition="softedge", size=64)
    on_the_way = open_pairs(config, workers=1)
    code, answer = run(capsys, "annotate", tmp_path, "--condition", "softedge", "--size", 64)
    assert (code, answer) == (0, {"hints": f"{tmp_path}/hints/softedge", "made": 3, "kept": 0, "failed": []})
    pairs = open_pairs(config, workers=1)
    assert pairs.maker.given
    assert pairs.report.notices == ()
    assert pairs.prompts == on_the_way.prompts
    for index in range(3):
        assert np.array_equal(pairs[index].hint, on_the_way[index].hint)
        assert np.array_equal(pairs[index].target, on_the_way[index].target)


def test_hints_of_a_list_lie_where_their_targets_do(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    listed(tmp_path)
    given = ("--set", "low_threshold=10", "--set", "high_threshold=20", "--size", "64")
    assert run(capsys, "annotate", tmp_path / "prompt.json", "--condition", "canny", *given)[1]["made"] == 3
    edges = annotators.annotate("canny", picture(1), low_threshold=10, high_threshold=20).map
    assert np.array_equal(pixels(tmp_path / "hints" / "canny" / "target" / "1.png"), edges)
    pairs = open_pairs(DataConfig(path=tmp_path, condition="canny", size=64), workers=1)
    assert np.array_equal(pairs[1].hint, edges.astype(np.float32) / 255)


def test_what_is_made_is_kept_until_it_would_be_another(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    captioned(tmp_path)
    arguments = ("annotate", tmp_path, "--condition", "canny", "--size", 64)

    def counts(*more: object) -> tuple[int, int]:
        answer = run(capsys, *arguments, *more)[1]
        return answer["made"], answer["kept"]

    assert counts() == (3, 0)
    (tmp_path / "hints" / "canny" / "1.png").unlink()
    assert counts() == (1, 2)
    save(tmp_path / "2.png", picture(9))
    assert counts() == (1, 2)
    assert counts("--set", "low_threshold=20") == (3, 0)
    assert counts("--set", "low_threshold=20", "--size", 72) == (3, 0)
    assert counts("--set", "low_threshold=20", "--size", 72) == (0, 3)


def test_captions_may_come_later(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    captioned(tmp_path)
    (tmp_path / "1.txt").unlink()
    assert run(capsys, "annotate", tmp_path, "--condition", "canny")[0] == 0


def test_a_picture_that_is_broken_fails_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    captioned(tmp_path)
    (tmp_path / "1.png").write_bytes(b"no picture")
    code, answer = run(capsys, "annotate", tmp_path, "--condition", "canny")
    assert (code, answer["made"]) == (1, 2)
    assert [(row["picture"], row["code"]) for row in answer["failed"]] == [("1.png", "IMG_FORMAT")]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--condition", "inpaint"], "PARAM_CHOICE"),
        (["--condition", "canny", "--annotator", "none"], "DATASET_INVALID"),
        (["--condition", "canny", "--annotator", "tile"], "PARAM_CHOICE"),
        (["--condition", "canny", "--set", "x=1"], "PARAM_TYPE"),
        (["--condition", "qr"], "DATASET_INVALID"),
        (["--condition", "depth", "--weights", "/nowhere"], "MODEL_MISSING"),
    ],
)
def test_what_can_not_be_made_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], code: str
) -> None:
    exit_code, answer = run(capsys, "annotate", captioned(tmp_path), *arguments)
    assert (exit_code, answer["error"]["code"]) == (1, code)
    assert not (tmp_path / "hints").exists()


def test_a_list_with_bad_lines_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write_list(listed(tmp_path), ["{"])
    code, answer = run(capsys, "annotate", tmp_path, "--condition", "canny")
    assert (code, answer["error"]["code"]) == (1, "DATASET_INVALID")
    assert "prompt.json:1" in answer["error"]["message"]


def broken(*_: Any, **__: Any) -> Annotation:
    """What fails each picture alike."""
    raise DISK_FAILED("The disk is gone")


def maker(condition: str, annotate: hints.Annotate = annotators.annotate) -> hints.Maker:
    return hints.choose(CONDITIONS[condition], "", {}, has_hints=False, annotate=annotate)


def test_several_processes_make_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beforehand, "TOGETHER", 2)
    plan = beforehand.plan(captioned(tmp_path, 5), maker("shuffle"), 64)
    outcomes = list(beforehand.make(plan, workers=2))
    assert [outcome.pair for outcome in outcomes] == list(plan.pairs)
    assert [outcome.state for outcome in outcomes] == ["made"] * 5
    made = [path.read_bytes() for path in sorted((tmp_path / "hints").rglob("*.png"))]
    for pair in plan.pairs:
        pair.target.unlink()
    assert {outcome.state for outcome in beforehand.make(plan, workers=1)} == {"made"}
    assert [path.read_bytes() for path in sorted((tmp_path / "hints").rglob("*.png"))] == made
    assert len(set(made)) == 5


def test_what_fails_all_pictures_ends_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beforehand, "TOGETHER", 2)
    plan = beforehand.plan(captioned(tmp_path, 9), maker("canny", broken), 64)
    with pytest.raises(ArmatureError, match="DISK_FAILED"):
        list(beforehand.make(plan, workers=2))


# check


def test_a_check_lists_what_is_bad(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    listed(tmp_path)
    code, answer = run(capsys, "check", tmp_path, "--size", 64)
    assert (code, answer) == (0, {"pairs": 3, "problems": [], "notices": [], "hints": "the set's own"})
    (tmp_path / "source" / "1.png").write_bytes(b"")
    Image.fromarray(picture(2)).convert("L").save(tmp_path / "target" / "2.png")
    code, answer = run(capsys, "check", tmp_path, "--size", 64)
    assert (code, answer["pairs"]) == (1, 2)
    assert [row["place"] for row in answer["problems"]] == ["prompt.json:2"]
    assert [row["place"] for row in answer["notices"]] == ["prompt.json:3"]
    assert cli.main(["dataset", "check", str(tmp_path), "--size", "64", "--annotator", "canny"]) == 0
    out, err = capsys.readouterr()
    assert out == "3 good pairs, 0 problems, 1 conversions; hints: made by canny as they are learnt\n"
    assert err == "prompt.json:3: target/2.png is in mode L: taken as RGB\n"


def test_a_check_of_what_is_no_set_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, answer = run(capsys, "check", tmp_path / "set.zip")
    assert (code, answer["error"]["code"]) == (1, "DATASET_INVALID")
    code, answer = run(capsys, "check", tmp_path)
    assert (code, answer["pairs"], len(answer["problems"])) == (1, 0, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paint"],
        ["fill50k"],
        ["fill50k", "x", "--count", "0"],
        ["fill50k", "x", "--size", "9"],
        ["annotate", "x"],
        ["annotate", "x", "--condition", "banana"],
        ["check"],
    ],
)
def test_bad_usage_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["dataset", *arguments])
    assert left.value.code == 2
