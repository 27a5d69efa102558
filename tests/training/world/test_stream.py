"""Streams of worlds: the same ones, in order, whoever made the recipes."""

import torch

from training.world.render import render
from training.world.stream import stream

SEEDS = range(40, 47)


def test_a_stream_is_all_worlds_in_order() -> None:
    whole = render(SEEDS, 32)
    parts = list(stream(SEEDS, 32, batch=3))
    assert [len(part.scenes) for part in parts] == [3, 3, 1]
    assert torch.equal(torch.cat([part.picture for part in parts]), whole.picture)
    assert tuple(text for part in parts for text in part.captions) == whole.captions


def test_recipes_from_other_processes_are_the_same() -> None:
    whole = render(SEEDS, 32)
    parts = list(stream(SEEDS, 32, batch=2, workers=1))
    assert torch.equal(torch.cat([part.picture for part in parts]), whole.picture)
    assert [own.seed for part in parts for own in part.scenes] == list(SEEDS)
