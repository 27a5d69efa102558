"""One declaration of a control gives its checks, its parsing, its schema and its words."""

import math
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import PARAM_CHOICE, PARAM_RANGE, PARAM_TYPE, ArmatureError, Code
from params import JSON_TYPES, PYTHON_TYPES, Kind, Param


def make(kind: Kind, default: Any, **more: Any) -> Param:
    return Param(name="value", label="Value", kind=kind, default=default, help="What it does.", **more)


# A machine that is busy is slow, and that is no failure.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

INTEGER = make("integer", 20, minimum=1, maximum=150, step=1)
NUMBER = make("number", 1.0, minimum=-0.5, maximum=2, step=0.05)
SWITCH = make("switch", False)
CHOICE = make("choice", "first", choices=("first", "second"))
TEXT = make("text", "", length=10)
EACH = [INTEGER, NUMBER, SWITCH, CHOICE, TEXT]


def by_kind(param: object) -> str:
    if isinstance(param, Param):
        return param.kind
    if isinstance(param, int) and abs(param) > 10**40:
        return "huge"
    return repr(param)[:30].partition(" at 0x")[0]  # an address would be another in each process


def refused(param: Param, value: object, code: Code) -> ArmatureError:
    with pytest.raises(ArmatureError) as caught:
        param.check(value)
    assert caught.value.code is code
    assert caught.value.what == "Value can't be taken"
    assert caught.value.allowed == param.allowed
    assert caught.value.todo == "Change value"
    assert len(caught.value.found) <= 80
    return caught.value


def test_every_kind_is_here() -> None:
    assert [param.kind for param in EACH] == list(get_args(Kind)) == list(PYTHON_TYPES) == list(JSON_TYPES)


@pytest.mark.parametrize("param", EACH, ids=by_kind)
def test_the_default_is_taken_and_has_the_type_of_its_kind(param: Param) -> None:
    assert param.check(param.default) == param.default
    assert type(param.check(param.default)) is PYTHON_TYPES[param.kind]


@pytest.mark.parametrize(
    ("param", "value", "checked"),
    [
        (INTEGER, 1, 1),
        (INTEGER, 150, 150),
        (INTEGER, 20.0, 20),
        (NUMBER, 1, 1.0),
        (NUMBER, -0.5, -0.5),
        (NUMBER, 2, 2.0),
        (NUMBER, 0.123, 0.123),  # the step belongs to the widget
        (SWITCH, True, True),
        (CHOICE, "second", "second"),
        (TEXT, "0123456789", "0123456789"),
    ],
)
def test_values_that_are_taken(param: Param, value: object, checked: object) -> None:
    assert param.check(value) == checked
    assert type(param.check(value)) is type(checked)


@pytest.mark.parametrize("value", [True, False, "20", None, [], {}, b"1", 1j, object()], ids=by_kind)
@pytest.mark.parametrize("param", [INTEGER, NUMBER], ids=by_kind)
def test_what_is_no_number(param: Param, value: object) -> None:
    refused(param, value, PARAM_TYPE)


@pytest.mark.parametrize(
    "value", [-1, 151, 10**5000, -(10**5000), math.nan, math.inf, -math.inf, 1e308], ids=by_kind
)
@pytest.mark.parametrize("param", [INTEGER, NUMBER], ids=by_kind)
def test_what_is_out_of_bounds(param: Param, value: float) -> None:
    refused(param, value, PARAM_RANGE)


def test_no_silent_rounding() -> None:
    assert refused(INTEGER, 20.7, PARAM_TYPE).found == "20.7"


@pytest.mark.parametrize("value", [0, 1, "true", None, [True]])
def test_what_is_no_switch(value: object) -> None:
    refused(SWITCH, value, PARAM_TYPE)


@pytest.mark.parametrize(
    "value", ["third", "First", "", "first ", 0, None, ["first"], ("first",), {"first": 1}]
)
def test_what_is_no_choice(value: object) -> None:
    assert refused(CHOICE, value, PARAM_CHOICE).allowed == "one of first, second"


def test_what_is_no_text() -> None:
    for value in (None, 5, b"text", ["text"]):
        refused(TEXT, value, PARAM_TYPE)
    assert refused(TEXT, "a" * 11, PARAM_RANGE).found == "'aaaaaaaaaaa'"
    assert make("text", "").check("a" * 100_000) == "a" * 100_000


def test_a_refusal_is_short_whatever_was_given() -> None:
    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]
    assert refused(INTEGER, deep, PARAM_TYPE).found == "a value of type list"
    assert refused(INTEGER, [10**5000], PARAM_TYPE).found == "a value of type list"
    assert refused(INTEGER, 10**5000, PARAM_RANGE).found == "a number of more than 40 digits"
    assert refused(CHOICE, "x" * 10**6, PARAM_CHOICE).found.startswith("1000000 characters")
    assert "\n" not in refused(CHOICE, "a\nb", PARAM_CHOICE).message


