"""What a device does wrong, and when an artist cancels: the same ends with the worker here and over there.

Both engines are held to the same rows: a device without memory, one that failed, numbers that left the range,
and cancelling at every moment. What differs is named: only a process can be replaced. Each test with a worker
process of its own takes minutes with its like, so those are long; one test has their rows in short.
"""

import gc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from errors import ArmatureError
from models.store import Store
from pipelines.engine import Engine
from pipelines.homes import Home, ProcessHome, ThreadHome
from pipelines.jobs import Job, JobBook
from pipelines.kinds import kinds
from pipelines.pictures import PICTURES, PictureStore
from pipelines.request import ControlUnit, GenerateRequest, Saved
from pipelines.request.annotating import AnnotateRequest
from pipelines.worker import Worker
from tests import tiny_safety
from tests.conftest import drawn_map
from tests.pipelines.faults import ALWAYS, Faulty, Plan, failing
from tests.pipelines.recipes import wait_for

MEGA = 2**20


@dataclass
class Studio:
    """An engine with the tiny family, a plan of its faults, and the folder of its pictures."""

    engine: Engine
    plan: Plan
    weights: Store
    outputs: Path
    home: Home
    request: GenerateRequest

    @property
    def pid(self) -> int | None:
        return self.home.pid if isinstance(self.home, ProcessHome) else None

    def submit(self, **fields: Any) -> str:
        return self.engine.submit("generate", replace(self.request, **fields))

    def last(self, job_id: str) -> Job:
        *_, job = self.engine.follow(job_id)
        return job

    def code(self, **fields: Any) -> str:
        """The code with which a request ends, or nothing where it makes its pictures."""
        job = self.last(self.submit(**fields))
        if job.error is not None:
            return job.error.code.name
        assert isinstance(job.outcome, Saved)
        assert all(image.path.is_file() for image in job.outcome.images)
        return ""

    def ends(self, place: str) -> str:
        """The code with which a job ends that comes to a place beside the loop."""
        if place == "checking":
            return self.code(safety=True)
        picture = self.request.controls[0].map
        job = self.last(self.engine.submit("annotate", AnnotateRequest(annotator="canny", picture=picture)))
        return job.error.code.name if job.error else ""

    def works(self) -> None:
        """The next job makes its picture as ever."""
        self.plan.set()
        assert self.code() == ""

    @property
    def pictures(self) -> set[Path]:
        return set((self.outputs / "images").rglob("*.png"))


@pytest.fixture(params=["thread", pytest.param("process", marks=pytest.mark.long)])
def studio(request: pytest.FixtureRequest, store: Store, tmp_path: Path) -> Iterator[Studio]:
    yield from opened(request.param, store, tmp_path)


def opened(where: str, store: Store, folder: Path) -> Iterator[Studio]:
    """A studio whose worker lives in a thread or in a process."""
    plan, outputs, weights = Plan(folder), folder / "outputs", Store(folder / "weights")
    plan.set()
    weights.weights.mkdir()  # its own, since some tests put a safety checker there
    (weights.weights / "pocket").symlink_to(store.weights / "pocket")
    worker = Worker(weights=weights.weights, outputs=outputs, device="cpu", family="pocket")
    home: Home = ThreadHome(worker) if where == "thread" else ProcessHome(Faulty(worker, plan))
    digest = PictureStore(outputs / PICTURES).put(drawn_map(64, 64))
    request = GenerateRequest(
        prompt="a house",
        controls=(ControlUnit(condition="canny", map=digest, annotator="canny"),),
        width=64,
        height=64,
        steps=2,
        seed=1,
    )
    engine = Engine(home, JobBook(kinds(outputs)))
    with failing(plan):
        engine.start()
        try:
            wait_for(lambda: engine.state.phase == "ready")
            yield Studio(engine, plan, weights, outputs, home, request)
        finally:
            plan.go_on()
            engine.close(patience=5)


@pytest.mark.parametrize("place", ["text", "unet", "vae", "encode"])
def test_memory_that_is_missing_once_costs_nothing(place: str, studio: Studio) -> None:
    """Row 124: freed, evicted, and once more, the decoder in strips."""
    init = studio.request.controls[0].map
    studio.plan.set(**{place: ("oom", 1)})
    assert studio.code(init=init, denoise=0.9) == ""


