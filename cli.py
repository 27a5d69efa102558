"""Armature without a browser.

`cli.py conditions | annotate | generate | info | dataset | train | weights | doctor`, all with `--json`.

Exit codes: 0 done, 1 refused or failed with a coded message, 2 bad usage.
"""

import argparse
import dataclasses
import json
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import annotators
import doctor
import gate
import settings
from annotators import ANNOTATORS, Annotation, Annotator
from conditions import CONDITIONS, Condition
from errors import (
    CANCELLED,
    INTERNAL,
    META_MISSING,
    NOT_ALLOWED,
    PARAM_CHOICE,
    PARAM_TYPE,
    ArmatureError,
    ours,
)
from gate import LIMITS
from models import own
from models.catalogue import FAMILIES, family_of
from models.store import Store
from params import Param
from pipelines import bundles, converting, folders, home, manifest, metadata, own_files
from pipelines.bundles import Bundle
from pipelines.engine import Engine, Job
from pipelines.fetching import Fetching
from pipelines.folders import Outcome
from pipelines.metadata import Memory
from pipelines.pictures import PICTURES, PictureStore
from pipelines.request import Progress, Saved, keeping
from pipelines.request.annotating import Annotated, AnnotateRequest
from pipelines.request.composing import Ground, Layer, Sides, compose
from pipelines.request.controls import (
    CLIP_SKIP,
    CONTROL,
    MASK_BLUR,
    NEGATIVE_PROMPT,
    PROMPT,
    RESOLUTION,
    RUN_PARAMS,
    SCHEDULER,
    START_PARAMS,
    STEPS,
    UNIT_PARAMS,
)
from pipelines.request.fetching import Fetched, FetchRequest, Offer, in_words
from pipelines.request.intake import Desk, source_of
from pipelines.request.presets import PRESET_PARAMS, PRESETS, steps_for
from pipelines.request.units import Unit, parse_sides, parse_unit
from pipelines.results import write_png
from pipelines.worker import Worker
from training import commands as sets

log = logging.getLogger("armature")
OPTIONS: tuple[Param, ...] = (PROMPT, NEGATIVE_PROMPT, *UNIT_PARAMS, *RUN_PARAMS)
BAR = 24  # characters
FLAGS = {  # where flag and control differ
    NEGATIVE_PROMPT.name: "negative",
    MASK_BLUR.name: "mask-blur",
    CLIP_SKIP.name: "clip-skip",
}
UNIT_HELP = (
    "one more control, such as condition=depth,image=P,strength=.8,start=0,end=1,mode=balanced,region=P; "
    "layer_weights=1/.5/... gives each of its layers a factor of its own"
)


def main(arguments: Sequence[str]) -> int:
    """Run one command."""
    given = _parser().parse_args(arguments)
    try:
        command: Callable[[argparse.Namespace], int | None] = given.command
        return command(given) or 0
    except KeyboardInterrupt:
        return 1
    except Exception as error:
        known = ours(error)
        if known.code is INTERNAL:
            log.error("%s", known, exc_info=error)
        if given.json:
            _print_json({"error": _error_entry(known)})
        print(known, file=sys.stderr)
        return 1


def list_conditions(given: argparse.Namespace) -> None:
    """Name, title, annotators with their settings, and controls of every condition."""
    entries = [_condition_entry(condition) for condition in CONDITIONS.values()]
    if given.json:
        _print_json(entries)
        return
    for entry in entries:
        methods = ", ".join(method["name"] for method in entry["annotators"])
        print(f"{entry['name']:14} {entry['title']:16} {methods:14} {entry['help']}")


def annotate(given: argparse.Namespace) -> int:
    """The map of one picture, or of every picture in a folder."""
    method = annotators.find(given.name)
    values: dict[str, Any] = dict(gate.check_values(method.params, _set_values(method.params, given.set)))
    RESOLUTION.check(given.resolution)
    if given.source.is_dir():
        return _annotate_folder(given, method, values)
    target = given.target / f"{given.source.stem}.png" if given.target.is_dir() else given.target
    notices: tuple[str, ...] = ()
    if method.source == "picture":
        if target.resolve() == given.source.resolve():
            raise PARAM_CHOICE("The map would take the picture's place", todo="Name another file for the map")
        picture = gate.open_picture(given.source.resolve(), LIMITS["local"])
        notices = picture.notices
        with _annotating(given) as annotation:
            found = annotation(method.name, picture.pixels, given.resolution, values)
    else:
        found = annotators.annotate(method.name, source_of(method, _typed(given.source)), **values)
    write_png(target, found.map, {})
    notices += found.notices
    if given.json:
        _print_json({"map": _named(target), "data": found.data, "notices": notices})
    else:
        _tell(notices)
        print(_named(target))
    return 0


