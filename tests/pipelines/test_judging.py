"""Agreement of finished pictures: measured in the worker through the cache, saved, and never made up."""

import json
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import annotators
from annotators import ANNOTATORS
from annotators.base import Pixels
from conditions import CONDITIONS
from models.loading import ModelKey
from models.store import Store
from pipelines import judging
from pipelines.agreement import agreement, judge
from pipelines.cache import ModelCache
from pipelines.engine import Engine
from pipelines.homes import ThreadHome
from pipelines.jobs import JobBook
from pipelines.judging import Judges, judged, judged_at_once, looker_for
from pipelines.kinds import kinds
from pipelines.metadata import memory_from_png
from pipelines.pictures import PICTURES, PictureStore
from pipelines.request import ControlUnit, GenerateRequest, Progress, Result, Saved
from pipelines.request.keeping import Kept
from pipelines.runner import KeepFinished
from pipelines.worker import Worker
from tests.annotators import random_weights
from tests.conftest import drawn_map

SIDE = 128


def scene(shift: int = 0) -> Pixels:
    """A box on a plain ground, moved to the right."""
    picture = np.full((SIDE, SIDE, 3), 225, np.uint8)
    cv2.rectangle(picture, (20 + shift, 30), (70 + shift, 100), (40, 80, 160), -1)
    return picture


def request_of(*units: ControlUnit, **fields: Any) -> GenerateRequest:
    wanted: dict[str, Any] = {"prompt": "a box", "width": SIDE, "height": SIDE, "seed": 3, "agreement": True}
    return GenerateRequest(controls=units, **(wanted | fields))


def result_of(unit: ControlUnit, map: Pixels, *images: Pixels, **fields: Any) -> Result:
    request = request_of(unit, count=len(images), **fields)
    return Result(images=images, seeds=request.seeds, maps=(map,), request=request)


def looked(result: Result, cache: ModelCache) -> Result:
    """The result when everybody has looked at it."""
    looking = judged(result, cache)
    while True:
        try:
            assert isinstance(next(looking), Progress)
        except StopIteration as ended:
            answer: Result = ended.value
            return answer


def unit_of(condition: str, annotator: str = "none", **fields: Any) -> ControlUnit:
    return ControlUnit(condition=condition, map="0" * 64, annotator=annotator, **fields)


def test_each_picture_has_its_own_share(cache: ModelCache) -> None:
    values = {"low_threshold": 60, "high_threshold": 120}
    map = annotators.annotate("canny", scene(), low_threshold=60, high_threshold=120).map
    unit = unit_of("canny", "canny", values=values)
    result = looked(result_of(unit, map, scene(), scene(12)), cache)
    [[same], [other]] = result.agreement
    assert same == Kept(condition="canny", share=1.0, annotator="canny")
    expected = agreement(CONDITIONS["canny"], map, scene(12), annotator="canny", values=values)
    assert other.share == expected
    assert expected is not None
    assert 0 < expected < 0.9
    assert result.notices == ()


def test_nothing_is_looked_at_that_nobody_asked_about(cache: ModelCache) -> None:
    result = result_of(unit_of("canny"), drawn_map(SIDE, SIDE), scene(), agreement=False)
    assert looked(result, cache) == result
    assert judged_at_once(result, cache) == result


def test_several_controls_are_looked_at_each_by_its_own(cache: ModelCache) -> None:
    units = (unit_of("canny"), unit_of("shuffle"), unit_of("tile"))
    request = request_of(*units)
    maps = (annotators.annotate("canny", scene()).map, scene(), annotators.annotate("tile", scene()).map)
    result = Result(images=(scene(),), seeds=(3,), maps=maps, request=request)
    [kept] = looked(result, cache).agreement
    assert [one.condition for one in kept] == ["canny", "shuffle", "tile"]
    assert [one.share for one in kept] == [1.0, None, 1.0]
    assert [one.annotator for one in kept] == ["canny", "", "tile"]


