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


def answers(handler: Callable[P, R]) -> Callable[P, R]:
    """A handler whose failures are told in words."""

    @wraps(handler)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except Exception as error:
            raise coded(error) from error

    return guarded


def shows(handler: Callable[P, R], refused: Callable[[str], R]) -> Callable[P, R]:
    """The same for an event that does not queue: Gradio has no toast for it, so the words go on the page."""
    answered = answers(handler)

    @wraps(handler)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return answered(*args, **kwargs)
        except gr.Error as error:
            return refused(error.message)

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
