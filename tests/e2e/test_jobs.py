"""Jobs that outlive the page: reload, come back, wait in the queue, cancel there, and never run twice."""

import re
from pathlib import Path

from tests.browsing import PATIENCE, Studio
from tests.e2e.conftest import Seen, Visit
from tests.e2e.test_studio import LONG, ready_to_generate

WAITS = "In the queue"


def job_of(studio: Studio) -> str:
    """The id of the job that the progress panel shows; it may end, and be gone, while that is read."""
    found = studio.page.wait_for_function(
        "() => document.querySelector('#progress [data-job]')?.dataset.job", timeout=PATIENCE
    )
    return str(found.json_value())


def forgive_the_cut(seen: Seen) -> None:
    """Whoever leaves in the middle of a run cuts a stream, and the browser complains of that itself."""
    seen.errors[:] = [
        error for error in seen.errors if not re.search("aborted|Connection errored out", error)
    ]


def reload(studio: Studio, seen: Seen) -> None:
    """Load the page anew, in the middle of whatever goes on."""
    studio.page.reload()
    studio.page.wait_for_selector("#canny-generate", timeout=PATIENCE)
    forgive_the_cut(seen)


def test_a_reload_finds_the_running_job_and_then_its_result(studio: Studio, seen: Seen, scene: Path) -> None:
    ready_to_generate(studio, scene, LONG)
    studio.generate()
    studio.wait_for_step()
    job = job_of(studio)
    reload(studio, seen)
    studio.wait_for_step()
    assert job_of(studio) == job
    picture = studio.picture_after()
    assert job[:12] in picture
    reload(studio, seen)
    assert studio.picture_after().rpartition("/")[2] == picture.rpartition("/")[2]


def test_whoever_closes_the_page_and_comes_back_finds_the_result(
    studio: Studio, seen: Seen, scene: Path
) -> None:
    ready_to_generate(studio, scene, 20)
    studio.generate()
    job = job_of(studio)
    context = studio.page.context
    studio.page.goto("about:blank")
    forgive_the_cut(seen)
    again = Studio(context.new_page(), studio.url)
    again.open()
    assert job[:12] in again.picture_after()


def test_cancel_after_a_reload_ends_the_run(studio: Studio, seen: Seen, scene: Path) -> None:
    ready_to_generate(studio, scene, LONG)
    studio.generate()
    studio.wait_for_step()
    reload(studio, seen)
    studio.wait_for_step()
    studio.page.click("#cancel")
    studio.wait_for_text("#info", "cancelled")
    assert studio.gallery() == []


def test_cancel_while_queued(visit: Visit, scene: Path) -> None:
    first, second = visit(), visit()
    ready_to_generate(first, scene, LONG)
    ready_to_generate(second, scene)
    first.generate()
    first.wait_for_step()
    second.generate()
    second.wait_for_text("#progress", WAITS)
    second.page.click("#cancel")
    second.wait_for_text("#info", "cancelled")
    assert "step" in first.text("#progress")
    first.page.click("#cancel")
    first.wait_for_text("#info", "cancelled")
    second.generate()
    second.picture_after()


def test_two_tabs_at_once_each_get_their_own(visit: Visit, scene: Path) -> None:
    one = visit()
    other = Studio(one.page.context.new_page(), one.url)
    other.open()
    for studio in (one, other):
        studio.page.bring_to_front()  # a browser lets a page behind another wait
        ready_to_generate(studio, scene, 8)
    one.generate()
    other.generate()
    jobs = [job_of(studio) for studio in (one, other)]
    assert jobs[0] != jobs[1]
    for studio, job in zip((one, other), jobs, strict=True):
        assert job[:12] in studio.picture_after()
        assert len(studio.gallery()) == 1


def test_two_jobs_of_one_page_show_the_newest_on_its_way_and_keep_both_results(
    studio: Studio, scene: Path
) -> None:
    ready_to_generate(studio, scene, 30)
    studio.set_number("count", 3)
    studio.generate()
    studio.wait_for_step()
    first = job_of(studio)
    studio.set_number("steps", 8)
    studio.generate()
    studio.wait_for_text("#progress", WAITS)
    second = job_of(studio)
    picture = studio.picture_after()
    assert first[:12] in picture
    assert job_of(studio) == second, "the panel follows the newest, whatever else ends"
    assert second[:12] in studio.picture_after(picture)
    assert [first[:12] in shown for shown in studio.gallery()] == [False] * 3 + [True] * 3
    assert not studio.page.locator("#cancel").is_visible()


def test_a_double_click_makes_one_job(studio: Studio, scene: Path) -> None:
    ready_to_generate(studio, scene)
    studio.page.dblclick("#canny-generate")
    picture = studio.picture_after()
    studio.wait_until_idle()
    assert studio.gallery() == [picture]


def test_stopping_keeps_the_pictures_that_are_finished(studio: Studio, scene: Path) -> None:
    ready_to_generate(studio, scene, 30)
    studio.set_number("count", 8)
    studio.generate()
    second_group = re.compile(r"step (3[1-9]|[4-9]\d|1\d\d) of")
    studio.page.locator("#progress", has_text=second_group).wait_for(timeout=PATIENCE)
    studio.page.click("#stop")
    studio.picture_after()
    finished = re.search(r"Stopped: (\d) of 8", studio.text("#info"))
    assert finished
    assert len(studio.gallery()) == int(finished[1]) < 8


def test_cheap_events_do_not_wait_behind_a_run(studio: Studio, scene: Path) -> None:
    ready_to_generate(studio, scene, LONG)
    studio.generate()
    studio.wait_for_step()
    before = studio.map_after()
    slider = studio.page.locator("#canny-canny-high_threshold input[type=range]")
    slider.focus()
    studio.page.keyboard.press("End")
    studio.map_after(before)
    assert "step" in studio.text("#progress")
    studio.page.click("#cancel")
    studio.wait_for_text("#info", "cancelled")