UNMEASURABLE = {
    "no measure": (unit_of("shuffle"), "there is no measure for what it keeps"),
    "an empty map": (unit_of("canny"), "the map shows nothing that could be kept"),
    "a part of the picture": (
        unit_of("canny", region="1" * 64),
        "the control holds in a part of the picture only",
    ),
    "no network": (unit_of("depth"), "“Depth, Depth Anything V2” has not all of its weights here"),
    "no network of its own": (
        unit_of("openpose", "pose_json"),
        "“Pose, OpenPose” has not all of its weights here",
    ),
}


@pytest.mark.parametrize(("unit", "why"), UNMEASURABLE.values(), ids=UNMEASURABLE)
def test_what_can_not_be_measured_says_why(cache: ModelCache, unit: ControlUnit, why: str) -> None:
    result = looked(result_of(unit, np.zeros((SIDE, SIDE, 3), np.uint8), scene(), scene(1)), cache)
    assert [one.share for [one] in result.agreement] == [None, None]
    title = CONDITIONS[unit.condition].title
    assert result.notices == (f"Agreement with {title} could not be measured: {why}.",), "said once"


def test_whoever_needs_no_network_stands_in_and_that_is_said(cache: ModelCache) -> None:
    map = annotators.annotate("softedge_gradient", scene()).map
    unit = unit_of("softedge", "softedge_hed", values={"safe": False})
    result = looked(result_of(unit, map, scene()), cache)
    [[kept]] = result.agreement
    assert kept.annotator == "softedge_gradient"
    assert kept.share == pytest.approx(1.0)
    gradient, hed = (ANNOTATORS[name].label for name in ("softedge_gradient", "softedge_hed"))
    remark = f"“{gradient}” looks at it, since “{hed}” has not all of its weights here"
    assert result.notices == (f"Agreement with Soft edges: {remark}.",)


@pytest.mark.parametrize("name", CONDITIONS)
def test_whoever_stands_in_finds_the_same_kind_of_map(name: str) -> None:
    condition = CONDITIONS[name]
    for annotator in condition.annotators:
        first = judge(condition, annotator)
        assert looker_for(condition, first, lambda method: True) is first
        other = looker_for(condition, first, lambda method: not method.weights)
        if other is not None and other is not first:
            assert other.name in condition.annotators
            assert other.source == "picture"
            assert not other.of_maps
            assert not other.weights


