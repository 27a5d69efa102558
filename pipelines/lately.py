"""What was made lately, by what it was made of: so that the same is not made twice."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

V = TypeVar("V")


@dataclass(slots=True)
class _Place(Generic[V]):
    """One thing, or none yet; whoever holds the turn is making it."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    things: list[V] = field(default_factory=list)
    weight: int = 0


class Lately(Generic[V]):
    """Things by key, as many as there is room for, the longest unused going first; the newest always stays.

    Whoever asks for what somebody else is making waits for it. What could not be made is nowhere kept.
    """

    def __init__(self, room: int, weigh: Callable[[V], int] = lambda thing: 1) -> None:
        """`room` is the sum of all weights, each above zero; without `weigh` it is a number of things."""
        self._room = room
        self._weigh = weigh
        self._places: dict[str, _Place[V]] = {}  # the latest last
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], V], *, holds: Callable[[V], bool] = lambda thing: True) -> V:
        """The thing of that key; made when it is not there, or `holds` no more."""
        with self._lock:
            place = self._places.pop(key, None) or _Place()
            self._places[key] = place
        with place.turn:
            if not (place.things and holds(place.things[0])):
                place.things, place.weight = [], 0
                try:
                    place.things = [make()]
                    place.weight = self._weigh(place.things[0])
                finally:
                    if not place.weight:
                        self._forget(key, place)
            thing = place.things[0]
        self._make_room()
        return thing

    def _forget(self, key: str, place: _Place[V]) -> None:
        with self._lock:
            if self._places.get(key) is place:
                del self._places[key]

    def _make_room(self) -> None:
        with self._lock:
            weight = sum(place.weight for place in self._places.values())
            for key in list(self._places)[:-1]:
                if weight <= self._room:
                    return
                weight -= self._places.pop(key).weight
