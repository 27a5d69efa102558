"""The generator: what it yields, what it runs, and what it leaves behind."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from errors import ArmatureError
from models.device import Device
from models.store import Store
from pipelines.beginning import begin
from pipelines.cache import ModelCache
from pipelines.generate import Models, borrow, decode, denoise, evaluate, generate, warm
from pipelines.pictures import PictureStore
from pipelines.request import GenerateRequest, Progress, Result
from tests import tiny_family
from tests.conftest import MakeRequest, drawn_map
from tests.pipelines.counting import counting


def final(models: Models, request: GenerateRequest, cache: ModelCache) -> torch.Tensor:
    """The latents (N, 4, h, w) of a request."""
    states = begin(request, models, cache).states
    assert list(denoise(models, states)) == list(range(1, request.steps + 1))
    return torch.cat([state.x_t for state in states])


def result_of(request: GenerateRequest, cache: ModelCache) -> Result:
    """What a request ends with."""
    *_, last = generate(request, cache)
    assert isinstance(last, Result)
    return last


def test_it_yields_after_every_step_and_ends_with_the_pictures(
    make_request: MakeRequest, cache: ModelCache
) -> None:
    request = make_request(steps=5, count=2, width=128, height=64)
    *events, result = generate(request, cache)
    assert all(isinstance(event, Progress) for event in events)
    assert [(event.stage, event.step, event.total) for event in events if isinstance(event, Progress)] == [
        ("loading", 0, 5),
        *(("denoising", step, 5) for step in range(1, 6)),
        *[("decoding", 5, 5)] * 4,  # before and after each picture
    ]
    previews = [
        event.preview for event in events if isinstance(event, Progress) and event.preview is not None
    ]
    assert len(previews) == 2
    assert all(picture.shape == (64, 128, 3) and picture.dtype == np.uint8 for picture in previews)
    assert isinstance(result, Result)
    assert result.request is request
    assert result.seeds == (7, 8)
    assert [picture.shape for picture in result.images] == [(64, 128, 3)] * 2
    assert [picture.dtype for picture in result.images] == [np.uint8] * 2
    assert np.abs(result.images[0].astype(int) - result.images[1]).max() > 10
    assert np.array_equal(result.maps[0], drawn_map(128, 64))
    assert result.notices == ()


def test_the_same_request_makes_the_same_pictures_again(make_request: MakeRequest, cache: ModelCache) -> None:
    request = make_request(scheduler="euler_a", count=2)
    first = result_of(request, cache)
    again = result_of(GenerateRequest.from_json(request.to_json()), cache)
    assert np.array_equal(first.images, again.images)
    other = result_of(replace(request, seed=9), cache)
    assert not np.array_equal(first.images, other.images)


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_both_prompts_matter(field: str, make_request: MakeRequest, cache: ModelCache) -> None:
    request = make_request()
    changed: GenerateRequest = replace(request, **{field: "a dog"})  # type: ignore[arg-type]
    assert not np.array_equal(result_of(request, cache).images, result_of(changed, cache).images)


def test_guidance_one_asks_about_the_prompt_only(make_request: MakeRequest, cache: ModelCache) -> None:
    for guidance, rows in ((1.0, 2), (1.5, 4)):
        request = make_request(guidance=guidance, count=2)
        with borrow(request, cache) as models, counting(request, cache) as calls:
            final(models, request, cache)
        assert calls["unet"] == calls["lines encoder"] == [rows] * 4


def test_a_control_runs_only_inside_its_window(make_request: MakeRequest, cache: ModelCache) -> None:
    request = make_request(steps=8, start=0.25, end=0.5)
    with borrow(request, cache) as models, counting(request, cache) as calls:
        final(models, request, cache)
    assert (len(calls["unet"]), len(calls["lines encoder"])) == (8, 2)


def test_a_control_without_strength_never_runs(make_request: MakeRequest, cache: ModelCache) -> None:
    request = make_request(strength=0)
    with borrow(request, cache) as models, counting(request, cache) as calls:
        without = final(models, request, cache)
        assert calls["lines encoder"] == calls["lines hint"] == []
        assert torch.equal(without, final(models, replace(request, controls=()), cache))


def test_pictures_of_different_requests_share_their_steps(
    make_request: MakeRequest, cache: ModelCache
) -> None:
    """Other schedulers, times, guidance, strengths, windows, lengths and controls, in one evaluation."""
    requests = (
        make_request(scheduler="ddim", guidance=1.0, strength=0.5, steps=3, seed=1),
        make_request(scheduler="euler_a", guidance=7.5, strength=1.5, steps=6, seed=2),
        make_request(scheduler="unipc", guidance=3.0, strength=1.0, steps=4, start=0.5, seed=3),
        make_request(scheduler="dpmpp_2m_karras", guidance=2.0, strength=0, steps=4, seed=4, prompt="dog"),
    )
    with borrow(requests[0], cache) as models:
        other = copy.deepcopy(models.controls["lines"])
        for tensor in other.controlnet_mid_block.parameters():
            tensor.mul_(3)
        models = replace(models, controls={**models.controls, "other": other})

        def started() -> list[Any]:
            states = [begin(request, models, cache).states[0] for request in requests]
            states[1].hints = tuple(replace(hint, control="other") for hint in states[1].hints)
            states[2].hints += tuple(replace(hint, control="other", strength=0.3) for hint in states[2].hints)
            return states

        together, alone = started(), started()
        assert list(denoise(models, together)) == [1, 2, 3, 4, 5, 6]
        for state, single in zip(together, alone, strict=True):
            for _ in denoise(models, [single]):
                pass
            bound = 1e-4 * max(1.0, float(single.x_t.std()))
            assert (state.x_t - single.x_t).abs().max() <= bound


def test_evaluation_keeps_nothing(make_request: MakeRequest, cache: ModelCache) -> None:
    request = make_request(scheduler="euler")
    with borrow(request, cache) as models, torch.no_grad():
        states = begin(request, models, cache).states
        before = states[0].x_t.clone()
        first, again = evaluate(models, states), evaluate(models, states)
        assert torch.equal(first[0], again[0])
        assert torch.equal(states[0].x_t, before)
        assert states[0].step == 0


def test_a_pooled_control_equals_diffusers(
    make_request: MakeRequest, pictures: PictureStore, cpu: Device, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Shuffle's network averages its residuals over the picture, and diffusers then steers one half only."""
    from tests.pipelines.references import bound, distance
    from tests.pipelines.test_equality import loaded_pipeline, theirs

    store = Store(tmp_path_factory.mktemp("pooled"))
    tiny_family.write(store.weights, pooled=True)
    cache = ModelCache(store, pictures, cpu)
    request = make_request(count=2)
    expected = theirs(loaded_pipeline(store), request)
    with borrow(request, cache) as models, counting(request, cache) as calls:
        assert distance(final(models, request, cache), expected) <= bound(expected)
    assert (calls["unet"], calls["lines encoder"]) == ([4] * 4, [2] * 4)


