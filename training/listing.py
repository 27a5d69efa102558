"""What a data set lists: its pairs by file and line, before any picture is opened.

    prompt.json      the original's lines: {"source": hint, "target": picture, "prompt": text}
    metadata.jsonl   the Hub's lines: {"file_name": picture, "text": prompt, "conditioning_image": hint}
    a folder         pictures with captions beside them: a.jpg and a.txt

Hints that `dataset annotate` made lie in `hints/<condition>/` and are used before all others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import gate
from errors import DATASET_INVALID, ArmatureError
from gate import LIMITS, Record
from pipelines import folders

LIMIT = LIMITS["local"]
HINTS = "hints"  # the folder of hints, in the set


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One pair as it is listed: paths below the root with / between their parts; `hint` may be none.

    `place` is where it is listed: file and line, or the picture itself.
    """

    target: str
    hint: str = ""
    prompt: str
    place: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with, or odd about, one place of a set."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a set lists, in its order: pairs, and lines or pictures that are none."""

    root: Path
    items: tuple[Entry | Problem, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The pairs alone."""
        return tuple(item for item in self.items if isinstance(item, Entry))

    @property
    def has_hints(self) -> bool:
        """Whether the set brings hints of its own."""
        return any(entry.hint for entry in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the fields of a list are called."""

    target: str
    hint: str
    prompt: str


LISTS: Mapping[str, Columns] = MappingProxyType(
    {
        "prompt.json": Columns(target="target", hint="source", prompt="prompt"),
        "metadata.jsonl": Columns(target="file_name", hint="conditioning_image", prompt="text"),
    }
)


def read(path: Path, condition: str, *, prompt: str = "", limit: int = 0) -> Listing:
    """The pairs of a folder or a list; `prompt` stands for captions that are missing.

    With a `limit` only the first so many pictures or lines count.
    """
    file = _list_of(path)
    root = path if file is None else file.parent
    found = list(_pictures(path, prompt) if file is None else _lines(file, prompt))
    made = root / HINTS / condition
    if made.is_dir():
        found = _with_hints(found, made.relative_to(root))
    return Listing(root=root, items=tuple(found[: limit or None]))


def _list_of(path: Path) -> Path | None:
    """The list that a path names or holds; None for a plain folder of pictures."""
    if path.is_dir():
        found = [path / name for name in LISTS if (path / name).exists()]
        if len(found) > 1:
            raise _refusal(f"both {' and '.join(file.name for file in found)}", "one list of its pairs")
        return found[0] if found else None
    if not path.exists():
        raise _refusal(f"no {path.name} here", "a folder, or a list in one")
    if path.name not in LISTS:
        raise _refusal(f"the file {path.name}", f"a folder, or its {' or '.join(LISTS)}: unpack archives")
    return path


def _refusal(found: str, allowed: str) -> ArmatureError:
    return DATASET_INVALID(
        "The data set can't be read", found=found, allowed=allowed, todo="Change the path of the data"
    )


def _lines(file: Path, prompt: str) -> Iterator[Entry | Problem]:
    seen: dict[tuple[str, str], int] = {}
    for record in gate.read_records(file, LIMIT):
        place = f"{file.name}:{record.line}"
        if record.fault:
            yield Problem(place, f"the line {record.fault}")
            continue
        try:
            entry = _entry(record, LISTS[file.name], prompt, place)
        except ArmatureError as error:
            yield Problem(place, error.message)
            continue
        before = seen.setdefault((entry.target, entry.hint), record.line)
        yield entry if before == record.line else Problem(place, f"the same pair as in line {before}")


def _entry(record: Record, columns: Columns, prompt: str, place: str) -> Entry:
    hint = record.fields.get(columns.hint)
    return Entry(
        target=gate.name_inside(record.fields.get(columns.target)),
        hint="" if hint is None else gate.name_inside(hint),
        prompt=gate.clean_text(
            record.fields.get(columns.prompt, prompt or None),
            label="The prompt",
            most=LIMIT.prompt_characters,
        ),
        place=place,
    )


def _pictures(folder: Path, prompt: str) -> Iterator[Entry | Problem]:
    for picture in folders.pictures_in(folder, but=folder / HINTS):
        name = picture.as_posix()
        caption = (folder / picture).with_suffix(".txt")
        try:
            text = prompt if prompt and not caption.exists() else _caption(caption)
            yield Entry(target=gate.name_inside(name), prompt=text, place=name)
        except ArmatureError as error:
            yield Problem(name, error.message)


def _caption(path: Path) -> str:
    return gate.read_text(path, LIMIT, label="The caption")


def _with_hints(found: list[Entry | Problem], made: Path) -> list[Entry | Problem]:
    """The entries with the hints that were made for them; whether those are there is seen later."""
    names = iter(hint_names([item for item in found if isinstance(item, Entry)]))
    return [
        replace(item, hint=(made / next(names)).as_posix()) if isinstance(item, Entry) else item
        for item in found
    ]


def hint_names(entries: Sequence[Entry]) -> tuple[Path, ...]:
    """The place of each pair's hint below the folder of a condition's hints."""
    return folders.map_names([Path(entry.target) for entry in entries])
