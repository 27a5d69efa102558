"""Annotators with networks: the real loading code on random files of the real layout, and the originals."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from annotators import ANNOTATORS, Annotation, ade20k, annotate, openpose
from annotators.base import Network, Pixels
from annotators.networks import through
from errors import ArmatureError
from models import checkpoints
from models.checkpoints import building
from models.loading import BROKEN
from models.store import Store
from tests.annotators import random_weights

SHARED = Path(__file__).parents[2].parent / "shared"
PIDINET = SHARED / "annotators" / "table5_pidinet.pth"
PICTURES = sorted((SHARED / "reference").glob("*.input512.png"))

NETWORKED = [annotator.name for annotator in ANNOTATORS.values() if annotator.weights]
LARGE = {"depth_zoe"}  # 345 million parameters, which take ten seconds to be built
EVERY = [pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else []) for name in NETWORKED]
Lend: TypeAlias = Callable[[Any], Network]


@pytest.fixture(scope="module")
def lend(tmp_path_factory: pytest.TempPathFactory) -> Lend:
    """The network of an annotator by name, from random files; loaded once for those that share one."""
    store = Store(tmp_path_factory.mktemp("random"))
    loaded: dict[tuple[Any, Any], Network] = {}

    def network(name: str) -> Network:
        annotator = ANNOTATORS[name]
        key = (annotator.load, annotator.weights)
        if key not in loaded:
            random_weights.write(store, name)
            files = store.require_annotator(annotator.label, annotator.weights)
            loaded[key] = annotator.load(files)
        if name in LARGE:  # at a sixth of its size it takes a second instead of a minute
            resizer = loaded[key].core.prep.resizer
            resizer._Resize__width = resizer._Resize__height = 64
        return loaded[key]

    return network


def blurred_noise(height: int, width: int) -> Pixels:
    """Something with edges, shades and colours, RGB uint8 (height, width, 3)."""
    noise = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    soft = cv2.GaussianBlur(noise, (0, 0), 2).astype(np.float32)
    return np.asarray((soft - soft.min()) / (soft.max() - soft.min()) * 255, np.uint8)


def run(lend: Lend, name: str, picture: Pixels, **values: Any) -> Annotation:
    """The annotation at the picture's own size, or at 64 pixels where it is smaller."""
    return annotate(name, picture, resolution=max(64, min(picture.shape[:2])), networks=lend, **values)


@pytest.fixture(scope="module")
def by_name(lend: Lend) -> Lend:
    """As `annotate` wants it: by annotator."""
    return lambda annotator: lend(annotator.name)


def test_nineteen_methods_have_networks() -> None:
    assert len(NETWORKED) == 19


@pytest.mark.parametrize("name", EVERY)
def test_a_network_is_on_the_cpu_in_float32_and_frozen(name: str, lend: Lend) -> None:
    network = lend(name)
    assert isinstance(network, nn.Module)
    assert not any(module.training for module in network.modules())
    for parameter in network.parameters():
        assert (parameter.device.type, parameter.dtype) == ("cpu", torch.float32)
        assert not parameter.requires_grad


@pytest.mark.parametrize("name", EVERY)
def test_a_map_has_the_size_of_its_picture_whatever_the_stride(name: str, by_name: Lend) -> None:
    picture = blurred_noise(77, 131)
    before = picture.copy()
    found = run(by_name, name, picture)
    assert found.map.shape == picture.shape
    assert found.map.dtype == np.uint8
    assert np.array_equal(picture, before)
    assert np.array_equal(run(by_name, name, picture).map, found.map), "the same map a second time"


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("value", [0, 255])
def test_a_plain_and_tiny_picture_has_a_map(name: str, value: int, by_name: Lend) -> None:
    found = annotate(name, np.full((7, 5, 3), value, np.uint8), resolution=64, networks=by_name)
    assert found.map.shape == (7, 5, 3)


# Beside the originals: the same network in controlnet_aux's own detector, which resizes to multiples of 64.


