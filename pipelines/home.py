"""The engine put together, as app and cli ask for it; and what a family lacks, in words."""

from functools import partial
from pathlib import Path

import annotators
import conditions
from errors import PARAM_CHOICE, AccessError, ArmatureError, InputError, ModelError
from gate import Limits
from models import bases, own
from models.catalogue import FAMILIES
from models.store import Store
from pipelines import rebuilding, results
from pipelines.engine import Engine
from pipelines.fetching import Fetching
from pipelines.homes import Home, ProcessHome, ThreadHome
from pipelines.jobs import JobBook
from pipelines.kinds import FETCH, kinds
from pipelines.request.annotating import Lack
from pipelines.request.safety import is_exempt
from pipelines.rows import hold
from pipelines.worker import Worker

AUTO = "auto"
WORDS = (AUTO, *FAMILIES)


def open_store(weights: Path, wanted: str) -> Store:
    """The store for a model; a base that lies elsewhere than in `weights/bases` has its own folder for it."""
    path = Path(wanted).resolve()
    inside = path.parent in (weights.resolve(), (weights / "bases").resolve())
    return Store(weights) if wanted in WORDS or inside or not path.exists() else Store(weights, path.parent)


def default_model(wanted: str, store: Store) -> str:
    """The model that was asked for: a family, a base of one's own by its name or path, or "auto".

    For "auto" it is the first family that is there, else the built-in one.
    """
    if wanted == AUTO:
        return next((name for name in FAMILIES if store.has(name)), next(iter(FAMILIES)))
    if wanted in FAMILIES:
        return wanted
    family, _, name = wanted.partition("/")
    path = store.own_bases / (name if family in FAMILIES else Path(wanted).name)
    if not path.name or not path.exists():
        raise PARAM_CHOICE(
            "There is no such model",
            found=repr(wanted),
            allowed=", ".join((*WORDS, *(name for _, name in bases.models(store)))),
            todo="Change --model, or put the file into weights/bases",
        )
    return f"{bases.family_of_base(store, path)}/{path.name}"


def lack(
    store: Store, model: str, condition: str, control: str = "", *, safety: bool = False
) -> ArmatureError | None:
    """What a condition lacks in a model and how to get it, or what speaks against it; None where all is well.

    `control` is one of the user's own, which has to fit the family. With `safety`, the safety checker has to
    be there for all that could need it. Headers are read, and nothing is loaded.
    """
    entry = conditions.find(condition)
    try:
        bases.require(store, model)
        store.require(model, own.key(condition, control) if control else entry.control(model).name)
        if control:
            own.require(store, model, own.key(condition, control))
        if safety and not is_exempt(model, control):
            store.require_safety()
    except (InputError, ModelError, AccessError) as error:
        return error
    return None


def lacking(store: Store, model: str, condition: str, control: str = "") -> str:
    """The same in words; nothing where all is well."""
    found = lack(store, model, condition, control)
    return found.message if found else ""


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
    if book.anew:
        rebuilding.rebuild(book, worker.outputs)
    results.reconcile(worker.outputs, book.undone())
    home: Home = ThreadHome(worker) if in_process else ProcessHome(worker)
    dropped = partial(results.set_aside, worker.outputs)
    beside = {FETCH: ThreadHome(fetching)} if fetching and limits.fetches else {}
    return Engine(home, book, beside=beside, longest=limits.job_seconds, dropped=dropped)


def passing_engine(worker: Worker) -> Engine:
    """An engine for one command: in this process, with a book that nobody reads again."""
    return Engine(ThreadHome(worker), JobBook(kinds(worker.outputs)))
