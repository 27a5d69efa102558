"""What pictures have kept, in words."""

from typing import get_args

import pytest

from conditions import CONDITIONS, Agreement
from pipelines.agreement import MEASURES
from pipelines.request.keeping import SENTENCES, YES_OR_NO, Kept, in_words, overall


def kept(condition: str, share: float | None, **fields: str) -> Kept:
    return Kept(condition=condition, share=share, **fields)


@pytest.mark.parametrize(
    ("condition", "share", "words"),
    [
        ("canny", 0.9249, "keeps 92 % of the edges"),
        ("canny", 0.0, "keeps 0 % of the edges"),
        ("depth", -0.004, "agrees in depth by 0 %"),
        ("depth", -0.5, "agrees in depth by -50 %"),
        ("normal", 1.0, "agrees in its surfaces by 100 %"),
        ("seg", 0.5, "keeps 50 % of the areas"),
        ("openpose", 2 / 3, "keeps 67 % of the joints"),
        ("qr", 1.0, "its code can be read: yes"),
        ("qr", 0.0, "its code can be read: no"),
        ("tile", 0.875, "agrees in colour by 88 %"),
    ],
)
def test_a_share_is_a_plain_sentence(condition: str, share: float, words: str) -> None:
    assert in_words([[kept(condition, share)]]) == [words]


def test_several_pictures_stand_in_one_sentence_and_several_controls_in_one_each() -> None:
    first = [kept("canny", 0.9), kept("shuffle", None), kept("depth", 0.5)]
    second = [kept("canny", 0.85), kept("shuffle", None), kept("depth", None)]
    assert in_words([first, second]) == [
        "Canny: keeps 90 %, 85 % of the edges",
        "Depth: agrees in depth by 50 %, –",
    ]


def test_what_was_not_measured_has_no_sentence() -> None:
    assert in_words([]) == []
    assert in_words([()]) == []
    assert in_words([(), ()]) == []
    assert in_words([[kept("canny", None)]]) == []


def test_the_mean_is_over_what_could_be_measured() -> None:
    assert overall([]) is None
    assert overall([kept("shuffle", None)]) is None
    assert overall([kept("canny", 0.5), kept("shuffle", None), kept("depth", 1.0)]) == 0.75


def test_a_remark_is_a_notice() -> None:
    assert kept("canny", 0.5).notice == ""
    assert kept("canny", 0.5, remark="B looks at it").notice == "Agreement with Canny: B looks at it."
    told = "Agreement with Depth could not be measured: nobody is here."
    assert kept("depth", None, remark="nobody is here").notice == told


def test_every_measure_has_a_sentence() -> None:
    assert set(SENTENCES) == set(MEASURES) == set(get_args(Agreement)) - {"none"}
    assert set(SENTENCES) >= YES_OR_NO
    assert {condition.agreement for condition in CONDITIONS.values()} - {"none"} <= set(SENTENCES)
