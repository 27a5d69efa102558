"""Memory modes: the same picture bit for bit in each, in no more memory than it says, on a played device."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from errors import ArmatureError
from models import loading
from models.carrying import bytes_of
from models.device import Device
from models.loading import ModelKey
from models.memory import MODES, need
from models.store import Store
from pipelines import networks
from pipelines.cache import ModelCache
from pipelines.generate import base_keys, borrow, generate, warm
from pipelines.pictures import PictureStore
from pipelines.request import GenerateRequest, Progress, Result
from tests import tiny_family
from tests.conftest import MakeRequest, drawn_map
from tests.ghosts import Ghost
from tests.models.made_files import control_names, originally
from tests.models.test_single_file import checkpoint_of, config_of, tensors_in

PLENTY = 10**9


@dataclass
class Played:
    """A cache on a played device, and what carries models there."""

    cache: ModelCache
    ghost: Ghost


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The tiny family with two controls."""
    store = Store(tmp_path_factory.mktemp("modes"))
    tiny_family.write(store.weights)
    tiny_family.add_control(store.weights, "depth")
    return store


@pytest.fixture
def play(weights: Store, pictures: PictureStore, cpu: Device) -> Callable[..., Played]:
    def made(**fields: Any) -> Played:
        device = replace(cpu, **({"resting": PLENTY} | fields))
        ghost = Ghost(device)
        return Played(ModelCache(weights, pictures, device, carrier=ghost), ghost)

    return made


@pytest.fixture(scope="module")
def request_of_all(pictures: PictureStore) -> GenerateRequest:
    """Two controls, a start picture with a hole, two pictures at once."""
    from pipelines.request import ControlUnit

    digest = pictures.put(drawn_map(64, 64))
    hole = np.zeros((64, 64, 3), np.uint8)
    hole[16:48, 16:48] = 255
    return GenerateRequest(
        prompt="a red house",
        negative_prompt="fog",
        controls=tuple(ControlUnit(condition=name, map=digest) for name in ("canny", "depth")),
        width=64,
        height=64,
        init=digest,
        mask=pictures.put(hole),
        denoise=0.9,
        steps=4,
        count=2,
        seed=3,
    )


def shown(request: GenerateRequest, cache: ModelCache) -> tuple[Result, list[Any]]:
    """The result of a run, and all that was shown on the way."""
    events = list(generate(request, cache))
    previews = [event.preview for event in events if isinstance(event, Progress)]
    result = events[-1]
    assert isinstance(result, Result)
    return result, [preview for preview in previews if preview is not None]


def same(first: tuple[Result, list[Any]], second: tuple[Result, list[Any]]) -> bool:
    pairs = [
        *zip(first[0].images, second[0].images, strict=True),
        *zip(first[1], second[1], strict=True),
    ]
    return all(np.array_equal(one, other) for one, other in pairs) and len(pairs) > 2


@pytest.fixture(scope="module")
def plain(
    request_of_all: GenerateRequest, weights: Store, pictures: PictureStore, cpu: Device
) -> tuple[Result, list[Any]]:
    """What a machine makes that computes in its own memory."""
    return shown(request_of_all, ModelCache(weights, pictures, cpu))


def needed(request: GenerateRequest, played: Played) -> dict[str, int]:
    """The bytes that each mode needs for a request."""
    keys = (*base_keys("pocket", played.cache.store), *controls(request))
    with played.cache.hold(keys):
        sizes = played.cache.sizes(keys)
    return {name: need(mode, sizes) for name, mode in MODES.items()}


def controls(request: GenerateRequest) -> tuple[ModelKey, ...]:
    names = {unit.network("pocket") for unit in request.controls}
    return tuple(ModelKey(family="pocket", part="control", name=name) for name in sorted(names))


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_makes_the_same_picture_in_the_memory_that_it_says(
    mode: str, request_of_all: GenerateRequest, play: Callable[..., Played], plain: Any
) -> None:
    budget = needed(request_of_all, play())[mode]
    played = play(budget=budget)
    with borrow(request_of_all, played.cache) as models:
        assert models.place is not None
        assert models.place.mode.name == mode, "the quickest that fits"
    assert same(shown(request_of_all, played.cache), plain)
    assert 0 < played.ghost.peak <= budget
    forced = play(mode=mode)
    assert same(shown(request_of_all, forced.cache), plain)


def test_the_modes_need_less_and_less(request_of_all: GenerateRequest, play: Callable[..., Played]) -> None:
    found = needed(request_of_all, play())
    assert found["whole"] > found["parts"] > found["blocks"]
    with pytest.raises(ArmatureError) as refusal:
        list(generate(request_of_all, play(budget=found["blocks"] - 1).cache))
    assert refusal.value.code.name == "MODEL_TOO_LARGE"
    with pytest.raises(ArmatureError) as refusal:
        list(generate(request_of_all, play(budget=found["parts"], mode="whole").cache))
    assert refusal.value.code.name == "MODEL_TOO_LARGE", "a forced mode is never changed in silence"


