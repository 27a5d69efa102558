"""The built-in annotators on answers that are known: what the network says is what the maps show."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from annotators import ade20k, annotate
from annotators.base import Pixels
from annotators.heads import load
from annotators.pocket_depth import POCKET_DEPTH
from annotators.pocket_normal import POCKET_NORMAL
from annotators.pocket_pose import NOBODY, POCKET_POSE, people
from annotators.pocket_seg import POCKET_SEG
from models.heads import Heads

SIDE = 64
PICTURE: Pixels = np.random.default_rng(0).integers(0, 256, (120, 90, 3)).astype(np.uint8)


@dataclass
class Told:
    """A network that answers what it was told, whatever it is shown."""

    said: dict[str, torch.Tensor]
    side: int = SIDE
    shapes: list[tuple[int, ...]] = field(default_factory=list)

    def parameters(self) -> Sequence[torch.Tensor]:
        return iter([torch.zeros(1)])  # type: ignore[return-value]

    def answers(self, pictures: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
        self.shapes.append(tuple(pictures.shape))
        height, width = (side // 2 for side in pictures.shape[-2:])
        return torch.cat([self.said[name][:, :, :height, :width] for name in names], dim=1)


def test_the_network_sees_the_size_that_it_learnt_from() -> None:
    told = Told({"depth": torch.rand(1, 1, 64, 64)})
    POCKET_DEPTH.run(PICTURE, told)
    assert told.shapes == [(1, 3, 96, 64)]  # 85 rows, and padded to its stride


def test_near_is_white_and_far_is_black() -> None:
    plane = torch.linspace(0.2, 0.6, 64)[None, None, :, None].expand(1, 1, 64, 64)
    found = POCKET_DEPTH.run(PICTURE, Told({"depth": plane}))
    assert found.map.shape == PICTURE.shape
    assert found.map[0].max() == 0
    assert found.map[-1].min() == 255
    assert np.diff(found.map[:, 40, 0].astype(int)).min() >= 0


def test_normals_have_their_colours() -> None:
    up = torch.tensor([0.0, 1.0, 0.0])[None, :, None, None].expand(1, 3, 64, 64)
    assert np.array_equal(np.unique(POCKET_NORMAL.run(PICTURE, Told({"normals": up})).map), [127, 255])


def test_classes_have_the_colours_of_ade20k() -> None:
    logits = torch.zeros(1, 150, 64, 64)
    logits[:, 2, :, :16] = 9.0  # the sky to the left
    logits[:, 9, :, 16:] = 9.0  # grass to the right
    found = POCKET_SEG.run(PICTURE, Told({"classes": logits}))
    left, right = ade20k.coloured(np.array([[2, 9]]))[0]
    assert (found.map[:, :40] == left).all()
    assert (found.map[:, 50:] == right).all()
    assert found.data is not None


def standing(heat: NDArray[np.float32], reach: NDArray[np.float32], x: int, y: int) -> None:
    """Somebody whose neck is there: nose above, a shoulder on each side, a hip below."""
    for kind, (right, down) in {0: (0, -6), 1: (0, 0), 2: (-5, 1), 5: (5, 1), 8: (-3, 12)}.items():
        heat[kind, y + down, x + right] = 0.9
        reach[2 * kind, y + down, x + right] = -right / heat.shape[1]
        reach[2 * kind + 1, y + down, x + right] = -down / heat.shape[1]


def test_points_are_gathered_around_the_neck_that_they_point_to() -> None:
    heat, reach = np.zeros((18, 40, 40), np.float32), np.zeros((36, 40, 40), np.float32)
    standing(heat, reach, 10, 12)
    standing(heat, reach, 26, 15)
    first, second = sorted(people(heat, reach, 80, 80), key=lambda person: person.body[1] or ())
    for person, x, y in ((first, 10, 12), (second, 26, 15)):
        nose, neck, shoulder = person.body[0], person.body[1], person.body[2]
        assert neck == pytest.approx((2 * x + 1, 2 * y + 1, 0.9))
        assert nose == pytest.approx((2 * x + 1, 2 * y - 11, 0.9))
        assert shoulder == pytest.approx((2 * x - 9, 2 * y + 3, 0.9))
        assert person.body[4] is None


def test_where_nobody_is_that_is_said() -> None:
    cold = {"heat": torch.zeros(1, 18, 64, 64), "reach": torch.zeros(1, 36, 64, 64)}
    found = POCKET_POSE.run(PICTURE, Told(cold))
    assert not found.map.any()
    assert found.notices == (NOBODY,)


@pytest.mark.parametrize("name", ["pocket_depth", "pocket_normal", "pocket_seg", "pocket_pose"])
def test_every_map_says_that_it_comes_from_a_small_model(name: str) -> None:
    network = Heads(SIDE).eval()
    found = annotate(name, PICTURE, networks=lambda _: network)
    assert found.notices[-1] == "Small built-in model; trained on drawn scenes, rough on photographs."
    assert not any("built-in" in notice for notice in annotate("canny", PICTURE).notices)


def test_a_network_in_half_precision_is_read_back(tmp_path: Path) -> None:
    network = Heads(SIDE).eval()
    tensors = {
        name: part.half() if part.is_floating_point() else part for name, part in network.state_dict().items()
    }
    save_file(tensors, tmp_path / "heads.safetensors")
    again = load((tmp_path / "heads.safetensors",))
    assert int(again.side) == SIDE
    picture = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(again(picture)["depth"], network(picture)["depth"], atol=0.02, rtol=0)
        assert again(picture)["classes"].shape == (1, 150, 32, 48)
