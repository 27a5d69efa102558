"""A user's own map on its way: what is said about it, that it is set right; and nothing is made twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import annotators
from annotators import Annotation, ade20k, annotate
from annotators.base import Pixels
from conditions import CONDITIONS, Condition
from errors import MODEL_MISSING, ArmatureError
from gate import LIMITS, Picture
from pipelines.pictures import PictureStore
from pipelines.request.annotating import Annotated, AnnotateRequest
from pipelines.request.intake import Desk, Draft
from tests import own_maps
from tests.browsing import draw_scene
from tests.conftest import drawn_map

NOTHING_THERE = "The map is all black: there is nothing to follow."
Asked = Callable[..., Draft]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(PictureStore(tmp_path / "pictures"), LIMITS["local"])


@pytest.fixture
def ask(desk: Desk) -> Asked:
    """`ask(condition, picture, annotator=...)`: the draft at 512 pixels."""

    def asked(condition: str, picture: Pixels, **given: Any) -> Draft:
        return desk.draft(condition, Picture(picture), **{"family": "sd15", "size": "512x512"} | given)

    return asked


@pytest.fixture
def scene(tmp_path: Path) -> Pixels:
    with Image.open(draw_scene(tmp_path / "scene.png", 512, 512)) as image:
        return np.asarray(image)


LINES = drawn_map(512, 512)
PAPER = np.subtract(255, LINES, dtype=np.uint8)


@pytest.mark.parametrize(
    ("condition", "annotator", "picture", "said"),
    [
        ("canny", "canny", LINES, "looks like a line map already: light lines on black"),
        ("canny", "canny", LINES, "“My picture is already a map” (annotator none)"),
        (
            "lineart",
            "lineart_standard",
            PAPER,
            "“My picture is already a map” with “Inverted” (annotator",
        ),
        ("scribble", "none", PAPER, "dark lines on a light ground, and the model follows the reverse"),
        ("scribble", "none", PAPER, "(annotator invert)"),
        ("scribble", "invert", LINES, "choose “My picture is already a map” (annotator none)"),
        ("normal", "normal_from_depth", own_maps.normals(1), "looks like a normal map already"),
        ("openpose", "none", own_maps.depth(1), "does not look like a drawing of a pose"),
        ("depth", "none", LINES, "does not look like a depth map, and is taken as one all the same"),
        ("canny", "none", np.zeros((512, 512, 3), np.uint8), NOTHING_THERE),
        ("canny", "invert", np.full((512, 512, 3), 255, np.uint8), NOTHING_THERE),
        ("depth", "none", np.full((512, 512, 3), 3, np.uint8), NOTHING_THERE),
    ],
)
def test_what_is_said(condition: str, annotator: str, picture: Pixels, said: str, ask: Asked) -> None:
    draft = ask(condition, picture, annotator=annotator)
    assert draft.annotator == annotator, "it is said, and nothing else is done"
    assert any(said in notice for notice in draft.notices), draft.notices


@pytest.mark.parametrize(
    ("condition", "annotator", "picture"),
    [
        ("canny", "none", LINES),
        ("canny", "invert", PAPER),
        ("scribble", "invert", own_maps.scan(1, 512, 512)),
        ("depth", "none", own_maps.depth(1)),
        ("depth", "invert", own_maps.depth(1)),
        ("openpose", "none", own_maps.pose(1)),
        ("normal", "none", own_maps.normals(1)),
        ("seg", "none", own_maps.classes(1)),
        ("qr", "none", LINES),
        ("ip2p", "none", LINES),
        ("inpaint", "none", own_maps.depth(1)),
    ],
)
def test_where_all_is_well_nothing_is_said(
    condition: str, annotator: str, picture: Pixels, ask: Asked
) -> None:
    assert ask(condition, picture, annotator=annotator).notices == ()


@pytest.mark.parametrize("condition", ["canny", "softedge", "mlsd", "lineart", "tile", "shuffle"])
def test_a_scene_that_is_annotated_needs_no_words(condition: str, scene: Pixels, ask: Asked) -> None:
    assert ask(condition, scene).notices == ()


def test_a_photograph_taken_for_depth_is_said_to_be_none(scene: Pixels, ask: Asked) -> None:
    draft = ask("depth", scene, annotator="none")
    assert "does not look like a depth map" in draft.notices[0]


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=lambda c: c.name)
def test_of_an_all_black_map_it_is_said_once_that_there_is_nothing_to_follow(
    condition: Condition, ask: Asked
) -> None:
    black = ask(condition.name, own_maps.jpeg(np.zeros((512, 512, 3), np.uint8), 75), annotator="none")
    assert black.notices == (NOTHING_THERE,)
    assert not black.map.any()


def test_one_notice_about_an_empty_map_is_enough() -> None:
    plain = np.full((64, 64, 3), 90, np.uint8)
    assert len(annotate("canny", plain).notices) == 1
    assert annotate("softedge_gradient", plain).notices == (NOTHING_THERE,)
    assert annotate("none", plain).notices == ()


@pytest.mark.parametrize("size", ["512x512", "256x256", "1024x1024"])
def test_a_segmentation_map_comes_out_in_the_colours_of_the_palette(size: str, ask: Asked) -> None:
    truth = own_maps.classes(2, 512, 512)
    draft = ask("seg", own_maps.jpeg(truth, 75), annotator="none", size=size)
    assert ["outside the palette of ADE20K" in notice for notice in draft.notices].count(True) == 1
    assert draft.data is not None
    assert {entry["name"] for entry in draft.data["classes"]} == {
        ade20k.NAMES[[other for _, other in ade20k.CLASSES].index(tuple(colour))]
        for colour in np.unique(truth.reshape(-1, 3), axis=0).tolist()
    }
    side = int(size.partition("x")[0])
    assert draft.map.shape == (side, side, 3)
    wrong = (draft.map != cv2.resize(truth, (side, side), interpolation=cv2.INTER_NEAREST_EXACT)).any(axis=2)
    assert wrong.mean() < 0.03


# The same picture with the same values is not computed twice.


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of the annotator, each time that one is really run."""
    names: list[str] = []
    really = annotators.annotate

    def counting(name: str, *given: Any, **more: Any) -> Annotation:
        names.append(name)
        return really(name, *given, **more)

    monkeypatch.setattr(annotators, "annotate", counting)
    return names