def _annotate_folder(given: argparse.Namespace, method: Annotator, values: Mapping[str, Any]) -> int:
    if method.source != "picture":
        raise PARAM_CHOICE(
            f"{method.label} starts from no picture",
            found="a folder",
            allowed=f"one {method.source}",
            todo="Choose another annotator, or give a file",
        )
    todo = folders.pairs(given.source, given.target)
    recipe = {"annotator": method.name, "resolution": given.resolution, "values": values}
    with _annotating(given) as annotation:
        run = folders.annotate_all(
            todo,
            lambda pixels: annotation(method.name, pixels, given.resolution, values),
            recipe=recipe,
            limits=LIMITS["local"],
        )
        outcomes = _shown(run, len(todo), quiet=given.json)
    if given.json:
        _print_json(_outcomes_entry(outcomes))
    else:
        _tell_outcomes(outcomes, given.target)
    return 1 if any(outcome.error for outcome in outcomes) else 0


def generate(given: argparse.Namespace) -> None:
    """Pictures that keep the structure of one, or of several at once."""
    units, begun = _units(given), _begun(given)
    settings.prepare_process(settings.from_process().cache)
    store = home.open_store(given.weights, given.model)
    family = home.default_model(given.model, store)
    values = _run_values(given, family)
    worker = _worker(given, store, family, given.out, folder=given.out)
    for unit in units:
        control = str(unit.values.get(CONTROL.name, CONTROL.default))
        if lack := home.lack(store, family, unit.condition, control):
            raise lack
    with _engine(worker) as engine:
        desk = _desk(engine, worker)
        layers = _layers(desk, units, family, values["size"])
        ground = _ground(desk, given, units[0], begun)
        request = compose(desk, layers, family=family, values=values, ground=ground)
        engine.start()
        saved = _followed(engine, engine.submit("generate", request), quiet=given.json)
    notices = list(dict.fromkeys(notice for layer in layers for notice in layer.draft.notices))
    if given.json:
        _print_json(_saved_entry(saved, notices))
        return
    _tell([*notices, *saved.notices])
    for image in saved.images:
        print(", ".join([str(image.path), *keeping.in_words([image.agreement])]))


def _run_values(given: argparse.Namespace, family: str) -> dict[str, Any]:
    """Prompts and settings by name; where a flag was left out, the preset's."""
    asked = {param.name: getattr(given, param.name) for param in OPTIONS if param not in UNIT_PARAMS}
    known = PRESETS[given.preset].values(family)
    known |= {name: value for name, value in asked.items() if value is not None}
    if given.steps is None:
        known[STEPS.name] = steps_for(known[SCHEDULER.name], int(known[STEPS.name]))
    return known


def info(given: argparse.Namespace) -> None:
    """What a PNG says of how it was made."""
    picture = given.picture.resolve()
    said = metadata.parameters_from_png(picture)
    try:
        memory = metadata.memory_from_png(picture)
    except ArmatureError as error:
        if not said or error.code is not META_MISSING:
            raise
        memory = None  # of another program, whose text is all there is
    if given.json:
        _print_json({"parameters": said} | _memory_entry(picture, memory))
        return
    print(said)
    if memory is not None:
        _tell_memory(picture, memory)


GONE = "no longer beside the picture"


def _tell_memory(picture: Path, memory: Memory) -> None:
    for entry in memory.maps:
        beside = metadata.file_beside(picture, entry)
        print(f"Map of {entry.condition}: {beside or GONE}")
    for other in memory.others:
        print(f"{other.what}: {metadata.file_beside(picture, other) or GONE}")
    for sentence in keeping.in_words([memory.agreement]):
        print(f"Agreement: {sentence}")


