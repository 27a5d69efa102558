"""What fetching weights is asked for and answers, and what the page may ask before: frozen, torch-free."""

import json
from dataclasses import asdict, dataclass
from typing import Protocol

from pipelines.request.stock import Stock


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """Bundles of files by name; `again` also fetches what is here, and replaces it by what is right.

    `discard` fetches nothing: it throws away what earlier fetches have brought of them, finished or not.
    """

    names: tuple[str, ...]
    again: bool = False
    discard: bool = False

    def to_json(self) -> str:
        """The request as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "FetchRequest":
        """The request that `to_json` wrote."""
        entry = json.loads(text)
        return cls(**entry | {"names": tuple(entry["names"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The files that have come, or gone, by their places in the weights, and their bytes together."""

    titles: tuple[str, ...]
    places: tuple[str, ...]
    size: int

    def to_json(self) -> str:
        """The answer as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Fetched":
        """The answer that `to_json` wrote."""
        entry = json.loads(text)
        return cls(**entry | {name: tuple(entry[name]) for name in ("titles", "places")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a fetch would bring, as the Hub announces it.

    `sources` are repositories with their licences, `size` the bytes of all `files`, `here` those of them that
    an earlier fetch has left, `free` the room on the disk.
    """

    names: tuple[str, ...]
    titles: tuple[str, ...]
    sources: tuple[tuple[str, str], ...]
    files: int
    size: int
    here: int
    free: int

    @property
    def words(self) -> str:
        """All of that in words."""
        sources = " and ".join(f"{repo} (licence: {licence})" for repo, licence in self.sources)
        files = "1 file" if self.files == 1 else f"{self.files} files"
        here = f" {in_words(self.here)} of it are here from last time." if self.here else ""
        free = f"{in_words(self.free)} are free on the disk."
        return f"{', '.join(self.titles)}: {files}, {in_words(self.size)}, from {sources}.{here} {free}"


def in_words(size: int) -> str:
    """A number of bytes for people: three digits and a unit."""
    amount, units = float(size), ["bytes", "kB", "MB", "GB", "TB"]
    while amount >= 999.5 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    digits = 0 if units[0] == "bytes" or amount >= 99.5 else 1 if amount >= 9.95 else 2
    return f"{amount:.{digits}f} {units[0]}"


class Shelf(Protocol):
    """What the page may know of weights: what is lacking, what it would cost, whether visitors may fetch."""

    @property
    def open(self) -> bool:
        """Whether visitors of this profile may fetch."""

    def lacking_of_method(self, annotator: str) -> tuple[str, ...]:
        """The names of the bundles that an annotator lacks; none where all is here."""

    def lacking_of_model(self, family: str, condition: str) -> tuple[str, ...]:
        """The names of the bundles that a condition lacks in a family; none where nothing can be fetched."""

    def lack(self, names: tuple[str, ...]) -> str:
        """In words, what is lacking of some bundles, where it is, and under which licence."""

    def offer(self, names: tuple[str, ...]) -> Offer:
        """What fetching them would bring: this asks the Hub."""

    def stock(self) -> Stock:
        """What is here and what can be had at this moment; nobody is asked."""
