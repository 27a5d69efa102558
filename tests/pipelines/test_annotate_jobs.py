"""Annotators' networks in the engine's cache, and the job that annotates a picture."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from annotators import ANNOTATORS, annotate
from annotators.base import Pixels
from errors import ArmatureError
from models.carrying import bytes_of
from models.loading import ModelKey
from models.store import Store
from pipelines import networks
from pipelines.cache import ModelCache
from pipelines.engine import Engine
from pipelines.homes import ThreadHome
from pipelines.jobs import Job, JobBook
from pipelines.kinds import kinds
from pipelines.networks import AnnotateJobs, key_of
from pipelines.pictures import PICTURES, PictureStore
from pipelines.request import Progress
from pipelines.request.annotating import Annotated, AnnotateRequest
from pipelines.worker import Worker
from tests.annotators import random_weights

NAME = "softedge_pidi"
PICTURE = np.random.default_rng(4).integers(0, 256, (70, 90, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Random weights of three annotators, and of no family."""
    store = Store(tmp_path_factory.mktemp("weights"))
    for name in (NAME, "mlsd", "depth_anything"):
        random_weights.write(store, name)
    return store


@pytest.fixture
def cache(weights: Store, tmp_path: Path, cpu: Any) -> ModelCache:
    return ModelCache(weights, PictureStore(tmp_path / PICTURES), cpu)


@pytest.fixture
def engine(weights: Store, tmp_path: Path) -> Iterator[Engine]:
    worker = Worker(weights=weights.weights, outputs=tmp_path, device="cpu", family="pocket")
    engine = Engine(ThreadHome(worker), JobBook(kinds(tmp_path), tmp_path / "jobs.sqlite3"))
    engine.start()
    yield engine
    engine.close(patience=5)


@pytest.fixture
def pictures(tmp_path: Path) -> PictureStore:
    return PictureStore(tmp_path / PICTURES)


def last(engine: Engine, job_id: str) -> Job:
    *_, job = engine.follow(job_id)
    return job


def direct(weights: Store, name: str, picture: Pixels, resolution: int, **values: Any) -> Pixels:
    """The map without an engine."""

    def load(annotator: Any) -> Any:
        return annotator.load(weights.annotator_files(annotator.weights))

    return annotate(name, picture, resolution=resolution, networks=load, **values).map


def test_annotating_is_an_urgent_job_with_a_map_in_the_pictures_size(
    engine: Engine, weights: Store, pictures: PictureStore
) -> None:
    request = AnnotateRequest(
        annotator=NAME, picture=pictures.put(PICTURE), resolution=64, values={"safe": True}
    )
    job_id = engine.submit("annotate", request)
    job = last(engine, job_id)
    assert job.state == "done", job.error
    assert isinstance(job.outcome, Annotated)
    found = pictures.get(job.outcome.map)
    assert found.shape == PICTURE.shape
    assert np.array_equal(found, direct(weights, NAME, PICTURE, 64, safe=True))


def test_what_was_found_crosses_with_the_map(engine: Engine, pictures: PictureStore) -> None:
    job = last(
        engine,
        engine.submit(
            "annotate",
            AnnotateRequest(annotator="depth_anything", picture=pictures.put(PICTURE), resolution=70),
        ),
    )
    assert job.outcome.data["unit"] == "inverse, relative"


def test_an_annotator_without_weights_runs_there_too(engine: Engine, pictures: PictureStore) -> None:
    request = AnnotateRequest(annotator="canny", picture=pictures.put(PICTURE), resolution=70)
    job = last(engine, engine.submit("annotate", request))
    assert np.array_equal(pictures.get(job.outcome.map), annotate("canny", PICTURE, resolution=70).map)


@pytest.mark.parametrize(
    ("annotator", "values", "code"),
    [
        ("softedge_hed", {}, "MODEL_MISSING"),
        ("banana", {}, "PARAM_CHOICE"),
        ("qr", {}, "PARAM_CHOICE"),
        (NAME, {"safe": 3}, "PARAM_TYPE"),
        (NAME, {"safer": True}, "PARAM_TYPE"),
    ],
)
def test_what_can_not_be_annotated_is_refused_and_the_next_job_runs(
    annotator: str, values: dict[str, Any], code: str, engine: Engine, pictures: PictureStore
) -> None:
    digest = pictures.put(PICTURE)
    job = last(
        engine, engine.submit("annotate", AnnotateRequest(annotator=annotator, picture=digest, values=values))
    )
    assert job.error is not None
    assert job.error.code.name == code
    request = AnnotateRequest(annotator="canny", picture=digest)
    assert last(engine, engine.submit("annotate", request)).state == "done"