def _memory_entry(picture: Path, memory: Memory | None) -> dict[str, Any]:
    if memory is None:
        return {"request": None}
    return {
        "request": dataclasses.asdict(memory.request),
        "image": memory.image,
        "seed": memory.seed,
        "agreement": keeping.overall(memory.agreement),
        "agreements": [dataclasses.asdict(kept) for kept in memory.agreement],
        "maps": [
            {"condition": entry.condition, "sha256": entry.sha256, "path": str(beside) if beside else None}
            for entry in memory.maps
            for beside in (metadata.file_beside(picture, entry),)
        ],
        "others": [
            {"what": other.what, "sha256": other.sha256, "path": str(beside) if beside else None}
            for other in memory.others
            for beside in (metadata.file_beside(picture, other),)
        ],
    }


def list_weights(given: argparse.Namespace) -> None:
    """What can be fetched, from where, under which licence, and how much of it is here."""
    rows = [_bundle_entry(bundle) for bundle in bundles.all_bundles(Store(given.weights)).values()]
    if given.json:
        _print_json(rows)
        return
    for row in rows:
        size = in_words(row["bytes_here"]) if row["here"] else f"about {in_words(row['bytes_about'])}"
        here = "here" if row["here"] else f"{len(row['missing'])} missing"
        print(f"{row['name']:22} {here:>10} {size:>14}  {row['title']} ({row['repo']}, {row['licence']})")


def get_weights(given: argparse.Namespace) -> None:
    """Fetch the files of some names, after telling their size."""
    fetching = Fetching(weights=given.weights, hub=settings.from_process().hub)
    request = FetchRequest(names=tuple(given.names), again=given.again)
    offer = fetching.offer(request)
    if offer.files:
        _ask_for(offer, given)
    event = _fetched(fetching.run(request), quiet=given.json)
    if given.json:
        _print_json({"files": list(event.places), "bytes": event.size})
        return
    for place in event.places:
        print(given.weights / place)
    if not event.places:
        print("All of it is here.")


