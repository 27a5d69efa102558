"""The outermost border of the page: whatever goes wrong in a handler crosses it as a coded sentence."""

import logging
from collections.abc import Callable, Iterator
from functools import wraps
from typing import ParamSpec, TypeVar

import gradio as gr

from errors import INTERNAL, ArmatureError, ours

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")


def coded(error: Exception) -> gr.Error:
    """What the browser is told. Only our own sentences cross; the rest is in the log under the same id."""
    known: ArmatureError = ours(error)
    if known.code is INTERNAL:
        log.error("%s", known, exc_info=error)
    return gr.Error(f"{known.message} ({known.code.name})", title="Not done", print_exception=False)


def answers(handler: Callable[P, R], told: Callable[[str], R] | None = None) -> Callable[P, R]:
    """A handler whose failures are told in words: as a toast, or as what `told` makes of the words.

    Gradio shows no toast for an event that does not queue: such a one needs `told`.
    """

    @wraps(handler)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except Exception as error:
            refusal = coded(error)
            if told is None:
                raise refusal from error
            return told(refusal.message)

    return guarded


def streams(handler: Callable[P, Iterator[R]]) -> Callable[P, Iterator[R]]:
    """The same for a handler that yields."""

    @wraps(handler)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        try:
            yield from handler(*args, **kwargs)
        except Exception as error:
            raise coded(error) from error

    return guarded
