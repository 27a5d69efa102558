"""A data set by index: the formats, where hints come from, and that all of it follows from what it is."""

import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import annotators
from annotators import Annotation
from annotators.base import Pixels
from conditions import CONDITIONS
from errors import ArmatureError
from pipelines.request.intake import fit
from tests.training.sets import captioned, listed, picture, save, write_list
from training.data import DataConfig, FolderPairs, open_pairs
from training.hints import HOLE


def opened(path: Path, condition: str = "canny", **settings: Any) -> FolderPairs:
    return open_pairs(DataConfig(path=path, condition=condition, **{"size": 64} | settings), workers=1)


def as_map(hint: Any) -> Pixels:
    return np.asarray(np.rint(hint * 255), np.uint8)


# Formats


def test_the_originals_list(tmp_path: Path) -> None:
    pairs = opened(listed(tmp_path))
    assert len(pairs) == 3
    example = pairs[1]
    assert (example.prompt, example.name) == ("thing 1", "target/1.png")
    assert np.array_equal(example.target, picture(1))
    assert example.hint.dtype == np.float32
    assert np.array_equal(example.hint, (255 - picture(1)).astype(np.float32) / 255)
    assert opened(tmp_path / "prompt.json").fingerprint == pairs.fingerprint


def test_the_hubs_list(tmp_path: Path) -> None:
    listed(tmp_path)
    (tmp_path / "prompt.json").unlink()
    lines = [
        {
            "file_name": f"target/{n}.png",
            "text": f"thing {n}",
            "conditioning_image": f"source/{n}.png",
            "x": 1,
        }
        for n in range(3)
    ]
    write_list(tmp_path, list(map(json.dumps, lines)), "metadata.jsonl")
    pairs = opened(tmp_path)
    assert pairs.prompts == ("thing 0", "thing 1", "thing 2")
    assert np.array_equal(as_map(pairs[2].hint), 255 - picture(2))


def test_a_folder_of_pictures_with_captions(tmp_path: Path) -> None:
    captioned(tmp_path / "deep" / "er", 2)
    save(tmp_path / "z.jpg", picture(9))
    (tmp_path / "z.txt").write_text("the last")
    pairs = opened(tmp_path)
    assert pairs.prompts == ("thing 0", "thing 1", "the last")
    assert [pairs[index].name for index in range(3)] == ["deep/er/0.png", "deep/er/1.png", "z.jpg"]


def test_one_prompt_may_stand_for_missing_captions(tmp_path: Path) -> None:
    captioned(tmp_path)
    (tmp_path / "1.txt").unlink()
    assert opened(tmp_path, prompt="a thing").prompts == ("thing 0", "a thing", "thing 2")


def test_a_limit_takes_the_first(tmp_path: Path) -> None:
    assert opened(captioned(tmp_path, 5), limit=2).prompts == ("thing 0", "thing 1")
    (tmp_path / "3.png").write_bytes(b"")
    assert len(opened(tmp_path, limit=3)) == 3, "what is not taken is not checked"


# Hints


def test_without_hints_the_conditions_annotator_makes_them_at_the_training_size(tmp_path: Path) -> None:
    wide = picture(1, 200, 120)
    captioned(tmp_path, 3)
    save(tmp_path / "1.png", wide)
    example = opened(tmp_path)[1]
    fitted = fit(wide, 64, 64, "area")
    assert np.array_equal(example.target, fitted)
    assert np.array_equal(as_map(example.hint)[..., 0], cv2.Canny(fitted, 100, 200))


@pytest.mark.parametrize("name", [c.name for c in CONDITIONS.values() if c.finder and not c.finder.weights])
def test_every_condition_whose_annotator_has_no_network_makes_hints(tmp_path: Path, name: str) -> None:
    pairs = opened(captioned(tmp_path), name)
    hints = [pairs[index].hint for index in range(3)]
    assert all(hint.shape == (64, 64, 3) and hint.dtype == np.float32 for hint in hints)
    assert all(0 <= hint.min() <= hint.max() <= 1 for hint in hints)
    assert all(np.array_equal(pairs.hint(index, 0), hints[index]) for index in range(3))


def test_an_annotator_and_its_settings_are_used_on_targets(tmp_path: Path) -> None:
    pairs = opened(listed(tmp_path), annotator="canny", values={"low_threshold": 10, "high_threshold": 20})
    assert np.array_equal(as_map(pairs[1].hint)[..., 0], cv2.Canny(picture(1), 10, 20))