def _fetched(run: Iterator[Progress | Fetched], *, quiet: bool) -> Fetched:
    """What has come of a fetch; meanwhile how far it is, on a terminal. Ctrl-C is a pause."""
    shows = not quiet and sys.stderr.isatty()
    try:
        for event in run:
            if shows and isinstance(event, Progress):
                done = f"{event.stage} {in_words(event.step)} of {in_words(event.total)}"
                print(f"\r\033[K{done}", end="", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("\nPaused: the same command goes on from there.", file=sys.stderr)
        raise
    if shows:
        print("\r\033[K", end="", file=sys.stderr)
    assert isinstance(event, Fetched)
    return event


def verify_weights(given: argparse.Namespace) -> int:
    """Whether every file that was fetched is still as it was, to its last byte."""
    found: list[dict[str, Any]] = []
    store = Store(given.weights)
    for place, verdict in manifest.verify(given.weights, manifest.read(given.weights)):
        error = manifest.refusal(place, verdict, bundles.holding(store, place) or "NAME")
        found.append({"file": place, "state": verdict} | ({"error": _error_entry(error)} if error else {}))
        if not given.json:
            print(f"{verdict:8} {place}", flush=True)
        if error:
            print(error, file=sys.stderr)
    well = all(one["state"] == "ok" for one in found)
    if given.json:
        _print_json({"well": well, "files": found})
    return 0 if well else 1


def convert_weights(given: argparse.Namespace) -> None:
    """Keep the tensors of a pickled file as safetensors; what else it holds is refused, and never run."""
    source = converting.find(given.source, given.weights)
    target = given.target or converting.default_target(source)
    found = converting.convert(source, target, LIMITS[settings.from_process().profile])
    if given.json:
        place = found.kind.folder and f"weights/{found.kind.folder}"
        _print_json({"file": _named(target), "kind": found.title, "belongs_in": place, "bytes": found.size})
        return
    print(f"{_named(target)}: {found.title}")


def transfer_weights(given: argparse.Namespace) -> None:
    """A control for another base than that which it was trained on; it is offered beside the others."""
    settings.prepare_process(settings.from_process().cache)
    from training import transferring

    store = home.open_store(given.weights, given.model)
    other = home.default_model(given.model, store)
    original = home.default_model(given.trained_on or family_of(other).name, store)
    entry = CONDITIONS[given.condition]
    control = own.key(entry.name, given.control) if given.control else entry.control(original).name
    move = transferring.Move(
        control=control, original=original, other=other, condition=entry.name, name=given.name
    )
    place = transferring.transfer(store, move)
    if given.json:
        _print_json({"control": given.name, "folder": _named(place), "base": other})
        return
    print(_named(place))


def _ask_for(offer: Offer, given: argparse.Namespace) -> None:
    """Go on only with a yes: on the command line, or from whoever sits at the terminal."""
    if given.yes:
        return
    if not sys.stdin.isatty():
        raise NOT_ALLOWED("Nothing is fetched without a yes", found=offer.words, todo="Say it with --yes")
    print(f"{offer.words}\nFetch? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CANCELLED("Nothing was fetched")


def _units(given: argparse.Namespace) -> list[Unit]:
    """The controls that were asked for: that of --condition first, then every --unit."""
    units = [parse_unit(text) for text in given.unit]
    if bool(given.condition) != bool(given.image) or not (given.condition or units):
        given.refuse("a control is needed: --condition with --image, or --unit")
    if given.condition:
        values = {param.name: getattr(given, param.name) for param in UNIT_PARAMS}
        first = Unit(
            condition=given.condition,
            image=given.image,
            annotator=given.annotator,
            settings=given.set,
            values=values,
        )
        units.insert(0, first)
    return units


def _layers(desk: Desk, units: Sequence[Unit], family: str, size: str) -> list[Layer]:
    """The map of every control, all at the size of the first."""
    layers: list[Layer] = []
    for unit in units:
        condition = CONDITIONS[unit.condition]
        method = annotators.find(desk.method(condition, unit.annotator))
        picture = desk.picture(unit.image.resolve()) if method.source == "picture" else None
        draft = desk.draft(
            condition.name,
            picture,
            typed="" if picture else _typed(unit.image),
            annotator=method.name,
            values=_set_values(method.params, unit.settings),
            family=family,
            size=size,
        )
        size = "{}x{}".format(*draft.size)
        region = None if unit.region is None else desk.picture(unit.region.resolve()).pixels
        layers.append(Layer(draft=draft, values=unit.values, layer_weights=unit.layer_weights, region=region))
    return layers


def _begun(given: argparse.Namespace) -> dict[str, Any]:
    """The settings of a start, as far as they were given."""
    values = {param.name: getattr(given, param.name) for param in START_PARAMS}
    values = {name: value for name, value in values.items() if value is not None}
    if values and not (given.init or given.mask or given.extend):
        given.refuse(f"{', '.join(values)}: only with --init, --mask or --extend")
    return values


def _ground(desk: Desk, given: argparse.Namespace, first: Unit, values: Mapping[str, Any]) -> Ground | None:
    """What the pictures begin with; for a mask or a larger canvas that is the first picture, if no other."""
    if not (given.init or given.mask or given.extend):
        return None
    return Ground(
        init=desk.picture((given.init or first.image).resolve()).pixels,
        mask=desk.picture(given.mask.resolve()).pixels if given.mask else None,
        values=values,
        sides=Sides(**parse_sides(given.extend)) if given.extend else Sides(),
    )


def examine(given: argparse.Namespace) -> int:
    """Whether this installation is well, check by check, and what to do where it is not."""
    settings.prepare_process(settings.from_process().cache)
    patient = doctor.Patient(
        weights=given.weights, outputs=given.outputs, device=given.device, model=given.model
    )
    checks = []
    for check in doctor.examine(patient):
        checks.append(check)
        if not given.json:
            print(f"{check.state:5} {check.name:14} {check.words}", flush=True)
            if check.todo:
                print(f"{'':20} {check.todo}", flush=True)
    failed = [check.name for check in checks if check.state == "fail"]
    if given.json:
        _print_json({"well": not failed, "checks": [dataclasses.asdict(check) for check in checks]})
    else:
        print(f"Not well: {', '.join(failed)}." if failed else "All is well.")
    return 1 if failed else 0


def dataset(given: argparse.Namespace) -> int:
    """Draw, annotate or check a data set."""
    settings.prepare_process(settings.from_process().cache)

    @contextmanager
    def annotating() -> Iterator[Callable[..., Annotation]]:
        with _annotating(given) as annotation:
            yield lambda name, pixels, *, resolution, **values: annotation(name, pixels, resolution, values)

    answer: sets.Answer = given.work(
        given,
        sets.Tools(
            told=_teller(quiet=given.json),
            cache=settings.from_process().cache / "datasets",
            annotating=annotating,
            values=_set_values,
        ),
    )
    if given.json:
        _print_json(answer.entry)
    else:
        _tell(answer.notices)
        print(answer.line)
    return answer.code


def train(given: argparse.Namespace) -> None:
    """Train a control, or a base, as its file says; the same command goes on where a run stands."""
    settings.prepare_process(settings.from_process().cache)
    from training import command

    shows = not given.json and sys.stderr.isatty()

    def tell(words: str, passing: bool) -> None:
        if shows:
            print(f"\r\033[K{words}", end="" if passing else "\n", file=sys.stderr, flush=True)
        elif not passing:
            print(words, file=sys.stderr, flush=True)

    finished = command.followed(
        given.config,
        weights=given.weights,
        outputs=given.outputs,
        cache=settings.from_process().cache / "datasets",
        device=given.device,
        tell=tell,
    )
    if finished is None:
        return
    if given.json:
        _print_json(command.entry(finished))
    else:
        for path in finished.made:
            print(path)


def _teller(*, quiet: bool) -> Callable[[int, int], None]:
    """Says on a terminal how many are done, and how long the rest takes."""
    shows, began = not quiet and sys.stderr.isatty(), time.monotonic()

    def told(done: int, total: int) -> None:
        left = (time.monotonic() - began) / max(done, 1) * (total - done)
        words = f"\r\033[K{done}/{total}, {left:.0f} s left" if done < total else "\r\033[K"
        if shows:
            print(words, end="", file=sys.stderr, flush=True)

    return told


@contextmanager
def _engine(worker: Worker) -> Iterator[Engine]:
    """An engine for one command. Nothing is loaded before it is asked for."""
    engine = home.passing_engine(worker)
    try:
        yield engine
    finally:
        engine.close(patience=1)


def _worker(
    given: argparse.Namespace, store: Store, family: str, outputs: Path, *, folder: Path | None = None
) -> Worker:
    """The worker of one command, as its flags have it."""
    return Worker(
        weights=given.weights,
        outputs=outputs,
        folder=folder,
        device=given.device,
        family=family,
        bases=store.bases,
        memory=given.memory,
        memory_mode=given.memory_mode,
        safety=settings.from_process().safety,
    )


def _desk(engine: Engine, worker: Worker) -> Desk:
    """A desk whose networks are the engine's, which starts when the first one is wanted."""

    def far(request: AnnotateRequest) -> Annotated:
        engine.start()
        found: Annotated = engine.outcome(engine.submit("annotate", request))
        return found

    store = Store(worker.weights, worker.bases)
    return Desk(
        PictureStore(worker.outputs / PICTURES),
        dataclasses.replace(LIMITS["local"], safety=worker.safety),
        far,
        lack=partial(home.annotator_lack, store),
        own_files=partial(own_files.require, store),
        require_safety=store.require_safety,
    )


@contextmanager
def _annotating(given: argparse.Namespace) -> Iterator[Callable[..., Annotation]]:
    """`Desk.annotation`. What goes to the networks and comes back is gone after each picture."""
    with tempfile.TemporaryDirectory() as folder:
        worker = _worker(given, Store(given.weights), next(iter(FAMILIES)), Path(folder))
        with _engine(worker) as engine:
            desk = _desk(engine, worker)

            def annotation(*what: Any) -> Annotation:
                try:
                    return desk.annotation(*what)
                finally:
                    shutil.rmtree(worker.outputs / PICTURES, ignore_errors=True)

            yield annotation


def _shown(run: Iterator[Outcome], total: int, *, quiet: bool) -> list[Outcome]:
    """Every outcome of a folder; meanwhile a bar on a terminal."""
    shows = not quiet and sys.stderr.isatty()
    outcomes: list[Outcome] = []
    for outcome in run:
        outcomes.append(outcome)
        if shows:
            print(f"\r\033[K{_bar(outcomes, total)}", end="", file=sys.stderr, flush=True)
    if shows:
        print("\r\033[K", end="", file=sys.stderr)
    return outcomes


def _bar(outcomes: Sequence[Outcome], total: int) -> str:
    """How far a folder is, and how long the rest takes at the pace of what was not there before."""
    done = len(outcomes)
    times = [outcome.seconds for outcome in outcomes if outcome.state != "kept"]
    failed = sum(outcome.state == "failed" for outcome in outcomes)
    filled = BAR * done // total
    parts = [f"[{'#' * filled}{'.' * (BAR - filled)}] {done}/{total}"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{sum(times) / len(times) * (total - done):.0f} s left"] if times and done < total else []
    return ", ".join(parts)


def _tell_outcomes(outcomes: Sequence[Outcome], target: Path) -> None:
    """What became of a folder: notices and failures by name, and the numbers last."""
    for outcome in outcomes:
        _tell([f"{_named(outcome.pair.source)}: {notice}" for notice in outcome.notices])
    for outcome in outcomes:
        if outcome.error is not None:
            print(f"{_named(outcome.pair.source)}: {outcome.error}", file=sys.stderr)
    made, kept, failed = (
        sum(outcome.state == state for outcome in outcomes) for state in ("made", "kept", "failed")
    )
    print(f"{made} made, {kept} kept from before, {failed} failed: {_named(target)}")


def _outcomes_entry(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "maps": [
            {
                "picture": _named(outcome.pair.source),
                "map": _named(outcome.pair.target),
                "state": outcome.state,
                "notices": outcome.notices,
            }
            for outcome in outcomes
            if outcome.error is None
        ],
        "failed": [
            {
                "picture": _named(outcome.pair.source),
                "code": outcome.error.code.name,
                "message": outcome.error.message,
            }
            for outcome in outcomes
            if outcome.error is not None
        ],
    }


def _named(path: Path) -> str:
    """A path that can be printed, whatever bytes are in its name."""
    return os.fsencode(path).decode("utf-8", "replace")


def _typed(source: Path) -> str:
    """The text in a file, or the argument itself."""
    try:
        return source.read_text("utf-8") if source.is_file() else str(source)
    except UnicodeDecodeError:
        raise PARAM_TYPE(
            f"{_named(source)} holds no text",
            found="bytes that are not UTF-8",
            allowed="a text, or a file with one",
            todo="Give a text, or choose an annotator that starts from a picture",
        ) from None


def _followed(engine: Engine, job_id: str, *, quiet: bool) -> Saved:
    """The outcome of a job; meanwhile its steps on a terminal."""
    shows = not quiet and sys.stderr.isatty()
    for job in engine.follow(job_id):
        if shows:
            print(f"\r\033[K{_line(job)}", end="", file=sys.stderr, flush=True)
    if shows:
        print("\r\033[K", end="", file=sys.stderr)
    if job.error is not None:
        raise job.error
    saved: Saved = job.outcome
    return saved


def _line(job: Job) -> str:
    left = "" if job.seconds_left is None else f", {job.seconds_left:.0f} s left"
    return f"{job.state} {job.step}/{job.total}{left}"


def _condition_entry(condition: Condition) -> dict[str, Any]:
    return {
        "name": condition.name,
        "title": condition.title,
        "help": condition.help,
        "annotators": [
            {
                "name": method.name,
                "label": method.label,
                "params": {param.name: param.schema() for param in method.params},
            }
            for method in condition.available_annotators
        ],
        "controls": {
            family: {
                "name": name,
                "repo": (control.weight.repo if control.weight else None),
            }
            for family, name in condition.controls.items()
            if (control := condition.control(family))
        },
    }


def _bundle_entry(bundle: Bundle) -> dict[str, Any]:
    return {
        "name": bundle.name,
        "title": bundle.title,
        "repo": bundle.files[0].repo,
        "licence": bundle.files[0].licence,
        "here": not bundle.missing,
        "missing": [file.path for file in bundle.missing],
        "bytes_here": bundle.bytes_here,
        "bytes_about": bundle.size,
    }


def _error_entry(error: ArmatureError) -> dict[str, Any]:
    return {"code": error.code.name, "message": error.message}


def _saved_entry(saved: Saved, notices: Sequence[str]) -> dict[str, Any]:
    return {
        "images": [
            {
                "path": str(image.path),
                "seed": image.seed,
                "agreement": image.kept,
                "agreements": [dataclasses.asdict(kept) for kept in image.agreement],
            }
            for image in saved.images
        ],
        "maps": [{"condition": condition, "path": str(path)} for condition, path in saved.maps],
        "seconds": round(saved.seconds, 3),
        "notices": [*notices, *saved.notices],
    }


def _set_values(params: tuple[Param, ...], settings_given: Sequence[str]) -> Mapping[str, Any]:
    """`--set key=value` in the types of the annotator's own controls."""
    known = {param.name: param for param in params}
    values = {}
    for setting in settings_given:
        name, equals, text = setting.partition("=")
        if not equals or name not in known:
            raise PARAM_TYPE(
                "There is no such setting",
                found=setting,
                allowed=", ".join(f"{key}=..." for key in known) or "no settings",
                todo="Change --set",
            )
        values[name] = known[name].parse(text)
    return values


def _print_json(answer: Any) -> None:
    print(json.dumps(answer, ensure_ascii=False, indent=2))


def _tell(notices: Sequence[str]) -> None:
    for notice in notices:
        print(notice, file=sys.stderr)


def _is_news(record: logging.LogRecord) -> bool:
    """A refusal in a job is what the command ends with: said once, and where it was raised says nothing."""
    return not (record.exc_info and isinstance(record.exc_info[1], ArmatureError))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cli.py", description="Armature without a browser.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int | None]) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=command.__doc__, description=command.__doc__)
        sub.add_argument("--json", action="store_true", help="answer as JSON on stdout")
        sub.set_defaults(command=command)
        return sub

    add("conditions", list_conditions)

    sub = add("annotate", annotate)
    sub.add_argument("name", metavar="NAME", help=", ".join(ANNOTATORS))
    sub.add_argument("source", metavar="IN", type=Path, help="the picture, or a folder of pictures")
    sub.add_argument("target", metavar="OUT", type=Path, help="the map, a PNG; or the folder of maps")
    sub.add_argument(
        "--resolution", type=int, default=RESOLUTION.default, help="working short side (%(default)s)"
    )
    _add_set(sub)
    settings.add_shared_flags(sub, settings.from_process())

    sub = add("generate", generate)
    sub.set_defaults(refuse=sub.error)
    sub.add_argument("--condition", choices=list(CONDITIONS), metavar="NAME", help=", ".join(CONDITIONS))
    sub.add_argument("--image", type=Path, help="the picture")
    sub.add_argument("--out", required=True, type=Path, help="folder for the results")
    sub.add_argument("--annotator", help="a name, or none for a ready map")
    _add_set(sub)
    sub.add_argument("--unit", action="append", default=[], metavar="NAME=VALUE,...", help=UNIT_HELP)
    sub.add_argument("--init", type=Path, metavar="IMAGE", help="the picture to begin with")
    sub.add_argument("--mask", type=Path, metavar="IMAGE", help="what of it is made anew, in white")
    sub.add_argument("--extend", metavar="SIDE=PIXELS,...", help="a larger canvas, such as left=64,top=128")
    told = "; ".join(f"{preset.name}: {preset.help}" for preset in PRESETS.values())
    preset = "steps, guidance and scheduler together, as far as they are left out"
    sub.add_argument("--preset", choices=list(PRESETS), default="usual", help=f"{preset} ({told})")
    for param in OPTIONS:
        _add_option(sub, param, asked=param not in PRESET_PARAMS)
    for param in START_PARAMS:
        _add_option(sub, param, asked=False)
    settings.add_shared_flags(sub, settings.from_process())

    sub = commands.add_parser("dataset", help=dataset.__doc__, description=dataset.__doc__)
    sub.set_defaults(command=dataset)
    _add_works(sub)

    _add_weights(commands)

    sub = add("info", info)
    sub.add_argument("picture", metavar="PNG", type=Path, help="a picture as it was saved")

    base = settings.from_process()
    sub = add("train", train)
    sub.add_argument("config", metavar="CONFIG.toml", type=Path, help="what to train: docs/training.md")
    sub.add_argument("--outputs", type=Path, default=base.outputs, help="folder of the runs")
    sub.add_argument("--weights", type=Path, default=base.weights, help="folder of the models")
    sub.add_argument("--device", default=base.device, help="auto, cpu or cuda (%(default)s)")

    sub = add("doctor", examine)
    sub.add_argument("--outputs", type=Path, default=base.outputs, help="folder of the results")
    settings.add_shared_flags(sub, base)
    return parser


