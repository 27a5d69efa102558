"""What was made lately: made once, also for many at once, bounded, and never kept when it failed."""

import threading
from collections.abc import Callable

import pytest

from pipelines.lately import Lately


class Maker:
    """Makes a text, and counts how often."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, text: str) -> Callable[[], str]:
        def make() -> str:
            self.made.append(text)
            return text

        return make


@pytest.fixture
def maker() -> Maker:
    return Maker()


def test_the_same_is_made_once(maker: Maker) -> None:
    lately = Lately[str](10)
    assert [lately.get("a", maker("a")) for _ in range(3)] == ["a"] * 3
    assert maker.made == ["a"]


def test_the_longest_unused_goes_first_and_the_newest_stays(maker: Maker) -> None:
    lately = Lately[str](2)
    for key in ("a", "b", "a", "c", "a", "b"):
        lately.get(key, maker(key))
    assert maker.made == ["a", "b", "c", "b"], "b was the longest unused when c came"


def test_room_is_what_things_weigh(maker: Maker) -> None:
    lately = Lately[str](10, len)
    for text in ("six..6", "four", "huge.............", "six..6", "four"):
        lately.get(text, maker(text))
    assert maker.made == ["six..6", "four", "huge.............", "six..6", "four"]
    assert lately.get("four", maker("four")) == "four"
    assert len(maker.made) == 5


def test_what_holds_no_more_is_made_again(maker: Maker) -> None:
    lately = Lately[str](2)
    lately.get("a", maker("a"), holds=lambda thing: True)
    lately.get("a", maker("a"), holds=lambda thing: False)
    assert maker.made == ["a", "a"]


def test_what_failed_is_tried_again(maker: Maker) -> None:
    lately = Lately[str](2)

    def fail() -> str:
        raise ValueError("not now")

    for _ in range(2):
        with pytest.raises(ValueError, match="not now"):
            lately.get("a", fail)
    assert lately.get("a", maker("a")) == "a"


def test_many_at_once_wait_for_the_first_and_others_do_not(maker: Maker) -> None:
    lately = Lately[str](10)
    begun, go = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert go.wait(20)
        return maker("a")()

    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(lately.get("a", slow))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert begun.wait(20)
    assert lately.get("b", maker("b")) == "b", "nobody else waits"
    go.set()
    for thread in threads:
        thread.join(20)
    assert answers == ["a"] * 8
    assert maker.made == ["b", "a"]
