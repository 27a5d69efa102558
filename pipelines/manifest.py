"""What was fetched once and is held to, in `manifest.json` of the weights; and whether it is still so."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

import gate
from errors import HUB_INTEGRITY, MODEL_CORRUPT, MODEL_MISSING, ArmatureError, InputError
from pipelines import durable

NAME = "manifest.json"
MOST_BYTES = 16 * 2**20

Verdict: TypeAlias = Literal["ok", "missing", "damaged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file as it was fetched first: from which commit of which repository, and which bytes."""

    repo: str
    path: str
    commit: str
    size: int
    sha256: str
    licence: str


def read(weights: Path) -> Mapping[str, Entry]:
    """All entries by place in the weights. A record that can't be read is refused, not forgotten."""
    file = weights / NAME
    if not file.is_file():
        return {}
    try:
        found = gate.parse_json(file.read_bytes(), most_bytes=MOST_BYTES)
    except InputError as error:
        raise _unreadable(weights, error.found) from error
    if not isinstance(found, dict):
        raise _unreadable(weights, type(found).__name__)
    return {place: _entry(weights, place, entry) for place, entry in found.items()}


def write_down(weights: Path, place: str, entry: Entry) -> None:
    """Add one entry; whoever calls holds the lock of the folder."""
    _write(weights, {**read(weights), place: entry})


def forget(weights: Path, places: Collection[str]) -> None:
    """Take out the entries of files that are to go; whoever calls holds the lock of the folder."""
    known = read(weights)
    if not known.keys().isdisjoint(places):
        _write(weights, {place: entry for place, entry in known.items() if place not in places})


def _write(weights: Path, entries: Mapping[str, Entry]) -> None:
    plain = {place: asdict(entry) for place, entry in sorted(entries.items())}
    text = json.dumps(plain, indent=2, ensure_ascii=False)

    def fill(out: BinaryIO) -> None:
        out.write(f"{text}\n".encode())

    durable.write(weights / NAME, fill)


def verify(weights: Path, entries: Mapping[str, Entry]) -> Iterator[tuple[str, Verdict]]:
    """Read each file to its end, and say whether it is still what was fetched."""
    for place, entry in entries.items():
        file = weights / place
        if not file.is_file():
            yield place, "missing"
        elif file.stat().st_size != entry.size:
            yield place, "damaged"
        else:
            with open(file, "rb") as opened:
                same = hashlib.file_digest(opened, "sha256").hexdigest() == entry.sha256
            yield place, "ok" if same else "damaged"


def refusal(place: str, verdict: Verdict, name: str) -> ArmatureError | None:
    """A verdict as an error of ours; `name` is the one under which the file is fetched again."""
    todo = f"Fetch it again: .venv/bin/python cli.py weights get {name} --again"
    if verdict == "damaged":
        what = f"{place} has other bytes than were fetched, by the SHA-256 in {NAME}"
        return HUB_INTEGRITY(what, todo=todo)
    return MODEL_MISSING(f"{place} was fetched, and is gone", todo=todo) if verdict == "missing" else None


def _entry(weights: Path, place: str, found: object) -> Entry:
    kinds = {field.name: field.type for field in fields(Entry)}
    if not isinstance(found, dict) or {key: type(value) for key, value in found.items()} != kinds:
        raise _unreadable(weights, f"the entry of {place}")
    return Entry(**found)


def _unreadable(weights: Path, found: str) -> Exception:
    return MODEL_CORRUPT(
        f"{weights.name}/{NAME}, the record of what was fetched, can't be read",
        found=found,
        todo="Put it back from a copy; or move it away, and nothing that is there can be verified any more",
    )
