"""Pictures that begin with another one: image to image, inpainting, and what neither may touch."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from annotators.base import Pixels
from errors import ArmatureError
from pipelines import masking
from pipelines.beginning import begin
from pipelines.fills import FILLS
from pipelines.generate import borrow, generate
from pipelines.request import GenerateRequest, Result
from pipelines.schedulers import SCHEDULERS
from tests.pipelines.counting import counting
from tests.pipelines.references import SIDE, Studio, blurred, bound, distance, hold, ours, studio, theirs

IMAGE = "StableDiffusionControlNetImg2ImgPipeline"
INPAINT = "StableDiffusionControlNetInpaintPipeline"
CONTROLS = {
    (IMAGE, 1): ("canny",),
    (IMAGE, 3): ("canny", "depth", "normal"),
    (INPAINT, 1): ("inpaint",),
    (INPAINT, 3): ("inpaint", "canny", "depth"),
}
STRENGTHS = (0.9, 0.6, 1.2)
# For inpainting diffusers draws latents of the picture without its hole, for a U-Net with 9 channels to read.
DRAWN = {IMAGE: 0, INPAINT: 1}


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A tiny family with its controls."""
    return studio(tmp_path_factory.mktemp("crowd"))


@pytest.fixture(scope="module")
def pipelines(crowd: Studio) -> dict[tuple[str, int], Any]:
    """diffusers' pipelines by their names and the number of controls."""
    return {(kind, count): crowd.pipeline(kind, names) for (kind, count), names in CONTROLS.items()}


def photograph() -> Pixels:
    """A start picture, RGB uint8 (64, 64, 3)."""
    return blurred(np.random.default_rng(11))


def painted() -> Pixels:
    """White where new is made, in no line with the grid of the latents: RGB uint8 (64, 64, 3)."""
    mask = np.zeros((SIDE, SIDE, 3), np.uint8)
    mask[13:43, 21:50] = 255
    mask[30:60, 5:30] = 255
    return mask


def nearest(mask: Any, side: int) -> Any:
    """The mask of latents as diffusers makes it: one pixel speaks for all."""
    return mask[::side, ::side].copy()


def requested(crowd: Studio, kind: str, controls: int, **fields: Any) -> GenerateRequest:
    """A request in the mode of a pipeline under so many controls; that for inpainting has the picture."""
    picture = crowd.pictures.put(photograph())
    units = [
        crowd.unit(name, strength=strength)
        for name, strength in zip(CONTROLS[kind, controls], STRENGTHS, strict=False)
    ]
    units = [replace(unit, map=picture) if unit.condition == "inpaint" else unit for unit in units]
    units[-1] = replace(units[-1], end=0.7)
    wanted: dict[str, Any] = {"init": picture, "steps": 5, "denoise": 0.6, "mask_blur": 0.0}
    if kind == INPAINT:
        wanted |= {"mask": crowd.pictures.put(painted())}
    return crowd.request(*units, **(wanted | fields))


def of_diffusers(crowd: Studio, request: GenerateRequest, pipeline: Any) -> torch.Tensor:
    """The latents that diffusers makes of a request, whose mask has no soft edge."""
    maps: list[Any] = []
    mask = None if request.mask is None else crowd.pictures.get(request.mask)
    for unit in request.controls:
        map = torch.tensor(crowd.pictures.get(unit.map)).movedim(-1, 0)[None] / 255
        if unit.condition == "inpaint" and mask is not None:
            map[:, :, torch.tensor(mask[..., 0] > 127)] = -1
        maps.append(map)
    given: dict[str, Any] = {"image": Image.fromarray(photograph()), "strength": request.denoise}
    if mask is not None:
        given["mask_image"] = Image.fromarray(mask)
    return theirs(pipeline, request, maps, **given)


