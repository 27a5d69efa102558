"""What crosses the border of the page: our own sentences with their code, and nothing else."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import gradio as gr
import pytest

from errors import PARAM_RANGE
from ui.border import Page, answers, replies, shows, streams


def fails(error: Exception) -> None:
    raise error


async def fails_late(error: Exception) -> AsyncIterator[int]:
    yield 1
    raise error


async def fails_waiting(error: Exception) -> int:
    raise error


async def counts() -> AsyncIterator[int]:
    yield 1
    yield 2


async def collected(stream: AsyncIterator[int], seen: list[int]) -> None:
    async for value in stream:
        seen.append(value)


def test_a_refusal_of_ours_is_told_with_its_code() -> None:
    with pytest.raises(gr.Error) as told:
        answers(fails)(PARAM_RANGE("Steps can't be taken", found="0", allowed="1 to 150"))
    assert told.value.message == "Steps can't be taken (found: 0; allowed: 1 to 150). (PARAM_RANGE)"


def test_anything_else_is_internal_and_only_the_log_knows_more(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error) as told:
        answers(fails)(KeyError("/home/somebody/secret"))
    assert "INTERNAL" in told.value.message
    assert "secret" not in told.value.message
    assert "secret" in caplog.text


def test_a_stream_gives_what_it_had_and_then_tells() -> None:
    seen: list[int] = []
    with pytest.raises(gr.Error, match="INTERNAL"):
        asyncio.run(collected(streams(fails_late)(ValueError("no")), seen))
    assert seen == [1]


def test_a_call_that_waits_tells_too() -> None:
    async def call() -> int:
        return await replies(fails_waiting)(PARAM_RANGE("Steps can't be taken"))

    with pytest.raises(gr.Error, match="PARAM_RANGE"):
        asyncio.run(call())


def test_an_event_without_toasts_gets_the_words() -> None:
    heard: list[str] = []
    shows(fails, heard.append)(PARAM_RANGE("Steps can't be taken"))
    assert heard == ["Steps can't be taken. (PARAM_RANGE)"]


def test_what_succeeds_passes_unchanged() -> None:
    seen: list[int] = []
    asyncio.run(collected(streams(counts)(), seen))
    assert answers(str.upper)("a") == "A"
    assert seen == [1, 2]


Build = Callable[[], object]


def call(build: Build, inputs: list[Any]) -> Any:
    """What the first event of a page answers, as Gradio calls it."""

    async def called() -> Any:
        page = Page()  # it needs a loop that runs
        with page:
            build()
        return await page.process_api(page.fns[0], inputs)

    return asyncio.run(called())


def refusal(build: Build, inputs: list[Any]) -> str:
    """What the visitor is told instead."""
    with pytest.raises(gr.Error) as told:
        call(build, inputs)
    message: str = told.value.message
    assert "passwd" not in message
    assert "somebody" not in message
    return message


def on_picture(handler: Any) -> Build:
    """An event of one picture, as the tabs have them."""
    return lambda: gr.on(None, handler, [gr.Image()], gr.Textbox(), preprocess=False)


def never(image: Any) -> str:
    raise AssertionError("no handler runs")


@pytest.mark.parametrize("count", [0, 2, 20])
def test_row_64_an_event_takes_as_many_values_as_it_has(count: int) -> None:
    told = refusal(on_picture(never), [None] * count)
    assert f"found: {count} values; allowed: exactly 1" in told
    assert told.endswith("(PARAM_TYPE)")


@pytest.mark.parametrize("value", [1, "/etc/passwd", [], {"path": 5}, {"path": ["x"]}, True])
def test_a_value_of_the_wrong_shape_is_told_with_a_code(value: Any) -> None:
    assert refusal(on_picture(never), [value]).endswith("(PARAM_TYPE)")


def test_what_gradio_says_of_a_value_is_told_with_a_code() -> None:
    told = refusal(
        lambda: gr.on(None, str, [gr.Dropdown(["a", "b"])], gr.Textbox()),
        ["/home/somebody"],
    )
    assert told.endswith("(PARAM_TYPE)")


def test_what_fails_after_a_handler_is_told_with_a_code(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        told = refusal(lambda: gr.on(None, lambda: {"somebody": 1}, None, gr.Image()), [])
    assert told.endswith("(INTERNAL)")
    assert caplog.text


def test_our_own_words_pass_the_page_as_they_are() -> None:
    def refuses(image: Any) -> Any:
        raise PARAM_RANGE("Steps can't be taken", found="0")

    told = refusal(on_picture(answers(refuses)), [None])
    assert told == "Steps can't be taken (found: 0). (PARAM_RANGE)"
    assert call(on_picture(lambda image: "well"), [None])["data"] == ["well"]


def test_the_progress_of_an_event_is_shown_in_one_place() -> None:
    async def places() -> list[Any]:
        page = Page()  # it needs a loop that runs
        with page:
            button, pill, first, second = gr.Button(), gr.HTML(), gr.HTML(), gr.HTML()
            button.click(lambda: ("", ""), outputs=[first, second], show_progress="hidden")
            button.click(lambda: ("", ""), outputs=[second, first], show_progress="minimal")
            button.click(lambda: None)
        page.progress_on(pill)
        where = {pill._id: "pill", first._id: "first", second._id: "second"}
        shown = [event["show_progress_on"] for event in page.get_config_file()["dependencies"]]
        return [shown_on and [where[place] for place in shown_on] for shown_on in shown]

    assert asyncio.run(places()) == [["pill"], ["second"], None]