@pytest.mark.parametrize("faults", [("text",), ("unet",), ("vae", "strips"), ("encode",)])
def test_memory_that_stays_missing_is_told_with_a_size_that_fits(
    faults: tuple[str, ...], studio: Studio
) -> None:
    """Row 124, the other half, and the next job."""
    before = studio.pictures
    wide = PictureStore(studio.outputs / PICTURES).put(drawn_map(256, 192))
    unit = replace(studio.request.controls[0], map=wide)
    studio.plan.set(**dict.fromkeys(faults, ("oom", ALWAYS)))
    job = studio.last(studio.submit(controls=(unit,), width=256, height=192, init=wide, denoise=0.9))
    assert job.error is not None
    assert job.error.code.name == "GPU_OOM"
    assert "256x192" in job.error.message
    assert "Choose 192x128 or smaller" in job.error.message
    assert studio.pictures == before
    studio.works()


@pytest.mark.parametrize("place", ["annotating", "checking"])
def test_networks_beside_the_loop_are_asked_once_more(place: str, studio: Studio) -> None:
    """Row 124: what makes maps and what looks at finished pictures, like the loop itself."""
    tiny_safety.write(studio.weights)
    studio.plan.set(**{place: ("oom", 1)})
    assert studio.ends(place) == ""


@pytest.mark.parametrize("place", ["annotating", "checking"])
def test_networks_beside_the_loop_say_that_memory_stays_missing(place: str, studio: Studio) -> None:
    tiny_safety.write(studio.weights)
    studio.plan.set(**{place: ("oom", ALWAYS)})
    assert studio.ends(place) == "GPU_OOM"
    assert studio.pictures == set()
    studio.works()
    studio.plan.set()
    assert studio.ends(place) == ""


def test_after_three_in_a_row_there_is_a_fresh_worker(studio: Studio) -> None:
    """Row 125. One that can't be replaced has emptied its cache each time, and goes on."""
    first = studio.pid
    studio.plan.set(unet=("oom", ALWAYS))
    for _ in range(3):
        assert studio.pid == first
        assert studio.code() == "GPU_OOM"
    studio.works()
    assert (studio.pid == first) is (first is None)


def test_a_device_that_failed_is_left(studio: Studio) -> None:
    """Row 126: with its process. Where there is none to leave with, everybody is told to start again."""
    first = studio.pid
    waiting_for_it = studio.engine.answers(within=10)
    assert waiting_for_it
    studio.plan.set(unet=("fault", 1))
    assert studio.code() == "GPU_FAULT"
    if first is None:
        wait_for(lambda: studio.engine.state.phase == "failed")
        assert not studio.engine.answers(within=0.2), "nobody is told that all is well"
        assert studio.code() == "GPU_FAULT"
        return
    studio.works()
    assert studio.pid != first
    assert studio.engine.answers(within=10)


@pytest.mark.long
def test_between_two_workers_nobody_is_told_that_all_is_well(store: Store, tmp_path: Path) -> None:
    """Row 126: readiness is what `answers` says."""
    for studio in opened("process", store, tmp_path):
        studio.plan.set(unet=("fault", 1), loading=("gate", 1))
        job_id = studio.submit(controls=(replace(studio.request.controls[0], condition="canny"),))
        studio.plan.wait_until_at_gate()  # its control is loaded now
        studio.plan.go_on()
        assert studio.last(job_id).state == "failed"
        studio.plan.set(loading=("gate", 1))  # the next worker takes long
        studio.plan.wait_until_at_gate()
        assert studio.engine.state.phase != "ready"
        studio.plan.go_on()
        studio.works()


@pytest.mark.parametrize("times", [1, ALWAYS])
def test_numbers_that_leave_the_range_never_make_a_black_picture(times: int, studio: Studio) -> None:
    """Row 127: the decoder has one more try, in float32; then it is said."""
    before = studio.pictures
    studio.plan.set(vae=("nan", times))
    assert studio.code() == ("" if times == 1 else "NUMERIC")
    assert (studio.pictures > before) == (times == 1)
    studio.works()


PLACES = ["loading", "text", "unet", "vae", "judging"]


@pytest.mark.parametrize("place", [*PLACES, "last step"])
def test_cancelled_anywhere_a_job_is_over_and_leaves_nothing(place: str, studio: Studio) -> None:
    """Row 128."""
    if place == "last step":
        studio.plan.set(unet=("gate", 1))
        job_id = studio.submit(steps=1)
    else:
        studio.plan.set(**{place: ("gate", 1)})
        job_id = studio.submit(agreement=place == "judging")
    studio.plan.wait_until_at_gate()
    studio.engine.cancel(job_id)
    job = studio.engine.look(job_id)
    assert job.state == "cancelled", "at once, whatever the worker is doing"
    assert job.error is not None
    assert job.error.code.name == "CANCELLED"
    studio.engine.cancel(job_id)  # row 129: twice is once
    assert studio.engine.look(job_id) == job
    studio.plan.go_on()
    studio.works()
    assert all(job_id[:12] not in path.name for path in studio.pictures)


