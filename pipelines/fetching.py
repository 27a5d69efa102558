"""Weights from the Hub into their places: told before, taken up where they broke off, verified, written down.

A file is beside its place under another name until its last byte has come and its checksum is right; that
name has the checksum in it, so what is there belongs to what is announced now, or is left alone.
"""

import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from errors import (
    DISK_FULL,
    HUB_GATED,
    HUB_INTEGRITY,
    HUB_NOT_FOUND,
    HUB_PARTIAL,
    HUB_UNREACHABLE,
    HubError,
    ours,
)
from models.hub import MAIN, Announced, Connection, Hub, Tally
from models.store import Store, Wanted
from pipelines import bundles, durable, glancing, manifest
from pipelines.bundles import Bundle
from pipelines.manifest import Entry
from pipelines.messages import EngineState
from pipelines.request import Progress
from pipelines.request.fetching import Fetched, FetchRequest, Offer, in_words
from pipelines.runner import Handler

log = logging.getLogger(__name__)

LOCK = ".fetching.lock"
LEFT_FREE = 1_000_000_000  # bytes: on a disk that is full to the brim nothing works any more
GLANCE = 0.1  # seconds between two reports
PIECE = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One file that is to come: what is wanted and what was announced of it."""

    wanted: Wanted
    file: Announced

    @property
    def aside(self) -> Path:
        """Where it lies until it is whole."""
        place = self.wanted.place
        return place.with_name(f"{place.name}{durable.ASIDE}{self.file.checksum[:16]}")

    @property
    def here(self) -> int:
        """The bytes that an earlier fetch has left."""
        return min(self.aside.stat().st_size, self.file.size) if self.aside.is_file() else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """Fetches into `weights`, one job and one file after the other, and one program at a time."""

    weights: Path
    hub: Hub

    def __call__(self, report: Callable[[EngineState], None]) -> Mapping[str, Handler]:
        """The handlers of a worker that needs no device."""
        report(EngineState(phase="ready"))
        return {"fetch": lambda job_id, request: self.run(request)}

    def offer(self, request: FetchRequest) -> Offer:
        """What a request would bring, if there is room. This asks the Hub, and fetches nothing."""
        wanted = self._wanted(request)
        with self._reaching(wanted) as hub:
            parcels = self._parcels(hub, wanted)
        size, here = sum(parcel.file.size for parcel in parcels), sum(parcel.here for parcel in parcels)
        self._refuse_full_disk(size - here)
        return Offer(
            names=request.names,
            titles=self._titles(request),
            sources=tuple(dict.fromkeys((file.repo, file.licence) for file in wanted)),
            files=len(parcels),
            size=size,
            here=here,
            free=shutil.disk_usage(existing(self.weights)).free,
        )

    def run(self, request: FetchRequest) -> Iterator[Progress | Fetched]:
        """Bring what a request wants and is not here; closed in between, the next one goes on from there."""
        try:
            yield from self._run(request)
        except OSError as error:
            raise ours(error, below=self.weights) from error

    def _run(self, request: FetchRequest) -> Iterator[Progress | Fetched]:
        titles = self._titles(request)
        yield Progress(stage="checking", step=0, total=0)
        if not request.discard and not self._wanted(request):  # the weights may well be read-only then
            yield Fetched(titles=titles, places=(), size=0)
            return
        durable.make_folder(self.weights)
        lock = FileLock(self.weights / LOCK)
        while not _taken(lock):
            yield Progress(stage="checking", step=0, total=0)
            time.sleep(GLANCE)
        try:
            if request.discard:
                yield self._discarded(request)
                return
            wanted = self._wanted(request)  # another program may have fetched it meanwhile
            size = 0
            parcels: tuple[Parcel, ...] = ()
            if wanted:
                with self._reaching(wanted) as hub:
                    parcels = self._parcels(hub, wanted)
                    size = sum(parcel.file.size for parcel in parcels)
                    self._refuse_full_disk(size - sum(parcel.here for parcel in parcels))
                    yield from self._all(hub, parcels, size)
        finally:
            lock.release()
        places = tuple(self._place(parcel.wanted) for parcel in parcels)
        yield Fetched(titles=titles, places=places, size=size)

    def _titles(self, request: FetchRequest) -> tuple[str, ...]:
        return tuple(bundle.title for bundle in bundles.named(Store(self.weights), request.names))

    def _discarded(self, request: FetchRequest) -> Fetched:
        """Throw away what was fetched of some bundles. A file that somebody else has put there stays."""
        known = manifest.read(self.weights)
        wanted = [
            file for bundle in bundles.named(Store(self.weights), request.names) for file in bundle.files
        ]
        files = [*wanted, *(file.whole for file in wanted if file.whole)]
        fetched = [file.place for file in files if self._place(file) in known and file.place.is_file()]
        parts = [part for file in wanted for part in left_of(file)]
        size = sum(path.stat().st_size for path in (*fetched, *parts))
        manifest.forget(self.weights, {self._place(file) for file in files})
        for path in (*fetched, *parts):
            path.unlink(missing_ok=True)
            log.info("discarded %s", path.name)
        places = tuple(path.relative_to(self.weights).as_posix() for path in fetched)
        return Fetched(titles=self._titles(request), places=places, size=size)

    def _wanted(self, request: FetchRequest) -> tuple[Wanted, ...]:
        """What is not here or is damaged, or all, each once."""
        known = manifest.read(self.weights)

        def lacking(bundle: Bundle) -> tuple[Wanted, ...]:
            spoilt = (one.file for one in glancing.damaged(self.weights, bundle, known))
            return (*bundle.missing, *spoilt)

        found = bundles.named(Store(self.weights), request.names)
        files = [file for bundle in found for file in (bundle.files if request.again else lacking(bundle))]
        return tuple(dict.fromkeys(files))

    def _parcels(self, hub: Connection, wanted: tuple[Wanted, ...]) -> tuple[Parcel, ...]:
        """Each file as announced: at the commit that was written down, and all of a repository at one."""
        known = manifest.read(self.weights)
        commits = {entry.repo: entry.commit for entry in known.values()}

        def announced(file: Wanted) -> Parcel:
            held = known.get(self._place(file))
            revision = held.commit if held else commits.get(file.repo, MAIN)
            found = hub.announced(file.repo, file.path, revision)
            commits[file.repo] = found.commit
            if held and found.sha256 and found.sha256 != held.sha256:
                raise _another(file)
            return Parcel(wanted=file, file=found)

        def lightest(file: Wanted) -> Parcel:
            """In half precision where the Hub has that, unless the other was fetched before."""
            if file.whole is None:
                return announced(file)
            if self._place(file.whole) in known:
                return announced(file.whole)
            try:
                return announced(file)
            except HubError as error:
                if error.code is not HUB_NOT_FOUND:
                    raise
                return announced(file.whole)

        return tuple(lightest(file) for file in wanted)

    def _all(self, hub: Connection, parcels: tuple[Parcel, ...], size: int) -> Iterator[Progress]:
        done = 0
        for parcel in parcels:
            yield from self._one(hub, parcel, done, size)
            done += parcel.file.size

    def _one(self, hub: Connection, parcel: Parcel, done: int, size: int) -> Iterator[Progress]:
        """One file into its place; whatever breaks it off, what has come of it is kept."""
        durable.make_folder(parcel.wanted.place.parent)
        if parcel.aside.is_file() and parcel.aside.stat().st_size > parcel.file.size:
            parcel.aside.unlink()
        tally = Tally(parcel.file)
        with open(parcel.aside, "ab+") as aside:
            for _ in _counted(aside, tally):
                yield Progress(stage="checking", step=done + tally.size, total=size)
            told = 0.0
            for tally in _written(hub, parcel.file, aside, tally):  # noqa: B020 - begun anew, it is another
                if time.monotonic() - told > GLANCE:
                    told = time.monotonic()
                    yield Progress(stage="fetching", step=done + tally.size, total=size)
        self._accept(parcel, tally)
        yield Progress(stage="fetching", step=done + parcel.file.size, total=size)

    def _accept(self, parcel: Parcel, tally: Tally) -> None:
        """Put a file in its place that is what was announced, and what it was before, or throw it away."""
        place = self._place(parcel.wanted)
        held = manifest.read(self.weights).get(place)
        if not tally.is_right:
            parcel.aside.unlink()
            raise HUB_INTEGRITY(
                f"{parcel.wanted.path} has other bytes than the Hub announces, and is not used",
                found=f"SHA-256 {tally.sha256[:12]}…",
                allowed=f"{parcel.file.checksum[:12]}…",
                todo="Fetch it again; if it stays so, something between here and the Hub changes files",
            )
        if held and held.sha256 != tally.sha256:
            parcel.aside.unlink()
            raise _another(parcel.wanted)
        entry = Entry(
            repo=parcel.file.repo,
            path=parcel.file.path,
            commit=parcel.file.commit,
            size=parcel.file.size,
            sha256=tally.sha256,
            licence=parcel.wanted.licence,
        )
        manifest.write_down(self.weights, place, entry)
        durable.settle(parcel.aside, parcel.wanted.place)
        for stale in left_of(parcel.wanted):
            stale.unlink()
        log.info("fetched %s", place)

    def _place(self, file: Wanted) -> str:
        return file.place.relative_to(self.weights).as_posix()

    def _refuse_full_disk(self, needed: int) -> None:
        free = shutil.disk_usage(existing(self.weights)).free
        if needed and free < needed + LEFT_FREE:
            raise DISK_FULL(
                "There is not enough space for these files",
                found=f"{in_words(free)} free",
                allowed=f"{in_words(needed)} and {in_words(LEFT_FREE)} to work with",
                todo="Free some space, or name another folder with --weights",
            )

    @contextmanager
    def _reaching(self, wanted: tuple[Wanted, ...]) -> Iterator[Connection]:
        """A connection; where the Hub is out of reach or shuts its door, also the place of a file by hand."""
        try:
            with self.hub.connected() as hub:
                yield hub
        except HubError as error:
            if not wanted or error.code not in (HUB_UNREACHABLE, HUB_PARTIAL, HUB_GATED):
                raise
            first, *more = [file.whole or file for file in wanted if not file.is_here] or wanted
            url = Hub().url(first.repo, first.path)
            others = f", and likewise {len(more)} more (weights/README.md lists them)" if more else ""
            by_hand = f"or get {url} in another way and put it at {self.weights.name}/{self._place(first)}"
            raise error.code(
                error.what, found=error.found, allowed=error.allowed, todo=f"{error.todo}, {by_hand}{others}"
            ) from error


def left_of(file: Wanted) -> tuple[Path, ...]:
    """What fetches that broke off have left of a file, whole or in half precision, or an earlier one."""
    places = (one.place for one in (file, file.whole) if one)
    return tuple(part for place in places for part in place.parent.glob(f"{place.name}{durable.ASIDE}*"))


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def existing(folder: Path) -> Path:
    """A folder, or the nearest one above it that is there."""
    return next(path for path in (folder.resolve(), *folder.resolve().parents) if path.is_dir())


def _counted(aside: BinaryIO, tally: Tally) -> Iterator[None]:
    """Add up what an earlier fetch has left."""
    aside.seek(0)
    while piece := aside.read(PIECE):
        tally.add(piece)
        yield


def _written(hub: Connection, file: Announced, aside: BinaryIO, tally: Tally) -> Iterator[Tally]:
    """Write the rest of a file, chunk by chunk; each time the tally of all that is there."""
    for start, chunk in hub.chunks(file, tally.size):
        if start != tally.size:
            aside.truncate(0)
            tally = Tally(file)
        aside.write(chunk)
        tally.add(chunk)
        yield tally


def _another(file: Wanted) -> HubError:
    error = HUB_INTEGRITY(
        f"The Hub has another {file.path} now than the one that was fetched first, and it is not used",
        todo="If its authors announce a new one, remove its entry from manifest.json in the weights",
    )
    assert isinstance(error, HubError)
    return error
