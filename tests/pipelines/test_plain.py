"""Plain data becomes an entry by the types of its fields, or is refused by its place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest

from errors import ArmatureError
from params import Value
from pipelines.request.plain import entry_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    weight: float
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    name: str
    inner: tuple[Inner, ...] = ()
    pairs: tuple[tuple[str, float], ...] = ()
    mode: Literal["soft", "hard"] = "soft"
    count: int = 1
    switch: bool = False
    maybe: float | None = None


def test_every_kind_of_field_is_read() -> None:
    data = {
        "name": "a",
        "inner": [{"weight": 1, "values": {"i": 1, "f": 1.5, "b": True, "s": "x"}}, {"weight": 0.5}],
        "pairs": [["ink", 1], ["wash", 0.5]],
        "mode": "hard",
        "count": 3,
        "switch": True,
        "maybe": 2,
    }
    entry = entry_of(Outer, data)
    values: dict[str, Value] = {"i": 1, "f": 1.5, "b": True, "s": "x"}
    assert entry == Outer(
        name="a",
        inner=(Inner(weight=1.0, values=values), Inner(weight=0.5)),
        pairs=(("ink", 1.0), ("wash", 0.5)),
        mode="hard",
        count=3,
        switch=True,
        maybe=2.0,
    )
    assert [type(value) for value in entry.inner[0].values.values()] == [int, float, bool, str]
    assert isinstance(entry.inner[0].weight, float)
    assert isinstance(entry.pairs[0][1], float)


def test_what_is_left_out_has_its_default() -> None:
    assert entry_of(Outer, {"name": "a"}) == Outer(name="a")
    assert entry_of(Outer, {"name": "a", "maybe": None}).maybe is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "all of them is of type NoneType; allowed: an object"),
        ([], "all of them is of type list"),
        ({}, "no name"),
        ({"name": "a", "more": 1}, "'more' in them"),
        ({"name": 1}, "name is of type int; allowed: str"),
        ({"name": "a", "count": 1.0}, "count is of type float; allowed: int"),
        ({"name": "a", "count": True}, "count is of type bool"),
        ({"name": "a", "switch": 1}, "switch is of type int; allowed: bool"),
        ({"name": "a", "maybe": "1"}, "maybe is of type str"),
        ({"name": "a", "maybe": True}, "maybe is of type bool"),
        ({"name": "a", "maybe": 2**60}, "maybe is of type int"),
        ({"name": "a", "mode": "other"}, "mode is of type str; allowed: one of soft, hard"),
        ({"name": "a", "mode": ["soft"]}, "mode is of type list"),
        ({"name": "a", "inner": {}}, "inner is of type dict; allowed: a list"),
        ({"name": "a", "inner": [{"weight": 1}, {"weight": "1"}]}, "inner[1].weight is of type str"),
        ({"name": "a", "inner": [{"weight": 1, "x": 1}]}, "'x' in inner[0]"),
        ({"name": "a", "inner": [{"weight": 1, "values": [1]}]}, "inner[0].values is of type list"),
        ({"name": "a", "inner": [{"weight": 1, "values": {"v": None}}]}, "inner[0].values.v is of type"),
        ({"name": "a", "pairs": [["ink"]]}, "pairs[0] is of type list; allowed: a list of 2"),
        ({"name": "a", "pairs": ["ink"]}, "pairs[0] is of type str"),
    ],
)
def test_what_does_not_fit_is_named(data: object, words: str) -> None:
    with pytest.raises(ArmatureError) as refusal:
        entry_of(Outer, data)
    assert refusal.value.code.name == "META_INVALID"
    assert words in refusal.value.message
    assert len(refusal.value.message) < 400


def test_a_name_without_end_is_not_written_out() -> None:
    with pytest.raises(ArmatureError) as refusal:
        entry_of(Outer, {"name": "a", "x" * 10_000: 1})
    assert len(refusal.value.message) < 400
