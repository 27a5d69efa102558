"""Agreement takes a condition's own annotator to the result, and its own measure to the two maps."""

from typing import Any, get_args

import cv2
import numpy as np
import pytest

import annotators
from annotators import Annotation
from annotators.base import Pixels
from conditions import CONDITIONS, Agreement, Condition
from errors import ArmatureError
from pipelines import measures
from pipelines.agreement import MEASURES, agreement, judge
from tests.conftest import drawn_map

every_condition = pytest.mark.parametrize("condition", CONDITIONS.values(), ids=lambda c: c.name)


def scene(shift: int = 0) -> Pixels:
    """Things of clear colours on a plain ground, moved to the right."""
    picture = np.full((128, 160, 3), 225, np.uint8)
    cv2.rectangle(picture, (20 + shift, 30), (70 + shift, 100), (40, 80, 160), -1)
    cv2.circle(picture, (105 + shift, 60), 25, (170, 50, 40), -1)
    return picture


def test_every_measure_of_the_conditions_is_there() -> None:
    assert set(MEASURES) == set(get_args(Agreement)) - {"none"}


WITHOUT_NETWORKS = [
    condition
    for condition in CONDITIONS.values()
    if condition.agreement not in ("none", "qr_decodes") and not judge(condition).weights
]


@pytest.mark.parametrize("condition", WITHOUT_NETWORKS, ids=lambda condition: condition.name)
def test_a_result_that_keeps_it_beats_one_that_does_not(condition: Condition) -> None:
    hint = annotators.annotate(judge(condition).name, scene()).map
    same, other = (agreement(condition, hint, result) for result in (scene(), scene(12)))
    assert same is not None
    assert other is not None
    assert same > 0.9
    assert other < same - 0.05


@every_condition
def test_the_judge_finds_maps_in_pictures_or_looks_at_them_as_they_are(condition: Condition) -> None:
    method = judge(condition)
    assert method.source == "picture"
    assert method.name in condition.annotators or condition.finder is None
    for name in condition.annotators:
        chosen = judge(condition, name)
        own = annotators.find(name)
        assert chosen is (method if own.of_maps or own.source != "picture" else own)


@every_condition
def test_the_judges_settings_are_its_own(condition: Condition) -> None:
    annotators.checked_values(judge(condition), dict(condition.judge_values))


def test_a_condition_without_a_measure_has_no_agreement() -> None:
    assert agreement(CONDITIONS["shuffle"], scene(), scene()) is None


def test_a_map_that_shows_nothing_has_no_agreement() -> None:
    assert agreement(CONDITIONS["canny"], np.zeros_like(scene()), scene()) is None


def test_the_annotator_and_settings_of_the_map_are_used() -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def annotate(name: str, source: Pixels, **values: Any) -> Annotation:
        asked.append((name, values))
        return Annotation(map=drawn_map(160, 128))

    condition = CONDITIONS["softedge"]
    kept = drawn_map(160, 128)
    values = {"safe": True}
    assert agreement(
        condition, kept, scene(), annotator="softedge_hed", values=values, annotate=annotate
    ) == pytest.approx(1.0)
    agreement(condition, kept, scene(), annotator="none", values={}, annotate=annotate)
    agreement(CONDITIONS["scribble"], kept, scene(), annotate=annotate)
    assert asked == [
        ("softedge_hed", {"resolution": 128, "safe": True}),
        ("softedge_gradient", {"resolution": 128}),
        ("scribble_synthetic", {"resolution": 128, "roughness": 0.0}),
    ]


def test_networks_come_through_the_caller() -> None:
    with pytest.raises(ArmatureError, match="MODEL_MISSING"):
        agreement(CONDITIONS["depth"], scene(), scene())
    slope = np.repeat(np.tile(np.arange(160, dtype=np.uint8), (128, 1))[..., None], 3, axis=2)
    answer = agreement(CONDITIONS["depth"], slope, scene(), annotate=lambda *_, **__: Annotation(map=slope))
    assert answer == pytest.approx(1.0)


def test_what_a_hint_says_nothing_about_is_left_out() -> None:
    known = np.ones(scene().shape[:2], bool)
    known[30:101, 20:71] = False
    hint = np.where(known[..., None], scene(), 0).astype(np.uint8)
    filled = scene()
    filled[~known] = (1, 200, 30)
    inpaint = CONDITIONS["inpaint"]
    assert agreement(inpaint, hint, filled, known=known) == 1.0
    assert agreement(inpaint, hint, filled) == measures.colour(hint, filled)