@pytest.mark.parametrize(
    ("param", "allowed"),
    [
        (INTEGER, "a whole number from 1 to 150"),
        (make("integer", 0, minimum=-1, maximum=2**32 - 1), "a whole number from -1 to 4294967295"),
        (NUMBER, "a number from -0.5 to 2"),
        (SWITCH, "true or false"),
        (TEXT, "text of at most 10 characters"),
        (make("text", ""), "text"),
    ],
)
def test_what_is_allowed_in_words(param: Param, allowed: str) -> None:
    assert param.allowed == allowed


# Declarations


@pytest.mark.parametrize(
    ("kind", "default", "more"),
    [
        ("integer", 0, {"minimum": 1, "maximum": 2}),
        ("integer", 1.5, {"minimum": 1, "maximum": 2}),
        ("number", math.nan, {"minimum": 1, "maximum": 2}),
        ("number", 1.0, {}),
        ("number", 1.0, {"minimum": 0}),
        ("integer", 1, {"maximum": 2}),
        ("choice", "third", {"choices": ("first", "second")}),
        ("choice", "", {}),
        ("switch", 1, {}),
        ("text", "too long", {"length": 3}),
    ],
)
def test_a_declaration_that_makes_no_sense(kind: Kind, default: object, more: dict[str, Any]) -> None:
    with pytest.raises((AssertionError, ArmatureError)):
        make(kind, default, **more)


def test_a_name_is_an_identifier() -> None:
    with pytest.raises(AssertionError):
        Param(name="two words", label="", kind="switch", default=True, help="")


# The command line


@pytest.mark.parametrize(
    ("param", "text", "value"),
    [
        (INTEGER, "20", 20),
        (NUMBER, "1", 1.0),
        (NUMBER, "-.5", -0.5),
        (SWITCH, "true", True),
        (SWITCH, "ON", True),
        (SWITCH, "1", True),
        (SWITCH, "False", False),
        (SWITCH, "off", False),
        (SWITCH, "0", False),
        (CHOICE, "second", "second"),
        (TEXT, "20", "20"),
    ],
)
def test_what_a_command_line_means(param: Param, text: str, value: object) -> None:
    assert param.parse(text) == value
    assert type(param.parse(text)) is type(value)


@pytest.mark.parametrize(
    ("param", "text", "code"),
    [
        (INTEGER, "20.0", PARAM_TYPE),
        (INTEGER, "", PARAM_TYPE),
        (INTEGER, "9" * 5000, PARAM_TYPE),
        (INTEGER, "0", PARAM_RANGE),
        (NUMBER, "much", PARAM_TYPE),
        (NUMBER, "nan", PARAM_RANGE),
        (NUMBER, "-inf", PARAM_RANGE),
        (NUMBER, "1e999", PARAM_RANGE),
        (SWITCH, "maybe", PARAM_TYPE),
        (CHOICE, "third", PARAM_CHOICE),
        (TEXT, "a" * 11, PARAM_RANGE),
    ],
)
def test_what_a_command_line_can_not_mean(param: Param, text: str, code: Code) -> None:
    with pytest.raises(ArmatureError) as caught:
        param.parse(text)
    assert caught.value.code is code


@CALM
@given(st.integers(1, 150))
def test_an_integer_is_read_as_it_is_written(value: int) -> None:
    assert INTEGER.parse(str(value)) == INTEGER.check(value) == value


@CALM
@given(st.floats(-0.5, 2))
def test_a_number_is_read_as_it_is_written(value: float) -> None:
    assert NUMBER.parse(repr(value)) == NUMBER.check(value) == value


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@CALM
@given(st.sampled_from(EACH), ANYTHING)
def test_anything_is_taken_in_bounds_or_refused(param: Param, value: object) -> None:
    refusal = None
    try:
        checked = param.check(value)
    except ArmatureError as error:
        refusal = error
    if refusal is not None:
        assert refusal.code in (PARAM_TYPE, PARAM_RANGE, PARAM_CHOICE)
        assert len(refusal.found) <= 80
        return
    assert type(checked) is PYTHON_TYPES[param.kind]
    assert param.check(checked) == checked
    if isinstance(checked, int | float) and param.kind != "switch":
        assert param.minimum is not None
        assert param.maximum is not None
        assert param.minimum <= checked <= param.maximum


# The schema


@pytest.mark.parametrize(
    ("param", "entry"),
    [
        (INTEGER, {"type": "integer", "default": 20, "minimum": 1, "maximum": 150, "multipleOf": 1}),
        (NUMBER, {"type": "number", "default": 1.0, "minimum": -0.5, "maximum": 2}),
        (SWITCH, {"type": "boolean", "default": False}),
        (CHOICE, {"type": "string", "default": "first", "enum": ["first", "second"]}),
        (TEXT, {"type": "string", "default": "", "maxLength": 10}),
    ],
    ids=by_kind,
)
def test_the_schema_says_what_is_checked(param: Param, entry: dict[str, object]) -> None:
    assert param.schema() == {"title": "Value", "description": "What it does.", **entry}