@pytest.mark.parametrize(
    ("condition", "annotator", "values"),
    [
        ("canny", "canny", {"low_threshold": 30}),
        ("scribble", "scribble_synthetic", {"seed": 3}),
        ("shuffle", "shuffle", {}),
        ("depth", "invert", {}),
        ("seg", "none", {}),
    ],
)
def test_the_same_wish_is_computed_once(
    condition: str, annotator: str, values: dict[str, Any], scene: Pixels, computed: list[str], ask: Asked
) -> None:
    first = ask(condition, scene, annotator=annotator, values=values)
    again = ask(condition, scene.copy(), annotator=annotator, values=values)
    assert computed == [annotator]
    assert again.map is first.map or np.array_equal(again.map, first.map)
    assert (again.data, again.notices) == (first.data, first.notices)


def test_values_left_out_are_those_by_default(desk: Desk, scene: Pixels, computed: list[str]) -> None:
    first = desk.annotation("canny", scene, 512, {})
    assert desk.annotation("canny", scene, 512, {"low_threshold": 100, "high_threshold": 200}) is first
    assert computed == ["canny"]


def test_what_differs_is_computed(desk: Desk, scene: Pixels, computed: list[str]) -> None:
    first = desk.annotation("canny", scene, 512, {})
    assert not np.array_equal(desk.annotation("canny", scene, 512, {"low_threshold": 5}).map, first.map)
    assert not np.array_equal(desk.annotation("canny", scene, 200, {}).map, first.map)
    desk.annotation("softedge_gradient", scene, 512, {})
    desk.annotation("canny", scene[::-1], 512, {})
    assert computed == ["canny", "canny", "canny", "softedge_gradient", "canny"]


def test_only_so_many_bytes_of_maps_are_kept(
    tmp_path: Path, scene: Pixels, computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.request.intake.ANNOTATED_BYTES", 2 * scene.nbytes)
    desk = Desk(PictureStore(tmp_path), LIMITS["local"])
    for low in (10, 20, 30, 30, 20, 10):
        desk.annotation("canny", scene, 512, {"low_threshold": low})
    assert len(computed) == 4


def test_a_network_is_asked_once(tmp_path: Path, scene: Pixels) -> None:
    pictures = PictureStore(tmp_path / "pictures")
    asked: list[AnnotateRequest] = []

    def far(request: AnnotateRequest) -> Annotated:
        asked.append(request)
        return Annotated(map=pictures.put(255 - pictures.get(request.picture)), notices=("Far away.",))

    desk = Desk(pictures, LIMITS["local"], far)
    first, again = (desk.annotation("depth_midas", scene, 512, {}) for _ in range(2))
    assert len(asked) == 1
    assert again is first
    assert again.notices == ("Far away.",)


def test_a_refusal_is_not_kept(tmp_path: Path, scene: Pixels) -> None:
    asked: list[AnnotateRequest] = []

    def far(request: AnnotateRequest) -> Annotated:
        asked.append(request)
        raise MODEL_MISSING("Not yet")

    desk = Desk(PictureStore(tmp_path), LIMITS["local"], far)
    for _ in range(2):
        with pytest.raises(ArmatureError, match="MODEL_MISSING"):
            desk.annotation("depth_midas", scene, 512, {})
    assert len(asked) == 2


def test_nobody_can_change_what_others_will_be_given(desk: Desk, scene: Pixels) -> None:
    map = desk.annotation("none", scene, 512, {}).map
    with pytest.raises(ValueError, match="read-only"):
        map[0, 0] = 1
