"""The outermost border of the page: whatever goes wrong in a handler crosses it as a coded sentence."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import gradio as gr
from gradio.components import Component
from gradio.exceptions import InvalidPathError

from errors import INPUT_SOURCE, INTERNAL, PARAM_TYPE, ArmatureError, ours

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")


class Told(gr.Error):
    """A refusal in our own words, as Gradio passes it on."""


def coded(error: Exception) -> Told:
    """What the browser is told. Only our own sentences cross; the rest is in the log under the same id."""
    if isinstance(error, Told):
        return error
    known: ArmatureError = ours(error)
    if known.code is INTERNAL:
        log.error("%s", known, exc_info=error)
    return Told(f"{known.message} ({known.code.name})", title="Not done", print_exception=False)


class Page(gr.Blocks):
    """A page on which Gradio's own failures cross the border in our words too.

    What fails before a handler runs, or after it, never reaches `answers` and its like: Gradio would tell the
    visitor `{"error": null}`, or in its own words what it wanted.
    """

    def progress_on(self, quiet: Component) -> None:
        """Show the progress of each event in one place: its first output, or `quiet` where it is hidden.

        Gradio's front end keeps the state of a run for every component that it concerns, all outputs if it
        is not told better, and with each message of a stream walks the tree of components once for each: on
        a page of a thousand components the browser then has no time left for a click.
        """
        for event in self.fns.values():
            if event.outputs:
                place = quiet if event.show_progress == "hidden" else cast(Component, event.outputs[0])
                event.show_progress_on = [place]

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        """As many values as the event has inputs; Gradio lets more of them pass."""
        if len(inputs) != len(block_fn.inputs):
            raise PARAM_TYPE(
                "The values of this call don't fit",
                found=f"{len(inputs)} values",
                allowed=f"exactly {len(block_fn.inputs)}",
                todo="Send every value once, in its place",
            )

    async def preprocess_data(self, *args: Any, **kwargs: Any) -> Any:
        """Values of the shape that their components have."""
        try:
            return await super().preprocess_data(*args, **kwargs)
        except ArmatureError:
            raise
        except InvalidPathError as error:
            raise INPUT_SOURCE("This is not an uploaded file", todo="Upload the file itself") from error
        except Exception as error:
            log.info("a value of the wrong shape: %s", type(error).__name__)
            raise PARAM_TYPE(
                "A value does not have the shape that its control gives it", todo="Reload the page"
            ) from error

    async def process_api(self, *args: Any, **kwargs: Any) -> Any:
        """One call of an event, whose failure is told with a code."""
        try:
            return await super().process_api(*args, **kwargs)
        except Exception as error:
            raise coded(error) from error


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
        except Told as error:
            return refused(error.message)

    return guarded


def replies(handler: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """The same for a handler that waits without holding a thread."""

    @wraps(handler)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await handler(*args, **kwargs)
        except Exception as error:
            raise coded(error) from error

    return guarded


def streams(handler: Callable[P, AsyncIterator[R]]) -> Callable[P, AsyncIterator[R]]:
    """The same for one that yields as it goes."""

    @wraps(handler)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[R]:
        try:
            async for part in handler(*args, **kwargs):
                yield part
        except Exception as error:
            raise coded(error) from error

    return guarded
