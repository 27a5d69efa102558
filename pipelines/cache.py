"""The models that are resident on the device, and the only way to one."""

import gc
import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from errors import MODEL_TOO_LARGE, ArmatureError
from models.device import Device
from models.loading import ModelKey
from models.store import Store
from pipelines import networks
from pipelines.messages import Held
from pipelines.pictures import PictureStore
from pipelines.request.unloading import Unloaded

UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "KB"))
log = logging.getLogger(__name__)

Load: TypeAlias = Callable[[Store, ModelKey, torch.dtype], nn.Module]


@dataclass(slots=True)
class Resident:
    """One module on the device, its bytes, and how many borrowers it has."""

    module: nn.Module
    size: int
    borrowers: int = 0


class ModelCache:
    """Models on one device, lent by `with cache.use(keys) as models:`, and nothing else moves a model.

    Policy:

    - `use` loads what is missing, makes room, moves and locks in one step under one lock: nobody can take a
      model away in between, and what many ask for at once is loaded once. The price: all wait for a load.
    - Room is counted in bytes of parameters and buffers against the device's budget, which leaves the rest of
      the memory to the work itself. What was given back the longest ago goes first; what is lent stays.
    - Loading is done on the host, before anything is evicted: a load that fails leaves the cache as it was.
      A move that fails loses only what was evicted for it.
    - What could fit but for the locks of others is waited for. A thread that holds models already is refused
      instead, since it might wait for itself; so no two borrowers ever wait for each other.

    Non-goals: no second tier in host memory (the operating system keeps the files warm), no model in parts,
    no guess at what is wanted next, one device only. This policy was not compared with others.
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
    ) -> None:
        """`pictures` goes with the cache to the loop.

        `on_load` is told in words what is about to be loaded, `on_ready` that loading is over, well or not,
        and `on_change` that other models are resident now.
        """
        self.store = store
        self.device = device
        self.pictures = pictures
        self._on_load = on_load
        self._on_ready = on_ready
        self._on_change = on_change
        self._load = load
        self._resident: dict[ModelKey, Resident] = {}  # in the order in which they were given back
        self._leases: Counter[int] = Counter()  # how many each thread holds
        self._changed = threading.Condition()

    @property
    def resident(self) -> tuple[ModelKey, ...]:
        """What is on the device, the least recently used first."""
        with self._changed:
            return tuple(self._resident)

    @property
    def held(self) -> tuple[Held, ...]:
        """The same for people, with their bytes."""
        with self._changed:
            return tuple(Held(str(key), entry.size) for key, entry in self._resident.items())

    def unload(self, names: Collection[str] = ()) -> Unloaded:
        """Let go of the models of these names, or of all; what is lent stays."""
        with self._changed:
            wanted = [key for key in self._resident if not names or str(key) in names]
            free = [key for key in wanted if not self._resident[key].borrowers]
            before = self._used()
            self._evict(free)
            return Unloaded(
                gone=tuple(map(str, free)),
                size=before - self._used(),
                kept=tuple(str(key) for key in wanted if key not in free),
            )

    @property
    def used(self) -> int:
        """The bytes that are resident."""
        with self._changed:
            return self._used()

    def scheduler_config(self, family: str) -> Mapping[str, Any]:
        """The noise schedule of a family's base."""
        return self.store.scheduler_config(family)

    @contextmanager
    def use(self, keys: Iterable[ModelKey]) -> Iterator[Mapping[ModelKey, nn.Module]]:
        """The modules of the keys: loaded, on the device, and locked there until the block ends."""
        wanted = tuple(dict.fromkeys(keys))
        thread = threading.get_ident()  # a generator may be closed by another one
        models = self._borrow(wanted, thread)
        try:
            yield models
        finally:
            self._give_back(wanted, thread)

    def _borrow(self, wanted: tuple[ModelKey, ...], thread: int) -> dict[ModelKey, nn.Module]:
        loaded: dict[ModelKey, Resident] = {}
        with self._changed:
            while True:
                self._load_missing(wanted, loaded)
                if self._make_room(wanted, loaded):
                    break
                if self._leases[thread]:
                    raise self._too_large(wanted, loaded, "beside those that this job holds already")
                self._changed.wait()
            self._move_in(loaded)
            for key in wanted:
                self._resident[key].borrowers += 1
            self._leases[thread] += 1
            return {key: self._resident[key].module for key in wanted}

    def _give_back(self, keys: tuple[ModelKey, ...], thread: int) -> None:
        with self._changed:
            for key in keys:
                entry = self._resident.pop(key)
                entry.borrowers -= 1
                self._resident[key] = entry
            self._leases[thread] -= 1
            if not self._leases[thread]:
                del self._leases[thread]
            self._changed.notify_all()

    def _load_missing(self, wanted: tuple[ModelKey, ...], loaded: dict[ModelKey, Resident]) -> None:
        """Bring what is neither resident nor loaded yet to the host; forget what others made resident."""
        for key in loaded.keys() & self._resident.keys():
            del loaded[key]
        missing = [key for key in wanted if key not in self._resident and key not in loaded]
        try:
            for key in missing:
                self._on_load(str(key))
                module = self._load(self.store, key, self.device.dtype)
                loaded[key] = Resident(module, bytes_of(module))
                log.info("loaded %s, %s", key, in_words(loaded[key].size))
        finally:
            if missing:
                self._on_ready()

    def _make_room(self, wanted: tuple[ModelKey, ...], loaded: dict[ModelKey, Resident]) -> bool:
        """Evict until the loaded fit; without evicting anything, whether that is impossible for now."""
        entries = self._resident | loaded
        if sum(entries[key].size for key in wanted) > self.device.budget:
            raise self._too_large(wanted, loaded, "at once")
        excess = self._used() + sum(entry.size for entry in loaded.values()) - self.device.budget
        victims: list[ModelKey] = []
        for key, entry in list(self._resident.items()):
            if excess <= 0:
                break
            if not entry.borrowers and key not in wanted:
                victims.append(key)
                excess -= entry.size
        if excess > 0:
            return False
        self._evict(victims)
        return True

    def _evict(self, victims: list[ModelKey]) -> None:
        for key in victims:
            log.info("evicted %s", key)
            del self._resident[key]
        if victims:
            gc.collect()  # CLIP hangs in a cycle, and the memory is wanted now; it takes 0.3 s
            if self.device.kind != "cpu":
                getattr(torch, self.device.kind).empty_cache()
            self._on_change()

    def _move_in(self, loaded: dict[ModelKey, Resident]) -> None:
        for key, entry in loaded.items():
            entry.module.to(self.device.name)
            # the originals' annotators reshape their features, which have to lie channel by channel
            if self.device.channels_last and key.part != "annotator":
                convert_conv2d_weight_memory_format(entry.module, torch.channels_last)
        self._resident |= loaded
        if loaded:
            self._on_change()

    def _used(self) -> int:
        return sum(entry.size for entry in self._resident.values())

    def _too_large(
        self, wanted: tuple[ModelKey, ...], loaded: dict[ModelKey, Resident], where: str
    ) -> ArmatureError:
        entries = self._resident | loaded
        return MODEL_TOO_LARGE(
            f"These models do not fit on {self.device.title} {where}",
            found=in_words(sum(entries[key].size for key in wanted)),
            allowed=in_words(self.device.budget),
            todo="Choose a smaller model, or a device with more free memory",
        )


def bytes_of(module: nn.Module) -> int:
    """The bytes of a module's parameters and buffers, each tensor once."""
    tensors = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def in_words(size: int) -> str:
    """A number of bytes for people."""
    unit, name = next((unit, name) for unit, name in UNITS if size >= unit or unit == 1e3)
    return f"{size / unit:.1f} {name}"
