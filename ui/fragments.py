"""Small pieces of HTML: everything that is not ours is escaped here."""

import base64
import io
from collections.abc import Iterable
from html import escape

from PIL import Image

from annotators.base import Pixels
from pipelines.engine import EngineState, Job
from pipelines.request import Saved, keeping
from pipelines.request.fetching import Offer, in_words

STAGES = {
    "loading": "Loading the model",
    "annotating": "Reading the structure",
    "denoising": "Painting",
    "decoding": "Developing the picture",
    "checking": "Checking that it may be shown",
    "saving": "Saving",
}


def pill(state: EngineState) -> str:
    """The state of the models, for the head of the page."""
    words = {
        "starting": "Starting",
        "loading": f"Loading {state.detail}",
        "ready": f"Ready on {state.device}",
        "failed": f"Models unavailable: {state.detail}",
    }
    text = escape(words[state.phase])
    return f'<span class="pill {state.phase}" role="status" title="{text}"><i></i>{text}</span>'


def notes(lines: Iterable[str], kind: str = "note") -> str:
    """Notices, each on its own line; nothing where there are none."""
    rows = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="notes {kind}">{rows}</ul>' if rows else ""


def progress(job: Job) -> str:
    """The bar, the words and the growing picture of a job that waits or runs."""
    if job.state == "queued":
        ahead = f"{job.place} ahead of yours" if job.place else "yours is next"
        return _bar(job, 0.0, f"In the queue, {ahead}", "")
    done = job.step / job.total if job.total else 0.0
    words = STAGES.get(job.state, job.state)
    if job.state == "denoising":
        words = f"{words}: step {job.step} of {job.total}"
    left = job.seconds_left
    return _bar(job, done, words, "" if left is None else time_left(left))


def offer(what: Offer) -> str:
    """What a fetch would bring, from where, and under which licences."""
    return notes([what.words], "note offer") if what.files else notes(["All of it is here."])


def fetching(jobs: Iterable[Job]) -> str:
    """A bar for each download: how much of it is here, how fast it comes, and how long it takes."""
    return "".join(_download(job) for job in jobs)


def _download(job: Job) -> str:
    names = ", ".join(job.payload.names)
    if job.state == "queued":
        return _bar(job, 0.0, f"{names}: waits for the one before", "")
    done = job.step / job.total if job.total else 0.0
    if job.state != "fetching":
        return _bar(job, done, f"{names}: looking at what is here", "")
    words = f"{names}: {in_words(job.step)} of {in_words(job.total)}"
    return _bar(job, done, words, speed(job))


def speed(job: Job) -> str:
    """How fast a download comes, and how long the rest takes; nothing before that is known."""
    pace, left = job.pace, job.seconds_left
    return "" if pace is None or left is None else f"{in_words(round(pace))}/s, {time_left(left)}"


def _bar(job: Job, done: float, words: str, left: str) -> str:
    percent = round(100 * done)
    picture = ""
    if job.preview is not None:
        blur = round(6 * (1 - done), 1)
        picture = f'<img alt="Preview" style="filter:blur({blur}px)" src="{_data_url(job.preview)}">'
    return (
        f'<div class="progress" data-job="{job.id}">'
        f'<div class="words"><b>{escape(words)}</b><span>{escape(left)}</span></div>'
        f'<div class="bar" role="progressbar" aria-valuenow="{percent}" aria-valuemax="100">'
        f'<i style="width:{percent}%"></i></div>{picture}</div>'
    )


def time_left(seconds: float) -> str:
    """How long something takes, in words."""
    if seconds < 1:
        return "a moment left"
    if seconds < 90:
        return f"{seconds:.0f} s left"
    return f"{seconds / 60:.0f} min left"


def _data_url(picture: Pixels) -> str:
    """An RGB uint8 (h, w, 3) preview as a JPEG inside its address."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def made(saved: Saved) -> str:
    """One line under the gallery: how the newest pictures were made; then the notices."""
    request = saved.request
    seeds = ", ".join(str(image.seed) for image in saved.images)
    facts = (
        f"Seed {seeds}",
        f"{request.width}×{request.height}",
        f"{request.steps} steps {request.scheduler}",
        f"{saved.seconds:.1f} s",
        *keeping.in_words([image.agreement for image in saved.images]),
    )
    line = "".join(f"<span>{escape(fact)}</span>" for fact in facts)
    return f'<p class="facts">{line}</p>{notes(saved.notices)}'
