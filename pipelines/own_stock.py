"""Files of one's own among the weights: what each is by its header, or why it can't be used, in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conditions import CONDITIONS
from errors import MODEL_ARCH, MODEL_PAIRING, ArmatureError
from models import bases, inspect, own
from models.catalogue import FAMILIES
from models.inspect import Finding
from models.inspect.nets import ANY_SD, UNKNOWN, Architecture
from models.store import Store
from pipelines.durable import ASIDE
from pipelines.request.stock import OwnFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder of the weights for one's own: the kinds that belong there, and how they are called.

    What does not tell the family that it was made for may pass where it is among `also`.
    """

    folder: str
    kinds: tuple[str, ...]
    title: str
    also: tuple[Architecture, ...] = ()


BASES, CONTROLS = "bases", "controls"
BESIDE = (".png", ".jpg", ".jpeg", ".webp", ".txt", ".md", ".json", ".info", ".yaml")  # notes and previews
PLACES = (
    Place(folder=BASES, kinds=("checkpoint", "base"), title="a base: a whole checkpoint"),
    Place(folder=CONTROLS, kinds=("control", "merged"), title="a ControlNet"),
    Place(folder="loras", kinds=("LoRA",), title="a LoRA", also=(UNKNOWN,)),
    Place(folder="embeddings", kinds=("embedding",), title="a textual inversion"),
    Place(folder="vaes", kinds=("VAE",), title="a VAE", also=(ANY_SD, UNKNOWN)),
)


def own_files(store: Store) -> tuple[OwnFile, ...]:
    """Everything that lies in the folders for one's own, by place."""
    return tuple(_looked_at(store, place, path) for place in PLACES for path in _in(store, place))


def _in(store: Store, place: Place) -> Iterator[Path]:
    """What lies in a place. Controls lie one folder deeper, in that of their condition."""
    for path in _entries(_root(store, place)):
        if place.folder == CONTROLS and path.is_dir() and path.name in CONDITIONS:
            yield from _entries(path)
        else:
            yield path


def _root(store: Store, place: Place) -> Path:
    return store.own_bases if place.folder == BASES else store.weights / place.folder


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder, without downloads that still come, and what merely lies beside a model."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    known = [path for path in found if not path.name.startswith(".") and ASIDE not in path.name]
    stems = tuple(path.stem + "." for path in known if path.suffix.lower() not in BESIDE)
    return [path for path in known if path.suffix.lower() not in BESIDE or not path.name.startswith(stems)]


def _looked_at(store: Store, place: Place, path: Path) -> OwnFile:
    """One of them as a line to show; nothing is loaded."""
    name = f"{place.folder}/{path.relative_to(_root(store, place)).as_posix()}"
    what, size, refusal = "", 0, ""
    try:
        found = inspect.look(path)
        what, size = found.title, found.size
        _require(store, place, path, found)
    except ArmatureError as error:
        refusal = error.message
        size = size or (path.stat().st_size if path.is_file() else 0)
    return OwnFile(place=name, what=what, size=size, refusal=refusal)


def _require(store: Store, place: Place, path: Path, found: Finding) -> None:
    """Refuse what is of another kind, was made for a base that is not here, or lies where nobody looks."""
    inspect.require_kind(found, *place.kinds, as_what=place.title)
    if place.folder == BASES:
        bases.family_of_base(store, path)
    elif place.folder == CONTROLS:
        _require_control(store, path)
    elif found.architecture.family not in FAMILIES and found.architecture not in place.also:
        raise MODEL_PAIRING(
            f"{path.name} was made for {found.architecture.title}, and there is no such base here",
            allowed=", ".join(family.title for family in FAMILIES.values()),
            todo="Choose one that was made for one of these",
        )


def _require_control(store: Store, path: Path) -> None:
    """Refuse a control that no tab finds, or that none of the families can use."""
    condition = path.parent.name
    if condition not in CONDITIONS:
        raise MODEL_ARCH(
            f"{path.name} lies where no tab looks",
            allowed=f"a folder of weights/controls by the name of a condition: {', '.join(CONDITIONS)}",
            todo=f"Put it into that of its condition, such as weights/controls/{next(iter(CONDITIONS))}",
        )
    refusals = []
    for family in FAMILIES:
        try:
            own.require(store, family, own.key(condition, path.name))
        except ArmatureError as error:
            refusals.append(error)
    if len(refusals) == len(FAMILIES):
        raise refusals[-1]
