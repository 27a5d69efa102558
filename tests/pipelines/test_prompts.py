"""Weights, brackets and parts of a prompt, beside a parser that is written out in full and in no hurry."""

import re
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import ArmatureError
from pipelines.prompts import LARGEST_WEIGHT, loras, parse, tagged, unread, words

LETTERS = "ab :.()[]\\13-"


def flat(prompt: str) -> list[tuple[str, float]]:
    """The only part of a prompt as pairs of words and weights."""
    (part,) = parse(prompt)
    return [(span.text, pytest.approx(span.weight)) for span in part]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("prompt", "spans"),
    [
        ("", []),
        ("   ", []),
        ("a red house, by the sea: at 7:30", [("a red house, by the sea: at 7:30", 1)]),
        ("a (cat)", [("a ", 1), ("cat", 1.1)]),
        ("a ((cat)) b", [("a ", 1), ("cat", 1.21), (" b", 1)]),
        ("a [cat]", [("a ", 1), ("cat", 1 / 1.1)]),
        ("[[a]] b", [("a", 1 / 1.21), (" b", 1)]),
        ("(cat:1.3)", [("cat", 1.3)]),
        ("(cat : .5 ) dog", [("cat ", 0.5), (" dog", 1)]),
        ("(cat:+2)", [("cat", 2)]),
        ("(cat:-1.)", [("cat", -1)]),
        ("(cat:0)", [("cat", 0)]),
        ("((cat:1.2) dog)", [("cat", 1.32), (" dog", 1.1)]),
        ("(a [b] c:2)", [("a ", 2), ("b", 2 / 1.1), (" c", 2)]),
        ("(a [b) c]", [("a ", 1.1), ("b", 1), (" c", 1 / 1.1)]),
        ("[a:1.3]", [("a:1.3", 1 / 1.1)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("(a:b)", [("a:b", 1.1)]),
        (r"a \(b\) \[c\] \\ d", [(r"a (b) [c] \ d", 1)]),
        (r"(a \(b\):1.5)", [("a (b)", 1.5)]),
        (r"C:\new", [(r"C:\new", 1)]),
        ("(a b", [("a b", 1.1)]),
        ("x ((a b", [("x ", 1), ("a b", 1.21)]),
        ("a) b]", [("a) b]", 1)]),
        ("a:1.2) b", [("a:1.2) b", 1)]),
        ("a (b:1.0) c", [("a b c", 1)]),
        ("(((", []),
    ],
)
def test_how_much_the_words_count(prompt: str, spans: list[tuple[str, float]]) -> None:
    assert flat(prompt) == spans


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("a BREAK b", [["a "], [" b"]]),
        ("a\nBREAK\nb BREAK c", [["a\n"], ["\nb "], [" c"]]),
        ("BREAK a BREAK BREAK b BREAK", [[" a "], [" b "]]),
        ("BREAK", [[]]),
        ("a break b, BREAKFAST, BREAK_", [["a break b, BREAKFAST, BREAK_"]]),
        ("a (b BREAK c:1.5) d", [["a ", "b "], [" c", " d"]]),
    ],
)
def test_where_parts_begin(prompt: str, parts: list[list[str]]) -> None:
    assert [[span.text for span in part] for part in parse(prompt)] == parts


def test_a_weight_holds_across_parts() -> None:
    first, second = parse("(b BREAK c:1.5)")
    assert [span.weight for span in (*first, *second)] == [1.5, 1.5]


@pytest.mark.parametrize("prompt", ["(a:11)", "(a:-10.1)", "((a:4):3)", "(" * 25 + "a", f"(a:{'9' * 400})"])
def test_what_no_picture_could_bear_is_refused(prompt: str) -> None:
    with pytest.raises(ArmatureError, match="at most 10 times") as refusal:
        parse(prompt)
    assert refusal.value.code.name == "PROMPT_SYNTAX"
    assert refusal.value.todo


PARTNER = {")": "(", "]": "["}
FACTOR = {"(": 1.1, "[": 1 / 1.1}


def slowly(prompt: str) -> list[tuple[str, float]]:
    """Each letter with its weight: every bracket that closes goes over all that it holds once more."""
    letters: list[tuple[str, float]] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}

    def times(kind: str, factor: float) -> None:
        first = opened[kind].pop()
        letters[first:] = [(letter, weight * factor) for letter, weight in letters[first:]]

    place = 0
    while place < len(prompt):
        letter, rest = prompt[place], prompt[place:]
        weight = re.match(r":\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))\s*\)", rest)
        place += 1
        if letter == "\\" and rest[1:2] in tuple("()[]\\"):
            letters.append((rest[1], 1.0))
            place += 1
        elif letter in opened:
            opened[letter].append(len(letters))
        elif weight and opened["("]:
            times("(", float(weight[1]))
            place += len(weight[0]) - 1
        elif letter in PARTNER and opened[PARTNER[letter]]:
            times(PARTNER[letter], FACTOR[PARTNER[letter]])
        else:
            letters.append((letter, 1.0))
    for kind, factor in FACTOR.items():
        while opened[kind]:
            times(kind, factor)
    return letters