def theirs(make: Callable[[], Any], picture: Pixels, **values: Any) -> Pixels:
    """The map of a detector of controlnet_aux at the picture's own size."""
    with building():
        detector = make()
    side = min(picture.shape[:2])
    found = detector(picture, detect_resolution=side, image_resolution=side, output_type="np", **values)
    return np.asarray(found)


def detector(name: str) -> Any:
    """A class of controlnet_aux."""
    with building():
        import controlnet_aux

        return getattr(controlnet_aux, name)


def furthest(first: Pixels, second: Pixels) -> int:
    """The largest difference in levels."""
    return int(np.abs(first.astype(int) - second).max())


@pytest.mark.parametrize("safe", [False, True])
def test_softedge_hed_is_the_originals(safe: bool, lend: Lend, by_name: Lend) -> None:
    picture = blurred_noise(128, 192)
    original = theirs(lambda: detector("HEDdetector")(lend("softedge_hed")), picture, safe=safe)
    found = run(by_name, "softedge_hed", picture, safe=safe).map
    away = np.abs(found.astype(int) - original) > 1
    assert away.mean() < 0.001, "a step of grey may fall on either side of a rounding"
    assert found.std() > 5


@pytest.mark.parametrize("safe", [False, True])
def test_softedge_pidi_is_the_originals(safe: bool, lend: Lend, by_name: Lend) -> None:
    picture = blurred_noise(128, 192)
    original = theirs(lambda: detector("PidiNetDetector")(lend("softedge_pidi")), picture, safe=safe)
    assert furthest(run(by_name, "softedge_pidi", picture, safe=safe).map, original) == 0


def test_a_scribble_is_the_originals(lend: Lend, by_name: Lend) -> None:
    picture = blurred_noise(128, 192)
    original = theirs(lambda: detector("PidiNetDetector")(lend("scribble_pidi")), picture, scribble=True)
    found = run(by_name, "scribble_pidi", picture).map
    assert np.array_equal(found, original)
    assert found.any()
    assert set(np.unique(run(by_name, "scribble_pidi", blurred_noise(77, 131)).map)) <= {0, 255}


def test_strokes_are_as_wide_as_told(by_name: Lend) -> None:
    picture = blurred_noise(128, 192)
    shares = [run(by_name, "scribble_pidi", picture, stroke_width=width).map.mean() for width in (2, 6, 12)]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


@pytest.mark.parametrize("coarse", [False, True])
def test_lineart_is_the_originals(coarse: bool, lend: Lend, by_name: Lend) -> None:
    picture, networks = blurred_noise(64, 128), lend("lineart")
    original = theirs(
        lambda: detector("LineartDetector")(networks["fine"], networks["coarse"]), picture, coarse=coarse
    )
    assert furthest(run(by_name, "lineart", picture, coarse=coarse).map, original) == 0


def test_fine_and_coarse_lines_come_from_different_files(lend: Lend) -> None:
    fine, coarse = (dict(lend("lineart")[kind].state_dict()) for kind in ("fine", "coarse"))
    assert any(not torch.equal(fine[name], coarse[name]) for name in fine)


def test_anime_lines_are_the_originals(lend: Lend, by_name: Lend) -> None:
    picture = blurred_noise(256, 256)
    original = theirs(lambda: detector("LineartAnimeDetector")(lend("lineart_anime")), picture)
    assert furthest(run(by_name, "lineart_anime", picture).map, original) == 0


def test_straight_lines_are_the_originals(lend: Lend, by_name: Lend) -> None:
    picture = blurred_noise(128, 192)
    original = theirs(lambda: detector("MLSDdetector")(lend("mlsd")), picture, thr_v=0.1, thr_d=0.1)
    found = run(by_name, "mlsd", picture)
    assert np.array_equal(found.map, original)
    assert found.map.any()
    assert found.notices == ()


def test_no_straight_lines_are_said_and_not_hidden(by_name: Lend) -> None:
    found = run(by_name, "mlsd", blurred_noise(64, 64), distance=20, score=1)
    assert not found.map.any()
    assert "No straight lines" in found.notices[0]


