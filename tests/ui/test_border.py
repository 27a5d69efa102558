"""What crosses the border of the page: our own sentences with their code, and nothing else."""

import logging
from collections.abc import Iterator

import gradio as gr
import pytest

from errors import PARAM_RANGE
from ui.border import answers, streams


def fails(error: Exception) -> None:
    raise error


def fails_late(error: Exception) -> Iterator[int]:
    yield 1
    raise error


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
    stream = streams(fails_late)(ValueError("no"))
    assert next(stream) == 1
    with pytest.raises(gr.Error, match="INTERNAL"):
        next(stream)


def test_what_succeeds_passes_unchanged() -> None:
    assert answers(abs)(-3) == 3
    assert list(streams(iter)([1, 2])) == [1, 2]
