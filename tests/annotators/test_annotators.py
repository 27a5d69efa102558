"""The contract of annotators, and Canny against the original's own maps."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import annotators
from annotators import ANNOTATORS, Annotation, Annotator, annotate
from annotators.base import Network, Pixels, Source
from errors import ArmatureError
from models.catalogue import Weight
from params import Param

SHARED = Path(__file__).parents[2].parent / "shared"
REFERENCES = sorted((SHARED / "reference").glob("*.canny.png"))


def read(path: Path) -> Pixels:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.fixture
def noise() -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (200, 320, 3), dtype=np.uint8)


@pytest.mark.skipif(not REFERENCES, reason="the original's maps are not beside the project")
@pytest.mark.parametrize("path", REFERENCES, ids=lambda path: path.name.split(".")[0])
def test_canny_equals_the_original_in_every_pixel(path: Path) -> None:
    picture = read(path.with_name(path.name.replace(".canny.", ".input512.")))
    found = annotate("canny", picture, resolution=min(picture.shape[:2]))
    assert np.array_equal(found.map, read(path))


def test_canny_swaps_its_thresholds_with_a_notice(noise: Pixels) -> None:
    right = annotate("canny", noise, resolution=200, low_threshold=50, high_threshold=150)
    swapped = annotate("canny", noise, resolution=200, low_threshold=150, high_threshold=50)
    assert np.array_equal(right.map, swapped.map)
    assert right.notices == ()
    assert "swapped" in swapped.notices[0]


def test_canny_says_when_it_finds_nothing() -> None:
    found = annotate("canny", np.full((64, 64, 3), 90, np.uint8), resolution=64)
    assert not found.map.any()
    assert "No edges" in found.notices[0]


WITHOUT_WEIGHTS = [annotator for annotator in ANNOTATORS.values() if not annotator.weights]
OF_PICTURES = [annotator.name for annotator in WITHOUT_WEIGHTS if annotator.source == "picture"]
OF_OTHERS = [annotator.name for annotator in WITHOUT_WEIGHTS if annotator.source != "picture"]
SOMETHING: dict[Source, Any] = {
    "picture": np.full((64, 64, 3), 90, np.uint8),
    "pose": {
        "people": [{"pose_keypoints_2d": [30, 20, 1, 30, 40, 1] + [0, 0, 0] * 16}],
        "canvas_width": 60,
        "canvas_height": 90,
    },
    "text": "https://example.org",
}


def is_json(data: Any) -> bool:
    """Whether it is what JSON can say and nothing else: no array and no tuple."""
    return data is None or json.loads(json.dumps(data, allow_nan=False)) == data


@pytest.mark.parametrize("name", OF_PICTURES)
@pytest.mark.parametrize("shape", [(64, 64), (77, 1201), (513, 300)])
@pytest.mark.parametrize("resolution", [64, 300])
def test_a_map_has_the_size_of_its_picture(name: str, shape: tuple[int, int], resolution: int) -> None:
    """And the picture is left as it was, and a second time gives the same."""
    picture = np.random.default_rng(2).integers(0, 256, (*shape, 3), dtype=np.uint8)
    before = picture.copy()
    found = annotate(name, picture, resolution=resolution)
    assert found.map.shape == (*shape, 3)
    assert found.map.dtype == np.uint8
    assert is_json(found.data)
    assert np.array_equal(picture, before)
    assert np.array_equal(annotate(name, before, resolution=resolution).map, found.map)


@pytest.mark.parametrize("name", OF_PICTURES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (7, 5)])
@pytest.mark.parametrize("value", [0, 255])
def test_no_picture_is_too_small_or_too_plain(name: str, shape: tuple[int, int], value: int) -> None:
    found = annotate(name, np.full((*shape, 3), value, np.uint8), resolution=64)
    assert found.map.shape == (*shape, 3)
    assert found.map.dtype == np.uint8


@pytest.mark.parametrize("name", OF_PICTURES)
def test_the_extremes_of_every_setting_are_taken(name: str, noise: Pixels) -> None:
    for param in ANNOTATORS[name].params:
        for value in (param.minimum, param.maximum):
            values: dict[str, Any] = {param.name: param.check(value)}
            found = annotate(name, noise, resolution=64, **values)
            assert found.map.shape == noise.shape


@pytest.mark.parametrize("name", OF_OTHERS)
def test_a_pose_or_a_text_becomes_a_map(name: str) -> None:
    found = annotate(name, SOMETHING[ANNOTATORS[name].source])
    assert found.map.ndim == 3
    assert found.map.shape[2] == 3
    assert found.map.dtype == np.uint8
    assert found.map.any()
    assert is_json(found.data)


@pytest.mark.parametrize("annotator", WITHOUT_WEIGHTS, ids=lambda annotator: annotator.name)
@pytest.mark.parametrize("source", list(SOMETHING))
def test_a_source_of_another_kind_is_refused(annotator: Annotator, source: Source) -> None:
    if source != annotator.source:
        with pytest.raises(ArmatureError, match=r"PARAM_TYPE|POSE_INVALID"):
            annotate(annotator.name, SOMETHING[source])


def test_none_gives_the_picture_itself(noise: Pixels) -> None:
    assert np.array_equal(annotate("none", noise, resolution=64).map, noise)


def test_a_line_map_stays_black_and_white_at_any_working_size(noise: Pixels) -> None:
    found = annotate("canny", noise, resolution=100)
    assert set(np.unique(found.map)) <= {0, 255}
    work = cv2.resize(noise, (160, 100), interpolation=cv2.INTER_AREA)
    edges = cv2.resize(cv2.Canny(work, 100, 200), (320, 200), interpolation=cv2.INTER_NEAREST)
    assert np.array_equal(found.map[..., 0], edges)


def test_a_small_picture_loses_no_line_to_a_large_working_size() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[20:40, 20:40] = 255
    found = annotate("canny", picture, resolution=512)
    assert np.array_equal(found.map[..., 0], cv2.Canny(picture, 100, 200))


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"low_threshold": 256}, "PARAM_RANGE"),
        ({"low_threshold": "1"}, "PARAM_TYPE"),
        ({"thr_a": 1}, "PARAM_TYPE"),
        ({"resolution": 10}, "PARAM_RANGE"),
        ({"resolution": 10**6}, "PARAM_RANGE"),
    ],
)
def test_what_is_refused(noise: Pixels, values: dict[str, Any], code: str) -> None:
    with pytest.raises(ArmatureError) as refusal:
        annotate("canny", noise, **values)
    assert refusal.value.code.name == code


def test_an_unknown_annotator_is_refused_with_the_names(noise: Pixels) -> None:
    with pytest.raises(ArmatureError, match=rf"PARAM_CHOICE.*one of {', '.join(ANNOTATORS)}\)"):
        annotate("banana", noise)


# The contract holds for networks, poses and texts without a change to it.

SHIFT = Param(
    name="shift", label="Shift", kind="integer", default=1, minimum=0, maximum=9, step=1, help="Adds."
)


def shifted(picture: Pixels, network: Network, *, shift: int) -> Annotation:
    return Annotation(map=np.asarray(network(picture) + shift, np.uint8), data={"shift": shift})


def drawn(text: str, network: Network) -> Annotation:
    assert network is None
    return Annotation(map=np.full((5, len(text), 3), 255, np.uint8), data={"letters": len(text)})


NETWORKED = Annotator(
    name="networked",
    label="Networked",
    help="For a test.",
    params=(SHIFT,),
    weights=(Weight(repo="somebody/something", file="net.pth"),),
    load=lambda files: lambda picture: picture // 2,
    run=shifted,
)
TEXTUAL = Annotator(name="textual", label="Textual", help="For a test.", source="text", run=drawn)


@pytest.fixture
def two_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(annotators.ANNOTATORS, "networked", NETWORKED)
    monkeypatch.setitem(annotators.ANNOTATORS, "textual", TEXTUAL)


@pytest.mark.usefixtures("two_more")
def test_a_network_is_lent_and_never_held(noise: Pixels) -> None:
    lent: list[Annotator] = []

    def networks(annotator: Annotator) -> Network:
        lent.append(annotator)
        return annotator.load(())

    found = annotate("networked", noise, resolution=200, networks=networks, shift=3)
    assert lent == [NETWORKED]
    assert np.array_equal(found.map, noise // 2 + 3)
    assert found.data == {"shift": 3}
    with pytest.raises(ArmatureError, match="MODEL_MISSING"):
        annotate("networked", noise)


@pytest.mark.usefixtures("two_more")
def test_a_text_is_a_source_too() -> None:
    found = annotate("textual", "hello")
    assert found.map.shape == (5, 5, 3)
    assert found.data == {"letters": 5}