def test_an_annotator_of_maps_is_used_on_the_sets_own_hints(tmp_path: Path) -> None:
    pairs = opened(listed(tmp_path), "lineart", annotator="invert")
    assert np.array_equal(as_map(pairs[1].hint), picture(1))


def test_hints_that_were_made_beforehand_come_first(tmp_path: Path) -> None:
    listed(tmp_path)
    for number in range(3):
        save(tmp_path / "hints" / "canny" / "target" / f"{number}.png", picture(50 + number))
    assert np.array_equal(as_map(opened(tmp_path)[1].hint), picture(51))
    assert np.array_equal(as_map(opened(tmp_path, "softedge")[1].hint), 255 - picture(1))
    (tmp_path / "hints" / "canny" / "target" / "2.png").unlink()
    with pytest.raises(ArmatureError, match=r"DATASET_INVALID.*prompt\.json:3: hints/canny/target/2\.png"):
        opened(tmp_path)


def test_hints_of_a_palette_keep_its_colours(tmp_path: Path) -> None:
    listed(tmp_path)
    for number in range(3):
        save(tmp_path / "source" / f"{number}.png", picture(number, 200, 200))
    colours = {tuple(colour) for colour in picture(1, 200, 200).reshape(-1, 3).tolist()}
    for condition, kept in (("seg", True), ("canny", False)):
        found = {
            tuple(colour) for colour in as_map(opened(tmp_path, condition)[1].hint).reshape(-1, 3).tolist()
        }
        assert (found <= colours) is kept


def test_what_draws_at_random_draws_anew_for_each_pair_and_epoch(tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / f"{number}.png", picture(1))
        (tmp_path / f"{number}.txt").write_text("the same picture")
    pairs = opened(tmp_path, "shuffle")
    hints = [pairs.hint(0, 0), pairs.hint(1, 0), pairs.hint(0, 1)]
    assert not any(np.array_equal(hints[0], other) for other in hints[1:])
    assert np.array_equal(hints[2], opened(tmp_path, "shuffle").hint(0, 1))
    assert not np.array_equal(hints[0], opened(tmp_path, "shuffle", seed=1).hint(0, 0))
    fixed = opened(tmp_path, "shuffle", values={"seed": 4})
    assert np.array_equal(as_map(fixed.hint(1, 0)), annotators.annotate("shuffle", picture(1), seed=4).map)
    assert np.array_equal(fixed.hint(0, 0), fixed.hint(1, 5))


def test_inpainting_learns_from_targets_with_holes(tmp_path: Path) -> None:
    pairs = opened(captioned(tmp_path), "inpaint")
    holes = []
    for index, epoch in ((0, 0), (1, 0), (0, 1)):
        example = pairs.at(index, epoch)
        hole = (example.hint == HOLE).all(axis=2)
        holes.append(hole)
        assert 0.05 <= hole.mean() <= 0.6
        assert np.array_equal(example.hint[~hole], example.target[~hole].astype(np.float32) / 255)
        assert np.array_equal(pairs.hint(index, epoch), example.hint)
    assert not np.array_equal(holes[0], holes[1])
    assert not np.array_equal(holes[0], holes[2])


def test_a_sets_own_hints_are_masks_for_inpainting(tmp_path: Path) -> None:
    listed(tmp_path)
    mask = np.zeros((64, 64, 3), np.uint8)
    mask[10:30, 20:50] = 255
    save(tmp_path / "source" / "1.png", mask)
    hint = opened(tmp_path, "inpaint")[1].hint
    assert np.array_equal((hint == HOLE).all(axis=2), mask[..., 0] > 0)
    assert np.array_equal(hint[:10], picture(1)[:10].astype(np.float32) / 255)


@pytest.mark.parametrize(
    ("condition", "annotator", "code"),
    [
        ("qr", "", "DATASET_INVALID"),
        ("ip2p", "", "DATASET_INVALID"),
        ("canny", "none", "DATASET_INVALID"),
        ("lineart", "invert", "DATASET_INVALID"),
        ("depth", "", "MODEL_MISSING"),
        ("canny", "softedge_gradient", "PARAM_CHOICE"),
        ("openpose", "pose_json", "PARAM_CHOICE"),
        ("canny", "banana", "PARAM_CHOICE"),
        ("banana", "", "PARAM_CHOICE"),
    ],
)
def test_hints_that_can_not_be_had_are_refused(
    tmp_path: Path, condition: str, annotator: str, code: str
) -> None:
    with pytest.raises(ArmatureError, match=code):
        opened(captioned(tmp_path), condition, annotator=annotator)