def few(scheduler: str) -> int:
    """As few steps as a scheduler does with here."""
    return len(SCHEDULERS[scheduler].timesteps) or 5


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("kind", [IMAGE, INPAINT])
@pytest.mark.parametrize("scheduler", list(SCHEDULERS))
def test_equals_diffusers(
    scheduler: str, kind: str, count: int, crowd: Studio, pipelines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masking, "latent_mask", nearest)
    request = requested(crowd, kind, count, scheduler=scheduler, steps=few(scheduler))
    found = ours(request, crowd.cache, drawn=DRAWN[kind])
    hold(found, of_diffusers(crowd, request, pipelines[kind, count]))


@pytest.mark.parametrize("denoise", [0.2, 0.45, 0.99, 1.0])
@pytest.mark.parametrize("guidance", [1.0, 7.5])
@pytest.mark.parametrize("kind", [IMAGE, INPAINT])
def test_equals_diffusers_at_any_denoise(
    kind: str,
    guidance: float,
    denoise: float,
    crowd: Studio,
    pipelines: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(masking, "latent_mask", nearest)
    request = requested(crowd, kind, 3, denoise=denoise, guidance=guidance, scheduler="unipc")
    found = ours(request, crowd.cache, drawn=DRAWN[kind])
    hold(found, of_diffusers(crowd, request, pipelines[kind, 3]))


def test_each_picture_of_a_batch_equals_diffusers_alone(crowd: Studio, pipelines: Any) -> None:
    """diffusers draws the start's latents once for all of a batch; ours draw their own, as one alone does."""
    mask = np.zeros((SIDE, SIDE, 3), np.uint8)
    mask[16:40, 8:56] = 255  # in line with the latents' grid, where the mean and the nearest are the same
    request = requested(crowd, INPAINT, 1, count=3, mask=crowd.pictures.put(mask), scheduler="euler_a")
    together = ours(request, crowd.cache, drawn=DRAWN[INPAINT])
    for index, seed in enumerate(request.seeds):
        alone = replace(request, seed=seed, count=1)
        hold(together[index : index + 1], of_diffusers(crowd, alone, pipelines[INPAINT, 1]))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("kind", [IMAGE, INPAINT])
def test_a_dropped_control_would_be_noticed(
    kind: str, count: int, crowd: Studio, pipelines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masking, "latent_mask", nearest)
    request = requested(crowd, kind, count)
    expected = of_diffusers(crowd, request, pipelines[kind, count])
    for dropped in range(count):
        fewer = replace(request, controls=request.controls[:dropped] + request.controls[dropped + 1 :])
        assert distance(ours(fewer, crowd.cache), expected) > 10 * bound(expected)


def softened(mask: Any, deviation: float) -> Any:
    """A mask (H, W) under a Gaussian that is written out, mirrored at the edges."""
    reach = int(np.ceil(4 * deviation))
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(deviation, 1e-9)) ** 2)
    for axis in (0, 1):
        wide = np.apply_along_axis(lambda line: np.pad(line, reach, mode="reflect"), axis, mask)
        mask = np.apply_along_axis(lambda line: np.convolve(line, bell / bell.sum(), "valid"), axis, wide)
    return mask


@pytest.mark.parametrize("blur", [0.0, 1.5, 5.0])
def test_the_inpaint_control_sees_the_picture_with_a_hole(blur: float, crowd: Studio) -> None:
    """As in the original: -1 where the mask, softened first, is beyond a half; else the picture, 0 to 1."""
    request = requested(crowd, INPAINT, 1, mask_blur=blur)
    with borrow(request, crowd.cache) as models:
        [state] = begin(request, models, crowd.cache).states
    [hint] = state.hints
    seen = hint.map[0].movedim(0, -1).numpy()
    mask = softened(painted()[..., 0] / 255, blur)
    hole, kept = mask > 0.505, mask < 0.495  # between them the last digits decide
    assert hole.any()
    assert (hole | kept).mean() > 0.95
    assert (seen[hole] == -1).all()
    assert np.array_equal(seen[kept], photograph()[kept].astype(np.float32) / 255)
    assert blur == 0 or (hole != (painted()[..., 0] > 127)).any(), "its corners are rounder"


