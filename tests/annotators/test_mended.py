"""What originals do wrong and we do right: each sentence of the table is held by a test of its name."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from annotators import ANNOTATORS, ade20k, annotate, openpose
from annotators.base import Pixels

PICTURE = np.random.default_rng(6).integers(0, 256, (96, 130, 3), dtype=np.uint8)


class Flat(nn.Module):
    """A network that sees the same depth everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = nn.Parameter(torch.tensor(3.0))
        self.pretrained = nn.Module()
        self.pretrained.activations = {}  # type: ignore[assignment]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.depth.expand(1, *x.shape[-2:])

    def infer(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward(x)[:, None]


class Looking(nn.Module):
    """A network that remembers what it was shown, and answers by a function of it."""

    def __init__(self, answer: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))
        self.answer = answer
        self.shown = torch.zeros(0)

    def forward(self, x: torch.Tensor) -> Any:
        self.shown = x
        return self.answer(x)


def black_with_a_notice(name: str) -> None:
    found = annotate(name, PICTURE, resolution=96, networks=lambda _: Flat())
    assert not found.map.any()
    assert "No depth" in found.notices[0]


def normal_midas() -> None:
    """A flat picture faces the viewer, and blue is the third channel, not the first."""
    found = annotate("normal_midas", PICTURE, resolution=96, networks=lambda _: Flat())
    assert np.array_equal(np.unique(found.map.reshape(-1, 3), axis=0), [[127, 127, 255]])


def mlsd() -> None:
    def fails(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("out of order")

    with pytest.raises(RuntimeError, match="out of order"):
        annotate("mlsd", PICTURE, resolution=96, networks=lambda _: Looking(fails))


def seg_upernet() -> None:
    """Of a red picture the first channel is the bright one, as the network has learnt it."""

    class Answer:
        logits = torch.zeros(1, len(ade20k.NAMES), 96, 160)

    red = np.zeros_like(PICTURE)
    red[:, :, 0] = 255
    network = Looking(lambda x: Answer)
    annotate("seg_upernet", red, resolution=96, networks=lambda _: network)
    channels = network.shown[0, :, 0, 0]
    assert channels[0] > 0 > channels[1:].max()


def shuffle() -> None:
    """The same seed stirs the same way, and nobody else's generator is asked or moved."""
    python, numpy = random.getstate(), np.random.get_state()
    first = annotate("shuffle", PICTURE, seed=5, grain=64).map
    np.random.default_rng().random(9)
    assert np.array_equal(annotate("shuffle", PICTURE, seed=5, grain=64).map, first)
    assert not np.array_equal(annotate("shuffle", PICTURE, seed=6, grain=64).map, first)
    assert random.getstate() == python
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpy, strict=True))


def openpose_faces() -> None:
    heat = np.zeros((71, 20, 30), np.float32)
    heat[69, 11, 13] = 0.5
    points = openpose.highest_points(heat)
    assert points[69].tolist() == [13, 11]
    assert not points[:69].any()


def pose_json() -> None:
    def drawn(confidence: float) -> Pixels:
        points = [30, 20, confidence, 30, 60, confidence, *[0, 0, 0] * 16]
        pose = {"people": [{"pose_keypoints_2d": points}], "canvas_width": 60, "canvas_height": 90}
        return annotate("pose_json", pose).map

    assert drawn(1).any()
    assert np.array_equal(drawn(0.83), drawn(1))


def lineart_anime() -> None:
    """What the network is shown has the picture's own pixels in its corner, and the edge's beyond them."""
    network = Looking(lambda x: x[:, :1])
    annotate("lineart_anime", PICTURE, resolution=96, networks=lambda _: network)
    assert network.shown.shape == (1, 3, 256, 256)
    shown = (network.shown[0].permute(1, 2, 0).numpy() * 127.5 + 127.5).round().astype(np.uint8)
    assert np.array_equal(shown[:96, :130], PICTURE)
    assert (shown[96:, :130] == PICTURE[-1]).all()


HELD: dict[str, Callable[[], None]] = {
    "depth_midas": lambda: black_with_a_notice("depth_midas"),
    "depth_zoe": lambda: black_with_a_notice("depth_zoe"),
    "normal_midas": normal_midas,
    "mlsd": mlsd,
    "seg_upernet": seg_upernet,
    "shuffle": shuffle,
    "openpose": openpose_faces,
    "pose_json": pose_json,
    "lineart_anime": lineart_anime,
}


@pytest.mark.parametrize("name", HELD)
def test_what_the_table_says_is_so(name: str) -> None:
    HELD[name]()


def test_every_sentence_of_the_table_is_held() -> None:
    assert {annotator.name for annotator in ANNOTATORS.values() if annotator.mended} == set(HELD)
