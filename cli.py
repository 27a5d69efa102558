"""Armature without a browser: `cli.py conditions | annotate | generate | doctor`, each with `--json`.

Exit codes: 0 done, 1 refused or failed with a coded message, 2 bad usage.
"""

import argparse
import dataclasses
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import annotators
import doctor
import gate
import settings
from annotators import ANNOTATORS
from conditions import CONDITIONS, Condition
from errors import INTERNAL, PARAM_TYPE, ArmatureError, ours
from gate import LIMITS
from models.catalogue import FAMILIES
from models.store import Store
from params import Param
from pipelines import home
from pipelines.engine import Engine, Job
from pipelines.pictures import PICTURES, PictureStore
from pipelines.request import Saved
from pipelines.request.annotating import Annotated, AnnotateRequest
from pipelines.request.composing import Ground, Layer, Sides, compose
from pipelines.request.controls import (
    MASK_BLUR,
    NEGATIVE_PROMPT,
    PROMPT,
    RUN_PARAMS,
    START_PARAMS,
    UNIT_PARAMS,
)
from pipelines.request.intake import Desk, source_of
from pipelines.request.units import Unit, parse_sides, parse_unit
from pipelines.results import write_png
from pipelines.worker import Worker

log = logging.getLogger("armature")
OPTIONS: tuple[Param, ...] = (PROMPT, NEGATIVE_PROMPT, *UNIT_PARAMS, *RUN_PARAMS)
FLAGS = {NEGATIVE_PROMPT.name: "negative", MASK_BLUR.name: "mask-blur"}  # where flag and control differ
UNIT_HELP = (
    "one more control, such as condition=depth,image=P,strength=.8,start=0,end=1,mode=balanced,region=P"
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
            _print_json({"error": {"code": known.code.name, "message": known.message}})
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


def annotate(given: argparse.Namespace) -> None:
    """The map of one picture."""
    method = annotators.find(given.name)
    values = _set_values(method.params, given.set)
    notices: tuple[str, ...] = ()
    if method.source == "picture":
        picture = gate.open_picture(given.source.resolve(), LIMITS["local"])
        notices = picture.notices
        with _networks(given) as desk:
            found = desk.annotation(method.name, picture.pixels, given.resolution, values)
    else:
        found = annotators.annotate(method.name, source_of(method, _typed(given.source)), **values)
    write_png(given.target, found.map, {})
    notices += found.notices
    if given.json:
        _print_json({"map": str(given.target), "data": found.data, "notices": notices})
        return
    _tell(notices)
    print(given.target)


def generate(given: argparse.Namespace) -> None:
    """Pictures that keep the structure of one, or of several at once."""
    units, begun = _units(given), _begun(given)
    settings.prepare_process(settings.from_process().cache)
    store = Store(given.weights)
    family = home.default_family(given.model, store)
    values = {param.name: getattr(given, param.name) for param in OPTIONS if param not in UNIT_PARAMS}
    worker = Worker(
        weights=given.weights, outputs=given.out, folder=given.out, device=given.device, family=family
    )
    with _engine(worker) as engine:
        desk = _desk(engine, worker)
        layers = _layers(desk, units, family, values["size"])
        for layer in layers:
            store.require(family, layer.draft.condition.control(family).name)
        ground = _ground(desk, given, units[0], begun)
        request = compose(desk, layers, family=family, values=values, ground=ground)
        engine.start()
        saved = _followed(engine, engine.submit("generate", request), quiet=given.json)
    if given.json:
        _print_json(_saved_entry(saved))
        return
    _tell([notice for layer in layers for notice in layer.draft.notices] + list(saved.notices))
    for image in saved.images:
        print(image.path)


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
        method = annotators.find(unit.annotator or condition.annotators[0])
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


@contextmanager
def _engine(worker: Worker) -> Iterator[Engine]:
    """An engine for one command. Nothing is loaded before it is asked for."""
    engine = home.passing_engine(worker)
    try:
        yield engine
    finally:
        engine.close(patience=1)


def _desk(engine: Engine, worker: Worker) -> Desk:
    """A desk whose networks are the engine's, which starts when the first one is wanted."""

    def far(request: AnnotateRequest) -> Annotated:
        engine.start()
        found: Annotated = engine.outcome(engine.submit("annotate", request))
        return found

    return Desk(PictureStore(worker.outputs / PICTURES), LIMITS["local"], far)


@contextmanager
def _networks(given: argparse.Namespace) -> Iterator[Desk]:
    """A desk for annotating alone: what its networks need to pass on is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(
            weights=given.weights, outputs=Path(folder), device=given.device, family=next(iter(FAMILIES))
        )
        with _engine(worker) as engine:
            yield _desk(engine, worker)


def _typed(source: Path) -> str:
    """The text in a file, or the argument itself."""
    return source.read_text("utf-8") if source.is_file() else str(source)


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


def _saved_entry(saved: Saved) -> dict[str, Any]:
    return {
        "images": [
            {"path": str(image.path), "seed": image.seed, "agreement": None} for image in saved.images
        ],
        "maps": [{"condition": condition, "path": str(path)} for condition, path in saved.maps],
        "seconds": round(saved.seconds, 3),
        "notices": list(saved.notices),
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
    sub.add_argument("source", metavar="IN", type=Path, help="the picture")
    sub.add_argument("target", metavar="OUT", type=Path, help="the map, a PNG")
    sub.add_argument("--resolution", type=int, default=512, help="working short side (%(default)s)")
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
    for param in OPTIONS:
        _add_option(sub, param)
    for param in START_PARAMS:
        _add_option(sub, param, asked=False)
    settings.add_shared_flags(sub, settings.from_process())

    sub = add("doctor", examine)
    base = settings.from_process()
    sub.add_argument("--outputs", type=Path, default=base.outputs, help="folder of the results")
    settings.add_shared_flags(sub, base)
    return parser


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

    parser.add_argument(
        f"--{FLAGS.get(param.name, param.name)}",
        dest=param.name,
        type=parse,
        default=param.default if asked else None,
        required=param is PROMPT,
        help=f"{param.help} ({param.allowed})".replace("%", "%%"),
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    sys.exit(main(sys.argv[1:]))
