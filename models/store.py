"""Where the files of the models are, what is missing, and how to get it. No torch: the web page asks here.

A family is `<weights>/<family>/base/`, a diffusers folder, and `<weights>/<family>/controls/<control>/`; a
tiny autoencoder may be in `<weights>/<family>/preview/`. The files of annotators are in
`<weights>/annotators/<repository>/`, with -- for the slash of the repository.

A model is a family, such as `sd15`, or a base of one's own with the controls of a family, such as
`sd15/mine.safetensors`: a file or a folder in `<weights>/bases/` (models/bases.py).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errors import MODEL_CORRUPT, MODEL_MISSING
from models import inspect
from models.catalogue import FAMILIES, SAFETY, TOKENIZER, Weight, family_of, own_base
from models.layout import BASE_FILES, CONTROL_FILES, model_at

HALF = ".fp16."  # in the name of a file in half precision on the Hub
# What a base in one file does not hold, and takes from its family.
TOKENIZER_FILES = BASE_FILES[1:2]
CONFIGS = Path(__file__).parent / "configs"
SAFETY_FILES: tuple[tuple[str, ...], ...] = (
    ("feature_extractor/preprocessor_config.json",),
    ("safety_checker/config.json",),
    ("safety_checker/model.safetensors", "safety_checker/model.fp16.safetensors"),
)
# The base alone: not its other copies, and not the safety checker.
BASE_PATTERNS = (
    '--include "*.json" --include "*.txt" --include "*model.safetensors" --exclude "safety_checker/*"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One file on the Hub, and where it belongs here; `others` are places of files that serve as well.

    One in half precision has beside it the `whole` one, which is fetched where the Hub has no other.
    """

    repo: str
    path: str
    licence: str
    place: Path
    others: tuple[Path, ...] = ()
    whole: "Wanted | None" = None

    @property
    def is_here(self) -> bool:
        """Whether it, or what serves as well, is there."""
        return any(place.is_file() for place in (self.place, *self.others))


