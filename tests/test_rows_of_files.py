"""The rows of the table of bad inputs that are about model files, the Hub and the disk: a test for each.

Most tests carry the number of their row in their name; the others are named here, so that a row whose test
goes is missed.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROWS: dict[int, str] = {
    76: "cut off by 100 bytes, by 4, or empty",
    77: "headers of any length, without sense, or with overlaps",
    78: "a bit that has turned in a file that is known",
    79: "numbers that are none",
    80: "a web page, or a pointer of Git LFS",
    81: "code in a pickle",
    82: "an archive with altered flags, two pickles of one name, or 7z",
    83: "a pickle under the name of safetensors, and the other way round",
    84: "a VAE or a LoRA in the place of a control",
    85: "a control for Stable Diffusion XL",
    86: "a control for Stable Diffusion 2",
    87: "tensors that are missing, or too many",
    88: "other number formats",
    89: "tensors of no size, or another rank",
    90: "a control that follows no picture of three channels",
    91: "more than the memory holds",
    92: "replaced or removed while it is used",
    93: "a link to somewhere else",
    94: "two who want the same model",
    95: "names that are none, gated, not there, or moved",
    96: "no connection, and all is here",
    97: "no connection, and something is missing",
    98: "a body that breaks off, once or several times",
    99: "the right size, the wrong bytes",
    100: "busy, down, in a circle, or a portal",
    101: "killed in the middle of a download",
    102: "two programs that fetch the same file",
    103: "a full disk",
    104: "a folder of weights that can't be written",
    105: "a folder of results that can't be written",
    106: "a job book that is locked, damaged, or newer",
}
# Tests that are named for what they say, where a row is one case of several.
ELSEWHERE: dict[int, tuple[str, ...]] = {
    78: (
        "test_verifying_finds_damage_and_fetching_again_mends_it",
        "test_verifying_reads_every_file_to_its_end",
    ),
    91: ("test_what_can_never_fit_is_refused_in_words",),
    94: ("test_twenty_users_of_one_key_load_it_once",),
    95: ("test_a_name_that_is_none_is_refused", "test_a_refusal_says_why", "test_bytes_come_whole"),
    96: ("test_what_is_here_is_not_fetched_and_nobody_is_asked", "test_nothing_leaves_the_machine"),
    97: ("test_the_promise_is_ten_seconds", "test_a_hub_out_of_reach_says_where_each_file_goes"),
    98: (
        "test_a_body_that_breaks_off_is_taken_up_where_it_broke",
        "test_a_connection_that_breaks_several_times_is_no_trouble",
        "test_a_body_that_never_goes_on_is_partial",
    ),
    99: ("test_wrong_bytes_are_refused_and_the_old_file_stays",),
    100: ("test_a_refusal_says_why", "test_what_passes_is_tried_again"),
    101: ("test_a_program_that_is_ended_leaves_a_part_that_the_next_one_takes_up",),
    102: ("test_another_program_that_fetches_is_waited_for",),
    103: (
        "test_a_disk_without_room_is_said_before_anything_comes",
        "test_a_full_disk_under_the_book_refuses_and_fails_with_its_code",
    ),
    106: (
        "test_a_broken_file_is_put_aside_and_a_new_book_begins",
        "test_a_newer_book_is_refused_and_untouched",
    ),
}
NUMBERED = re.compile(r"test_rows?_(\d+)(?:_and_(\d+))?_")


def names() -> Iterator[str]:
    """The names of all tests there are."""
    for path in TESTS.rglob("test_*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                yield node.name


@pytest.fixture(scope="module")
def known() -> frozenset[str]:
    """The same, once."""
    return frozenset(names())


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_a_test(row: int, known: frozenset[str]) -> None:
    assert known >= set(ELSEWHERE.get(row, ())), ROWS[row]
    numbered = {int(one) for name in known if (m := NUMBERED.match(name)) for one in m.groups() if one}
    assert row in numbered or row in ELSEWHERE, ROWS[row]
