"""The client of the Hub against one on loopback: what it is told, what it reads, and how it refuses."""

import hashlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from errors import ArmatureError
from models.hub import Announced, Hub, Tally
from tests.fake_hub import COMMIT, FakeHub, Fault, fake_hub, git_checksum, sha256
from tests.serving import free_port

REPO = "ada/nets"
LARGE, SMALL = "net.pth", "sub dir/config.json"
BYTES = bytes(range(256)) * 2000


@pytest.fixture
def far() -> Iterator[FakeHub]:
    """The Hub on the other side, with a large file and a small one."""
    with fake_hub() as hub:
        hub.add(REPO, LARGE, BYTES)
        hub.add(REPO, SMALL, b'{"a": 1}')
        yield hub


@pytest.fixture
def hub(far: FakeHub) -> Hub:
    """Ours, which loses no time between its tries."""
    return Hub(endpoint=far.url, pauses=(0.0, 0.0, 0.0), patience=20.0)


def told(hub: Hub, path: str = LARGE, revision: str = "main") -> Announced:
    with hub.connected() as connection:
        return connection.announced(REPO, path, revision)


def read(hub: Hub, file: Announced, start: int = 0) -> tuple[bytes, list[int]]:
    """The bytes of a file, and where it began anew."""
    content, begun = bytearray(BYTES[:start]), []
    with hub.connected() as connection:
        for place, chunk in connection.chunks(file, start):
            if place != len(content):
                begun.append(place)
                content.clear()
            content += chunk
    return bytes(content), begun


def refusal(hub: Hub, path: str = LARGE) -> ArmatureError:
    with pytest.raises(ArmatureError) as refused:
        read(hub, told(hub, path))
    return refused.value


def test_a_large_file_is_announced_with_its_sha256(hub: Hub) -> None:
    file = told(hub)
    assert (file.commit, file.size, file.sha256) == (COMMIT, len(BYTES), sha256(BYTES))


def test_a_small_file_is_announced_with_what_git_calls_it(hub: Hub) -> None:
    file = told(hub, SMALL)
    assert (file.commit, file.size, file.sha256) == (COMMIT, 8, "")
    assert file.checksum == git_checksum(b'{"a": 1}')


def test_what_git_calls_a_file_is_what_git_says(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BYTES)
    said = subprocess.run(
        ["git", "hash-object", tmp_path / "file"], capture_output=True, text=True, check=True
    )
    assert git_checksum(BYTES) == said.stdout.strip()


@pytest.mark.parametrize("path", [LARGE, SMALL])
def test_bytes_come_whole(path: str, hub: Hub, far: FakeHub) -> None:
    file = told(hub, path)
    content, begun = read(hub, file)
    assert (content, begun) == (far.files[f"{REPO}/{path}"], [])
    assert len(far.bodies(path)) == 1


@pytest.mark.parametrize("start", [1, 12345, len(BYTES) - 1])
def test_bytes_come_from_any_place_on(start: int, hub: Hub, far: FakeHub) -> None:
    content, begun = read(hub, told(hub), start)
    assert (content, begun) == (BYTES, [])
    assert [one.range for one in far.bodies()] == [f"bytes={start}-"]


def test_what_is_here_already_is_not_asked_for(hub: Hub, far: FakeHub) -> None:
    assert read(hub, told(hub), len(BYTES))[0] == BYTES
    assert far.bodies() == []


def test_a_body_that_breaks_off_is_taken_up_where_it_broke(hub: Hub, far: FakeHub) -> None:
    far.fail(LARGE, "breaks", 5)
    content, begun = read(hub, told(hub))
    assert (content, begun) == (BYTES, [])
    starts = [int(one.range.removeprefix("bytes=").rstrip("-") or 0) for one in far.bodies()]
    assert len(starts) == 6
    assert starts == sorted(set(starts))


def test_a_server_that_knows_no_ranges_begins_anew(hub: Hub, far: FakeHub) -> None:
    far.fail(LARGE, "no range")
    assert read(hub, told(hub), 1000) == (BYTES, [0])


def test_a_beginning_that_is_too_long_for_the_file_is_begun_anew(hub: Hub, far: FakeHub) -> None:
    file = told(hub)
    far.add(REPO, LARGE, BYTES[:1000])
    with pytest.raises(ArmatureError, match="HUB_PARTIAL"):
        read(hub, file, 2000)
    assert "" in {one.range for one in far.bodies()}


def test_a_body_that_never_goes_on_is_partial(hub: Hub, far: FakeHub) -> None:
    file = told(hub)
    far.add(REPO, LARGE, BYTES[:-1])
    with pytest.raises(ArmatureError) as refused:
        read(hub, replace(file, size=len(BYTES)))
    assert refused.value.code.name == "HUB_PARTIAL"
    assert f"of {len(BYTES)} bytes" in refused.value.message


