"""The models that are resident on the device, and the only way to one."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import nn

from errors import MODEL_TOO_LARGE, ArmatureError
from models import formats, memory, sizes
from models.carrying import Carrier, Visits, bytes_of, sizes_of
from models.device import Device
from models.loading import ModelKey
from models.memory import Size
from models.store import Store
from pipelines import networks
from pipelines.messages import Held
from pipelines.pictures import PictureStore
from pipelines.request.unloading import Unloaded

UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "KB"))
log = logging.getLogger(__name__)

Load: TypeAlias = Callable[[Store, ModelKey, torch.dtype], nn.Module]
Foretell: TypeAlias = Callable[[Store, ModelKey, torch.dtype], int | None]


@dataclass(slots=True)
class Resident:
    """One module in memory, its bytes, and how many borrowers and workers it has.

    Those who borrow it want it kept; those who work with it want it on the device. `pieces` are the bytes of
    its pieces by their names, `visits` is how they come to the device where it rests itself. `schedule` is
    the noise schedule that a U-Net was loaded with, `notice` what to tell of the file it came from.
    """

    module: nn.Module
    size: int
    borrowers: int = 0
    workers: int = 0
    pieces: Mapping[str, int] = field(default_factory=dict)
    visits: Visits | None = None
    schedule: Mapping[str, Any] | None = None
    notice: str = ""

    @property
    def piece(self) -> int:
        """The bytes of its largest piece."""
        return max(self.pieces.values(), default=self.size)

    @property
    def on_device(self) -> int:
        """The bytes of the device that it fills at once, where it is resident."""
        return self.size if self.visits is None else self.piece


class ModelCache:
    """Models on one device, lent by `with cache.use(keys) as models:`, and nothing else moves a model.

    Policy:

    - `use` loads what is missing, makes room, moves and locks in one step under one lock: nobody can take a
      model away in between, and what many ask for at once is loaded once. The price: all wait for a load.
    - Room is counted in bytes of parameters and buffers against the device's budget, which leaves the rest of
      the memory to the work itself. What was given back the longest ago goes first; what is lent stays. What
      can't fit by the headers of its files is refused before it is read.
    - Loading is done on the host, before anything is evicted: a load that fails leaves the cache as it was,
      but for what rested idle where it would have lain. A move that fails loses only what was evicted for it.
    - What could fit but for the locks of others is waited for. A thread that holds models already is refused
      instead, since it might wait for itself; so no two borrowers ever wait for each other.
    - A device with a memory of its own has a second tier: what is evicted rests in the machine's memory, as
      far as that has room, and whatever is held by `hold` stays there until it is given back. On any other
      device `hold` is `use`, since a model that rests would fill the same memory.

    Non-goals: no guess at what is wanted next, one device only. This policy was not compared with others.
    """

    def __init__(
        self,
        store: Store,
        pictures: PictureStore,
        device: Device,
        *,
        on_load: Callable[[str], None] = lambda description: None,
        on_ready: Callable[[], None] = lambda: None,
        on_change: Callable[[], None] = lambda: None,
        load: Load = networks.load,
        foretell: Foretell = sizes.foretold,
        carrier: Carrier | None = None,
    ) -> None:
        """`pictures` goes with the cache to the loop.

        `on_load` is told in words what is about to be loaded, `on_ready` that loading is over, well or not,
        and `on_change` that other models are in memory now, or lie elsewhere in it.
        """
        self.store = store
        self.device = device
        self.pictures = pictures
        self._on_load = on_load
        self._on_ready = on_ready
        self._on_change = on_change
        self._load = load
        self._foretell = foretell
        self._carrier = carrier or Carrier(device)
        self._resident: dict[ModelKey, Resident] = {}  # in the order in which they were given back
        self._resting: dict[ModelKey, Resident] = {}  # beside the device, in the order in which they came
        self._leases: Counter[int] = Counter()  # how many each thread holds
        self._told: tuple[Held, ...] = ()
        self._changed = threading.Condition()

    @property
    def resident(self) -> tuple[ModelKey, ...]:
        """What is on the device, the least recently used first."""
        with self._changed:
            return tuple(self._resident)

    @property
    def held(self) -> tuple[Held, ...]:
        """What is in memory, on the device and beside it, for people, with its bytes."""
        with self._changed:
            there = {key for key, entry in self._resident.items() if entry.visits is None}
            return tuple(
                Held(str(key), entry.size, resting=key not in there and self.device.resting > 0)
                for key, entry in self._entries().items()
            )

    def unload(self, names: Collection[str] = ()) -> Unloaded:
        """Let go of the models of these names, or of all; what is lent stays."""
        with self._changed:
            sizes = {key: entry.size for key, entry in self._entries().items()}
            wanted = [key for key in sizes if not names or str(key) in names]
            free = [key for key in wanted if not self._kept(key).borrowers]
            for key in free:
                self._resting.pop(key, None)
            self._evict([key for key in free if key in self._resident], resting=False)
            if free:
                self._carrier.free()
            self._tell()
            return Unloaded(
                gone=tuple(map(str, free)),
                size=sum(sizes[key] for key in free),
                kept=tuple(str(key) for key in wanted if key not in free),
            )

    @property
    def resting(self) -> tuple[ModelKey, ...]:
        """What rests beside the device."""
        with self._changed:
            return tuple(self._resting)

    @property
    def used(self) -> int:
        """The bytes that are resident."""
        with self._changed:
            return self._used()

    @property
    def room(self) -> int | None:
        """The bytes that are left for work beside the models on the device; None where nobody knows."""
        return None if self.device.memory is None else max(0, self.device.memory - self.used)

    def sizes(self, keys: Iterable[ModelKey]) -> tuple[Size, ...]:
        """The sizes of models that are held."""
        with self._changed:
            found = ((key, self._entry(key)) for key in dict.fromkeys(keys))
            return tuple(
                Size(part=key.part, whole=entry.size, piece=entry.piece) for key, entry in found if entry
            )

    def scheduler_config(self, family: str) -> Mapping[str, Any]:
        """The noise schedule of a family's base: while its U-Net is held that which it was loaded with."""
        with self._changed:
            unet = self._entry(ModelKey(part="unet", family=family))
            known = unet.schedule if unet else None
        return known or self.store.scheduler_config(family)

    def notices(self, keys: Iterable[ModelKey]) -> tuple[str, ...]:
        """What to tell of the files that the models of some keys were loaded from, each once."""
        with self._changed:
            entries = filter(None, map(self._entry, keys))
            return tuple(dict.fromkeys(entry.notice for entry in entries if entry.notice))

    @contextmanager
    def use(
        self, keys: Iterable[ModelKey], *, in_pieces: Collection[ModelKey] = ()
    ) -> Iterator[Mapping[ModelKey, nn.Module]]:
        """The modules of the keys: loaded, on the device, and locked there until the block ends.

        Those `in_pieces` rest, and come to the device piece by piece as they are called.
        """
        wanted = tuple(dict.fromkeys(keys))
        thread = threading.get_ident()  # a generator may be closed by another one
        models = self._borrow(wanted, thread, in_pieces)
        try:
            yield models
        finally:
            self._give_back(wanted, thread)

    @contextmanager
    def hold(self, keys: Iterable[ModelKey]) -> Iterator[Mapping[ModelKey, nn.Module]]:
        """The modules of the keys: loaded, and kept until the block ends. To compute, `use` them inside."""
        wanted = tuple(dict.fromkeys(keys))
        if not self.device.resting:
            with self.use(wanted) as models:
                yield models
            return
        models = self._keep(wanted)
        try:
            yield models
        finally:
            with self._changed:
                for key in wanted:
                    self._kept(key).borrowers -= 1
                self._trim()
                self._tell()

    def clear(self) -> None:
        """Take off the device what nobody works with, and out of memory what nobody holds."""
        with self._changed:
            self._evict([key for key, entry in self._resident.items() if self._may_go(entry)])
            for key in [key for key, entry in self._resting.items() if not entry.borrowers]:
                del self._resting[key]
            self._carrier.free()
            self._tell()

    def _borrow(
        self, wanted: tuple[ModelKey, ...], thread: int, in_pieces: Collection[ModelKey]
    ) -> dict[ModelKey, nn.Module]:
        loaded: dict[ModelKey, Resident] = {}
        with self._changed:
            while True:
                self._load_missing(wanted, loaded, self.device.budget if not in_pieces else None)
                if self._make_room(wanted, loaded, in_pieces):
                    break
                if self._leases[thread]:
                    raise self._too_large(
                        self._needed(wanted, loaded, in_pieces), "beside those that this job holds already"
                    )
                self._changed.wait()
            self._move_in(wanted, loaded, in_pieces)
            for key in wanted:
                self._resident[key].borrowers += 1
                self._resident[key].workers += 1
            self._leases[thread] += 1
            return {key: self._resident[key].module for key in wanted}

    def _give_back(self, keys: tuple[ModelKey, ...], thread: int) -> None:
        with self._changed:
            for key in keys:
                entry = self._resident.pop(key)
                entry.borrowers -= 1
                entry.workers -= 1
                self._resident[key] = entry
            self._leases[thread] -= 1
            if not self._leases[thread]:
                del self._leases[thread]
            self._changed.notify_all()

    def _keep(self, wanted: tuple[ModelKey, ...]) -> dict[ModelKey, nn.Module]:
        with self._changed:
            loaded: dict[ModelKey, Resident] = {}
            self._make_room_beside(wanted)
            self._load_missing(wanted, loaded, None)
            self._resting |= loaded
            for key in wanted:
                self._kept(key).borrowers += 1
            self._trim()
            self._tell()
            return {key: self._kept(key).module for key in wanted}

    def _entries(self) -> dict[ModelKey, Resident]:
        return self._resting | self._resident

    def _entry(self, key: ModelKey) -> Resident | None:
        return self._resident.get(key) or self._resting.get(key)

    def _kept(self, key: ModelKey) -> Resident:
        entry = self._entry(key)
        assert entry is not None, "what is held is somewhere"
        return entry

    def _load_missing(
        self, wanted: tuple[ModelKey, ...], loaded: dict[ModelKey, Resident], most: int | None
    ) -> None:
        """Bring what is neither in memory nor loaded yet to the host; forget what others brought meanwhile.

        What would be more than `most` bytes together with the rest is refused unread.
        """
        for key in loaded.keys() & (self._resident.keys() | self._resting.keys()):
            del loaded[key]
        missing = [key for key in wanted if self._entry(key) is None and key not in loaded]
        if missing and most is not None:
            self._refuse_unread(wanted, most)
        try:
            for key in missing:
                self._on_load(str(key))
                module = self._load(self.store, key, self.device.dtype)
                # the originals' annotators reshape their features, which have to lie channel by channel
                if key.part != "annotator":
                    self._carrier.lay_out(module)
                pieces = memory.pieces(sizes_of(module))
                schedule = self.store.scheduler_config(key.family) if key.part == "unet" else None
                loaded[key] = Resident(
                    module,
                    bytes_of(module),
                    pieces=pieces,
                    schedule=schedule,
                    notice=formats.notice_of(self.store, key, self.device.dtype),
                )
                log.info("loaded %s, %s", key, in_words(loaded[key].size))
        finally:
            if missing:
                self._on_ready()

    def _refuse_unread(self, wanted: tuple[ModelKey, ...], most: int) -> None:
        """Refuse what can't fit, as far as the headers of the files tell."""
        known = sum(entry.size for key in wanted if (entry := self._entry(key)))
        total = known + self._foretold(wanted)
        if total > most:
            raise self._too_large(total, "at once")

    def _foretold(self, wanted: tuple[ModelKey, ...]) -> int:
        """The bytes of what is not in memory yet, as far as the headers of the files tell."""
        missing = (key for key in wanted if self._entry(key) is None)
        told = (self._foretell(self.store, key, self.device.dtype) for key in missing)
        return sum(filter(None, told))

    def _make_room_beside(self, wanted: tuple[ModelKey, ...]) -> None:
        """Drop what rests idle in the way of what is to be loaded; refuse unread what can't be held.

        What is on the device already takes no room beside it, and what is loaded may go on to the device. But
        all that is loaded lies in the machine's memory first, and what may rest there is a half of that.
        """
        coming = self._foretold(wanted)
        if not coming:
            return
        there = sum(self._resident[key].on_device for key in wanted if key in self._resident)
        known = sum(entry.size for key in wanted if (entry := self._entry(key)))
        most = self.device.resting + min(self.device.resting, max(0, self.device.budget - there))
        if (beside := known - there + coming) > most:
            raise self._too_large_beside(beside, most)
        self._trim(coming, spare=wanted)

    def _needed(
        self,
        wanted: tuple[ModelKey, ...],
        loaded: dict[ModelKey, Resident],
        in_pieces: Collection[ModelKey],
    ) -> int:
        """The bytes of the device that the wanted will fill."""
        entries = self._entries() | loaded
        return sum(entries[key].piece if key in in_pieces else entries[key].size for key in wanted)

    def _make_room(
        self,
        wanted: tuple[ModelKey, ...],
        loaded: dict[ModelKey, Resident],
        in_pieces: Collection[ModelKey],
    ) -> bool:
        """Evict until the wanted fit; without evicting anything, whether that is impossible for now."""
        needed = self._needed(wanted, loaded, in_pieces)
        if needed > self.device.budget:
            raise self._too_large(needed, "at once")
        others = {key: entry for key, entry in self._resident.items() if key not in wanted}
        excess = needed + sum(entry.on_device for entry in others.values()) - self.device.budget
        victims: list[ModelKey] = []
        for key, entry in others.items():
            if excess <= 0:
                break
            if self._may_go(entry):
                victims.append(key)
                excess -= entry.on_device
        if excess > 0:
            return False
        if victims:
            self._evict(victims)
            self._carrier.free()
            self._tell()
        return True

    def _may_go(self, entry: Resident) -> bool:
        """Whether it may leave the device: nobody works with it, and whoever holds it keeps it."""
        return not (entry.workers if self.device.resting else entry.borrowers)

    def _evict(self, victims: list[ModelKey], *, resting: bool = True) -> None:
        """Off the device; where that has a memory of its own, to rest beside it, if not out of all memory."""
        for key in victims:
            log.info("evicted %s", key)
            entry = self._resident.pop(key)
            if self.device.resting:
                self._put_to_rest(entry)
                if resting:
                    self._resting[key] = entry
            del entry
        if victims:
            self._trim()

    def _put_to_rest(self, entry: Resident) -> None:
        if entry.visits is None:
            self._carrier.rest(entry.module)
        else:
            entry.visits.end()
            entry.visits = None

    def _trim(self, coming: int = 0, *, spare: Collection[ModelKey] = ()) -> None:
        """Drop what rests and nobody holds, the oldest first, until the rest fits beside the device.

        So does what is `coming`, as far as that can be had; the keys to `spare` are about to be held.
        """
        visitors = (entry for entry in self._resident.values() if entry.visits)
        beside = sum(entry.size for entry in (*self._resting.values(), *visitors))
        excess = beside + coming - self.device.resting
        for key, entry in list(self._resting.items()):
            if excess > 0 and not entry.borrowers and key not in spare:
                del self._resting[key]
                excess -= entry.size

    def _move_in(
        self,
        wanted: tuple[ModelKey, ...],
        loaded: dict[ModelKey, Resident],
        in_pieces: Collection[ModelKey],
    ) -> None:
        for key in wanted:
            entry = self._entry(key) or loaded[key]
            if key not in self._resident:
                self._come(entry, key in in_pieces)
                self._resting.pop(key, None)
                self._resident[key] = entry
            elif (key in in_pieces) != (entry.visits is not None):
                del self._resident[key]
                self._put_to_rest(entry)
                self._resting[key] = entry
                self._come(entry, key in in_pieces)
                self._resident[key] = self._resting.pop(key)
        self._tell()

    def _tell(self) -> None:
        """Say that something else is in memory than was said last."""
        if self.held != self._told:
            self._told = self.held
            self._on_change()

    def _come(self, entry: Resident, in_pieces: bool) -> None:
        """From rest to the device; what does not get there is at rest again."""
        if in_pieces:
            entry.visits = Visits(entry.module, entry.pieces, self._carrier)
            return
        there = False
        try:
            self._carrier.bring(entry.module)
            there = True
        finally:
            if not there:
                self._carrier.rest(entry.module)

    def _used(self) -> int:
        return sum(entry.on_device for entry in self._resident.values())

    def _too_large(self, needed: int, where: str) -> ArmatureError:
        return MODEL_TOO_LARGE(
            f"These models do not fit on {self.device.title} {where}",
            found=in_words(needed),
            allowed=in_words(self.device.budget),
            todo="Choose a smaller model, or a device with more free memory",
        )

    def _too_large_beside(self, needed: int, most: int) -> ArmatureError:
        return MODEL_TOO_LARGE(
            f"These models do not fit into this machine's own memory, beside {self.device.title}",
            found=in_words(needed),
            allowed=in_words(most),
            todo="Choose fewer controls or a smaller model, or end other programs and start again",
        )


def in_words(size: int) -> str:
    """A number of bytes for people."""
    unit, name = next((unit, name) for unit, name in UNITS if size >= unit or unit == 1e3)
    return f"{size / unit:.1f} {name}"
