"""What can be fetched, by name: families, their controls, the safety checker, the files of each annotator."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from annotators import ANNOTATORS
from errors import PARAM_CHOICE
from models.catalogue import FAMILIES, SAFETY, TOKENIZER, TOKENIZER_SIZE
from models.store import Store, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Files that are of use only together."""

    name: str
    title: str
    files: tuple[Wanted, ...]
    size: int  # about how many bytes, whether they are here or not

    @property
    def missing(self) -> tuple[Wanted, ...]:
        """The files that are not here."""
        return tuple(file for file in self.files if not file.is_here)

    @property
    def bytes_here(self) -> int:
        """The bytes of the files that are here."""
        places = (place for file in self.files for place in (file.place, *file.others))
        return sum(place.stat().st_size for place in places if place.is_file())


@lru_cache(maxsize=8)
def all_bundles(store: Store) -> Mapping[str, Bundle]:
    """Every bundle that the Hub has: `sd15`, `sd15/tokenizer`, `sd15/canny`, `safety`, `softedge_hed`."""
    found: list[Bundle] = []
    for family in FAMILIES.values():
        found.append(
            Bundle(
                name=family.name,
                title=family.title,
                files=store.wanted(family.name),
                size=family.base.size if family.base else 0,
            )
        )
        found.append(
            Bundle(
                name=f"{family.name}/{TOKENIZER}",
                title=f"{family.title}: tokenizer, for a base in one file",
                files=store.tokenizer_wanted(family.name),
                size=TOKENIZER_SIZE,
            )
        )
        for control in family.controls:
            found.append(
                Bundle(
                    name=f"{family.name}/{control.name}",
                    title=f"{family.title}: control {control.name}",
                    files=store.wanted(family.name, control.name),
                    size=control.weight.size if control.weight else 0,
                )
            )
    checker = Bundle(
        name=SAFETY.name, title=SAFETY.title, files=store.safety_wanted(), size=SAFETY.weight.size
    )
    found.append(checker)
    for method in ANNOTATORS.values():
        files = store.annotator_wanted(method.weights)
        size = sum(weight.size for weight in method.weights)
        found.append(Bundle(name=method.name, title=method.label, files=files, size=size))
    return MappingProxyType({bundle.name: bundle for bundle in found if bundle.files})


def holding(store: Store, place: str) -> str:
    """The name of the smallest bundle with a file at a place, relative to the weights; "" where none has."""
    wanted = store.weights / place

    def has(bundle: Bundle) -> bool:
        return any(one.place == wanted for file in bundle.files for one in (file, file.whole) if one)

    found = min(filter(has, all_bundles(store).values()), key=lambda bundle: bundle.size, default=None)
    return found.name if found else ""


def named(store: Store, names: Iterable[str]) -> tuple[Bundle, ...]:
    """The bundles of some names, or a refusal that lists the names."""
    known = all_bundles(store)
    for name in names:
        if name not in known:
            raise PARAM_CHOICE(
                "There is nothing of that name to fetch",
                found=repr(name),
                allowed="one of " + ", ".join(known),
                todo="Change the name",
            )
    return tuple(known[name] for name in names)
