"""Stacks of controls, start pictures and larger canvases, on their way to a request."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotators.base import Pixels
from conditions import CONDITIONS
from errors import ArmatureError
from gate import LIMITS
from pipelines.pictures import PictureStore
from pipelines.request import GenerateRequest
from pipelines.request.composing import Ground, Layer, Sides, compose, grey
from pipelines.request.intake import Desk, Draft
from pipelines.request.units import parse_sides, parse_unit

RUN = {"prompt": "a house", "steps": 4, "seed": 11}


@pytest.fixture
def pictures(tmp_path: Path) -> PictureStore:
    return PictureStore(tmp_path)


@pytest.fixture
def desk(pictures: PictureStore) -> Desk:
    return Desk(pictures, LIMITS["local"])


def draft(condition: str, value: int = 120, width: int = 256, height: int = 256) -> Draft:
    """A map of one colour."""
    map = np.full((height, width, 3), value, np.uint8)
    return Draft(condition=CONDITIONS[condition], annotator="none", values={}, map=map, data=None, notices=())


def gradient(width: int = 256, height: int = 256) -> Pixels:
    """A picture, RGB uint8 (height, width, 3), that is nowhere the same."""
    rows, columns = np.indices((height, width))
    return np.stack((rows % 256, columns % 256, (rows + columns) % 256), axis=-1).astype(np.uint8)


def composed(desk: Desk, *layers: Layer, **given: Any) -> GenerateRequest:
    """The request for some layers, for the small family."""
    return compose(desk, layers, family="pocket", values=RUN, **given)


def test_one_control_is_the_same_request_on_both_ways(desk: Desk) -> None:
    values = {"strength": 0.5, "start": 0.1, "end": 0.6, "mode": "prompt"}
    plain = desk.request(draft("canny"), family="pocket", values=RUN | values)
    assert composed(desk, Layer(draft=draft("canny"), values=values)) == plain


def test_every_control_keeps_what_is_its_own(desk: Desk, pictures: PictureStore) -> None:
    region = np.zeros((64, 32, 3), np.uint8)
    region[:32] = (255, 0, 0)
    request = composed(
        desk,
        Layer(draft=draft("canny", 1), values={"strength": 0.3}, layer_weights=(0.5, 1.0)),
        Layer(draft=draft("depth", 2), values={"mode": "guess", "end": 0.5}, region=region),
    )
    first, second = request.controls
    assert (first.condition, first.strength, first.layer_weights, first.region) == (
        "canny",
        0.3,
        (0.5, 1.0),
        None,
    )
    assert (second.condition, second.mode, second.end, second.strength) == ("depth", "guess", 0.5, 1.0)
    assert int(pictures.get(second.map).max()) == 2
    assert second.region is not None
    plane = pictures.get(second.region)
    assert plane.shape == (256, 256, 3)
    assert (plane[..., 0] == plane[..., 2]).all(), "a region has no colour"
    assert request.init is request.mask is None


def test_without_a_control_there_is_a_size(desk: Desk) -> None:
    request = composed(desk, size=(320, 256))
    assert (request.controls, request.width, request.height) == ((), 320, 256)


def test_maps_of_different_sizes_are_refused(desk: Desk) -> None:
    with pytest.raises(ArmatureError, match=r"256x256, 320x256") as refusal:
        composed(desk, Layer(draft=draft("canny")), Layer(draft=draft("depth", width=320)))
    assert refusal.value.code.name == "PARAM_RANGE"


def test_a_start_picture_is_fitted_and_has_its_own_settings(desk: Desk, pictures: PictureStore) -> None:
    request = composed(
        desk, Layer(draft=draft("canny")), ground=Ground(init=gradient(600, 300), values={"denoise": 0.4})
    )
    assert request.init is not None
    assert pictures.get(request.init).shape == (256, 256, 3)
    assert (request.denoise, request.mask_blur, request.fill) == (0.4, 4, "original")
    with pytest.raises(ArmatureError) as refusal:
        composed(desk, Layer(draft=draft("canny")), ground=Ground(init=gradient(), values={"noise": 0.4}))
    assert refusal.value.code.name == "PARAM_TYPE"


def test_a_mask_in_which_nothing_is_marked_is_refused(desk: Desk) -> None:
    black = np.zeros((256, 256, 3), np.uint8)
    with pytest.raises(ArmatureError, match="Nothing is marked") as refusal:
        composed(desk, Layer(draft=draft("canny")), ground=Ground(init=gradient(), mask=black))
    assert refusal.value.code.name == "IMG_EMPTY"


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
def test_a_canvas_grows_on_any_side_and_only_that_is_new(
    side: str, desk: Desk, pictures: PictureStore
) -> None:
    sides = Sides(**{side: 64})
    request = composed(
        desk,
        Layer(draft=draft("canny", 200)),
        Layer(draft=draft("inpaint", 50)),
        ground=Ground(init=gradient(), sides=sides),
    )
    assert request.denoise == 1, "nothing is kept of what is not there"
    assert (request.width, request.height) == (256 + sides.left + sides.right, 256 + sides.top + sides.bottom)
    old = np.zeros((request.height, request.width), bool)
    old[sides.top : sides.top + 256, sides.left : sides.left + 256] = True
    assert request.init is not None
    assert request.mask is not None
    init, mask = pictures.get(request.init), pictures.get(request.mask)[..., 0]
    assert np.array_equal(init[old].reshape(256, 256, 3), gradient())
    assert (mask[old] == 0).all()
    assert (mask[~old] == 255).all()
    lines, hole = request.controls
    map = pictures.get(lines.map)
    assert (map[old] == 200).all()
    assert (map[~old] == 0).all()
    assert lines.region is not None
    region = pictures.get(lines.region)[..., 0]
    assert (region[old] == 255).all()
    assert (region[~old] == 0).all()
    assert hole.region is None, "the inpaint control has the new part as its hole"
    assert (pictures.get(hole.map) == 50).all()


def test_a_larger_canvas_keeps_mask_and_regions(desk: Desk, pictures: PictureStore) -> None:
    half = np.zeros((256, 256, 3), np.uint8)
    half[:128] = 255
    request = composed(
        desk,
        Layer(draft=draft("canny"), region=half),
        Layer(draft=draft("inpaint"), region=half),
        ground=Ground(init=gradient(), mask=half, values={"denoise": 0.5}, sides=Sides(bottom=64)),
    )
    assert request.denoise == 0.5
    assert request.mask is not None
    planes = [request.mask, *(unit.region for unit in request.controls if unit.region)]
    mask, lines, hole = (pictures.get(plane)[:, 0, 0] for plane in planes)
    assert [int(mask[row]) for row in (0, 200, 300)] == [255, 0, 255]
    assert [int(lines[row]) for row in (0, 200, 300)] == [255, 0, 0]
    assert [int(hole[row]) for row in (0, 200, 300)] == [255, 0, 255]


@pytest.mark.parametrize("sides", [{"left": 32}, {"right": 320}])
def test_a_canvas_that_the_model_can_not_make_is_refused(sides: dict[str, int], desk: Desk) -> None:
    with pytest.raises(ArmatureError, match="can't make this size") as refusal:
        composed(desk, Layer(draft=draft("canny")), ground=Ground(init=gradient(), sides=Sides(**sides)))
    assert refusal.value.code.name == "PARAM_RANGE"
    with pytest.raises(ArmatureError, match="only grow"):
        Sides(top=-64)


def test_grey_has_the_weights_of_the_eye() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    assert grey(colours)[0, :, 1].tolist() == [76, 150, 29, 255]


def test_a_comma_ends_a_value_only_before_another_name() -> None:
    unit = parse_unit("condition=depth, image=a, b.png,strength=.8,region=c,d=e.png")
    assert (unit.condition, unit.image, unit.values) == ("depth", Path("a, b.png"), {"strength": 0.8})
    assert unit.region == Path("c")
    assert unit.settings == ["d=e.png"]


def test_sides_are_read_by_name() -> None:
    assert parse_sides("left=64, bottom=128") == {"left": 64, "bottom": 128}