def test_other_controls_have_no_hole(crowd: Studio) -> None:
    request = requested(crowd, INPAINT, 3)
    with borrow(request, crowd.cache) as models:
        [state] = begin(request, models, crowd.cache).states
    assert [float(hint.map.min()) >= 0 for hint in state.hints] == [False, True, True]


def result(request: GenerateRequest, crowd: Studio) -> Result:
    """What a request ends with."""
    *_, last = generate(request, crowd.cache)
    assert isinstance(last, Result)
    return last


@pytest.mark.parametrize("blur", [0.0, 1.5, 2.0])
@pytest.mark.parametrize("names", [("inpaint",), ("canny",), ("depth", "canny"), ()])
def test_pixels_outside_the_mask_come_back_bit_for_bit(
    names: tuple[str, ...], blur: float, crowd: Studio
) -> None:
    request = requested(crowd, INPAINT, 1, mask_blur=blur, denoise=1.0)
    units = [crowd.unit(name) for name in names]
    request = replace(request, controls=tuple(units), count=2, steps=2)
    mask = masking.final_mask(painted(), blur)
    outside = mask == 0
    assert 0.1 < outside.mean() < 0.9
    for picture in result(request, crowd).images:
        assert np.array_equal(picture[outside], photograph()[outside])
        assert np.abs(picture[mask == 1].astype(int) - photograph()[mask == 1]).mean() > 5


def test_a_soft_edge_mixes_old_and_new(crowd: Studio) -> None:
    original, made = photograph(), 255 - photograph()
    mask = masking.final_mask(painted(), 3.0)
    mixed = masking.paste(made, original, mask)
    expected = made * mask[..., None] + original * (1 - mask[..., None])
    assert np.abs(mixed - expected).max() <= 0.5
    assert np.array_equal(mixed[mask == 1], made[mask == 1])
    soft = (mask > 0) & (mask < 1)
    assert soft.sum() > 100
    assert abs(float(mask[25, 21:].max()) - 1) < 1e-3
    assert 0.3 < float(mask[25, 21]) < 0.7, "half at the edge that was painted"


def test_the_mask_of_the_latents_is_the_mean_of_their_pixels() -> None:
    mask = np.zeros((16, 24), np.float32)
    mask[:8, :4] = 1
    mask[8:, 16:] = 0.5
    assert masking.latent_mask(mask, 8).tolist() == [[0.5, 0, 0], [0, 0, 0.5]]


def test_latents_outside_the_mask_end_as_those_of_the_start(crowd: Studio) -> None:
    request = requested(crowd, INPAINT, 1, denoise=1.0, scheduler="euler")
    with borrow(request, crowd.cache) as models:
        batch = begin(request, models, crowd.cache)
        [state] = batch.states
        assert batch.scene is not None
        start = batch.scene.spread.draw(torch.Generator().manual_seed(request.seed))
        found = ours(request, crowd.cache)
    assert state.kept is not None
    outside = (state.kept.mask == 0).expand_as(start)
    assert outside.any()
    assert torch.equal(found[outside], start[outside])


@pytest.mark.parametrize("scheduler", list(SCHEDULERS))
def test_little_denoise_stays_near_the_start_and_much_goes_far(scheduler: str, crowd: Studio) -> None:
    steps = 10

    def far(denoise: float) -> float:
        request = requested(crowd, IMAGE, 1, denoise=denoise, steps=steps, scheduler=scheduler)
        with borrow(request, crowd.cache) as models:
            scene = begin(request, models, crowd.cache).scene
            assert scene is not None
            return distance(ours(request, crowd.cache), scene.spread.mean * scene.spread.scale)

    assert far(0.1) < far(0.9)


@pytest.mark.parametrize(("denoise", "taken"), [(0.2, 1), (0.5, 2), (0.6, 3), (1.0, 5)])
def test_only_the_last_steps_are_taken(denoise: float, taken: int, crowd: Studio) -> None:
    request = requested(crowd, IMAGE, 1, denoise=denoise, count=2)
    with counting(request, crowd.cache) as calls:
        result(request, crowd)
    assert calls["encode"] == [1], "once for all pictures"
    assert len(calls["unet"]) == taken
    assert request.taken == taken


