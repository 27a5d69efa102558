"""Several controls together: each with its strength, window, mode, layers and region."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from errors import ArmatureError
from pipelines.beginning import begin
from pipelines.generate import borrow
from pipelines.modes import MODES
from pipelines.request import GenerateRequest
from tests.pipelines.references import (
    SIDE,
    Added,
    Studio,
    bound,
    by_hand,
    distance,
    hold,
    ours,
    studio,
    theirs,
)

LAYERS = 5  # of the tiny U-Net: the first convolution, a resnet, a downsampling, a resnet, and the middle
POWERS = [0.825 ** (12 * (4 - i) / 4) for i in range(LAYERS)]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A tiny family with three controls."""
    return studio(tmp_path_factory.mktemp("crowd"))


@pytest.fixture(scope="module")
def three_pipeline(crowd: Studio) -> Any:
    """diffusers' pipeline with the three controls."""
    return crowd.pipeline("StableDiffusionControlNetPipeline", ["canny", "depth", "normal"])


def three(crowd: Studio, **fields: Any) -> GenerateRequest:
    """A request with three controls of different strengths and windows."""
    units = (
        crowd.unit("canny", strength=0.7, end=0.6),
        crowd.unit("depth", strength=1.2),
        crowd.unit("normal", strength=0.4, start=0.2),
    )
    return crowd.request(*units, steps=5, **fields)


def maps(crowd: Studio, request: GenerateRequest) -> list[Any]:
    """The maps of a request."""
    return [crowd.maps[unit.condition] for unit in request.controls]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("guidance", [1.0, 7.5])
@pytest.mark.parametrize("scheduler", ["ddim", "euler_a", "unipc"])
def test_three_controls_equal_diffusers(
    scheduler: str, guidance: float, count: int, crowd: Studio, three_pipeline: Any
) -> None:
    request = three(crowd, scheduler=scheduler, guidance=guidance, count=count)
    hold(ours(request, crowd.cache), theirs(three_pipeline, request, maps(crowd, request)))


@pytest.mark.parametrize("dropped", [0, 1, 2])
def test_each_of_three_controls_would_be_missed(dropped: int, crowd: Studio, three_pipeline: Any) -> None:
    request = three(crowd)
    expected = theirs(three_pipeline, request, maps(crowd, request))
    fewer = replace(request, controls=request.controls[:dropped] + request.controls[dropped + 1 :])
    assert distance(ours(fewer, crowd.cache), expected) > 10 * bound(expected)


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_each_of_three_maps_would_be_missed(wrong: int, crowd: Studio, three_pipeline: Any) -> None:
    request = three(crowd)
    expected = theirs(three_pipeline, request, maps(crowd, request))
    units = list(request.controls)
    units[wrong] = replace(units[wrong], map=units[wrong - 1].map)
    assert distance(ours(replace(request, controls=tuple(units)), crowd.cache), expected) > 10 * bound(
        expected
    )


def test_the_order_of_the_controls_makes_no_difference(crowd: Studio) -> None:
    request = three(crowd)
    hold(ours(replace(request, controls=request.controls[::-1]), crowd.cache), ours(request, crowd.cache))


@pytest.mark.parametrize("guidance", [1.0, 4.0])
@pytest.mark.parametrize("prompt", ["a house", ""])
def test_guess_mode_equals_diffusers(prompt: str, guidance: float, crowd: Studio) -> None:
    pipeline = crowd.pipeline("StableDiffusionControlNetPipeline", ["depth"])
    unit = crowd.unit("depth", mode="guess", strength=0.8)
    request = crowd.request(unit, prompt=prompt, negative_prompt="", guidance=guidance, count=2)
    hold(ours(request, crowd.cache), theirs(pipeline, request, [crowd.maps["depth"]], guess_mode=True))


def test_guess_mode_of_three_equals_diffusers(crowd: Studio, three_pipeline: Any) -> None:
    request = three(crowd)
    request = replace(request, controls=tuple(replace(unit, mode="guess") for unit in request.controls))
    hold(ours(request, crowd.cache), theirs(three_pipeline, request, maps(crowd, request), guess_mode=True))


