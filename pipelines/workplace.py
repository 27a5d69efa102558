"""Where the models of one request compute, stage by stage, and what is done when the device has no memory.

A stage that fails for want of memory is tried once more: after the `except`, whose traceback would keep all
that was computed half; with everything off the device that can leave it; and with thrift, each in its way.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from errors import GPU_OOM, ArmatureError
from models.catalogue import FAMILIES
from models.loading import ModelKey
from models.memory import MODES, STAGES, THRIFTIEST, MemoryMode, Stage, fitting, need
from pipelines.cache import ModelCache
from pipelines.relief import tried
from pipelines.request import GenerateRequest

T = TypeVar("T")

# Numbers to a pixel that a step holds for each row, in widths of the U-Net's first block (320 in SD 1.5): its
# own, and a control's. Counted with SD 1.5: 0.41 and 0.11. What the allocator wastes comes on top.
OWN_NUMBERS, CONTROLS_NUMBERS, WASTE = 0.42, 0.12, 1.5
SMALLER = 0.75  # of its pixels at most has what is suggested in place of a size that did not fit


class Workplace:
    """The models of one request: held while it runs, on the device in the stages that they compute in."""

    def __init__(
        self, request: GenerateRequest, cache: ModelCache, keys: tuple[ModelKey, ...], *, width: int
    ) -> None:
        """The keys are held already; `width` is that of the U-Net's first block."""
        self._request = request
        self._cache = cache
        self._keys = keys
        self._width = width
        self.mode: MemoryMode = fitting(cache.sizes(keys), cache.device.budget, self._wanted)
        self._thrifty: set[Stage] = set()

    @property
    def _wanted(self) -> str:
        """The first mode, where models have nowhere to rest, else the one that was asked for."""
        return self._cache.device.mode if self._cache.device.resting else next(iter(MODES))

    @property
    def room(self) -> int | None:
        """The bytes of the device that are left for work."""
        return self._cache.room

    def work(self, stage: Stage, act: Callable[[bool], T]) -> T:
        """What `act` answers with the models of a stage on the device.

        Where it has no memory, it is tried once more, from then on with True for thrift.
        """
        if stage not in self._thrifty:
            answer = self._tried(stage, lambda: act(False))
            if answer is not None:
                return answer[0]
            self._relieve(stage)
        answer = self._tried(stage, lambda: act(True))
        if answer is None:
            self._cache.clear()
            raise self._refusal()
        return answer[0]

    def _tried(self, stage: Stage, act: Callable[[], T]) -> tuple[T] | None:
        """The answer in a tuple, or None where there was no memory for it."""

        def at_place() -> T:
            with self._there(stage):
                return act()

        return tried(at_place, f"{stage}, {self.mode.name}")

    @contextmanager
    def _there(self, stage: Stage) -> Iterator[None]:
        keys = self._keys if self.mode.together else self._of(stage)
        with self._cache.use(keys, in_pieces=[key for key in keys if key.part in self.mode.in_pieces]):
            yield

    def _of(self, stage: Stage) -> tuple[ModelKey, ...]:
        return tuple(key for key in self._keys if key.part in STAGES[stage])

    def _relieve(self, stage: Stage) -> None:
        """Everything off the device that can leave it, and from now on as little there as is possible."""
        self._thrifty.add(stage)
        if self._cache.device.resting:
            self.mode = MODES[THRIFTIEST]
        self._cache.clear()

    def _refusal(self) -> ArmatureError:
        request = self._request
        return GPU_OOM(
            f"{self._cache.device.title} has not enough memory for pictures of this size",
            found=f"{request.width}x{request.height}",
            todo=_advice(fitting_size(request, self._most_pixels())),
        )

    def _most_pixels(self) -> int | None:
        """How many pixels there is memory for, by what models and a step of one picture need."""
        if self._cache.device.memory is None:
            return None
        sizes = self._cache.sizes(self._keys)
        left = self._cache.device.memory - need(self.mode, sizes)
        return max(
            0, int(left / bytes_of_step(self._request, self._width, self._cache.device.dtype.itemsize))
        )


def bytes_of_step(request: GenerateRequest, width: int, itemsize: int) -> float:
    """The bytes to a pixel that a step of one picture needs beside its models, with a U-Net of a width."""
    rows = 2 if request.guidance > 1 else 1
    numbers = OWN_NUMBERS + CONTROLS_NUMBERS * min(2, len(request.controls))
    return WASTE * rows * numbers * width * itemsize


def fitting_size(request: GenerateRequest, most: int | None) -> tuple[int, int] | None:
    """The largest size of about the same shape, smaller than the request's, with so many pixels at most."""
    family, area = FAMILIES[request.family], request.width * request.height
    allowed = SMALLER * area if most is None else min(most, SMALLER * area)
    for width in range(request.width - family.multiple, family.smallest - 1, -family.multiple):
        height = int(width * request.height / request.width / family.multiple) * family.multiple
        if width * height <= allowed and height >= family.smallest:
            return width, height
    return None


def _advice(size: tuple[int, int] | None) -> str:
    if size is None:
        return "Use fewer controls, another model or another device"
    return f"Choose {size[0]}x{size[1]} or smaller, or fewer controls"