@given(st.text(LETTERS, max_size=40))
def test_it_is_what_a_slow_parser_finds(prompt: str) -> None:
    try:
        (part,) = parse(prompt)
    except ArmatureError:  # a product on the way may be too large where the whole is not
        return
    found = [(letter, span.weight) for span in part for letter in span.text]
    expected = slowly(prompt)
    if "".join(letter for letter, _ in expected).strip():
        spoken = [(letter, weight) for letter, weight in expected if not letter.isspace()]
        read = [pair for pair in found if not pair[0].isspace()]
        assert [letter for letter, _ in read] == [letter for letter, _ in spoken]
        assert [weight for _, weight in read] == pytest.approx([weight for _, weight in spoken])
    else:
        assert not found


@given(st.text(max_size=200))
def test_nothing_that_is_typed_breaks_it(prompt: str) -> None:
    try:
        parts = parse(prompt)
    except ArmatureError:
        return
    assert parts
    assert all(abs(span.weight) <= LARGEST_WEIGHT for part in parts for span in part)
    assert not set("".join(span.text for part in parts for span in part)) - set(prompt)


NASTY = [
    *(
        "(",
        "[",
        "([",
        "(a",
        "((a:1)",
        "(a:",
        ":",
        ": ",
        "\\",
        "\\(",
        "BREAK ",
        "[a:",
        "[a|",
        "(a BREAK ",
        " ",
    ),
    *("[a:b:", ":1", "[]", "(:1)", ")", "<lora:", "<lora:a", "<lora:a:", "<lora:a:1>"),
]


@pytest.mark.parametrize("piece", NASTY)
def test_work_grows_with_the_length_and_no_faster(piece: str) -> None:
    """Lines of Python are counted, which no other program on the machine can change."""
    assert lines_of(piece * 2000) < 2.5 * lines_of(piece * 1000) + 1000


def lines_of(prompt: str) -> int:
    """How many lines the parser runs for a prompt, refused or not."""
    count = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with suppress(ArmatureError):
            parse(prompt)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("piece", [*NASTY, "(a)", "[[a]]"])
def test_thousands_of_brackets_can_not_hang_it(piece: str) -> None:
    """A tenth of a second is the promise; the bound is ten times as wide, as a guard against hanging."""
    for prompt in (piece * (10_000 // len(piece) + 1), "(" * 5000 + piece + ")" * 5000):
        began = time.process_time()
        with suppress(ArmatureError):
            loras(prompt)
            parse(prompt)
        unread(prompt)
        assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("a [cat:dog:0.5]", "[cat:dog:0.5]"),
        ("[cow|horse] in a field", "[cow|horse]"),
        ("[cat: :12]", "[cat: :12]"),
        (r"a \[cat:dog:0.5\]", ""),
        ("a [cat] and (dog:1.5)", ""),
        ("[at 7:30:12 am]", ""),
    ],
)
def test_what_changes_along_the_way_elsewhere_is_told(prompt: str, told: str) -> None:
    notices = unread("", prompt)
    assert [f"“{told}”" in notice for notice in notices] == ([True] if told else [])


def test_prompts_that_are_mixed_elsewhere_are_told() -> None:
    (notice,) = unread("a cat AND a dog", "fog and rain")
    assert notice.startswith("“AND” is read as a word")
    assert not unread("sAND dunes", "ANDY", "a cat and a dog")


@pytest.mark.parametrize(
    ("prompt", "words_of_it", "found"),
    [
        ("a house", "a house", []),
        ("a <lora:ink:0.8> house", "a  house", [("ink", 0.8)]),
        ("<LoRA:Ink v1.2 (soft)> a", " a", [("Ink v1.2 (soft)", 1)]),
        ("<lora:ink:><lora: oil :-.5>", "", [("ink", 1), ("oil", -0.5)]),
        ("<lora:ink:1> a <lora:oil:2> b <lora:ink:0.5>", " a  b ", [("ink", 1.5), ("oil", 2)]),
        ("<lyco:ink:1>", "", [("ink", 1)]),
        ("a < b > c, <lora>, <lora:>, <3", "a < b > c, <lora>, <lora:>, <3", []),
    ],
)
def test_tags_are_loras_and_no_words(prompt: str, words_of_it: str, found: list[tuple[str, float]]) -> None:
    assert words(prompt) == words_of_it
    assert dict(loras(prompt)) == pytest.approx(dict(found))
    assert parse(prompt) == parse(words_of_it)


@pytest.mark.parametrize(
    "tag", ["<lora:ink:much>", "<lora:ink:1:0.5>", "<lora:ink:te=1>", "<hypernet:ink:1>"]
)
def test_a_tag_that_means_more_than_is_done_here_is_refused(tag: str) -> None:
    with pytest.raises(ArmatureError, match=re.escape(tag)) as refusal:
        loras(f"a {tag} house")
    assert refusal.value.code.name == "PROMPT_SYNTAX"


def test_a_prompt_is_written_with_the_tags_that_it_lacks() -> None:
    asked = (("ink", 0.8), ("oil", 1 / 3))
    prompt = tagged("a <lora:ink:.8> house", asked)
    assert prompt == "a <lora:ink:.8> house <lora:oil:0.3333333333>"
    assert tagged(prompt, asked) == prompt
    assert tagged("", (("ink", 1.0),)) == "<lora:ink:1>"
    assert tagged("a house", ()) == "a house"
