"""Whether a picture is a map already: what annotators make is, drawn and photographed scenes are not."""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import gate
from annotators import ANNOTATORS, annotate
from annotators.base import Pixels
from annotators.looking import NOTHING, Look
from annotators.map_kinds import (
    CLASSES,
    CODES,
    DEPTH,
    LINES,
    NORMALS,
    PICTURES,
    PLAIN,
    POSES,
    STIRRED,
    MapKind,
)
from conditions import CONDITIONS
from tests import own_maps
from tests.browsing import draw_scene
from tests.own_maps import in_greys, jpeg

SHARED = Path(__file__).parents[2].parent / "shared"
KINDS = {"lines": LINES, "depth": DEPTH, "normals": NORMALS, "poses": POSES, "classes": CLASSES}
DRAWINGS = ("anime1", "anime3", "wolf")  # what is drawn in black on white among the images
IMAGES = sorted((SHARED / "images").glob("*"))
PHOTOGRAPHS = [path for path in IMAGES if path.stem not in DRAWINGS]
BOTH = [LINES, DEPTH, NORMALS, POSES, CLASSES, PLAIN]
BOUND = 10 * 0.005  # seconds; the bound at 512 pixels, ten times as wide

with_images = pytest.mark.skipif(not IMAGES, reason="the images are not beside the project")
qualities = pytest.mark.parametrize("quality", [None, 90, 75, 50])
seeds = pytest.mark.parametrize("seed", range(3))


def read(path: Path) -> Pixels:
    return gate.open_picture(path, gate.LIMITS["local"]).pixels


def as_saved(picture: Pixels, quality: int | None) -> Pixels:
    return picture if quality is None else jpeg(picture, quality)


def taken_for(picture: Pixels) -> set[str]:
    """The kinds of maps that a picture looks like."""
    return {name for name, kind in KINDS.items() if kind.look(picture).is_map}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Pixels:
    return read(draw_scene(tmp_path_factory.mktemp("scene") / "scene.png"))


@pytest.fixture(scope="module")
def large_scene(tmp_path_factory: pytest.TempPathFactory) -> Pixels:
    return read(draw_scene(tmp_path_factory.mktemp("scene") / "scene.png", 1536, 1024))


# What works without weights, with the kind of its maps; what is shuffled can't be told from what is not.
MADE = {
    method.name: condition.kind
    for condition in CONDITIONS.values()
    for method in condition.making
    if method.source == "picture" and not method.weights and condition.kind is not STIRRED
}
EACH = [pytest.param(kind, name, id=name) for name, kind in MADE.items()]


@qualities
@pytest.mark.parametrize(("kind", "name"), EACH)
def test_what_an_annotator_makes_of_a_drawn_scene_is_a_map(
    kind: MapKind, name: str, quality: int | None, scene: Pixels
) -> None:
    found = as_saved(annotate(name, scene).map, quality)
    assert kind.look(found).is_map is True
    assert kind.look(found).seen
    assert not kind.look(found).negative


@with_images
@pytest.mark.parametrize(("kind", "name"), [made for made in EACH if made.values[0] is not PLAIN])
def test_what_an_annotator_makes_of_a_photograph_is_a_map(kind: MapKind, name: str) -> None:
    for path in (path for path in PHOTOGRAPHS if path.stem in ("building", "house", "pose2", "toy")):
        assert kind.look(annotate(name, read(path)).map).is_map, path.name


@pytest.mark.skipif(not (SHARED / "reference").exists(), reason="no maps of the original annotators")
@pytest.mark.parametrize("quality", [None, 75])
def test_the_maps_of_the_original_annotators_are_line_maps(quality: int | None) -> None:
    maps = [path for path in sorted((SHARED / "reference").glob("*.png")) if "input" not in path.name]
    for path in maps:
        assert taken_for(as_saved(read(path), quality)) == {"lines"}, path.name
    assert maps