def test_more_than_was_announced_is_refused(hub: Hub, far: FakeHub) -> None:
    far.fail(LARGE, "long")
    assert refusal(hub).code.name == "HUB_INTEGRITY"


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("not there", "HUB_NOT_FOUND", "404 EntryNotFound"),
        ("gated", "HUB_GATED", "your token in HF_TOKEN"),
        ("busy", "HUB_UNREACHABLE", "it answers 429"),
        ("down", "HUB_UNREACHABLE", "it answers 503"),
        ("loop", "HUB_UNREACHABLE", "without end"),
        ("portal", "HUB_UNREACHABLE", "something else answers in its place"),
    ],
)
def test_a_refusal_says_why(fault: Fault, code: str, words: str, hub: Hub, far: FakeHub) -> None:
    far.fail(LARGE, fault)
    error = refusal(hub)
    assert error.code.name == code
    assert words in error.message
    assert far.bodies() == []


@pytest.mark.parametrize(("fault", "times"), [("busy", 2), ("down", 2)])
def test_what_passes_is_tried_again(fault: Fault, times: int, hub: Hub, far: FakeHub) -> None:
    far.fail(LARGE, fault, times)
    assert told(hub).size == len(BYTES)
    assert len(far.asked) == times + 1


def test_a_hub_that_wants_time_is_given_it(hub: Hub, far: FakeHub) -> None:
    far.retry_after = "1"
    far.fail(LARGE, "busy", 1)
    began = time.monotonic()
    told(hub)
    assert time.monotonic() - began >= 1


def test_a_hub_that_wants_more_time_than_anybody_has_is_out_of_reach_at_once(hub: Hub, far: FakeHub) -> None:
    far.retry_after = "3600"
    far.fail(LARGE, "busy")
    assert "wants 3600 s until the next try" in refusal(hub).message
    assert len(far.asked) == 1


def test_a_hub_that_says_nothing_is_out_of_reach_in_time(hub: Hub, far: FakeHub) -> None:
    far.fail(LARGE, "hangs")
    began = time.monotonic()
    error = refusal(replace(hub, patience=0.3))
    assert time.monotonic() - began < 3
    assert (error.code.name, "no answer in 0.3 s" in error.message) == ("HUB_UNREACHABLE", True)


def test_the_promise_is_ten_seconds() -> None:
    assert Hub().patience < 10
    assert sum(Hub().pauses) < Hub().patience


def test_nobody_at_the_address_is_out_of_reach() -> None:
    error = refusal(Hub(endpoint=f"http://127.0.0.1:{free_port()}", pauses=(0.0,)))
    assert error.code.name == "HUB_UNREACHABLE"
    assert "refused" in error.message


@pytest.mark.parametrize("endpoint", ["http://", "nonsense", "ftp://127.0.0.1/"])
def test_an_address_that_is_none_is_out_of_reach(endpoint: str) -> None:
    assert refusal(Hub(endpoint=endpoint, pauses=(0.0,))).code.name == "HUB_UNREACHABLE"


def test_the_users_own_wish_to_stay_offline_is_kept(hub: Hub, far: FakeHub) -> None:
    error = refusal(replace(hub, offline=True))
    assert error.code.name == "HUB_UNREACHABLE"
    assert "HF_HUB_OFFLINE is set" in error.message
    assert far.asked == []


def test_a_token_goes_to_the_hub_and_to_nobody_else(hub: Hub, far: FakeHub) -> None:
    hub = replace(hub, token="hf_secret")
    read(hub, told(hub))
    assert {one.token for one in far.asked if "/resolve/" in one.path} == {"Bearer hf_secret"}
    assert {one.token for one in far.asked if one.path.startswith("cdn/")} == {""}
    assert "hf_secret" not in repr(hub)


def test_a_file_without_a_checksum_is_refused(
    hub: Hub, far: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fake_hub.sha256", lambda content: "none of the known kinds")
    assert refusal(hub).code.name == "HUB_INTEGRITY"


def test_the_tally_knows_the_right_bytes_from_wrong_ones(hub: Hub) -> None:
    for path, content in ((LARGE, BYTES), (SMALL, b'{"a": 1}')):
        file = told(hub, path)
        for given, right in ((content, True), (content[:-1], False), (content[:-1] + b"x", False)):
            tally = Tally(file)
            tally.add(given[:5])
            tally.add(given[5:])
            assert tally.is_right is right
            assert tally.sha256 == hashlib.sha256(given).hexdigest()
