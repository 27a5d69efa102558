"""Chance that follows from the place in a run: the same sample of the same step draws the same, always.

Nothing here keeps a state. So a run that goes on draws what it would have drawn, and so do two devices that
share a batch. `words` say what is drawn, and for which place.
"""

import hashlib
from functools import lru_cache

import torch

Word = int | str


def seed_of(*words: Word) -> int:
    """A seed from 0 to 2^63 - 1 that is another for any other words."""
    digest = hashlib.sha256("\0".join(map(str, words)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator(*words: Word) -> torch.Generator:
    """A fresh generator of the CPU for these words."""
    return torch.Generator().manual_seed(seed_of(*words))


@lru_cache(maxsize=4)
def order(length: int, *words: Word) -> tuple[int, ...]:
    """The numbers below `length`, shuffled."""
    return tuple(torch.randperm(length, generator=generator("order", *words)).tolist())


def place(number: int, length: int, seed: int) -> tuple[int, int]:
    """Where the sample of that number in the run comes from: its index in the set, and its epoch."""
    epoch, within = divmod(number, length)
    return order(length, seed, epoch)[within], epoch
