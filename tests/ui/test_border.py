"""What crosses the border of the page: our own sentences with their code, and nothing else."""

import asyncio
import logging
from collections.abc import AsyncIterator

import gradio as gr
import pytest

from errors import PARAM_RANGE
from ui.border import answers, replies, streams


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
    guarded = answers(fails, told=heard.append)
    guarded(PARAM_RANGE("Steps can't be taken"))
    assert heard == ["Steps can't be taken. (PARAM_RANGE)"]


def test_what_succeeds_passes_unchanged() -> None:
    seen: list[int] = []
    asyncio.run(collected(streams(counts)(), seen))
    assert answers(str.upper)("a") == "A"
    assert seen == [1, 2]