def test_the_factors_of_thirteen_layers_are_those_of_the_originals() -> None:
    assert MODES["balanced"].factors(13) == (1.0,) * 13
    powers = [0.825 ** (12 - i) for i in range(13)]
    for name in ("prompt", "control"):
        assert MODES[name].factors(13) == pytest.approx(powers)
    assert powers[0] == pytest.approx(0.0994, abs=1e-4)
    guess = torch.logspace(-1, 0, 13).tolist()
    assert MODES["guess"].factors(13) == pytest.approx(guess)
    assert [mode.on_both for mode in MODES.values()] == [True, True, False, False, False]


def expected_by_hand(crowd: Studio, request: GenerateRequest, controls: list[Added]) -> Any:
    """The reference for a request, with the controls as the test has them."""
    with borrow(request, crowd.cache) as models:
        return by_hand(models, request, controls, dict(crowd.store.scheduler_config("pocket")))


@pytest.mark.parametrize(
    ("mode", "on_both", "factors"),
    [
        ("balanced", True, [1.0] * LAYERS),
        ("prompt", True, POWERS),
        ("control", False, POWERS),
        ("strict", False, [1.0] * LAYERS),
        ("guess", False, [10 ** (i / 4 - 1) for i in range(LAYERS)]),
    ],
)
def test_a_mode_is_as_it_is_written_down(
    mode: str, on_both: bool, factors: list[float], crowd: Studio
) -> None:
    request = crowd.request(crowd.unit("canny", mode=mode, strength=0.9), crowd.unit("depth", strength=0.5))
    controls = [
        Added(
            network=crowd.network("canny"),
            map=crowd.maps["canny"],
            factors=[0.9 * factor for factor in factors],
            on_both=on_both,
        ),
        Added(network=crowd.network("depth"), map=crowd.maps["depth"], factors=[0.5] * LAYERS),
    ]
    expected = expected_by_hand(crowd, request, controls)
    hold(ours(request, crowd.cache), expected)
    others = [other for other in MODES if other != mode]
    for other in others:
        changed = replace(request, controls=(replace(request.controls[0], mode=other), request.controls[1]))
        assert distance(ours(changed, crowd.cache), expected) > 10 * bound(expected)


def test_layer_weights_take_the_place_of_the_modes_own(crowd: Studio) -> None:
    weights = (0.0, 0.3, 1.0, 1.7, 0.5)
    unit = crowd.unit("canny", mode="control", strength=0.8, layer_weights=weights)
    request = crowd.request(unit)
    control = Added(
        network=crowd.network("canny"),
        map=crowd.maps["canny"],
        factors=[0.8 * weight for weight in weights],
        on_both=False,
    )
    hold(ours(request, crowd.cache), expected_by_hand(crowd, request, [control]))


@pytest.mark.parametrize("weights", [(1.0,) * 13, (1.0,) * 4])
def test_weights_for_another_number_of_layers_are_refused(weights: Any, crowd: Studio) -> None:
    request = crowd.request(crowd.unit("canny", layer_weights=weights))
    with borrow(request, crowd.cache) as models, pytest.raises(ArmatureError, match="allowed: 5") as refusal:
        begin(request, models, crowd.cache)
    assert refusal.value.code.name == "PARAM_RANGE"