def steps_until(stage: str, step: int, request: GenerateRequest, cache: ModelCache) -> Iterator[Any]:
    """A run that stands at a yield of this stage and step."""
    events = generate(request, cache)
    for event in events:
        if isinstance(event, Progress) and (event.stage, event.step) == (stage, step):
            return events
    raise AssertionError(f"{stage} {step} never came")


@pytest.mark.parametrize(
    ("stage", "step"), [("loading", 0), ("denoising", 1), ("denoising", 4), ("decoding", 4)]
)
def test_closing_it_anywhere_gives_every_model_back(
    stage: str, step: int, make_request: MakeRequest, store: Store, pictures: PictureStore, cpu: Device
) -> None:
    cache = ModelCache(store, pictures, cpu)
    events = steps_until(stage, step, make_request(), cache)
    assert all(entry.borrowers for entry in cache._resident.values())
    events.close()  # type: ignore[attr-defined]
    assert not any(entry.borrowers for entry in cache._resident.values())
    assert cache._leases == {}
    assert torch.is_grad_enabled()
    assert result_of(make_request(), cache).images


def test_an_error_gives_every_model_back(make_request: MakeRequest, cache: ModelCache) -> None:
    request = make_request()
    wrong = replace(request, width=128)
    with pytest.raises(ArmatureError, match="another size"):
        list(generate(wrong, cache))
    assert not any(entry.borrowers for entry in cache._resident.values())