@with_images
@pytest.mark.parametrize("changed", [None, in_greys], ids=["in colour", "in greys"])
@pytest.mark.parametrize("path", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_a_photograph_is_no_map(path: Path, changed: Callable[[Pixels], Pixels] | None) -> None:
    picture = read(path) if changed is None else changed(read(path))
    assert taken_for(picture) == set()
    assert taken_for(jpeg(picture, 75)) == set()
    assert not PLAIN.look(picture).is_map


@qualities
def test_a_drawn_scene_is_no_map(scene: Pixels, large_scene: Pixels, quality: int | None) -> None:
    for picture in (scene, large_scene):
        assert taken_for(as_saved(picture, quality)) == set()
        assert not PLAIN.look(as_saved(picture, quality)).is_map


@with_images
@qualities
@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_dark_lines_on_light(name: str, quality: int | None) -> None:
    (path,) = (path for path in IMAGES if path.stem == name)
    picture = as_saved(read(path), quality)
    assert LINES.look(picture) == Look(is_map=True, seen="dark lines on a light ground", negative=True)
    assert taken_for(picture) == {"lines"}


@seeds
def test_a_scanned_pencil_drawing_is_dark_lines_on_light(seed: int) -> None:
    drawing = own_maps.scan(seed)
    assert LINES.look(drawing) == Look(is_map=True, seen="dark lines on a light ground", negative=True)
    assert taken_for(drawing) == {"lines"}


@qualities
@pytest.mark.parametrize("name", ["canny", "softedge_gradient", "scribble_synthetic", "lineart_standard"])
def test_a_negative_line_map_is_noticed(name: str, quality: int | None, scene: Pixels) -> None:
    negative = np.subtract(255, annotate(name, scene).map, dtype=np.uint8)
    look = LINES.look(as_saved(negative, quality))
    assert look.is_map
    assert look.negative


@qualities
@seeds
@pytest.mark.parametrize("kind", ["depth", "normals", "pose", "classes"])
def test_a_map_of_each_kind_is_that_and_no_other(kind: str, seed: int, quality: int | None) -> None:
    picture = as_saved(getattr(own_maps, kind)(seed), quality)
    assert taken_for(picture) == {{"pose": "poses"}.get(kind, kind)}


@pytest.mark.parametrize("kind", ["depth", "normals", "pose", "classes"])
@pytest.mark.parametrize(("width", "height"), [(96, 64), (64, 96), (300, 1200)])
def test_a_map_of_any_size_is_recognised(kind: str, width: int, height: int) -> None:
    picture = getattr(own_maps, kind)(2, width, height)
    assert taken_for(picture) == {{"pose": "poses"}.get(kind, kind)}


def test_a_huge_map_is_recognised() -> None:
    assert taken_for(own_maps.pose(2, 3000, 2000)) == {"poses"}
    for kind in ("depth", "normals", "classes"):
        small = getattr(own_maps, kind)(2, 375, 250)
        assert taken_for(small.repeat(8, axis=0).repeat(8, axis=1)) == {kind}


@pytest.mark.parametrize("side", [64, 100, 4000])
def test_lines_of_any_size_are_recognised(side: int) -> None:
    canvas = np.zeros((side, side, 3), np.uint8)
    cv2.circle(canvas, (side // 2, side // 2), side // 3, (255, 255, 255), max(1, side // 200))
    cv2.line(canvas, (0, side // 5), (side, side // 2), (255, 255, 255), 1)
    assert taken_for(canvas) == {"lines"}
    assert LINES.look(np.subtract(255, canvas, dtype=np.uint8)).negative


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (7, 5)])
@pytest.mark.parametrize("value", [0, 90, 255])
def test_no_picture_is_too_small_to_look_at(shape: tuple[int, int], value: int) -> None:
    plain = np.full((*shape, 3), value, np.uint8)
    assert taken_for(plain) == (set(KINDS) if value == 0 else set())


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.noun)
def test_all_black_is_a_map_with_nothing_in_it(kind: MapKind) -> None:
    assert kind.look(np.zeros((300, 200, 3), np.uint8)) == NOTHING
    assert kind.look(jpeg(np.full((300, 200, 3), 2, np.uint8), 60)) == NOTHING


def test_what_is_wide_is_no_line() -> None:
    silhouette = np.full((400, 400, 3), 255, np.uint8)
    cv2.circle(silhouette, (200, 200), 120, (0, 0, 0), -1)
    assert taken_for(silhouette) == set()
    assert taken_for(np.subtract(255, silhouette, dtype=np.uint8)) == set()


def test_normals_may_stand_on_black_and_may_not_face_away() -> None:
    ball = own_maps.normals(1)
    ball[:, :180] = 0
    assert taken_for(ball) == {"normals"}
    assert not NORMALS.look(np.ascontiguousarray(ball[:, :, ::-1])).is_map, "red and blue are swapped"


def test_a_grey_scan_is_no_segmentation_though_its_paper_is_a_colour_of_the_palette() -> None:
    paper = np.full((300, 300, 3), 220, np.uint8)
    cv2.line(paper, (10, 10), (250, 200), (120, 120, 120), 3)
    assert not CLASSES.look(paper).is_map


def test_where_the_picture_itself_is_followed_all_are_maps_and_shuffled_ones_can_not_be_told(
    scene: Pixels,
) -> None:
    for kind in (CODES, PICTURES):
        assert kind.look(scene).is_map
        assert kind.always
    assert not STIRRED.look(annotate("shuffle", scene).map).is_map


@pytest.mark.parametrize("kind", BOTH, ids=lambda kind: kind.noun)
@pytest.mark.parametrize("subject", ["depth", "normals", "pose", "classes", "scan"])
def test_a_look_takes_no_time(kind: MapKind, subject: str) -> None:
    picture = cv2.resize(getattr(own_maps, subject)(0), (512, 512))
    before = picture.copy()
    durations = []
    for _ in range(3):
        began = time.perf_counter()
        kind.look(picture)
        durations.append(time.perf_counter() - began)
    assert min(durations) < BOUND
    assert np.array_equal(picture, before)


def test_every_condition_whose_maps_are_lines_takes_the_negative_of_one() -> None:
    for condition in CONDITIONS.values():
        assert condition.taking("map")
        if condition.polarity != "colour":
            assert condition.taking("negative")
    assert {ANNOTATORS[name].takes for name in ("canny", "none", "invert")} == {"scene", "map", "negative"}


def test_a_photograph_in_a_file_is_looked_at_as_it_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "drawing.png"
    Image.fromarray(own_maps.scan(5)).convert("L").save(path)
    assert LINES.look(read(path)).negative