def left_half(edge: int = SIDE // 2) -> Any:
    """White up to a column, with one soft step, then black: RGB uint8 (64, 64, 3)."""
    region = np.zeros((SIDE, SIDE, 3), np.uint8)
    region[:, :edge] = 255
    region[:, edge : edge + 4] = 100
    return region


def test_a_region_is_as_it_is_written_down(crowd: Studio) -> None:
    region = left_half()
    units = (
        crowd.unit("canny", region=crowd.pictures.put(region), strength=1.5),
        crowd.unit("depth", strength=0.5),
    )
    request = crowd.request(*units)
    controls = [
        Added(network=crowd.network("canny"), map=crowd.maps["canny"], factors=[1.5] * LAYERS, region=region),
        Added(network=crowd.network("depth"), map=crowd.maps["depth"], factors=[0.5] * LAYERS),
    ]
    expected = expected_by_hand(crowd, request, controls)
    hold(ours(request, crowd.cache), expected)
    everywhere = replace(request, controls=(replace(units[0], region=None), units[1]))
    assert distance(ours(everywhere, crowd.cache), expected) > 10 * bound(expected)


def test_a_white_region_is_everywhere_and_a_black_one_nowhere(crowd: Studio) -> None:
    white = crowd.pictures.put(np.full((SIDE, SIDE, 3), 255, np.uint8))
    black = crowd.pictures.put(np.zeros((SIDE, SIDE, 3), np.uint8))
    plain = crowd.request(crowd.unit("canny"))
    assert torch.equal(
        ours(crowd.request(crowd.unit("canny", region=white)), crowd.cache), ours(plain, crowd.cache)
    )
    assert torch.equal(
        ours(crowd.request(crowd.unit("canny", region=black)), crowd.cache),
        ours(replace(plain, controls=()), crowd.cache),
    )


def test_two_maps_of_one_control_hold_side_by_side(crowd: Studio) -> None:
    left, right = left_half(), 255 - left_half()
    other = crowd.maps["depth"]
    units = (
        crowd.unit("canny", region=crowd.pictures.put(left)),
        crowd.unit("canny", region=crowd.pictures.put(right), strength=0.6),
    )
    request = crowd.request(units[0], replace(units[1], map=crowd.pictures.put(other)))
    network = crowd.network("canny")
    controls = [
        Added(network=network, map=crowd.maps["canny"], factors=[1.0] * LAYERS, region=left),
        Added(network=network, map=other, factors=[0.6] * LAYERS, region=right),
    ]
    hold(ours(request, crowd.cache), expected_by_hand(crowd, request, controls))


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("mode", ["balanced", "prompt", "guess"])
def test_a_pooled_control_is_pooled_wherever_it_stands(
    mode: str, place: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """diffusers reads the first of a list only. Pooled, it steers under the prompt alone in every mode."""
    moody = studio(tmp_path_factory.mktemp("moody"), pooled="normal")
    factors = {"balanced": [1.0] * LAYERS, "prompt": POWERS, "guess": [1.0] * LAYERS}[mode]
    pooled = moody.unit("normal", mode=mode, strength=0.7, region=moody.pictures.put(left_half()))
    others = [moody.unit("canny", strength=0.6), moody.unit("depth", strength=0.9)]
    request = moody.request(*others[:place], pooled, *others[place:])
    controls = [
        Added(network=moody.network("canny"), map=moody.maps["canny"], factors=[0.6] * LAYERS),
        Added(network=moody.network("depth"), map=moody.maps["depth"], factors=[0.9] * LAYERS),
        Added(
            network=moody.network("normal"),
            map=moody.maps["normal"],
            factors=[0.7 * factor for factor in factors],
            region=left_half(),
            on_both=False,
        ),
    ]
    assert moody.network("normal").config.global_pool_conditions
    hold(ours(request, moody.cache), expected_by_hand(moody, request, controls))


def test_a_control_that_was_trained_with_blue_first_gets_blue_first(
    crowd: Studio, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = studio(tmp_path_factory.mktemp("bgr"))
    network = other.network("normal")
    network.register_to_config(controlnet_conditioning_channel_order="bgr")
    network.save_pretrained(other.store.control("pocket", "normal"))
    request = other.request(other.unit("normal"))
    pipeline = other.pipeline("StableDiffusionControlNetPipeline", ["normal"])
    expected = theirs(pipeline, request, [other.maps["normal"]])
    hold(ours(request, other.cache), expected)
    assert distance(ours(request, crowd.cache), expected) > 10 * bound(expected)