def test_with_room_for_all_nothing_moves_twice(
    make_request: MakeRequest, play: Callable[..., Played]
) -> None:
    played = play()
    for seed in range(3):
        shown(make_request(seed=seed), played.cache)
    assert len(played.ghost.came) == 4, "text encoder, U-Net, decoder and control, once each"
    assert played.ghost.visitors == 0


def test_parts_take_turns_and_blocks_come_at_every_step(
    make_request: MakeRequest, play: Callable[..., Played]
) -> None:
    request = make_request(steps=3)
    found = needed(request, play())
    parts = play(budget=found["parts"], mode="parts")
    shown(request, parts.cache)
    kinds = [type(module).__name__ for module in parts.ghost.came]
    assert kinds[:2] == ["Text", "Vae"]
    assert sorted(kinds[2:4]) == ["ControlNetModel", "UNet2DConditionModel"]
    assert kinds.count("UNet2DConditionModel") == 1, "it stays from the first step to the last"
    blocks = play(budget=found["blocks"], mode="blocks")
    shown(request, blocks.cache)
    assert {type(module).__name__ for module in blocks.ghost.came} == {"Text", "Vae"}
    with blocks.cache.hold([ModelKey(family="pocket", part="unet")]) as lent:
        (unet,) = lent.values()
        assert blocks.ghost.visitors >= 3 * len(list(unet.parameters()))


def test_a_change_to_weights_at_rest_counts_at_the_next_call(cpu: Device) -> None:
    from models.carrying import Carrier, Visits

    module = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    before = module(torch.ones(1, 2))
    visits = Visits(module, ("0", "1"), Carrier(cpu))
    assert torch.equal(module(torch.ones(1, 2)), before)
    with torch.no_grad():
        module[0].get_parameter("weight").mul_(2)
    assert torch.allclose(module(torch.ones(1, 2)), 2 * before)
    visits.end()
    assert torch.allclose(module(torch.ones(1, 2)), 2 * before)
    assert not module[0]._forward_hooks


@pytest.mark.parametrize("where", ["piece", "carrier"])
def test_a_piece_that_fails_goes_home(where: str, cpu: Device) -> None:
    from models.carrying import Carrier, Visits

    class Full(Carrier):
        def copy(self, tensor: torch.Tensor) -> torch.Tensor:
            if where == "carrier" and tensor.dim() == 1:
                raise torch.OutOfMemoryError("no room")
            return super().copy(tensor).clone()

    module = nn.Sequential(nn.Linear(2, 3))
    home = [tensor.data_ptr() for tensor in module.parameters()]
    Visits(module, ("0",), Full(cpu))
    with pytest.raises(RuntimeError):
        module(torch.ones(1, 5))
    assert [tensor.data_ptr() for tensor in module.parameters()] == home