def test_requests_and_answers_survive_the_job_book() -> None:
    kind = kinds(Path())["annotate"]
    assert kind.urgent
    request = AnnotateRequest(annotator=NAME, picture="0" * 64, resolution=300, values={"safe": True})
    assert kind.payload(kind.payload_text(request)) == request
    for answer in (
        Annotated(map="0" * 64),
        Annotated(map="1" * 64, data={"people": [1.5, None]}, notices=("ü", "b")),
    ):
        assert kind.outcome(kind.outcome_text(answer)) == answer


Answer = Callable[..., Annotated]


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of the annotator, each time that one is really run."""
    names: list[str] = []
    really = networks.annotate

    def counting(cache: ModelCache, name: str, source: Any, **given: Any) -> Any:
        names.append(name)
        return really(cache, name, source, **given)

    monkeypatch.setattr(networks, "annotate", counting)
    return names


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for two answers, in every handler that is made from here on."""
    monkeypatch.setattr(networks, "KEPT_ANSWERS", 2)


@pytest.fixture
def answer(cache: ModelCache) -> Answer:
    """The answer of the handler."""
    jobs = AnnotateJobs(cache)

    def run(**fields: Any) -> Annotated:
        known: dict[str, Any] = {"annotator": NAME, "picture": cache.pictures.put(PICTURE), "resolution": 64}
        first, outcome = jobs("0", AnnotateRequest(**known | fields))
        assert isinstance(first, Progress)
        assert first.stage == "annotating"
        assert isinstance(outcome, Annotated)
        return outcome

    return run


def test_the_same_wish_is_computed_once(answer: Answer, cache: ModelCache, computed: list[str]) -> None:
    first = answer()
    assert answer() == first
    assert len(computed) == 1
    assert answer(values={"safe": True}).map != first.map
    assert answer(resolution=80).map != first.map
    assert len(computed) == 3
    cache.pictures.path(first.map).unlink()
    assert answer() == first, "a map that is gone is made again"
    assert len(computed) == 4


@pytest.mark.usefixtures("little_room")
def test_what_is_kept_is_bounded(answer: Answer, computed: list[str]) -> None:
    for resolution in (64, 65, 66, 64):
        answer(annotator="canny", resolution=resolution)
    assert len(computed) == 4


def test_the_cache_loads_an_annotator_counts_it_and_lends_it(cache: ModelCache) -> None:
    key = key_of(ANNOTATORS[NAME])
    with cache.use([key]) as models:
        assert cache.resident == (key,)
        assert cache.used == bytes_of(models[key]) > 0
        assert next(models[key].parameters()).dtype == torch.float32


def test_annotators_share_a_network_and_others_do_not() -> None:
    def key(name: str) -> ModelKey:
        return key_of(ANNOTATORS[name])

    assert key("softedge_pidi") == key("scribble_pidi")
    assert key("softedge_hed") == key("scribble_hed")
    assert key("depth_midas") == key("normal_midas")
    assert len({key(f"pocket_{what}") for what in ("depth", "normal", "seg", "pose")}) == 1
    names = [annotator.name for annotator in ANNOTATORS.values() if annotator.weights]
    assert len({key(name) for name in names}) == len(names) - 6
    assert str(key("depth_midas")) == "annotator depth_midas"


def test_an_annotator_makes_room_as_every_model_does(weights: Store, tmp_path: Path, cpu: Any) -> None:
    first, second = key_of(ANNOTATORS[NAME]), key_of(ANNOTATORS["mlsd"])
    sizes = {}
    for key in (first, second):
        network = networks.load(weights, key, torch.float32)
        sizes[key] = bytes_of(network)
    cache = ModelCache(weights, PictureStore(tmp_path), replace(cpu, budget=max(sizes.values()) + 1))
    for key in (first, second, first):
        with cache.use([key]):
            assert cache.resident == (key,)


def test_numbers_stay_those_of_the_originals_on_a_device_of_half_precision(
    weights: Store, tmp_path: Path, cpu: Any
) -> None:
    half = replace(cpu, dtype=torch.bfloat16, channels_last=True)
    cache = ModelCache(weights, PictureStore(tmp_path), half)
    found = networks.annotate(cache, NAME, PICTURE, resolution=64)
    assert np.array_equal(found.map, direct(weights, NAME, PICTURE, 64))


def test_a_damaged_file_is_refused_in_words(tmp_path: Path, cpu: Any) -> None:
    store = Store(tmp_path)
    (file,) = store.annotator_files(ANNOTATORS[NAME].weights)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"<html>not a model</html>")
    cache = ModelCache(store, PictureStore(tmp_path), cpu)
    with pytest.raises(ArmatureError, match=r"MODEL_CORRUPT: annotator softedge_pidi can't be read"):
        networks.annotate(cache, NAME, PICTURE, resolution=64)
