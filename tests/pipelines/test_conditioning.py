"""Hints and windows."""

import numpy as np
import pytest
import torch

from errors import ArmatureError
from pipelines.conditioning import Hint, check_size, to_hint
from pipelines.request import ControlUnit


class Network:
    """As much of a ControlNet as a hint asks for."""

    class config:
        global_pool_conditions = False

    controlnet_down_blocks = (None,) * 12
    device = torch.device("cpu")
    dtype = torch.float32


def test_a_hint_is_the_map_from_zero_to_one_in_its_own_colours() -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 1] = (255, 51, 0)
    pixels.setflags(write=False)
    unit = ControlUnit(condition="canny", map="", strength=0.5, start=0.1, end=0.9)
    hint = to_hint(unit, "lines", Network(), pixels)
    assert hint.map.shape == (1, 3, 2, 3)
    assert hint.map.dtype == torch.float32
    assert torch.equal(hint.map[0, :, 0, 1], torch.tensor([1.0, 0.2, 0.0]))
    assert float(hint.map.sum()) == pytest.approx(1.2)
    assert (hint.control, hint.strength, hint.start, hint.end) == ("lines", 0.5, 0.1, 0.9)
    assert hint.on_both


def test_a_pooled_control_steers_under_the_prompt_only() -> None:
    class Pooled(Network):
        class config:
            global_pool_conditions = True

    hint = to_hint(ControlUnit(condition="canny", map=""), "lines", Pooled(), np.zeros((8, 8, 3), np.uint8))
    assert not hint.on_both


def test_a_region_is_where_its_picture_is_white() -> None:
    region = np.zeros((2, 3, 3), np.uint8)
    region[0, 1] = 255
    region[1, 2] = 51
    map = np.zeros((2, 3, 3), np.uint8)
    hint = to_hint(ControlUnit(condition="canny", map=""), "lines", Network(), map, region=region)
    assert hint.region is not None
    assert hint.region.shape == (1, 1, 2, 3)
    assert hint.region[0, 0].flatten().tolist() == pytest.approx([0, 1, 0, 0, 0, 0.2])


def test_a_map_of_another_size_is_refused() -> None:
    pixels = np.zeros((64, 128, 3), np.uint8)
    check_size(pixels, 128, 64)
    with pytest.raises(ArmatureError, match=r"128x64.*64x128") as refusal:
        check_size(pixels, 64, 128)
    assert refusal.value.code.name == "PARAM_RANGE"


@pytest.mark.parametrize(
    ("start", "end", "steps", "held"),
    [
        (0.0, 1.0, 4, [0, 1, 2, 3]),
        (0.0, 0.5, 4, [0, 1]),
        (0.5, 1.0, 4, [2, 3]),
        (0.25, 0.75, 4, [1, 2]),
        (0.3, 0.7, 4, []),
        (0.0, 0.0, 4, []),
        (1.0, 1.0, 4, []),
        (0.0, 0.1, 20, [0, 1]),
        (0.0, 1.0, 1, [0]),
        (0.0, 0.5, 1, []),
    ],
)
def test_a_window_opens_and_closes_as_in_diffusers(
    start: float, end: float, steps: int, held: list[int]
) -> None:
    hint = Hint(control="lines", map=torch.zeros(1), start=start, end=end)
    assert [step for step in range(steps) if hint.holds(step, steps)] == held
    keeps = [1.0 - float(i / steps < start or (i + 1) / steps > end) for i in range(steps)]
    assert [step for step, keep in enumerate(keeps) if keep] == held


def test_without_strength_or_weight_nothing_holds() -> None:
    weak = Hint(control="lines", map=torch.zeros(1), strength=0)
    light = Hint(control="lines", map=torch.zeros(1), layers=(0.0,) * 13)
    deep = Hint(control="lines", map=torch.zeros(1), layers=(0.0,) * 12 + (1.0,))
    held = [any(hint.holds(step, 4) for step in range(4)) for hint in (weak, light, deep)]
    assert held == [False, False, True]
