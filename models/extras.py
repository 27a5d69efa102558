"""Files of one's own that go with a base: LoRAs, textual inversions, VAEs. No torch: the web page asks here.

Each is known by the name of its file: `ink` is `<weights>/loras/ink.safetensors`. What it is, and for which
base it was made, is read from its header; what does not fit is refused before any memory is touched.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from errors import MODEL_MISSING, MODEL_PAIRING, NOT_ALLOWED
from models import inspect
from models.inspect import nets
from models.inspect.forms import PICKLED, header
from models.inspect.headers import Tensor
from models.store import Store, title

SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """One sort of such files: its folder below the weights, and what the inspection of a file calls it."""

    title: str
    folder: str
    kind: str


LORA = Sort(title="LoRA", folder="loras", kind="LoRA")
EMBEDDING = Sort(title="textual inversion", folder="embeddings", kind="embedding")
VAE = Sort(title="VAE", folder="vaes", kind="VAE")


def names(store: Store, sort: Sort) -> tuple[str, ...]:
    """The names of all that are there, as they are called in a request."""
    folder = store.weights / sort.folder
    found = folder.iterdir() if folder.is_dir() else ()
    return tuple(sorted(path.stem for path in found if path.suffix == SUFFIX))


@dataclass(frozen=True, slots=True)
class Words:
    """The textual inversions that a prompt may name, with or without <> around, in small or large letters.

    Also what lies there and can't be used is found: it is no word then, but a refusal.
    """

    files: Mapping[str, Path]  # by their names in small letters
    pattern: re.Pattern[str]

    def pieces(self, text: str) -> Iterator[tuple[str, Path | None]]:
        """Some words, and the textual inversion that comes after them; None at the end."""
        place = 0
        for found in self.pattern.finditer(text):
            yield text[place : found.start()], self.files[found[0].strip("<>").lower()]
            place = found.end()
        yield text[place:], None

    def named(self, text: str) -> tuple[Path, ...]:
        """Those in a text, each once."""
        return tuple(dict.fromkeys(path for _, path in self.pieces(text) if path))


NO_WORDS = Words({}, re.compile(r"(?!)"))


def words(store: Store) -> Words:
    """The textual inversions that are there."""
    found = _files(store.weights / EMBEDDING.folder)
    files = {path.stem.lower(): path for path in found if path.suffix in (*PICKLED, SUFFIX)}
    files |= {path.stem.lower(): path for path in found if path.suffix == SUFFIX}
    if not files:
        return NO_WORDS
    any_name = "|".join(re.escape(name) for name in sorted(files, key=len, reverse=True))
    return Words(files, re.compile(rf"<(?:{any_name})>|(?<![\w-])(?:{any_name})(?![\w-])", re.IGNORECASE))


def find(store: Store, sort: Sort, name: str) -> Path:
    """The file of that name, or a refusal with names that are nearly the same."""
    folder = store.weights / sort.folder
    path = next((path for path in _files(folder) if path.stem == name and path.suffix == SUFFIX), None)
    if path is None:
        others = [path for path in _files(folder) if path.stem == name]
        if others:
            inspect.look(others[0])  # which says what it is
        raise MODEL_MISSING(
            f"There is no {sort.title} of that name",
            found=name[:70],
            allowed=_near(name, names(store, sort)),
            todo=f"Put {name[:70]}{SUFFIX} into {store.weights.name}/{sort.folder}, or change the name",
        )
    if not path.resolve().is_relative_to(folder.resolve()):
        raise NOT_ALLOWED(
            f"{path.name} is a link that leads out of the folder of models",
            allowed="files that lie in it",
            todo="Copy the file into it",
        )
    return path


def stamp(path: Path) -> str:
    """What tells a file, or a folder, from another one that takes its place under its name; "" of none."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    found = [file.stat() for file in files]
    # sums, since an older file may take the place of one that was not the newest
    return f"{sum(one.st_mtime_ns for one in found)}-{sum(one.st_size for one in found)}" if found else ""


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _near(name: str, known: tuple[str, ...]) -> str:
    """The names that somebody may have meant, best first; else all, as far as they are few."""
    lowered = {one.lower(): one for one in known}
    near = get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
    meant = [lowered[one] for one in near] or list(known[:8])
    return ", ".join(meant) or "there is none yet"


def require(store: Store, sort: Sort, name: str, model: str) -> Path:
    """The file of that name, if it is what it should be, and was made for the base of a model."""
    path = find(store, sort, name)
    found = inspect.require_kind(inspect.look(path), sort.kind, as_what=f"a {sort.title}")
    base = inspect.of_config(inspect.config_of(store.configs(model) / "unet" / "config.json"))
    context = _context(sort, header(path).tensors)
    known = found.architecture not in (nets.UNKNOWN, nets.ANY_SD)
    if (context and context != base.context) or (known and found.architecture is not base.architecture):
        raise MODEL_PAIRING(
            f"The {sort.title} {name} was made for {found.architecture.title}, and not for {title(model)}",
            found=f"{context} numbers to a token" if context else "",
            allowed=f"{base.context} numbers to a token" if context else "",
            todo=f"Choose a {sort.title} that was made for your base",
        )
    return path


def _context(sort: Sort, tensors: Mapping[str, Tensor]) -> int:
    """The numbers to a token that a file is made for; 0 where it does not tell."""
    if sort is EMBEDDING:
        return max(one.side(len(one.shape) - 1) for one in tensors.values())
    return nets.context_of(tensors)
