"""The engine put together, as app and cli ask for it; and what a family lacks, in words."""

from functools import partial

import annotators
import conditions
from errors import MODEL_PAIRING, PARAM_CHOICE, ModelError
from gate import Limits
from models import own
from models.catalogue import FAMILIES
from models.store import Store
from pipelines import results
from pipelines.engine import Engine
from pipelines.fetching import Fetching
from pipelines.homes import Home, ProcessHome, ThreadHome
from pipelines.jobs import JobBook
from pipelines.kinds import FETCH, kinds
from pipelines.request.annotating import Lack
from pipelines.rows import hold
from pipelines.worker import Worker


def default_family(wanted: str, store: Store) -> str:
    """The family that was asked for; for "auto" the first that is there, else the built-in one."""
    if wanted == "auto":
        return next((name for name in FAMILIES if store.has(name)), next(iter(FAMILIES)))
    if wanted not in FAMILIES:
        raise PARAM_CHOICE(
            "There is no such model family",
            found=repr(wanted),
            allowed="auto, " + ", ".join(FAMILIES),
            todo="Change --model",
        )
    return wanted


def lacking(store: Store, family: str, condition: str, control: str = "") -> str:
    """What a condition lacks in a family and how to get it, in words; nothing where all is there.

    `control` is one of the user's own, which has to fit the family.
    """
    entry = conditions.find(condition)
    try:
        store.require(family, own.key(condition, control) if control else entry.control(family).name)
        if control and control not in own.controls(store, family, condition):
            raise MODEL_PAIRING(
                f"The control {control} was made for another architecture than {FAMILIES[family].title}",
                allowed=", ".join(own.controls(store, family, condition)) or "the model's own",
                todo="Choose another control, or the model that it was trained on",
            )
    except ModelError as error:
        return error.message
    return ""


def annotator_lack(store: Store, name: str) -> Lack | None:
    """What an annotator lacks, or None where all is there."""
    weights = annotators.find(name).weights
    files = store.annotator_missing(weights)
    return Lack(files, store.how_to_get_annotator(weights, name)) if files else None


def lasting_engine(
    worker: Worker, limits: Limits, *, in_process: bool, fetching: Fetching | None = None
) -> Engine:
    """The studio's engine: its book is a file in the outputs, and what waited there waits again.

    A download that waits, and is not for visitors of this profile, waits for a start that is for its owner.
    """
    path = worker.outputs / "jobs.sqlite3"
    hold(path)
    book = JobBook(kinds(worker.outputs), path, most_waiting=limits.queue, most_each=limits.queue_each)
    results.reconcile(worker.outputs, book.undone())
    home: Home = ThreadHome(worker) if in_process else ProcessHome(worker)
    dropped = partial(results.set_aside, worker.outputs)
    beside = {FETCH: ThreadHome(fetching)} if fetching and limits.fetches else {}
    return Engine(home, book, beside=beside, longest=limits.job_seconds, dropped=dropped)


def passing_engine(worker: Worker) -> Engine:
    """An engine for one command: in this process, with a book that nobody reads again."""
    return Engine(ThreadHome(worker), JobBook(kinds(worker.outputs)))