def test_what_is_idle_makes_room_for_a_network_between_two_steps(
    request_of_all: GenerateRequest, play: Callable[..., Played], weights: Store, plain: Any
) -> None:
    """A small GPU is full with a picture that is being made, and somebody wants a map."""
    network = ModelKey(part="annotator", name="hed")
    played = play(budget=needed(request_of_all, play())["parts"])
    ordinary = played.cache._load

    def load(store: Store, key: ModelKey, dtype: torch.dtype) -> nn.Module:
        if key != network:
            return ordinary(store, key, dtype)
        module = nn.Module()
        module.register_buffer("weight", torch.zeros(played.cache.device.budget // 4))
        return module

    played.cache._load = load
    seen: list[Any] = []
    images: tuple[Any, ...] = ()
    for event in generate(request_of_all, played.cache):
        if isinstance(event, Progress) and event.stage == "denoising":
            with played.cache.use([network]):
                assert played.cache.resident == (network,)
            seen += [] if event.preview is None else [event.preview]
        elif isinstance(event, Result):
            images = event.images
    assert all(np.array_equal(*pair) for pair in zip(images, plain[0].images, strict=True))
    assert len(seen) == len(plain[1])


def test_what_rests_is_dropped_when_that_is_too_much(
    make_request: MakeRequest, play: Callable[..., Played]
) -> None:
    request = make_request()
    found = needed(request, play())
    played = play(budget=found["parts"], resting=found["whole"])
    shown(request, played.cache)
    kept = set(played.cache.resident) | set(played.cache.resting)
    assert {key.part for key in kept} == {"text", "unet", "vae", "control"}
    small = play(budget=found["parts"], resting=found["whole"])
    small.cache.device = replace(small.cache.device, resting=1)
    small.cache._trim()
    assert small.cache.resting == ()


def test_clearing_leaves_what_is_held(make_request: MakeRequest, play: Callable[..., Played]) -> None:
    played = play()
    with borrow(make_request(), played.cache) as models:
        models.work("step", lambda thrifty: None)
        assert len(played.cache.resident) == 4
        played.cache.clear()
        assert not played.cache.resident
        assert len(played.cache.resting) == 4
        assert played.ghost.there == 0
    played.cache.clear()
    assert played.cache.resting == ()


def test_warming_a_small_device_loads_the_base_beside_it(
    make_request: MakeRequest, play: Callable[..., Played]
) -> None:
    found = needed(make_request(), play())
    small = play(budget=found["blocks"])
    warm("pocket", small.cache)
    assert (small.cache.resident, {key.part for key in small.cache.resting}) == ((), {"text", "unet", "vae"})
    large = play()
    warm("pocket", large.cache)
    assert {key.part for key in large.cache.resident} == {"text", "unet", "vae"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_headers_tell_the_size_before_anything_is_loaded(dtype: torch.dtype, weights: Store) -> None:
    from models.sizes import foretold

    keys = (*base_keys("pocket", weights), ModelKey(family="pocket", part="control", name="lines"))
    for key in keys:
        size = bytes_of(loading.load(weights, key, dtype))
        told = foretold(weights, key, dtype)
        assert told is not None
        assert abs(told - size) <= 1000, f"{key}: numbers that no file has, such as the map of colours"
    assert foretold(weights, ModelKey(family="pocket", part="control", name="seg"), dtype) is None


@pytest.mark.parametrize("prefix", ["merged", "control_model.", ""])
def test_the_header_of_a_control_in_one_file_tells_the_size_of_the_control_alone(
    prefix: str, store: Store, tmp_path: Path
) -> None:
    """Those of version 1.0 have a whole base beside it, three times as large."""
    from models.sizes import foretold

    shutil.copytree(store.weights, tmp_path / "weights")
    copy, lines = Store(tmp_path / "weights"), store.control("pocket", "lines")
    names = control_names(config_of(lines))
    tensors = originally(tensors_in(lines), names, "control_model." if prefix == "merged" else prefix)
    base = checkpoint_of(store.base("pocket")) if prefix == "merged" else {}
    path = copy.control("pocket", "canny/mine.safetensors")
    path.parent.mkdir(parents=True)
    save_file(tensors | {name: tensor.contiguous() for name, tensor in base.items()}, path)
    key = ModelKey(family="pocket", part="control", name="canny/mine.safetensors")
    size = bytes_of(loading.load(copy, key, torch.float32))
    assert foretold(copy, key, torch.float32) == size


@pytest.mark.parametrize("resting", [0, 1000])
def test_what_can_not_fit_is_refused_unread(
    resting: int, weights: Store, pictures: PictureStore, cpu: Device, make_request: MakeRequest
) -> None:
    read: list[ModelKey] = []

    def load(store: Store, key: ModelKey, dtype: torch.dtype) -> nn.Module:
        read.append(key)
        return networks.load(store, key, dtype)

    device = replace(cpu, budget=1000, resting=resting)
    cache = ModelCache(weights, pictures, device, load=load)
    with pytest.raises(ArmatureError) as refusal:
        list(generate(make_request(), cache))
    assert (refusal.value.code.name, read) == ("MODEL_TOO_LARGE", [])


def test_what_lies_on_the_device_already_takes_no_room_beside_it(
    make_request: MakeRequest, play: Callable[..., Played], weights: Store
) -> None:
    """A machine with a large GPU and little memory of its own: the base is there, and a control comes."""
    keys = (*base_keys("pocket", weights), *controls(make_request()))
    with (measured := play().cache).hold(keys):
        sizes = {size.part: size.whole for size in measured.sizes(keys)}
    base, control = sum(sizes.values()) - sizes["control"], sizes["control"]
    played = play(resting=max(base // 2 + 1, control))
    warm("pocket", played.cache)
    assert len(played.cache.resident) == 3
    shown(make_request(), played.cache)
    assert len(played.cache.resident) == 4
    assert played.ghost.came[-1].__class__.__name__ == "ControlNetModel"


def test_what_rests_idle_makes_room_before_more_is_read(
    make_request: MakeRequest, play: Callable[..., Played]
) -> None:
    played = play()
    warm("pocket", played.cache)
    played.cache.clear()
    with played.cache.hold(controls(make_request())):
        pass
    size = played.cache.sizes(controls(make_request()))[0].whole
    played.cache.device = replace(played.cache.device, resting=size)
    seen: list[tuple[ModelKey, ...]] = []
    ordinary = played.cache._load

    def load(store: Store, key: ModelKey, dtype: torch.dtype) -> nn.Module:
        seen.append(played.cache.resting)
        return ordinary(store, key, dtype)

    played.cache._load = load
    with played.cache.hold([ModelKey(family="pocket", part="control", name="depth")]):
        assert seen == [()]


def test_the_machines_own_memory_is_named_where_it_is_what_lacks(
    make_request: MakeRequest, play: Callable[..., Played]
) -> None:
    with pytest.raises(ArmatureError) as refusal:
        list(generate(make_request(), play(resting=1000).cache))
    assert refusal.value.code.name == "MODEL_TOO_LARGE"
    assert "this machine's own memory" in refusal.value.message
    assert "allowed: 2.0 KB" in refusal.value.message


def test_a_damaged_header_is_left_to_the_loading(tmp_path: Any, weights: Store) -> None:
    from models.sizes import foretold

    shutil.copytree(weights.weights, tmp_path / "weights")
    store = Store(tmp_path / "weights")
    (store.base("pocket") / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"no header")
    assert foretold(store, ModelKey(family="pocket", part="unet"), torch.float32) is None