def _add_works(parser: argparse.ArgumentParser) -> None:
    """The commands of `dataset`."""
    works = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, work: sets.Work) -> argparse.ArgumentParser:
        sub = works.add_parser(name, help=work.__doc__, description=work.__doc__)
        sub.add_argument("--json", action="store_true", help="answer as JSON on stdout")
        sub.set_defaults(work=work)
        return sub

    sets.add_to(add, _add_option, lambda sub: settings.add_shared_flags(sub, settings.from_process()))


def _add_weights(commands: Any) -> None:
    """`weights list | get | verify | convert | transfer`."""
    help = "what can be fetched from the Hub, whether it is here and whole, and other forms of what is here"
    actions = commands.add_parser("weights", help=help).add_subparsers(required=True, metavar="ACTION")
    known: dict[str, Callable[[argparse.Namespace], int | None]] = {
        "list": list_weights,
        "get": get_weights,
        "verify": verify_weights,
        "convert": convert_weights,
        "transfer": transfer_weights,
    }
    for name, command in known.items():
        sub = actions.add_parser(name, help=command.__doc__, description=command.__doc__)
        sub.add_argument("--json", action="store_true", help="answer as JSON on stdout")
        sub.add_argument(
            "--weights", type=Path, default=settings.from_process().weights, help="folder of the models"
        )
        sub.set_defaults(command=command)
        if command is get_weights:
            sub.add_argument("names", metavar="NAME", nargs="+", help="as `weights list` names them")
            sub.add_argument("--yes", action="store_true", help="fetch without asking")
            sub.add_argument("--again", action="store_true", help="also what is here already")
        if command is convert_weights:
            what = "a .ckpt, .pt, .pth or .bin file, or the name of one in the weights"
            sub.add_argument("source", metavar="FILE", type=Path, help=what)
            out = "the new file; else beside the old one"
            sub.add_argument("target", metavar="OUT", type=Path, nargs="?", help=out)
        if command is transfer_weights:
            _add_transfer(sub)


