"""Lists in JSON lines and texts in files: what is wrong is told by line, and no name leads elsewhere."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import ArmatureError
from gate import LIMITS, Record, name_inside, read_records, read_text
from tests.gate.made import CALM

LIMIT = LIMITS["local"]


def records(tmp_path: Path, data: bytes) -> list[Record]:
    path = tmp_path / "list.jsonl"
    path.write_bytes(data)
    return list(read_records(path, LIMIT))


def test_every_line_is_a_record(tmp_path: Path) -> None:
    found = records(tmp_path, '{"a": 1}\n{"b": "ä"}\n'.encode())
    assert found == [Record(1, {"a": 1}), Record(2, {"b": "ä"})]


def test_the_last_line_needs_no_end_and_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    assert records(tmp_path, b'{"a": 1}') == [Record(1, {"a": 1})]
    assert records(tmp_path, b"") == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'\xef\xbb\xbf{"a": 1}\n', "byte order mark"),
        (b'{"a": 1}\r\n', "carriage return"),
        (b"\n", "not JSON"),
        (b'{"a": 1\n', "not JSON"),
        (b'{"a": "\xff"}\n', "not JSON"),
        (b'{"a": 1, "a": 2}\n', "twice"),
        (b'{"a": NaN}\n', "NaN"),
        (b"[1]\n", "list"),
        (b"3\n", "int"),
        (b"[" * 100 + b"]" * 100 + b"\n", "levels"),
    ],
)
def test_a_line_that_can_not_be_taken_says_why_and_others_follow(
    tmp_path: Path, line: bytes, fault: str
) -> None:
    first, second = records(tmp_path, line + b'{"a": 1}\n')
    assert fault in first.fault
    assert second == Record(2, {"a": 1})


def test_a_line_of_any_length_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "list.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": "' + b"x" * 1000 + b'"}\n')
    first, second = read_records(path, replace(LIMIT, json_bytes=100))
    assert (first.fault, second.line) == ("", 2)
    assert "bytes" in second.fault


@CALM
@given(st.binary(max_size=200))
def test_no_bytes_break_it(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(data)
    found = list(read_records(path, LIMIT))
    assert [record.line for record in found] == list(range(1, len(found) + 1))
    assert len(found) == data.count(b"\n") + (not data.endswith(b"\n") and data != b"")


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArmatureError, match="INPUT_GONE"):
        list(read_records(tmp_path / "gone.jsonl", LIMIT))
    with pytest.raises(ArmatureError, match="INPUT_GONE"):
        list(read_records(tmp_path, LIMIT))


@pytest.mark.parametrize(
    ("name", "place"),
    [("a.png", "a.png"), ("./source/a b.png", "source/a b.png"), ("a//b.png", "a/b.png"), ("..a", "..a")],
)
def test_a_name_is_a_place_below_the_folder(name: str, place: str) -> None:
    assert name_inside(name) == place


@pytest.mark.parametrize(
    "name",
    ["", " ", None, 3, "/etc/passwd", "../a.png", "a/../../b.png", "C:/a.png", "c:a.png", "a\\b.png", "a\0"],
)
def test_a_name_that_could_lead_elsewhere_is_refused(name: object) -> None:
    with pytest.raises(ArmatureError, match="INPUT_SOURCE"):
        name_inside(name)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b" a red house\n", "a red house"),
        (b"\xef\xbb\xbfwith a mark\r\nof Windows\r\n", "with a mark\nof Windows"),
        ("fünf".encode(), "fünf"),
        (b"", ""),
        (b"a\0b\x07c", "abc"),
    ],
)
def test_a_text_is_cleaned(tmp_path: Path, data: bytes, text: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    assert read_text(path, LIMIT, label="The caption") == text


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff\xfe\0a", "PARAM_TYPE"),
        (b"caf\xe9", "PARAM_TYPE"),
        ("ä".encode() * 8001, "PROMPT_TOO_LONG"),
        (b"x" + "𝒳".encode() * 10_000, "PROMPT_TOO_LONG"),
    ],
)
def test_a_text_that_can_not_be_taken_is_refused(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    with pytest.raises(ArmatureError, match=code):
        read_text(path, LIMIT, label="The caption")


def test_a_text_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArmatureError, match=r"INPUT_GONE.*a\.txt"):
        read_text(tmp_path / "a.txt", LIMIT, label="The caption")