@dataclass(frozen=True, slots=True)
class Store:
    """The files below one folder of weights, looked up at each call, so that a download shows at once.

    Bases of one's own are in `bases`, which is `<weights>/bases/` unless another folder is named.
    """

    weights: Path
    bases: Path | None = None

    @property
    def own_bases(self) -> Path:
        """The folder of the bases of one's own."""
        return self.bases or self.weights / "bases"

    def base(self, model: str) -> Path:
        """The diffusers folder of a model's base; of a base of one's own, the folder or the file."""
        name = own_base(model)
        return model_at(self.own_bases / name) if name else self.weights / model / "base"

    def configs(self, model: str) -> Path:
        """The folder with the configurations of a model's parts; a single file has those of its family."""
        family, base = family_of(model).name, self.base(model)
        if (base / "unet" / "config.json").is_file():
            return base
        return CONFIGS / family if (CONFIGS / family).is_dir() else self.weights / family / "base"

    def tokenizer(self, model: str) -> Path:
        """The folder of a model's tokenizer, which a single file has from its family."""
        base = self.base(model)
        return (base if base.is_dir() else self.weights / family_of(model).name / "base") / "tokenizer"

    def control(self, family: str, name: str) -> Path:
        """The folder of one control's network; one with a slash is one's own, or a file (models/own.py)."""
        if "/" in name:
            return model_at(self.weights / "controls" / name)
        known = family_of(family)
        folder = self.weights / known.name / "controls" / name
        control = known.control(name)
        return folder / control.weight.subfolder if control and control.weight else folder

    def preview(self, family: str) -> Path:
        """The folder of a family's tiny autoencoder, which shows pictures while they are made."""
        return self.weights / family_of(family).name / "preview"

    def has_preview(self, family: str) -> bool:
        """Whether a family's tiny autoencoder is there; it can do without."""
        return not self._lacking(self.preview(family), CONTROL_FILES)

    @property
    def safety(self) -> Path:
        """The folder that the safety checker's own folders are in: its family's base, as on the Hub."""
        return self.base(SAFETY.family)

    def safety_missing(self) -> tuple[str, ...]:
        """The files that the safety checker still lacks, relative to the weights."""
        return self._lacking(self.safety, SAFETY_FILES)

    def require_safety(self) -> None:
        """Refuse to go on without the safety checker, with the way to get it."""
        if missing := self.safety_missing():
            raise MODEL_MISSING(
                f"The {SAFETY.title.lower()} is not complete here, and nothing is made unchecked",
                found=f"{len(missing)} files missing, such as {missing[-1]}",
                todo=self.how_to_get_safety(),
            )

    def how_to_get_safety(self) -> str:
        """What to do about the safety checker's missing files; empty where all are there."""
        if not self.safety_missing():
            return ""
        folder = self.safety.relative_to(self.weights).as_posix()
        return _way([SAFETY.name], [self._command(SAFETY.weight, folder, " ".join(SAFETY.files))])

    def safety_wanted(self) -> tuple[Wanted, ...]:
        """The files of the safety checker, as they are fetched."""
        return self._wanted(SAFETY.weight, self.safety, SAFETY.files, SAFETY_FILES)

    def missing(self, family: str, control: str | None = None) -> tuple[str, ...]:
        """The files that a family, and one of its controls, still lack, relative to the weights."""
        return self._base_missing(family) + (self._control_missing(family, control) if control else ())

    def has(self, family: str, control: str | None = None) -> bool:
        """Whether every file of a family, and of one of its controls, is there."""
        return not self.missing(family, control)

    def require(self, family: str, control: str | None = None) -> None:
        """Refuse with the way to get them where files are missing."""
        missing = self.missing(family, control)
        if missing:
            raise MODEL_MISSING(
                f"{title(family, control)} is not complete here",
                found=f"{len(missing)} files missing, such as {missing[0]}",
                todo=self.how_to_get(family, control),
            )

    def how_to_get(self, family: str, control: str | None = None) -> str:
        """What to do about missing files, with the exact commands; empty where nothing is missing."""
        if self.has(family, control):
            return ""
        entry = family_of(family)
        known = entry.control(control) if control else None
        commands, bundles = [], []
        if entry.base and self._base_missing(family):
            if own_base(family) and not self.base(family).is_file():
                return f"Put it into {self.own_bases.name}, or choose another model"
            patterns = '--include "tokenizer/*"' if own_base(family) else BASE_PATTERNS
            bundles.append(f"{entry.name}/{TOKENIZER}" if own_base(family) else family)
            commands.append(self._command(entry.base, f"{entry.name}/base", patterns))
        if known and known.weight and self._control_missing(family, known.name):
            bundles.append(f"{entry.name}/{known.name}")
            names = " ".join(f"{known.weight.subfolder}/{first}".lstrip("/") for first, *_ in CONTROL_FILES)
            commands.append(self._command(known.weight, f"{entry.name}/controls/{known.name}", names))
        if control and "/" in control and not self._base_missing(family):
            return f"Put it into {self.weights.name}/controls/{control}, or choose another control"
        if not commands:
            return f"{self.weights.name}/{family} is not part of this checkout: choose another model"
        return _way(bundles, commands)

    def wanted(self, family: str, control: str | None = None) -> tuple[Wanted, ...]:
        """The files of a family's base, or of one control, as the Hub has them; none where it has none."""
        entry = FAMILIES[family]
        if control is None:
            paths, rows = entry.base_files if entry.base else (), BASE_FILES
            return self._wanted(entry.base or Weight(repo=""), self.base(family), paths, rows)
        known = entry.control(control)
        if known is None or known.weight is None:
            return ()
        paths = tuple(first for first, *_ in CONTROL_FILES)
        return self._wanted(known.weight, self.control(family, control), paths, CONTROL_FILES)

    def tokenizer_wanted(self, family: str) -> tuple[Wanted, ...]:
        """The files of a family's base that a base in one file takes from it."""
        return tuple(file for file in self.wanted(family) if file.path.startswith(f"{TOKENIZER}/"))

    def annotator_wanted(self, weights: Iterable[Weight]) -> tuple[Wanted, ...]:
        """The files of an annotator, as they are fetched."""
        return tuple(
            found
            for weight in weights
            if weight.repo
            for found in self._wanted(weight, self._annotator_folder(weight), (weight.file,), ())
        )

    def _wanted(
        self, weight: Weight, folder: Path, paths: Iterable[str], rows: tuple[tuple[str, ...], ...]
    ) -> tuple[Wanted, ...]:
        others = {name: [other for other in names if other != name] for names in rows for name in names}

        def one(path: str, whole: Wanted | None = None) -> Wanted:
            return Wanted(
                repo=weight.repo,
                path=f"{weight.subfolder}/{path}".lstrip("/"),
                licence=weight.licence,
                place=folder / path,
                others=tuple(folder / other for other in others.get(path, ())),
                whole=whole,
            )

        def lightest(path: str) -> Wanted:
            half = next((other for other in others.get(path, ()) if HALF in other), None)
            return one(half, whole=one(path)) if half else one(path)

        return tuple(lightest(path) for path in paths)

    def annotator_files(self, weights: Iterable[Weight]) -> tuple[Path, ...]:
        """Where the files of an annotator are, or belong: `<weights>/annotators/<repository>/<file>`."""
        return tuple(self._annotator_folder(weight) / weight.file for weight in weights)

    def annotator_missing(self, weights: Iterable[Weight]) -> tuple[str, ...]:
        """The files that an annotator still lacks, relative to the weights."""
        files = (path for path in self.annotator_files(weights) if not path.is_file())
        return tuple(path.relative_to(self.weights).as_posix() for path in files)

    def require_annotator(self, label: str, weights: Iterable[Weight], name: str = "") -> tuple[Path, ...]:
        """The files of an annotator, or a refusal that names the place of each and the way to get them."""
        known = tuple(weights)
        missing = self.annotator_missing(known)
        if missing:
            raise MODEL_MISSING(
                f"{label} has not all of its weights here",
                found=f"no {', no '.join(f'{self.weights.name}/{name}' for name in missing)}",
                todo=self.how_to_get_annotator(known, name),
            )
        return self.annotator_files(known)

    def how_to_get_annotator(self, weights: Iterable[Weight], name: str = "") -> str:
        """What to do about an annotator's missing files, with the commands; empty where all are there."""
        missing: dict[str, list[str]] = {}
        for weight in weights:
            if self.annotator_missing((weight,)):
                if not weight.repo:
                    return (
                        f"{self.weights.name}/{weight.subfolder} is not part of this checkout: choose another"
                    )
                missing.setdefault(weight.repo, []).append(f"{weight.subfolder}/{weight.file}".lstrip("/"))
        commands = [
            self._command(
                Weight(repo=repo),
                self._annotator_folder(Weight(repo=repo)).relative_to(self.weights).as_posix(),
                " ".join(files),
            )
            for repo, files in missing.items()
        ]
        return _way([name] if name else [], commands) if commands else ""

    def _annotator_folder(self, weight: Weight) -> Path:
        if not weight.repo:
            return self.weights / weight.subfolder
        return self.weights / "annotators" / weight.repo.replace("/", "--") / weight.subfolder

    def size(self, family: str, control: str | None = None) -> int:
        """The bytes of the weights that are there: of the base, or of one control alone."""
        folder = self.base(family) if control is None else self.control(family, control)
        if folder.is_file():
            return folder.stat().st_size
        wanted = BASE_FILES if control is None else CONTROL_FILES
        found = (next(filter(Path.is_file, map(folder.joinpath, names)), None) for names in wanted)
        return sum(path.stat().st_size for path in found if path and path.suffix == ".safetensors")

    def scheduler_config(self, family: str) -> Mapping[str, Any]:
        """The noise schedule of a family's base, as diffusers' `from_config` takes it.

        A single file has that of its family, and its header may say that it predicts something else.
        """
        base = self.base(family)
        folder = self.configs(family) if base.is_file() else base
        path = folder / "scheduler" / "scheduler_config.json"
        if not path.is_file():
            self.require(family)
        try:
            config = json.loads(path.read_bytes())
        except ValueError:
            config = None
        if not isinstance(config, dict):
            raise MODEL_CORRUPT(
                f"The noise schedule of {title(family)} can't be read", todo="Fetch the file again"
            )
        predicts_v = base.is_file() and inspect.look(base).predicts_v
        return config | {"prediction_type": "v_prediction"} if predicts_v else config

    def _base_missing(self, family: str) -> tuple[str, ...]:
        base = self.base(family)
        if not own_base(family) or base.is_dir():
            return self._lacking(base, BASE_FILES)
        if not base.is_file():
            return (f"{self.own_bases.name}/{base.name}",)
        needed = self.weights / family_of(family).name / "base"
        return self._lacking(needed, TOKENIZER_FILES)

    def _control_missing(self, family: str, control: str) -> tuple[str, ...]:
        place = self.control(family, control)
        return () if place.is_file() else self._lacking(place, CONTROL_FILES)

    def _lacking(self, folder: Path, wanted: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
        """The first name of each file of which the folder holds none."""
        return tuple(
            self._named(folder / names[0])
            for names in wanted
            if not any((folder / name).is_file() for name in names)
        )

    def _named(self, path: Path) -> str:
        """A path for people: below the weights, or below the folder of the bases where that is elsewhere."""
        root = self.weights if path.is_relative_to(self.weights) else self.own_bases.parent
        return path.relative_to(root).as_posix()

    def _command(self, weight: Weight, folder: str, files: str) -> str:
        return f".venv/bin/hf download {weight.repo} {files} --local-dir {self.weights.name}/{folder}"


def title(family: str, control: str | None = None) -> str:
    """A family, or one control of it, for people."""
    name = own_base(family) or family_of(family).title
    return f"{name} with its control {control}" if control else name


def _way(bundles: Iterable[str], commands: Iterable[str]) -> str:
    """What to do about missing files: our own command where there are names, and what does it by hand."""
    by_hand = " && ".join(commands)
    if names := " ".join(bundles):
        return f"Run .venv/bin/python cli.py weights get {names} in the project's folder, or there {by_hand}"
    return f"Run {by_hand} in the project's folder"