def _add_transfer(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("condition", choices=list(CONDITIONS), metavar="CONDITION", help=", ".join(CONDITIONS))
    sub.add_argument("name", metavar="NAME", help="of the new control, in weights/controls/CONDITION")
    sub.add_argument("--model", required=True, help="the base that it is for, by its name or path")
    sub.add_argument("--trained-on", metavar="MODEL", help="the base it is of; else the base of the family")
    sub.add_argument("--control", default="", metavar="NAME", help="one of your own; else the model's")


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the annotator"
    )


def _add_option(parser: argparse.ArgumentParser, param: Param, *, asked: bool = True) -> None:
    """The option of a declared control: its own parser, bounds and help. Not `asked`, it may stay open."""

    def parse(text: str) -> Any:
        try:
            return param.parse(text)
        except ArmatureError as error:
            raise argparse.ArgumentTypeError(error.message) from None

    flag = f"--{FLAGS.get(param.name, param.name)}"
    words = param.help.replace("%", "%%")
    if param.kind == "switch":
        switch = argparse.BooleanOptionalAction
        parser.add_argument(flag, dest=param.name, action=switch, default=param.default, help=words)
        return
    parser.add_argument(
        flag,
        dest=param.name,
        type=parse,
        default=param.default if asked else None,
        required=param is PROMPT,
        help=f"{words} ({param.allowed})",
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("pipelines.runner").addFilter(_is_news)
    sys.exit(main(sys.argv[1:]))