def first_latents(crowd: Studio, fill: str, **fields: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Where a picture begins, and the mask of its latents."""
    request = requested(crowd, INPAINT, 1, fill=fill, **fields)
    with borrow(request, crowd.cache) as models:
        [state] = begin(request, models, crowd.cache).states
    assert state.kept is not None
    return state.x_t, state.kept.mask


def test_a_fill_changes_the_hole_and_nothing_else(crowd: Studio) -> None:
    begun = {fill: first_latents(crowd, fill) for fill in FILLS}
    original, mask = begun.pop("original")
    known = (mask == 0).expand_as(original)
    for fill, (x_t, _) in begun.items():
        inside = float((x_t - original)[(mask == 1).expand_as(x_t)].abs().mean())
        assert inside > 1e-3, fill
        if not FILLS[fill].from_around:  # whose encoder sees the filled hole from outside too
            assert torch.equal(x_t[known], original[known]), fill


def test_nothing_is_no_latents_under_the_noise(crowd: Studio) -> None:
    x_t, mask = first_latents(crowd, "nothing")
    original, _ = first_latents(crowd, "original")
    request = requested(crowd, INPAINT, 1)
    with borrow(request, crowd.cache) as models:
        [state] = begin(request, models, crowd.cache).states
        assert state.kept is not None
        expected = state.scheduler.add_noise(0 * state.kept.x_0, state.kept.noise, state.t[None])
    inside = (mask == 1).expand_as(x_t)
    assert torch.equal(x_t[inside], expected[inside])
    assert not torch.equal(x_t[inside], original[inside])


def test_from_noise_alone_the_fill_makes_no_difference(crowd: Studio) -> None:
    begun = [first_latents(crowd, fill, denoise=1.0)[0] for fill in FILLS]
    assert all(torch.equal(begun[0], other) for other in begun[1:])


def test_the_colours_around_fill_the_hole_and_leave_the_rest() -> None:
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, :32], pixels[:, 32:] = (200, 40, 0), (0, 40, 200)
    mask = np.zeros((48, 64), np.float32)
    mask[8:40, 8:56] = 1
    spoilt = pixels.copy()
    spoilt[mask == 1] = 255
    filled = masking.filled_from_around(spoilt, mask)
    assert np.array_equal(filled[mask == 0], pixels[mask == 0])
    assert np.abs(filled[..., 1].astype(int) - 40).max() <= 2, "both sides have this much green"
    assert filled[24, 10, 0] > filled[24, 32, 0] > filled[24, 54, 0]
    assert filled[24, 10, 2] < filled[24, 54, 2]
    whole = masking.filled_from_around(spoilt, np.ones_like(mask))
    assert not whole.any(), "where nothing is known there is nothing to spread"


def test_a_preview_shows_what_is_kept(crowd: Studio) -> None:
    request = requested(crowd, INPAINT, 1, denoise=1.0)
    with borrow(request, crowd.cache) as models:
        [state] = begin(request, models, crowd.cache).states
        state.advance(torch.zeros_like(state.x_t))
    assert state.kept is not None
    outside = (state.kept.mask == 0).expand_as(state.x_0)
    assert torch.equal(state.x_0[outside], state.kept.x_0[outside])


@pytest.mark.parametrize("field", ["init", "mask", "region"])
def test_a_picture_of_another_size_is_refused(field: str, crowd: Studio) -> None:
    request = requested(crowd, INPAINT, 1)
    wrong = crowd.pictures.put(np.zeros((SIDE, 2 * SIDE, 3), np.uint8))
    if field == "region":
        request = replace(request, controls=(replace(request.controls[0], region=wrong),))
    else:
        request = replace(request, **{field: wrong})  # type: ignore[arg-type]
    with pytest.raises(ArmatureError, match=r"128x64.*64x64") as refusal:
        result(request, crowd)
    assert refusal.value.code.name == "PARAM_RANGE"
