"""Each measure of agreement against a computation of its own, and at its ends."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import pearsonr

import annotators
from annotators.ade20k import CLASSES
from annotators.base import Pixels
from annotators.lines import rgb
from annotators.normal_from_depth import coloured
from annotators.pose import Person, Points, draw
from pipelines import measures

GENERATOR = np.random.default_rng(3)
BLACK = np.zeros((48, 64, 3), np.uint8)


def dots(share: float, seed: int) -> Pixels:
    """A binary map, white where chance says."""
    white = np.random.default_rng(seed).random((40, 50)) < share
    return rgb(white * 255)


def lines(*rows: int, height: int = 64) -> Pixels:
    """White lines one pixel thin, from side to side."""
    map = np.zeros((height, 80, 3), np.uint8)
    map[list(rows)] = 255
    return map


# Edges


def brute_f1(kept: Pixels, found: Pixels) -> float:
    """Every edge against every other one."""
    wanted, seen = np.argwhere(kept[..., 0] > 0), np.argwhere(found[..., 0] > 0)
    apart = cdist(wanted, seen)
    recall, precision = (apart.min(axis=axis) <= 2 for axis in (1, 0))
    return float(2 / (1 / precision.mean() + 1 / recall.mean()))


@pytest.mark.parametrize("seed", range(8))
def test_edge_f1_is_what_brute_force_finds(seed: int) -> None:
    kept, found = dots(0.02, seed), dots(0.03, 100 + seed)
    answer = measures.edge_f1(kept, found)
    expected = brute_f1(kept, found)
    assert 0 < expected < 1
    assert answer == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("moved", "expected"), [(0, 1.0), (1, 1.0), (2, 1.0), (3, 0.0)])
def test_edges_are_the_same_within_two_pixels(moved: int, expected: float) -> None:
    assert measures.edge_f1(lines(30), lines(30 + moved)) == pytest.approx(expected)


def test_edges_that_are_missing_and_edges_too_many_both_count() -> None:
    assert measures.edge_f1(lines(10, 40), lines(10)) == pytest.approx(2 / 3)
    assert measures.edge_f1(lines(10), lines(10, 40)) == pytest.approx(2 / 3)


def test_a_map_without_edges_asks_for_nothing_and_a_result_without_edges_keeps_none() -> None:
    assert measures.edge_f1(BLACK, dots(0.1, 1)[:48, :64]) is None
    assert measures.edge_f1(lines(30), lines()) == 0.0


def test_soft_lines_count_by_their_ridges() -> None:
    soft = cv2.GaussianBlur(lines(30), (0, 0), 3)
    assert measures.edges(np.asarray(soft, np.uint8)).sum(axis=0).tolist() == [1] * 80
    pale = (lines(30) // 8).astype(np.uint8)  # as a thin line is after it was shrunk
    assert measures.edge_f1(pale, lines(30)) == 1.0


# Depth and normals


def test_depth_correlation_is_pearsons() -> None:
    first = GENERATOR.integers(0, 256, (40, 50))
    second = (first // 2 + GENERATOR.integers(0, 100, (40, 50))).clip(0, 255)
    answer = measures.depth_correlation(rgb(first), rgb(second))
    assert answer == pytest.approx(pearsonr(first.ravel(), second.ravel()).statistic)


def test_depth_is_the_same_in_another_unit_and_opposite_when_inverted() -> None:
    slope = rgb(np.tile(np.arange(0, 250, 5), (40, 1)))
    assert measures.depth_correlation(slope, (slope // 5 + 7).astype(np.uint8)) == pytest.approx(1.0)
    assert measures.depth_correlation(slope, 255 - slope) == pytest.approx(-1.0)
    assert measures.depth_correlation(slope, np.full_like(slope, 9)) == 0.0
    assert measures.depth_correlation(np.full_like(slope, 9), slope) is None


@pytest.mark.parametrize("degrees", [0, 30, 60, 90, 180])
def test_normals_agree_by_the_angle_between_them(degrees: float) -> None:
    turn = math.radians(degrees)
    facing, turned = (
        coloured(np.tile(np.array([math.sin(angle), 0.0, math.cos(angle)]), (20, 30, 1)))
        for angle in (-turn / 2, turn / 2)
    )
    expected = max(0.0, 1 - degrees / 90)
    assert measures.normal_angle(facing, turned) == pytest.approx(expected, abs=0.012)  # 8 bits


def test_normals_are_averaged_over_the_picture() -> None:
    facing = coloured(np.tile(np.array([0.0, 0.0, 1.0]), (20, 30, 1)))
    half = facing.copy()
    half[:, :15] = coloured(np.array([[[0.0, 1.0, 0.0]]]))
    assert measures.normal_angle(facing, half) == pytest.approx(0.5, abs=0.01)


# Segments


def areas(seed: int) -> Pixels:
    """Boxes in the palette's colours."""
    generator = np.random.default_rng(seed)
    map = np.full((40, 50, 3), CLASSES[0][1], np.uint8)
    for place in range(1, 5):
        top, left = generator.integers(0, 30, 2)
        map[top : top + 15, left : left + 20] = CLASSES[place][1]
    return map


