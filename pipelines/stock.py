"""Taking stock of the weights: from the tables what can be had, from the disk what is here. No torch.

Everything is looked up at each call, so that a file shows as soon as it is there.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from annotators import ANNOTATORS, Annotator
from conditions import CONDITIONS
from errors import ModelError
from models.catalogue import FAMILIES, SAFETY, Family, Weight
from models.store import Store
from pipelines import bundles, glancing, manifest
from pipelines.bundles import Bundle
from pipelines.fetching import existing, left_of
from pipelines.glancing import Damaged
from pipelines.manifest import Entry
from pipelines.own_stock import own_files
from pipelines.request.stock import Group, Item, Stock


def take_stock(store: Store, *, offline: bool = False) -> Stock:
    """What is here and what can be had at this moment."""
    known, trouble = _written_down(store.weights)
    families = [_family(store, family, known) for family in FAMILIES.values()]
    disk = shutil.disk_usage(existing(store.weights))
    return Stock(
        groups=(*families, _annotators(store, known)),
        own=own_files(store),
        folders=tuple(sorted(_folders(store.weights), key=lambda folder: -folder[1])),
        free=disk.free,
        total=disk.total,
        offline=offline,
        trouble=trouble,
    )


def _written_down(weights: Path) -> tuple[Mapping[str, Entry], str]:
    """What was fetched, or why that can't be read."""
    try:
        return manifest.read(weights), ""
    except ModelError as error:
        return {}, error.message


def _family(store: Store, family: Family, known: Mapping[str, Entry]) -> Group:
    served: dict[str, list[str]] = {}
    for condition in CONDITIONS.values():
        if name := condition.controls.get(family.name):
            served.setdefault(name, []).append(condition.title)
    items = [_part(store, family, None, "Base", known)]
    for control in family.controls:
        items.append(_part(store, family, control.name, ", ".join(served[control.name]), known))
    if family.name == SAFETY.family:
        items.append(_fetched(store, bundles.all_bundles(store)[SAFETY.name], SAFETY.title, known))
    return Group(name=family.name, title=family.title, help=family.help, items=tuple(items))


def _part(store: Store, family: Family, control: str | None, title: str, known: Mapping[str, Entry]) -> Item:
    """The base of a family, or one of its controls."""
    name = f"{family.name}/{control}" if control else family.name
    if bundle := bundles.all_bundles(store).get(name):
        return _fetched(store, bundle, title, known)
    folder = store.control(family.name, control) if control else store.base(family.name)
    whole = not (store.missing(family.name, control) if control else store.missing(family.name))
    return Item(name="", title=title, here=size_of(folder), whole=whole)


def _annotators(store: Store, known: Mapping[str, Entry]) -> Group:
    """Those with networks; the ones that share their files are one item."""
    sharing: dict[tuple[Weight, ...], list[Annotator]] = {}
    for method in ANNOTATORS.values():
        if method.weights:
            sharing.setdefault(method.weights, []).append(method)
    return Group(
        name="annotators",
        title="Annotators",
        help="Networks that take the structure out of a picture.",
        items=tuple(_annotator(store, methods, known) for methods in sharing.values()),
    )


def _annotator(store: Store, methods: list[Annotator], known: Mapping[str, Entry]) -> Item:
    first, title = methods[0], " · ".join(method.label for method in methods)
    if bundle := bundles.all_bundles(store).get(first.name):
        return _fetched(store, bundle, title, known)
    files = [path for path in store.annotator_files(first.weights) if path.is_file()]
    whole = not store.annotator_missing(first.weights)
    return Item(name="", title=title, here=sum(path.stat().st_size for path in files), whole=whole)


def _fetched(store: Store, bundle: Bundle, title: str, known: Mapping[str, Entry]) -> Item:
    """A bundle of the Hub as it stands here."""
    parts = [part for file in bundle.missing for part in left_of(file)]
    places = {place for file in bundle.files for place in (file.place, *file.others) if place.is_file()}
    written = all(place.relative_to(store.weights).as_posix() in known for place in places)
    damaged = tuple(glancing.damaged(store.weights, bundle, known))
    return Item(
        name=bundle.name,
        title=title,
        sources=tuple(dict.fromkeys((file.repo, file.licence) for file in bundle.files)),
        here=bundle.bytes_here + sum(_bytes_of(part) for part in parts),
        size=bundle.size,
        whole=not bundle.missing and not damaged,
        removable=bool(places or parts) and written,
        trouble=_trouble(damaged),
    )


def _trouble(damaged: Sequence[Damaged]) -> str:
    """What is wrong with the first of some files, and which others are damaged."""
    if not damaged:
        return ""
    first, *others = damaged
    also = f" Also damaged: {', '.join(one.file.path for one in others)}." if others else ""
    return f"{first.error.message}{also}"


def _folders(weights: Path) -> Iterator[tuple[str, int]]:
    """The folders in the weights, each with all that is in it."""
    for path in weights.iterdir() if weights.is_dir() else ():
        if path.is_dir() and (size := size_of(path)):
            yield path.name, size


def size_of(folder: Path) -> int:
    """The bytes in a folder; links count as what they are, and not as what they lead to."""
    walked = os.walk(folder)
    return sum(_bytes_of(Path(path, name)) for path, _, names in walked for name in names)


def _bytes_of(path: Path) -> int:
    """The bytes of a file; none when it has gone meanwhile, as what is fetched does."""
    with suppress(OSError):
        return path.lstat().st_size
    return 0