def test_cancelled_while_it_waits_a_job_never_runs(studio: Studio) -> None:
    studio.plan.set(unet=("gate", 1))
    first, waiting = studio.submit(), studio.submit(seed=2)
    studio.plan.wait_until_at_gate()
    studio.engine.cancel(waiting)
    assert studio.engine.look(waiting).state == "cancelled"
    studio.plan.go_on()
    assert studio.last(first).state == "done"
    assert all(waiting[:12] not in path.name for path in studio.pictures)


def test_cancelled_while_it_annotates(studio: Studio) -> None:
    studio.plan.set(annotating=("gate", 1))
    picture = studio.request.controls[0].map
    job_id = studio.engine.submit("annotate", AnnotateRequest(annotator="canny", picture=picture))
    studio.plan.wait_until_at_gate()
    studio.engine.cancel(job_id)
    assert studio.engine.look(job_id).state == "cancelled"
    studio.plan.go_on()
    studio.works()


def test_what_is_being_saved_is_saved(studio: Studio) -> None:
    """Row 128: nothing is won by dropping what is done. Row 129: cancelling what is over changes nothing."""
    studio.plan.set(saving=("gate", 1))
    job_id = studio.submit()
    studio.plan.wait_until_at_gate()
    wait_for(lambda: studio.engine.look(job_id).state == "saving")
    studio.engine.cancel(job_id)
    studio.plan.go_on()
    job = studio.last(job_id)
    assert job.state == "done"
    studio.engine.cancel(job_id)
    assert studio.engine.look(job_id) == job
    assert all(image.path.is_file() for image in job.outcome.images)


def test_who_does_not_know_a_job_can_not_cancel_it(studio: Studio) -> None:
    """Row 129: its id is 128 bits of chance, and nothing else names it."""
    job_id = studio.submit()
    for guess in ("0" * 32, job_id[:12], job_id.upper(), ""):
        with pytest.raises(ArmatureError, match="not known here"):
            studio.engine.cancel(guess)
    assert studio.last(job_id).state == "done"


def test_fifty_times_without_memory_and_fifty_pictures(studio: Studio) -> None:
    in_turns(studio, 50)


def in_turns(studio: Studio, turns: int) -> None:
    """Every other job has no memory, each time elsewhere. What is kept of them all is next to nothing."""
    places = (("text",), ("unet",), ("vae", "strips"))
    pictures = studio.pictures
    figures: list[int] = []
    for turn in range(turns):
        studio.plan.set(**dict.fromkeys(places[turn % 3], ("oom", ALWAYS)))
        assert studio.code(prompt=f"house {turn}") == "GPU_OOM"  # what was read lately is not read again
        studio.works()
        if turn in (turns // 5 - 1, turns - 1):
            figures.append(memory_of(studio))
    assert len(studio.pictures - pictures) == 2 * turns, "a picture and its map for each good job"
    before, after = figures
    assert after - before < (64 * MEGA if studio.pid else MEGA)


@pytest.mark.slow
def test_the_rows_of_the_device_in_short_with_a_worker_process(store: Store, tmp_path: Path) -> None:
    """Rows 124 to 127 one after the other, with the engine that is the default and two restarts of it."""
    for studio in opened("process", store, tmp_path):
        for place in ("text", "unet", "vae", "encode"):
            test_memory_that_is_missing_once_costs_nothing(place, studio)
        for times in (1, ALWAYS):
            test_numbers_that_leave_the_range_never_make_a_black_picture(times, studio)
        in_turns(studio, 10)
        test_after_three_in_a_row_there_is_a_fresh_worker(studio)
        test_a_device_that_failed_is_left(studio)


def memory_of(studio: Studio) -> int:
    """The bytes of the worker's process, or of all tensors in this one."""
    if studio.pid is not None:
        return int(psutil.Process(studio.pid).memory_info().rss)
    gc.collect()
    alive = (found for found in gc.get_objects() if type(found) in (torch.Tensor, torch.nn.Parameter))
    return sum(tensor.untyped_storage().nbytes() for tensor in alive if tensor.device.type == "cpu")
