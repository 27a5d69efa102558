"""A run as its TOML file has it: frozen, with bounds; a key that nobody knows is refused.

    objective = "control"          # or "base"
    name = "circles"               # of the result, and of the run's folder

    [base]    where the model comes from          [stage2]  when the base's decoder joins in
    [data]    what is learnt                      [watch]   what is written down, and how often
    [train]   how, and for how long

Every setting is one field here; `SECTIONS` is what the docs are made from.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import conditions
import gate
from errors import PARAM_RANGE, PARAM_TYPE, ArmatureError
from params import Kind, Param, Value
from pipelines.schedulers import SCHEDULERS
from training.data import DataConfig

Objective: TypeAlias = Literal["base", "control"]

LARGEST_FILE = 2**20  # bytes
NAME_LENGTH = 60
MANY = 10**9


def _setting(kind: Kind, default: Any, help: str, **bounds: Any) -> Any:
    return field(default=default, metadata={"kind": kind, "help": help, **bounds})


def _whole(default: int, minimum: int, maximum: int, help: str) -> Any:
    return _setting("integer", default, help, minimum=minimum, maximum=maximum)


def _number(default: float, minimum: float, maximum: float, help: str) -> Any:
    return _setting("number", default, help, minimum=minimum, maximum=maximum)


def _switch(help: str) -> Any:
    return _setting("switch", False, help)


def _choice(choices: tuple[str, ...], help: str) -> Any:
    return _setting("choice", choices[0], help, choices=choices)


def _text(default: str, help: str) -> Any:
    return _setting("text", default, help, length=4096)


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The model to learn on."""

    model: str = _text("pocket", "A family by name, or a folder in diffusers' layout.")
    fresh: bool = _switch("Begin with a U-Net of random weights; text encoder and decoder stay.")
    train_text: bool = _switch("Train the text encoder too; only with the objective base.")
    beside: str = _text("", "The folder of a control that stands beside a base that learns, locked.")
    alone: float = _number(0.5, 0.0, 1.0, "The share of samples that a base learns without it.")
    prediction: str = _choice(
        ("auto", "epsilon", "v_prediction"),
        "What the U-Net answers; auto is what the base's noise schedule says.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """The learning itself."""

    steps: int = _whole(10_000, 1, MANY, "Steps of the optimiser in all.")
    batch: int = _whole(4, 1, 65_536, "Pictures that one step learns from, over all devices together.")
    at_once: int = _whole(
        0, 0, 65_536, "Pictures that a device holds at once; the rest is accumulated. 0 is its whole share."
    )
    learning_rate: float = _number(1e-5, 1e-9, 1.0, "The optimiser's learning rate.")
    warmup: int = _whole(0, 0, MANY, "Steps over which the learning rate rises from nothing.")
    cooldown: int = _whole(0, 0, MANY, "Steps at the end over which the learning rate falls to nothing.")
    weight_decay: float = _number(0.01, 0.0, 1.0, "AdamW's weight decay.")
    clip: float = _number(1.0, 0.0, 1e6, "The largest norm of all gradients together; 0 leaves them.")
    optimizer: str = _choice(
        ("adamw", "adamw8bit", "muon"),
        "adamw8bit keeps its state in 8 bits; it needs the package bitsandbytes. muon learns from nothing in "
        "far fewer steps, at about 20 times the learning rate.",
    )
    ema: float = _number(0.0, 0.0, 0.999999, "Decay of the averaged weights that are saved; 0 keeps none.")
    prompt_dropout: float = _number(0.5, 0.0, 1.0, "The share of prompts that are left empty.")
    seed: int = _whole(0, 0, 2**32 - 1, "Of the order, the noise and all else that is drawn.")
    precision: str = _choice(
        ("auto", "float32", "bfloat16", "float16"),
        "auto is bfloat16 or float16 on a GPU, by its age, and float32 elsewhere.",
    )
    checkpointing: bool = _switch("Compute activations twice instead of keeping them: slower, and smaller.")
    cached: bool = _switch("Learn from latents, and from states of texts that don't learn, computed once.")
    workers: int = _whole(2, 1, 64, "Threads that open pictures ahead.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """The control that is made."""

    only_middle: bool = _switch("Learn through the base's middle alone: faster, and weaker.")
    pooled: bool = _switch("Average what it adds over the picture: for moods, which have no place.")
    onwards: str = _text("", "The folder of a control to begin with, instead of a fresh one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage2:
    """The base's decoder, unlocked and trained together with the control."""

    after: int = _whole(0, 0, MANY, "The step after which the decoder is unlocked; 0 is never.")
    learning_rate: float = _number(2e-6, 1e-9, 1.0, "The decoder's own learning rate.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is written down on the way. None of it changes what is learnt."""

    log_every: int = _whole(10, 1, MANY, "Steps between two lines of the log.")
    save_every: int = _whole(500, 1, MANY, "Steps between two checkpoints.")
    keep: int = _whole(2, 1, 1000, "Checkpoints that are kept, beside the best.")
    sample_every: int = _whole(500, 0, MANY, "Steps between two sheets of samples; 0 makes none.")
    held_out: int = _whole(4, 0, 1024, "Pairs that are not learnt, but looked at.")
    sample_steps: int = _whole(20, 1, 150, "Steps from noise to a sample.")
    guidance: float = _number(7.5, 1.0, 30.0, "The guidance of samples.")
    scheduler: str = _choice(tuple(SCHEDULERS), "The solver of samples.")
    seed: int = _whole(1, 0, 2**31, "Of the samples' noise, always the same.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole run."""

    name: str
    objective: Objective
    data: DataConfig
    base: Base = field(default_factory=Base)
    train: Train = field(default_factory=Train)
    control: ControlSettings = field(default_factory=ControlSettings)
    stage2: Stage2 = field(default_factory=Stage2)
    watch: Watch = field(default_factory=Watch)


SECTIONS: Mapping[str, type] = {
    "base": Base,
    "train": Train,
    "control": ControlSettings,
    "stage2": Stage2,
    "watch": Watch,
}
TOP = (
    Param(name="name", label="name", kind="text", default="control", length=NAME_LENGTH, help="Its name."),
    Param(
        name="objective",
        label="objective",
        kind="choice",
        default="control",
        choices=("control", "base"),
        help="What is learnt: a control on a locked base, or a base.",
    ),
)
TEXTS = ("path", "condition", "annotator", "prompt", "cache")  # of [data]; its other settings are data.PLAIN

# What may be another when a run goes on: it changes how the run is watched or computed, not what it learns.
FREE = (
    *("train.steps", "train.at_once", "train.checkpointing", "train.workers"),
    *("data.path", "data.cache", "watch."),
)
# What may be another too, and is said: for a run that left the range of numbers.
ADJUSTED = ("train.learning_rate", "train.clip", "stage2.learning_rate")


def load(path: Path) -> Config:
    """The run that a TOML file describes."""
    if not path.is_file():
        raise PARAM_RANGE("There is no such file", found=path.name, todo="Name the run's TOML file")
    return read(gate.parse_toml(path.read_bytes(), most_bytes=LARGEST_FILE))


def read(table: Mapping[str, Any]) -> Config:
    """The run that plain tables describe; every value within its bounds, every key known."""
    _refuse_unknown(table, {param.name for param in TOP} | {"data", *SECTIONS}, "the file")
    top = _values(TOP, {key: table[key] for key in ("name", "objective") if key in table}, "the file")
    if not top["name"].replace("-", "").replace("_", "").isalnum() or not top["name"].isascii():
        raise PARAM_TYPE(
            "name can't be taken",
            found=repr(top["name"]),
            allowed="letters, digits, - and _",
            todo="Change name",
        )
    sections = {
        name: kind(**_values(params_of(kind, name), _table(table, name), f"[{name}]"))
        for name, kind in SECTIONS.items()
    }
    config = Config(**top, data=_data(_table(table, "data")), **sections)
    _check(config)
    return config


def params_of(kind: Any, section: str) -> tuple[Param, ...]:
    """The settings of a section as declared controls."""
    return tuple(
        Param(
            name=entry.name,
            label=f"{section}.{entry.name}",
            default=cast(Value, entry.default),
            **entry.metadata,
        )
        for entry in dataclasses.fields(kind)
    )


def flat(config: Config) -> dict[str, Any]:
    """Every setting by its dotted name, as plain values."""
    return dict(_flat(dataclasses.asdict(config), ""))


def to_toml(config: Config) -> str:
    """The config as a file that `load` reads."""
    table = dataclasses.asdict(config)
    lines = [f"{name} = {_toml(table.pop(name))}" for name in ("name", "objective")]
    for section, values in table.items():
        lines += ["", f"[{section}]"]
        lines += [f"{name} = {_toml(value)}" for name, value in values.items() if value is not None]
    return "\n".join([*lines, ""])


def _toml(value: Any) -> str:
    """A plain value in TOML, which has JSON's texts, numbers and switches."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The settings, in words, in which a run that goes on would not be the one that was begun; and those in
    which it is the same run all the same."""
    names = sorted(name for name in {*before, *now} if not name.startswith(FREE))
    found = {
        name: f"{name} was {before.get(name)!r} and is {now.get(name)!r}"
        for name in names
        if before.get(name) != now.get(name)
    }
    return (
        [words for name, words in found.items() if name not in ADJUSTED],
        [words for name, words in found.items() if name in ADJUSTED],
    )


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}".removeprefix("."))
    else:
        yield name, str(value) if isinstance(value, Path) else value


def _data(table: Mapping[str, Any]) -> DataConfig:
    known = {entry.name for entry in dataclasses.fields(DataConfig)}
    _refuse_unknown(table, known, "[data]")
    values = dict(table)
    for name in ("path", "condition"):
        if name not in values:
            raise PARAM_TYPE(f"data.{name} is missing", todo=f"Set data.{name}")
    for name in TEXTS:
        if not isinstance(values.get(name, ""), str):
            raise PARAM_TYPE(f"data.{name} can't be taken", found=repr(values[name])[:40], allowed="text")
    _table(values, "values")
    conditions.find(values["condition"])
    cache = values.pop("cache", "")
    return DataConfig(**values | {"path": Path(values["path"]), "cache": Path(cache) if cache else None})


def _check(config: Config) -> None:
    """What no bound of a single setting can say."""
    if config.objective == "base" and config.stage2.after:
        raise _conflict("stage2.after belongs to the objective control")
    of_bases = config.base.train_text or config.base.fresh or config.base.beside
    if config.objective == "control" and of_bases:
        raise _conflict("base.fresh, base.train_text and base.beside belong to the objective base")


def _conflict(what: str) -> ArmatureError:
    return PARAM_RANGE(what, todo="Change one of the two")


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = table.get(name, {})
    if not isinstance(section, dict):
        raise PARAM_TYPE(f"{name} can't be taken", found=type(section).__name__, allowed=f"a table [{name}]")
    return section


def _values(params: tuple[Param, ...], table: Mapping[str, Any], where: str) -> dict[str, Any]:
    _refuse_unknown(table, {param.name for param in params}, where)
    return {param.name: param.check(table.get(param.name, param.default)) for param in params}


def _refuse_unknown(table: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(key for key in table if key not in known)
    if unknown:
        raise PARAM_TYPE(
            f"There is no such setting in {where}",
            found=", ".join(repr(key)[:40] for key in unknown[:5]),
            allowed=", ".join(sorted(known)),
            todo="Leave it out, or mend its name",
        )
