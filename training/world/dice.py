"""Chance for recipes: everything drawn from one seed, by arithmetic that every Python has alike."""

import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Draws of one seed. Of Python's generator only `random()` is used, which is to stay as it is."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed).random

    def between(self, low: float, high: float) -> float:
        """A number from low to high."""
        return low + (high - low) * self._draw()

    def about(self, middle: float, spread: float) -> float:
        """A number near the middle, `spread` away at most."""
        return middle + spread * (2.0 * self._draw() - 1.0)

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int((high - low + 1) * self._draw())

    def chance(self, share: float) -> bool:
        """True in this share of draws."""
        return self._draw() < share

    def sign(self) -> float:
        """-1 or 1."""
        return 1.0 if self._draw() < 0.5 else -1.0

    def pick(self, things: Sequence[T]) -> T:
        """One of the things."""
        return things[int(len(things) * self._draw())]

    def weighted(self, shares: Mapping[T, float]) -> T:
        """One of the keys, as often as its share says."""
        left = sum(shares.values()) * self._draw()
        for thing, share in shares.items():
            left -= share
            if left < 0:
                return thing
        return thing

    def some(self, things: Sequence[T], count: int) -> list[T]:
        """So many different ones of the things, in any order."""
        left = list(things)
        return [left.pop(int(len(left) * self._draw())) for _ in range(min(count, len(left)))]