def test_networks_come_through_the_caller(tmp_path: Path) -> None:
    def annotate(name: str, source: Pixels, *, resolution: int, **values: Any) -> Annotation:
        assert (name, resolution) == ("depth_anything", 64)
        return Annotation(map=255 - source)

    config = DataConfig(path=captioned(tmp_path), condition="depth", size=64)
    pairs = open_pairs(config, annotate=annotate, workers=1)
    assert np.array_equal(as_map(pairs[1].hint), 255 - picture(1))


@pytest.mark.parametrize("condition", ["qr", "ip2p", "depth", "openpose", "seg", "normal"])
def test_a_set_with_hints_teaches_any_condition(tmp_path: Path, condition: str) -> None:
    pairs = opened(listed(tmp_path), condition)
    assert np.array_equal(as_map(pairs[1].hint), 255 - picture(1))


def test_a_hint_of_the_set_does_not_open_its_target(tmp_path: Path) -> None:
    pairs = opened(listed(tmp_path))
    (tmp_path / "target" / "1.png").unlink()
    assert pairs.hint(1, 0).shape == (64, 64, 3)


# Crops and flips


def test_crops_and_flips_follow_from_seed_epoch_and_index(tmp_path: Path) -> None:
    captioned(tmp_path, 2, width=160, height=96)
    pairs = opened(tmp_path, crop="random", flip=True)
    assert pairs.varies
    seen = [pairs.at(index, epoch) for index in range(2) for epoch in range(6)]
    again = opened(tmp_path, crop="random", flip=True)
    for place, example in enumerate(seen):
        other = again.at(place // 6, place % 6)
        assert np.array_equal(example.target, other.target)
        assert np.array_equal(example.hint, other.hint)
        assert np.array_equal(as_map(example.hint)[..., 0], cv2.Canny(example.target, 100, 200))
        assert np.array_equal(pairs.target(place // 6, place % 6), example.target)
    assert len({example.target.tobytes() for example in seen}) > 6
    assert not np.array_equal(seen[0].target, opened(tmp_path, crop="random", flip=True, seed=1)[0].target)


def test_every_crop_is_part_of_the_picture(tmp_path: Path) -> None:
    captioned(tmp_path, 2, width=160, height=64)
    pairs = opened(tmp_path, crop="random")
    for epoch in range(8):
        target = pairs.target(0, epoch)
        windows = (picture(0, 160, 64)[:, left : left + 64] for left in range(97))
        assert any(np.array_equal(target, window) for window in windows)


def test_a_flip_is_the_other_way_round_half_of_the_time(tmp_path: Path) -> None:
    pairs = opened(captioned(tmp_path, 2), flip=True)
    turned = [np.array_equal(pairs.target(0, epoch), picture(0)[:, ::-1]) for epoch in range(40)]
    assert 10 <= sum(turned) <= 30
    assert all(np.array_equal(pairs.target(0, epoch), picture(0)) for epoch in range(40) if not turned[epoch])


def test_random_crops_take_the_hint_along(tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / "target" / f"{number}.png", picture(number, 160, 64))
        save(tmp_path / "source" / f"{number}.png", 255 - picture(number, 160, 64))
    write_list(tmp_path, [json.dumps(line) for line in map(_row, range(2))])
    example = opened(tmp_path, crop="random").at(1, 3)
    assert np.array_equal(as_map(example.hint), 255 - example.target)


def _row(number: int) -> dict[str, str]:
    return {"source": f"source/{number}.png", "target": f"target/{number}.png", "prompt": ""}


def test_hints_that_know_left_from_right_are_not_flipped(tmp_path: Path) -> None:
    with pytest.raises(ArmatureError, match="PARAM_CHOICE"):
        opened(listed(tmp_path), flip=True)
    assert opened(tmp_path, annotator="canny", flip=True).varies
    assert not opened(tmp_path).varies


# What a set is


def test_the_fingerprint_stays_when_the_set_moves(tmp_path: Path) -> None:
    first = opened(listed(tmp_path / "a"))
    second = opened(listed(tmp_path / "b"), cache=tmp_path / "cache")
    assert first.fingerprint == second.fingerprint
    assert first.contents == second.contents


CHANGES: dict[str, Any] = {
    "size": {"size": 72},
    "annotator": {"annotator": "canny"},
    "seed": {"seed": 1},
    "crop": {"crop": "random"},
    "limit": {"limit": 2},
}


@pytest.mark.parametrize("change", [*CHANGES, "values", "target", "hint", "prompt", "condition"])
def test_the_fingerprint_changes_with_all_that_is_learnt(tmp_path: Path, change: str) -> None:
    before = opened(listed(tmp_path))
    match change:
        case "target" | "hint":
            folder = "target" if change == "target" else "source"
            save(tmp_path / folder / "1.png", picture(9))
        case "prompt":
            path = tmp_path / "prompt.json"
            path.write_text(path.read_text().replace("thing 1", "something"))
    settings = CHANGES.get(change, {})
    if change == "values":
        before = opened(tmp_path, annotator="canny")
        settings = {"annotator": "canny", "values": {"low_threshold": 90}}
    after = opened(tmp_path, "softedge" if change == "condition" else "canny", **settings)
    assert after.fingerprint != before.fingerprint
    about_hints = change in ("annotator", "values", "hint", "condition", "seed")
    assert (after.contents == before.contents) is about_hints


@pytest.mark.parametrize("change", ["gone", "other", "cut"])
def test_a_picture_that_changes_while_it_is_learnt_from_is_refused(tmp_path: Path, change: str) -> None:
    pairs = opened(captioned(tmp_path))
    assert pairs.at(1, 2).name == "1.png"
    path = tmp_path / "1.png"
    match change:
        case "gone":
            path.unlink()
        case "other":
            save(path, picture(9))
        case "cut":
            path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ArmatureError, match=r"DATASET_CHANGED.*1\.png") as refusal:
        pairs.at(1, 3)
    assert "resume" in refusal.value.message
    assert pairs.at(0, 3).name == "0.png"


def test_examples_are_ones_own(tmp_path: Path) -> None:
    example = opened(captioned(tmp_path))[0]
    example.target[:] = 0
    example.hint[:] = 0
    assert np.array_equal(opened(tmp_path)[0].target, picture(0))


def test_it_has_an_end_on_both_sides(tmp_path: Path) -> None:
    pairs = opened(captioned(tmp_path), "inpaint")
    assert np.array_equal(pairs[-1].hint, pairs[2].hint)
    with pytest.raises(IndexError):
        pairs[3]
    assert [pairs[index].name for index in range(len(pairs))] == ["0.png", "1.png", "2.png"]


def test_it_crosses_to_another_process(tmp_path: Path) -> None:
    pairs = opened(captioned(tmp_path), values={"low_threshold": 20})
    again = pickle.loads(pickle.dumps(pairs))
    assert again.fingerprint == pairs.fingerprint
    assert np.array_equal(again[1].hint, pairs[1].hint)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"size": 0}, "PARAM_RANGE"),
        ({"size": -64}, "PARAM_RANGE"),
        ({"size": 4096}, "PARAM_RANGE"),
        ({"size": 100}, "PARAM_RANGE"),
        ({"size": float("nan")}, "PARAM_RANGE"),
        ({"size": "512"}, "PARAM_TYPE"),
        ({"limit": -1}, "PARAM_RANGE"),
        ({"seed": -1}, "PARAM_RANGE"),
        ({"crop": "middle"}, "PARAM_CHOICE"),
        ({"flip": 1}, "PARAM_TYPE"),
        ({"skip_bad": "yes"}, "PARAM_TYPE"),
    ],
)
def test_settings_out_of_bounds_are_refused(tmp_path: Path, settings: dict[str, Any], code: str) -> None:
    with pytest.raises(ArmatureError, match=code):
        DataConfig(path=tmp_path, condition="canny", **settings)


@pytest.mark.parametrize(
    ("values", "code"), [({"low_threshold": 999}, "PARAM_RANGE"), ({"sigma": 1}, "PARAM_TYPE")]
)
def test_settings_of_the_annotator_are_checked_at_the_start(
    tmp_path: Path, values: dict[str, Any], code: str
) -> None:
    with pytest.raises(ArmatureError, match=code):
        opened(captioned(tmp_path), values=values)