def test_a_network_that_fails_is_no_black_map() -> None:
    class Failing(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("out of something")

    with pytest.raises(RuntimeError, match="out of something"):
        annotate("mlsd", blurred_noise(64, 64), resolution=64, networks=lambda _: Failing(1, 1))


def test_midas_is_the_originals(lend: Lend, by_name: Lend) -> None:
    picture = blurred_noise(64, 128)
    original = theirs(lambda: detector("MidasDetector")(lend("depth_midas")), picture)
    found = run(by_name, "depth_midas", picture)
    assert furthest(found.map, original) == 0
    assert (found.map.min(), found.map.max()) == (0, 255)
    assert found.data is not None
    low, high = found.data["depth_range"]
    assert low < high


@pytest.mark.parametrize("threshold", [0.0, 0.4, 1.0])
def test_the_normals_of_midas_are_the_originals_in_rgb(threshold: float, lend: Lend, by_name: Lend) -> None:
    picture = blurred_noise(64, 128)
    with building():
        from controlnet_aux.midas import MidasDetector
    _, reversed_colours = MidasDetector(lend("normal_midas"))(
        picture, bg_th=threshold, depth_and_normal=True, detect_resolution=64, image_resolution=64
    )
    found = run(by_name, "normal_midas", picture, background_threshold=threshold)
    assert furthest(found.map, reversed_colours[:, :, ::-1]) <= 1


class Constant(nn.Module):
    """A MiDaS that sees no depth."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))
        self.pretrained = nn.Module()
        self.pretrained.activations = {}  # type: ignore[assignment]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.value.expand(1, *x.shape[-2:])

    def infer(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward(x)[:, None]


@pytest.mark.parametrize("value", [0.0, 3.0])
@pytest.mark.parametrize("name", ["depth_midas", "depth_zoe"])
def test_a_picture_without_depth_is_black_with_a_notice(name: str, value: float) -> None:
    found = annotate(name, blurred_noise(64, 70), resolution=64, networks=lambda _: Constant(value))
    assert not found.map.any()
    assert "No depth" in found.notices[0]


def test_a_picture_without_depth_faces_the_viewer() -> None:
    found = annotate("normal_midas", blurred_noise(64, 70), resolution=64, networks=lambda _: Constant(2.0))
    assert np.array_equal(np.unique(found.map.reshape(-1, 3), axis=0), [[127, 127, 255]])


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ArmatureError, match="NUMERIC"):
        annotate("depth_midas", blurred_noise(64, 70), resolution=64, networks=lambda _: Constant(np.nan))


@pytest.mark.slow
def test_zoe_is_the_originals(lend: Lend, by_name: Lend) -> None:
    picture = blurred_noise(64, 128)
    original = theirs(lambda: detector("ZoeDetector")(lend("depth_zoe")), picture)
    found = run(by_name, "depth_zoe", picture)
    assert furthest(found.map, original) <= 1
    assert found.map.std() > 5


def test_zoes_percentiles_become_white_and_black() -> None:
    class Ramp(Constant):
        def infer(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linspace(1, 11, x.shape[-1]).expand(1, 1, *x.shape[-2:])

    found = annotate("depth_zoe", blurred_noise(64, 101), resolution=64, networks=lambda _: Ramp(1.0))
    row = found.map[0, :, 0]
    assert row[2] == 255
    assert row[85] == 0
    assert row[44] in (125, 126), "255 * (1 - (5.4 - 1.2) / (9.5 - 1.2)) is 125.96"
    assert found.data == {"depth_range": [1.0, 11.0], "unit": "metres"}


def test_normal_bae_is_the_originals(lend: Lend, by_name: Lend) -> None:
    picture = blurred_noise(64, 128)
    original = theirs(lambda: detector("NormalBaeDetector")(lend("normal_bae")), picture)
    found = run(by_name, "normal_bae", picture).map
    assert furthest(found, original) <= 1
    assert found.std() > 5


def test_depth_anything_answers_as_its_own_network(lend: Lend, by_name: Lend) -> None:
    picture = blurred_noise(70, 140)
    x = (picture / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    with torch.no_grad():
        depth = lend("depth_anything")(torch.tensor(x).float().movedim(-1, 0)[None]).predicted_depth[0]
    expected = (depth - depth.min()) / (depth.max() - depth.min()) * 255
    found = run(by_name, "depth_anything", picture)
    assert furthest(found.map, expected.byte().numpy()[:, :, None]) <= 1


@pytest.mark.parametrize("name", ["seg_upernet", "seg_oneformer"])
def test_segmentation_names_what_it_colours(name: str, by_name: Lend) -> None:
    found = run(by_name, name, blurred_noise(77, 131))
    assert found.data is not None
    colours = {tuple(colour) for colour in found.map.reshape(-1, 3).tolist()}
    assert colours == {tuple(entry["colour"]) for entry in found.data["classes"]}
    shares = [entry["share"] for entry in found.data["classes"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=0.01)
    for entry in found.data["classes"]:
        assert ade20k.CLASSES[entry["class"]] == (entry["name"], tuple(entry["colour"]))


def test_upernet_answers_as_its_own_network(lend: Lend, by_name: Lend) -> None:
    picture = blurred_noise(64, 96)
    x = (picture / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    with torch.no_grad():
        logits = lend("seg_upernet")(torch.tensor(x).float().movedim(-1, 0)[None]).logits[0]
    expected = ade20k.palette()[logits.argmax(0).numpy()]
    assert (run(by_name, "seg_upernet", picture).map == expected).all(axis=2).mean() > 0.999


def test_oneformer_is_given_its_task_and_scored_as_its_own_processor_does(lend: Lend, by_name: Lend) -> None:
    from transformers import OneFormerImageProcessor

    picture, network = blurred_noise(64, 96), lend("seg_oneformer")
    assert network.task.shape == (1, 77)
    start, end = 52, 53  # in the tiny vocabulary
    assert (network.task[0, 0], int(network.task[0].max())) == (start, end)
    assert not network.task[0, int((network.task[0] == end).nonzero()) + 1 :].any()
    x = (picture / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    with torch.no_grad():
        answer = network(torch.tensor(x).float().movedim(-1, 0)[None], network.task)
    classes = OneFormerImageProcessor().post_process_semantic_segmentation(answer, [(64, 96)])[0]
    expected = ade20k.palette()[classes.numpy()]
    assert (run(by_name, "seg_oneformer", picture).map == expected).all(axis=2).mean() > 0.99


def test_the_palette_is_the_originals() -> None:
    with building():
        from controlnet_aux.util import ade_palette
    assert ade20k.palette().tolist() == ade_palette()
    assert len(set(ade20k.NAMES)) == 150
    assert (ade20k.NAMES[0], ade20k.NAMES[12], ade20k.NAMES[149]) == ("wall", "person", "flag")


# OpenPose: a network of noise finds nobody, so a person is put into what the network answers.

STANDING = (
    *((80, 20), (80, 40), (60, 42), (52, 64), (48, 86), (100, 42), (108, 64), (112, 86), (68, 90)),
    *((66, 120), (64, 150), (92, 90), (94, 120), (96, 150), (76, 16), (84, 16), (71, 18), (89, 18)),
)
LIMBS = (  # the pairs of the original, and where their fields begin
    *(((1, 2), 12), ((1, 5), 20), ((2, 3), 14), ((3, 4), 16), ((5, 6), 22), ((6, 7), 24), ((1, 8), 0)),
    *(((8, 9), 2), ((9, 10), 4), ((1, 11), 6), ((11, 12), 8), ((12, 13), 10), ((1, 0), 28), ((0, 14), 30)),
    *(((14, 16), 34), ((0, 15), 32), ((15, 17), 36)),
)
HEIGHT, WIDTH, STRIDE = 184, 160, 8


class Standing(nn.Module):
    """The answer of the body's network to a picture with one person."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows, columns = x.shape[-2] // STRIDE, x.shape[-1] // STRIDE
        y, x_ = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        points = torch.tensor(STANDING).float() * x.shape[-2] / HEIGHT / STRIDE
        heat = torch.zeros(1, 19, rows, columns)
        for part, (across, down) in enumerate(points):
            heat[0, part] = torch.exp(-((x_ + 0.5 - across) ** 2 + (y + 0.5 - down) ** 2))
        fields = torch.zeros(1, 38, rows, columns)
        for (first, second), place in LIMBS:
            way = points[second] - points[first]
            fields[0, place : place + 2] = (way / way.norm())[:, None, None]
        return fields, heat


@pytest.fixture
def standing(lend: Lend, monkeypatch: pytest.MonkeyPatch) -> Network:
    """OpenPose's networks, of which the body's always sees one person."""
    network = lend("openpose")
    monkeypatch.setattr(network.detector.body_estimation, "model", Standing())
    return network


def test_a_person_is_found_and_drawn_as_the_original_does(standing: Network) -> None:
    picture = blurred_noise(HEIGHT, WIDTH)
    found = annotate("openpose", picture, resolution=WIDTH, networks=lambda _: standing)
    with building():
        from controlnet_aux.open_pose import draw_poses
    poses = standing.detector.detect_poses(picture)
    assert len(poses) == 1
    assert np.array_equal(found.map, draw_poses(poses, HEIGHT, WIDTH, draw_hand=False, draw_face=False))
    assert found.notices == ()
    assert found.data is not None
    assert (found.data["canvas_width"], found.data["canvas_height"]) == (WIDTH, HEIGHT)
    (person,) = found.data["people"]
    row = np.array(person["pose_keypoints_2d"]).reshape(18, 3)
    assert np.abs(row[:, :2] - STANDING).max() < STRIDE
    assert (row[:, 2] > 0).all()
    assert person["hand_left_keypoints_2d"] == person["face_keypoints_2d"] == []


def test_the_pose_that_is_found_can_be_drawn_again(standing: Network) -> None:
    found = annotate(
        "openpose", blurred_noise(HEIGHT, WIDTH), resolution=WIDTH, networks=lambda _: standing, face=True
    )
    again = annotate("pose_json", dict(found.data or {}), hands=False)
    assert np.array_equal(again.map, found.map)


class Points(nn.Module):
    """The answer of a hand's or a face's network: a hot spot for each point but the third."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.anchor = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> Any:
        side = x.shape[-1] // STRIDE
        heat = torch.zeros(1, self.count, side, side)
        for part in range(self.count):
            heat[0, part, side // 2, side * (part + 2) // (self.count + 4)] = 9 * (part != 2)
        return [heat] if self.count > 50 else heat


def test_hands_and_face_are_looked_for_when_wanted(
    standing: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing.detector.hand_estimation, "model", Points(22))
    monkeypatch.setattr(standing.detector.face_estimation, "model", Points(71))
    found = annotate(
        "openpose",
        blurred_noise(HEIGHT * 2, WIDTH * 2),
        resolution=WIDTH * 2,
        networks=lambda _: standing,
        hands=True,
        face=True,
    )
    (person,) = (found.data or {})["people"]
    assert len(person["pose_keypoints_2d"]) == 18 * 3
    for part, count in (("face", 70), ("hand_left", 21), ("hand_right", 21)):
        row = np.array(person[f"{part}_keypoints_2d"]).reshape(count, 3)
        assert (row[2] == 0).all(), f"{part}: the third was not seen"
        assert (np.delete(row, 2, axis=0)[:, 2] > 0).all()
    again = annotate("pose_json", dict(found.data or {}))
    assert np.array_equal(again.map, found.map)


def test_a_point_of_a_face_keeps_its_place_where_others_are_missing() -> None:
    heat = np.zeros((71, 20, 30), np.float32)
    heat[3, 5, 7], heat[69, 11, 13], heat[70] = 0.9, 0.06, 1
    points = openpose.highest_points(heat)
    assert points.shape == (70, 2)
    assert points[3].tolist() == [7, 5]
    assert points[69].tolist() == [13, 11]
    assert not np.delete(points, [3, 69], axis=0).any()


def test_nobody_is_said(by_name: Lend) -> None:
    found = run(by_name, "openpose", blurred_noise(64, 64))
    assert not found.map.any()
    assert "Nobody" in found.notices[0]


# The one way through a network.


@pytest.mark.parametrize("part", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 127), (3, 200)])
def test_what_goes_through_is_padded_with_its_edge_and_cropped(part: int, height: int, width: int) -> None:
    shapes = []

    def forward(x: torch.Tensor) -> torch.Tensor:
        shapes.append(x.shape)
        return x[..., ::part, ::part]

    picture = np.random.default_rng(1).random((height, width, 3), np.float32)
    answer = through(nn.Linear(1, 1), picture, stride=16, forward=forward)
    assert np.array_equal(answer, picture[::part, ::part].transpose(2, 0, 1))
    (shape,) = shapes
    assert shape[2] % 16 == shape[3] % 16 == 0
    assert shape[2] < height + 16


# What lies in a file.


class Dangerous:
    """A pickle that would make a folder when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_file_that_would_run_something_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    torch.save({"state_dict": Dangerous(tmp_path / "made")}, tmp_path / "a.pth")
    with pytest.raises(pickle.UnpicklingError):
        checkpoints.read(tmp_path / "a.pth")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["softedge_hed", "softedge_pidi", "normal_bae", "seg_upernet"])