@pytest.mark.parametrize("seed", range(4))
def test_mean_iou_is_what_sets_of_pixels_say(seed: int) -> None:
    kept, found = areas(seed), areas(50 + seed)
    shares = []
    for colour in {tuple(pixel) for pixel in kept.reshape(-1, 3).tolist()}:
        first, second = (
            {*map(tuple, np.argwhere((m == colour).all(axis=2)).tolist())} for m in (kept, found)
        )
        shares.append(len(first & second) / len(first | second))
    assert measures.mean_iou(kept, found) == pytest.approx(sum(shares) / len(shares))
    assert measures.mean_iou(kept, kept) == 1.0


def test_a_colour_that_is_not_the_palettes_is_the_nearest_one() -> None:
    kept = areas(1)
    off = (kept.astype(int) + GENERATOR.integers(-4, 5, kept.shape)).clip(0, 255).astype(np.uint8)
    assert measures.mean_iou(kept, off) == 1.0


# Poses

STANDING: Points = tuple(
    (x, y, 1.0)
    for x, y in (
        *((100, 40), (100, 70), (75, 72), (65, 105), (60, 140), (125, 72), (135, 105), (140, 140)),
        *((85, 145), (82, 190), (80, 235), (115, 145), (118, 190), (120, 235)),
        *((94, 33), (106, 33), (87, 38), (113, 38)),
    )
)


def drawn(*people: Person, hands: bool = False) -> Pixels:
    return draw(people, 320, 280, body=True, hands=hands, face=False)


def moved(points: Points, across: float, down: float = 0) -> Points:
    return tuple(point and (point[0] + across, point[1] + down, point[2]) for point in points)


def test_the_joints_of_a_drawing_are_where_they_were_drawn() -> None:
    found = {joint.kind: (joint.x, joint.y) for joint in measures.joints(drawn(Person(body=STANDING)))}
    assert sorted(found) == list(range(18))
    for kind, point in enumerate(STANDING):
        assert point is not None
        assert math.dist(found[kind], point[:2]) < 3, "others' dots may hide some of it"


def test_the_joints_of_two_people_and_of_missing_limbs() -> None:
    armless = tuple(None if place in (4, 7) else point for place, point in enumerate(moved(STANDING, 120)))
    kinds = [joint.kind for joint in measures.joints(drawn(Person(body=STANDING), Person(body=armless)))]
    assert [kinds.count(kind) for kind in range(18)] == [1 if kind in (4, 7) else 2 for kind in range(18)]


def test_dots_of_hands_are_no_joints() -> None:
    hand: Points = tuple((200.0 + 5 * (place % 5), 60.0 + 12 * (place // 5), 1.0) for place in range(21))
    with_hand = drawn(Person(body=STANDING, left_hand=hand), hands=True)
    assert len(list(measures.joints(with_hand))) == 18


def test_pck_is_the_share_of_joints_within_a_tenth_of_the_person() -> None:
    kept = drawn(Person(body=STANDING))
    tall = np.ptp(np.argwhere(kept.any(axis=2))[:, 0]) + 1
    assert measures.pck(kept, kept) == 1.0
    assert measures.pck(kept, drawn(Person(body=moved(STANDING, round(0.08 * tall))))) == 1.0
    assert measures.pck(kept, drawn(Person(body=moved(STANDING, round(0.15 * tall))))) == 0.0
    one_arm = tuple(
        point and (point[0], point[1] + (60 if place in (3, 4) else 0), 1.0)
        for place, point in enumerate(STANDING)
    )
    assert measures.pck(kept, drawn(Person(body=one_arm))) == pytest.approx(16 / 18)
    assert measures.pck(kept, np.zeros_like(kept)) == 0.0
    assert measures.pck(np.zeros_like(kept), kept) is None


# Colours and codes


def test_colour_is_the_mean_difference() -> None:
    first, second = GENERATOR.integers(0, 256, (2, 40, 50, 3), dtype=np.uint8)
    differences = [abs(int(a) - int(b)) for a, b in zip(first.ravel(), second.ravel(), strict=True)]
    assert measures.colour(first, second) == pytest.approx(1 - sum(differences) / len(differences) / 255)
    assert measures.colour(first, first) == 1.0
    assert measures.colour(BLACK, np.full_like(BLACK, 255)) == 0.0


def test_a_code_decodes_when_a_reader_says_what_it_said() -> None:
    code = annotators.annotate("qr", "https://armature.example/a", module_size=8).map
    toned = np.where(code > 0, (250, 220, 190), (60, 20, 90)).astype(np.uint8)
    other = annotators.annotate("qr", "https://armature.example/b", module_size=8).map
    assert measures.qr_decodes(code, code) == 1.0
    assert measures.qr_decodes(code, toned) == 1.0
    assert measures.qr_decodes(code, other) == 0.0
    assert measures.qr_decodes(code, np.full_like(code, 128)) == 0.0
    assert measures.qr_decodes(np.full_like(code, 128), code) is None


@pytest.mark.parametrize(
    "measure", [measures.normal_angle, measures.mean_iou, measures.colour, measures.depth_correlation]
)
def test_what_looks_at_each_pixel_alone_takes_a_row_of_them(
    measure: Callable[[Pixels, Pixels], float | None],
) -> None:
    first, second = GENERATOR.integers(0, 256, (2, 40, 50, 3), dtype=np.uint8)
    expected = measure(first, second)
    assert expected is not None
    assert measure(first.reshape(1, -1, 3), second.reshape(1, -1, 3)) == pytest.approx(expected)
