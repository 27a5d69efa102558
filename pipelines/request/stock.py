"""What the page may know of all models: what is here, what can be had, what is one's own, and the disk."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What is of use only as a whole: a base, a control, or the files of an annotator.

    `name` is that of its bundle, and "" where it comes with the program. `sources` are repositories with
    their licences. `here` are the bytes that are here, unfinished ones too; `size` about how many it has when
    it is `whole`. What is `removable` was fetched, and nothing of it put there by hand. `trouble` says in
    words what of it is damaged, and then it is not whole.
    """

    name: str
    title: str
    sources: tuple[tuple[str, str], ...] = ()
    here: int = 0
    size: int = 0
    whole: bool = False
    removable: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Items that belong together: a family with its base and its controls, or the annotators."""

    name: str
    title: str
    help: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFile:
    """A file or folder that somebody has put among the weights: what it is, or why it is of no use.

    `place` is relative to the weights; `what` the kind and the base in words, "" where that can't be told.
    """

    place: str
    what: str = ""
    size: int = 0
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """All of it at one moment. `folders` are those of the weights with their bytes, the largest first.

    `trouble` says in words what can't be read, `offline` that the user wants nothing to be fetched.
    """

    groups: tuple[Group, ...]
    own: tuple[OwnFile, ...] = ()
    folders: tuple[tuple[str, int], ...] = ()
    free: int = 0
    total: int = 0
    offline: bool = False
    trouble: str = ""

    @property
    def used(self) -> int:
        """The bytes of all folders together."""
        return sum(size for _, size in self.folders)