@pytest.mark.parametrize("damage", ["cut", "empty", "foreign"])
def test_a_damaged_file_is_an_error_that_the_cache_knows(name: str, damage: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    random_weights.write(store, name)
    files = store.annotator_files(ANNOTATORS[name].weights)
    if damage == "foreign":
        torch.save({"state_dict": {}, "model": {"a": torch.zeros(1)}}, files[-1])
    else:
        files[-1].write_bytes(files[-1].read_bytes()[: 1000 if damage == "cut" else 0])
    with pytest.raises(BROKEN):
        ANNOTATORS[name].load(files)


# Against the maps that the original made with the real weights.


class Remembering(nn.Module):
    """A network that answers the same question once: three maps come from one answer."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.asked = torch.zeros(0)
        self.answer: Any = None

    def forward(self, x: torch.Tensor) -> Any:
        if not torch.equal(x, self.asked):
            self.asked, self.answer = x, self.network(x)
        return self.answer


@pytest.fixture(scope="module")
def real_pidinet() -> Network:
    return Remembering(ANNOTATORS["softedge_pidi"].load((PIDINET,)))


@pytest.mark.slow
@pytest.mark.skipif(not PIDINET.exists() or not PICTURES, reason="the original's maps are not here")
@pytest.mark.parametrize(
    ("name", "values", "reference"),
    [
        ("softedge_pidi", {}, "softedge_pidi"),
        ("softedge_pidi", {"safe": True}, "softedge_pidi_safe"),
        ("scribble_pidi", {}, "scribble_pidi"),
    ],
    ids=["soft", "safe", "scribble"],
)
@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name.split(".")[0])
def test_pidinet_with_its_real_weights_gives_the_originals_maps(
    path: Path, name: str, values: dict[str, Any], reference: str, real_pidinet: Network
) -> None:
    def read(place: Path) -> Pixels:
        with Image.open(place) as picture:
            return np.asarray(picture.convert("RGB"))

    picture = read(path)
    wanted = read(path.with_name(path.name.replace(".input512.", f".{reference}.")))
    found = run(lambda _: real_pidinet, name, picture, **values).map
    near = np.abs(found.astype(int) - wanted).max(axis=2) <= 2
    assert near.mean() >= 0.995
