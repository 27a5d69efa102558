"""From raw values to a request: sizes, resize rules, annotators, seeds; and that the map is kept as shown."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from annotators.base import Pixels
from errors import ArmatureError
from gate import LIMITS
from models.catalogue import FAMILIES
from pipelines.modes import MODES
from pipelines.pictures import PictureStore
from pipelines.request.annotating import Annotated, AnnotateRequest
from pipelines.request.intake import Desk, fit

RUN = {"prompt": "a house", "steps": 4, "seed": 11}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(PictureStore(tmp_path / "pictures"), LIMITS["local"])


def saved(tmp_path: Path, pixels: Pixels) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    return path


def scene(width: int, height: int) -> Pixels:
    """A drawn picture, RGB uint8 (height, width, 3)."""
    pixels = np.full((height, width, 3), (120, 160, 230), np.uint8)
    cv2.rectangle(pixels, (width // 4, height // 3), (width // 2, height - 9), (180, 60, 40), -1)
    cv2.circle(pixels, (3 * width // 4, height // 4), height // 8, (250, 220, 90), -1)
    return pixels


@pytest.mark.parametrize(
    ("family", "shape", "size"),
    [
        ("sd15", (512, 512), (512, 512)),
        ("sd15", (1000, 750), (680, 512)),
        ("sd15", (300, 1200), (512, 2048)),
        ("pocket", (1000, 750), (192, 128)),
        ("pocket", (200, 3000), (128, 512)),
        ("pocket", (64, 64), (128, 128)),
    ],
)
def test_auto_keeps_the_shape_at_the_scale_of_the_family(
    desk: Desk, tmp_path: Path, family: str, shape: tuple[int, int], size: tuple[int, int]
) -> None:
    picture = desk.picture(saved(tmp_path, scene(*shape)))
    draft = desk.draft("canny", picture, family=family)
    assert draft.size == size


def test_a_given_size_is_snapped_with_a_notice_and_cropped_not_squeezed(desk: Desk, tmp_path: Path) -> None:
    circle = np.zeros((400, 800, 3), np.uint8)
    cv2.circle(circle, (400, 200), 100, (255, 255, 255), -1)
    picture = desk.picture(saved(tmp_path, circle))
    draft = desk.draft("depth", picture, annotator="none", family="sd15", size="513x512")
    assert draft.size == (512, 512)
    assert any("512" in notice for notice in draft.notices)
    ys, xs = np.nonzero(draft.map[..., 0] > 127)
    assert abs(np.ptp(xs) - np.ptp(ys)) <= 2, "the circle is still round"


@pytest.mark.parametrize(
    ("family", "size", "told"),
    [
        ("pocket", "auto", False),
        ("pocket", "128x512", False),
        ("pocket", "192x192", False),
        ("pocket", "256x256", True),
        ("sd15", "512x768", False),
        ("sd15", "1024x1024", True),
    ],
)
def test_a_size_far_above_what_the_family_learnt_from_is_made_and_told(
    desk: Desk, tmp_path: Path, family: str, size: str, told: bool
) -> None:
    picture = desk.picture(saved(tmp_path, scene(400, 400)))
    notices = desk.draft("canny", picture, family=family, size=size).notices
    native = f"learnt from pictures of {FAMILIES[family].side} pixels"
    assert any(native in notice for notice in notices) is told


def test_the_picture_is_annotated_at_its_final_size(desk: Desk, tmp_path: Path) -> None:
    pixels = scene(1000, 750)
    draft = desk.draft("canny", desk.picture(saved(tmp_path, pixels)), family="sd15")
    fitted = fit(pixels, *draft.size, "area")
    assert np.array_equal(draft.map[..., 0], cv2.Canny(fitted, 100, 200))


def test_a_palette_map_keeps_its_exact_colours_and_a_depth_map_is_averaged(
    desk: Desk, tmp_path: Path
) -> None:
    stripes = np.full((900, 900, 3), (120, 120, 120), np.uint8)
    stripes[:, ::2] = (4, 200, 3)
    picture = desk.picture(saved(tmp_path, stripes))
    palette = {tuple(c) for c in stripes.reshape(-1, 3).tolist()}
    seg = desk.draft("seg", picture, annotator="none", family="sd15")
    assert {tuple(c) for c in seg.map.reshape(-1, 3).tolist()} <= palette
    depth = desk.draft("depth", picture, annotator="none", family="sd15")
    assert not {tuple(c) for c in depth.map.reshape(-1, 3).tolist()} <= palette


def test_the_map_of_the_request_is_the_map_that_was_shown(tmp_path: Path) -> None:
    pictures = PictureStore(tmp_path / "pictures")
    desk = Desk(pictures, LIMITS["local"])
    draft = desk.draft("canny", desk.picture(saved(tmp_path, scene(640, 480))), family="pocket")
    request = desk.request(draft, family="pocket", values=RUN)
    assert np.array_equal(pictures.get(request.controls[0].map), draft.map)
    assert request.controls[0].values == {"low_threshold": 100, "high_threshold": 200}
    assert (request.width, request.height, request.seed) == (*draft.size, 11)


def test_a_control_is_in_the_mode_that_suits_its_model_unless_one_was_chosen(
    desk: Desk, tmp_path: Path
) -> None:
    for family, mode in (("pocket", "strict"), ("sd15", "balanced")):
        assert FAMILIES[family].mode == mode
        draft = desk.draft("canny", desk.picture(saved(tmp_path, scene(256, 256))), family=family)
        request = desk.request(draft, family=family, values=RUN)
        assert request.controls[0].mode == mode
        chosen = desk.request(draft, family=family, values=RUN | {"mode": "prompt"})
        assert chosen.controls[0].mode == "prompt"
    assert {family.mode for family in FAMILIES.values()} <= set(MODES)


def test_a_seed_of_minus_one_is_drawn_and_returned(desk: Desk, tmp_path: Path) -> None:
    draft = desk.draft("canny", desk.picture(saved(tmp_path, scene(256, 256))), family="pocket")
    drawn = {desk.request(draft, family="pocket", values=RUN | {"seed": -1}).seed for _ in range(8)}
    assert len(drawn) > 1
    assert all(0 <= seed < 2**32 for seed in drawn)


@pytest.mark.parametrize(
    ("where", "values", "code"),
    [
        ("draft", {"annotator": "hed"}, "PARAM_CHOICE"),
        ("draft", {"annotator": ["canny"]}, "PARAM_CHOICE"),
        ("draft", {"values": {"low_threshold": 300}}, "PARAM_RANGE"),
        ("draft", {"values": {"sigma": 1}}, "PARAM_TYPE"),
        ("draft", {"family": "sdxl"}, "PARAM_CHOICE"),
        ("draft", {"family": None}, "PARAM_CHOICE"),
        ("draft", {"size": "banana"}, "PARAM_TYPE"),
        ("draft", {"size": "0x0"}, "PARAM_RANGE"),
        ("request", {"steps": 0}, "PARAM_RANGE"),
        ("request", {"steps": 20.7}, "PARAM_TYPE"),
        ("request", {"steps": "20"}, "PARAM_TYPE"),
        ("request", {"seed": 2**32}, "PARAM_RANGE"),
        ("request", {"guidance": float("nan")}, "PARAM_RANGE"),
        ("request", {"scheduler": "../x"}, "PARAM_CHOICE"),
        ("request", {"start": 0.5, "end": 0.5}, "PARAM_RANGE"),
        ("request", {"strength": 99}, "PARAM_RANGE"),
        ("request", {"prompt": "x" * 8001}, "PROMPT_TOO_LONG"),
        ("request", {"lora": 1}, "PARAM_TYPE"),
    ],
)
def test_what_is_refused(desk: Desk, tmp_path: Path, where: str, values: dict[str, Any], code: str) -> None:
    picture = desk.picture(saved(tmp_path, scene(256, 256)))
    draft = desk.draft("canny", picture, family="pocket")
    attempts: dict[str, Callable[[], object]] = {
        "draft": lambda: desk.draft("canny", picture, **{"family": "pocket"} | values),
        "request": lambda: desk.request(draft, family="pocket", values=RUN | values),
    }
    with pytest.raises(ArmatureError) as refusal:
        attempts[where]()
    assert refusal.value.code.name == code


def test_a_profile_narrows_the_bounds(tmp_path: Path) -> None:
    desk = Desk(PictureStore(tmp_path / "pictures"), LIMITS["public"])
    bounds = {param.name: param.maximum for param in desk.controls}
    assert (bounds["steps"], bounds["count"]) == (50, 2)
    draft = desk.draft("canny", desk.picture(saved(tmp_path, scene(256, 256))), family="sd15")
    with pytest.raises(ArmatureError, match=r"PARAM_RANGE.*from 1 to 50"):
        desk.request(draft, family="sd15", values=RUN | {"steps": 51})


def test_a_changed_file_is_read_anew(desk: Desk, tmp_path: Path) -> None:
    path = saved(tmp_path, scene(64, 64))
    first = desk.picture(path)
    assert desk.picture(path) is first
    saved(tmp_path, scene(96, 64))
    assert desk.picture(path).pixels.shape == (64, 96, 3)


def test_only_so_many_bytes_of_decoded_pictures_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.request.intake.DECODED_BYTES", 2 * 64 * 64 * 3)
    desk = Desk(PictureStore(tmp_path / "pictures"), LIMITS["local"])
    paths = []
    for index in range(4):
        paths.append(tmp_path / f"{index}.png")
        Image.fromarray(scene(64, 64)).save(paths[-1])
    first = desk.picture(paths[0])
    kept = [desk.picture(path) for path in paths[1:]]
    assert desk.picture(paths[3]) is kept[2]
    assert desk.picture(paths[0]) is not first


def test_a_text_becomes_a_whole_code_at_the_size_of_the_result(desk: Desk) -> None:
    draft = desk.draft(
        "qr", None, annotator="qr", typed="https://armature.example", family="sd15", size="768x512"
    )
    assert draft.size == (768, 512)
    found, _, _ = cv2.QRCodeDetector().detectAndDecode(np.ascontiguousarray(draft.map))
    assert found == "https://armature.example"
    assert (draft.map[:, 0] == 255).all(), "what is left over is as light as the border"


def test_a_pose_keeps_its_shape_on_the_canvas_of_the_result(desk: Desk) -> None:
    points = [float(value) for i in range(18) for value in (100 + 10 * i, 50 + 20 * i, 1)]
    pose = {"people": [{"pose_keypoints_2d": points}], "canvas_width": 400, "canvas_height": 500}
    draft = desk.draft("openpose", None, annotator="pose_json", typed=json.dumps(pose), family="sd15")
    assert draft.size == (512, 640)
    assert draft.map.any()
    with pytest.raises(ArmatureError, match="POSE_INVALID"):
        desk.draft("openpose", None, annotator="pose_json", typed="{", family="sd15")


def test_a_network_works_where_the_networks_live(tmp_path: Path) -> None:
    pictures = PictureStore(tmp_path / "pictures")
    asked: list[AnnotateRequest] = []

    def far(request: AnnotateRequest) -> Annotated:
        asked.append(request)
        return Annotated(map=pictures.put(255 - pictures.get(request.picture)), notices=("Far away.",))

    desk = Desk(pictures, LIMITS["local"], far)
    picture = desk.picture(saved(tmp_path, scene(640, 480)))
    draft = desk.draft("depth", picture, annotator="depth_midas", family="sd15")
    [request] = asked
    assert (request.annotator, request.resolution) == ("depth_midas", 512)
    assert np.array_equal(pictures.get(request.picture), fit(picture.pixels, *draft.size, "area"))
    assert np.array_equal(draft.map, 255 - pictures.get(request.picture))
    assert draft.notices == ("Far away.",)


def test_without_a_picture_the_refusal_says_so(desk: Desk) -> None:
    with pytest.raises(ArmatureError, match="IMG_EMPTY"):
        desk.draft("canny", None, family="sd15")