def test_nothing_is_held_when_the_result_is_out(make_request: MakeRequest, cache: ModelCache) -> None:
    events = generate(make_request(), cache)
    for event in events:
        if isinstance(event, Result):
            assert not any(entry.borrowers for entry in cache._resident.values())


def test_the_caller_keeps_its_gradients_between_the_steps(
    make_request: MakeRequest, cache: ModelCache
) -> None:
    for _ in generate(make_request(), cache):
        assert torch.is_grad_enabled()


def test_no_gradients_are_kept_of_a_network_in_training(make_request: MakeRequest, cache: ModelCache) -> None:
    request = make_request(steps=2)
    with borrow(request, cache) as models:
        learning = replace(models, unet=copy.deepcopy(models.unet).requires_grad_(True))
        assert not final(learning, request, cache).requires_grad


def test_no_picture_is_shown_that_is_not_finite(make_request: MakeRequest, cache: ModelCache) -> None:
    with borrow(make_request(), cache) as models:
        for value in (float("nan"), float("inf")):
            with pytest.raises(ArmatureError) as refusal:
                decode(models.vae, torch.full((1, 4, 8, 8), value))
            assert refusal.value.code.name == "NUMERIC"


def test_words_that_mean_more_elsewhere_are_told(make_request: MakeRequest, cache: ModelCache) -> None:
    changing = {"prompt": "a [cat:Dog:0.5]", "negative_prompt": "[fog|rain]"}
    notices = result_of(make_request(**changing), cache).notices
    assert ["[cat:Dog:0.5]" in notices[0], "[fog|rain]" in notices[1]] == [True, True]
    assert len(result_of(make_request(**changing, guidance=1.0), cache).notices) == 1
    assert result_of(make_request(prompt="a (house) " * 60), cache).notices == ()


def test_noise_depends_on_the_seed_alone(make_request: MakeRequest, cache: ModelCache) -> None:
    request = make_request(seed=2**32 - 1, count=2)
    with borrow(request, cache) as models:
        states = begin(request, models, cache).states
        for state, seed in zip(states, (2**32 - 1, 0), strict=True):
            noise = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(seed))
            assert torch.equal(state.x_t, noise)
        assert states[0].scheduler is not states[1].scheduler


def test_low_precision_makes_much_the_same_picture(
    make_request: MakeRequest, store: Store, pictures: PictureStore, cache: ModelCache, cpu: Device
) -> None:
    low = ModelCache(store, pictures, replace(cpu, dtype=torch.bfloat16, channels_last=True))
    request = make_request(guidance=1.0)
    picture, expected = (result_of(request, which).images[0].astype(float) for which in (low, cache))
    assert np.abs(picture - expected).mean() < 10


def test_warming_loads_the_base_and_no_control(
    make_request: MakeRequest, store: Store, pictures: PictureStore, cpu: Device
) -> None:
    cache = ModelCache(store, pictures, cpu)
    warm("pocket", cache)
    assert [key.part for key in cache.resident] == ["text", "unet", "vae"]
    result_of(make_request(), cache)
    assert [key.part for key in cache.resident] == ["text", "unet", "vae", "control"]


def test_a_missing_control_is_refused_before_anything_runs(
    make_request: MakeRequest, cache: ModelCache
) -> None:
    request = make_request()
    unit = replace(request.controls[0], condition="depth")
    events = generate(replace(request, controls=(unit,)), cache)
    assert next(events) == Progress(stage="loading", step=0, total=4)
    with pytest.raises(ArmatureError) as refusal:
        next(events)
    assert refusal.value.code.name == "MODEL_MISSING"
