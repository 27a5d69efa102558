"""What is done where a device has no memory for some work: freed, and tried once more.

The second try is made after the `except`, whose traceback would keep all that was computed half.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from errors import GPU_OOM, means

if TYPE_CHECKING:
    from pipelines.cache import ModelCache

log = logging.getLogger(__name__)
T = TypeVar("T")


def tried(act: Callable[[], T], what: str) -> tuple[T] | None:
    """The answer of `act` in a tuple, or None where there was no memory for it; `what` it was is logged."""
    try:
        return (act(),)
    except (RuntimeError, MemoryError) as error:
        if not means(GPU_OOM, error):
            raise
        log.warning("out of memory (%s): %s", what, str(error).partition("\n")[0])
    return None


def relieved(cache: "ModelCache", act: Callable[[], T], what: str, *, todo: str) -> T:
    """What `act` answers, at the second try with everything off the device that can leave it.

    Where it has no memory for `what` even so, that is refused, with what is to do.
    """
    for _ in range(2):
        answer = tried(act, what)
        if answer is not None:
            return answer[0]
        cache.clear()
    raise GPU_OOM(f"{cache.device.title} has not enough memory for {what}", todo=todo)