def test_a_network_is_lent_by_the_cache(tmp_path: Path, cpu: Any) -> None:
    store = Store(tmp_path)
    random_weights.write(store, "softedge_pidi")
    cache = ModelCache(store, PictureStore(tmp_path / PICTURES), cpu)
    result = result_of(unit_of("softedge", "softedge_pidi"), drawn_map(SIDE, SIDE), scene())
    [[kept]] = looked(result, cache).agreement
    assert kept.annotator == "softedge_pidi"
    assert kept.share is not None
    assert cache.resident == (ModelKey(part="annotator", name="softedge_pidi"),)
    assert cache._leases == {}
    [[at_once]] = judged_at_once(result, cache).agreement
    assert at_once.annotator == "softedge_gradient", "whoever waits is not kept waiting by a network"
    assert at_once.remark.endswith("takes a while, and the run was stopped")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.OutOfMemoryError("no memory"), "the device ran out of memory"),
        (MemoryError(), "the device ran out of memory"),
        (RuntimeError("/home/ada/secret"), "something failed inside the program"),
    ],
)
def test_pictures_are_not_lost_when_looking_at_them_fails(
    cache: ModelCache, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def fail(*_: Any, **__: Any) -> float:
        raise error

    monkeypatch.setattr(judging, "agreement", fail)
    result = looked(result_of(unit_of("canny"), drawn_map(SIDE, SIDE), scene()), cache)
    assert result.agreement == ((Kept(condition="canny", share=None, remark=words),),)
    assert result.notices == (f"Agreement with Canny could not be measured: {words}.",)


def test_a_share_is_never_above_one(cache: ModelCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "agreement", lambda *_, **__: 1 + 2e-16 * 2)
    [[kept]] = looked(result_of(unit_of("canny"), drawn_map(SIDE, SIDE), scene()), cache).agreement
    assert kept.share == 1.0


def test_a_picture_that_is_gone_loses_no_picture(cache: ModelCache) -> None:
    result = result_of(unit_of("inpaint"), scene(), scene(), mask="f" * 64)
    [[kept]] = looked(result, cache).agreement
    assert (kept.share, kept.remark) == (None, "a picture of this request is not here any more")


def test_what_is_painted_anew_is_not_compared(cache: ModelCache, pictures: PictureStore) -> None:
    hole = np.zeros((SIDE, SIDE, 3), np.uint8)
    hole[30:101, 20:71] = 255
    painted = np.where(hole > 0, 255 - scene(), scene()).astype(np.uint8)
    unit, kept = unit_of("inpaint"), scene()
    for mask, share in ((hole, 1.0), (np.full_like(hole, 255), None)):
        result = result_of(unit, kept, painted, mask=pictures.put(mask))
        [[one]] = looked(result, cache).agreement
        assert one.share == share


def test_looking_stops_where_it_is_told_to(cache: ModelCache) -> None:
    looking = judged(result_of(unit_of("canny"), drawn_map(SIDE, SIDE), scene(), scene()), cache)
    assert next(looking).stage == "annotating"
    with pytest.raises(KeepFinished):
        looking.throw(KeepFinished())


def test_looking_is_the_same_as_looking_once(cache: ModelCache) -> None:
    result = result_of(unit_of("canny"), annotators.annotate("canny", scene()).map, scene(), scene(5))
    assert looked(result, cache).agreement == tuple(Judges(cache).look(result, index) for index in range(2))


# In a job


@pytest.fixture
def engine(store: Store, tmp_path: Path) -> Iterator[Engine]:
    worker = Worker(weights=store.weights, outputs=tmp_path, device="cpu", family="pocket")
    engine = Engine(ThreadHome(worker), JobBook(kinds(tmp_path), tmp_path / "jobs.sqlite3"))
    engine.start()
    yield engine
    engine.close(patience=5)


def asked(tmp_path: Path, **fields: Any) -> GenerateRequest:
    map = PictureStore(tmp_path / PICTURES).put(drawn_map(SIDE, SIDE))
    unit = replace(unit_of("canny", "canny"), map=map)
    return request_of(unit, **({"steps": 2, "count": 2} | fields))


def test_a_job_saves_what_its_pictures_kept(engine: Engine, tmp_path: Path) -> None:
    job_id = engine.submit("generate", asked(tmp_path))
    saved: Saved = engine.outcome(job_id)
    assert len(saved.images) == 2
    for image in saved.images:
        [kept] = image.agreement
        assert kept.annotator == "canny"
        assert kept.share is not None
        assert image.kept == kept.share
        assert memory_from_png(image.path).agreement == image.agreement
    book = kinds(tmp_path)["generate"]
    assert book.outcome(book.outcome_text(saved)) == saved


def test_a_row_of_an_earlier_version_has_no_agreement(tmp_path: Path) -> None:
    book = kinds(tmp_path)["generate"]
    entry = {
        "images": [["images/a.png", 7]],
        "maps": [["canny", "images/map.png"]],
        "request": asked(tmp_path).to_json(),
        "notices": [],
        "seconds": 1.0,
    }
    saved = book.outcome(json.dumps(entry))
    assert [(image.path, image.seed, image.agreement) for image in saved.images] == [
        (tmp_path / "images/a.png", 7, ())
    ]


def test_what_was_finished_when_it_was_stopped_is_looked_at_too(store: Store, tmp_path: Path) -> None:
    worker = Worker(weights=store.weights, outputs=tmp_path, device="cpu", family="pocket")
    request = asked(tmp_path)
    request = replace(request, controls=(replace(request.controls[0], end=0.01),))
    events = worker(lambda state: None)["generate"]("a" * 32, request)
    assert isinstance(events, Generator)
    decoding = 0
    while decoding < 2:  # before and after the first picture
        decoding += next(events).stage == "decoding"
    saved = events.throw(KeepFinished())
    [image] = saved.images
    assert image.kept is not None
    idle, stopped = saved.notices
    assert "was not followed" in idle
    assert stopped == "Stopped: 1 of 2 pictures were finished."
    assert memory_from_png(image.path).agreement == image.agreement
