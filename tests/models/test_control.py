"""A control as the paper has it: harmless at first, and grown from its outputs inwards."""

import copy
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from errors import MODEL_PAIRING, ArmatureError
from models import control as paper
from models.loading import ModelKey, load
from models.store import Store
from tests.tiny_family import TEXT_WIDTH

HINT_CONVOLUTIONS = 7  # in front of the zero convolution


@pytest.fixture
def unet(store: Store) -> Any:
    """The U-Net of the tiny family, locked."""
    return load(store, ModelKey(part="unet", family="pocket"), torch.float32)


@pytest.fixture
def control(unet: Any) -> Any:
    """A fresh control for it."""
    torch.manual_seed(1)
    return paper.from_base(unet)


@pytest.fixture
def question() -> dict[str, torch.Tensor]:
    """Latents, times, texts and hints of two pictures of 64 pixels."""
    chance = torch.Generator().manual_seed(2)
    return {
        "x_t": torch.randn(2, 4, 8, 8, generator=chance),
        "t": torch.tensor([3, 700]),
        "text": torch.randn(2, 77, TEXT_WIDTH, generator=chance),
        "hint": torch.rand(2, 3, 64, 64, generator=chance),
    }


def parts(control: Any) -> dict[str, list[nn.Parameter]]:
    """The parameters of a control by the parts of the paper, each exactly once."""
    named: dict[str, Iterable[nn.Module]] = {
        "output zero convolutions": paper.output_zero_convolutions(control),
        "copied encoder": paper.copied_encoder(control),
        "hint zero convolution": (paper.hint_zero_convolution(control),),
        "hint network": paper.hint_network(control),
    }
    found = {name: [p for module in modules for p in module.parameters()] for name, modules in named.items()}
    everything = [id(parameter) for parameters in found.values() for parameter in parameters]
    assert sorted(everything) == sorted(map(id, control.parameters())), "the parts are the whole"
    return found


def backward(unet: Any, control: Any, question: dict[str, torch.Tensor]) -> None:
    """One backward pass of the loss that training has, with fresh gradients."""
    control.zero_grad(set_to_none=True)
    wanted = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    nn.functional.mse_loss(paper.predict(unet, control, **question), wanted).backward()


def reached(control: Any) -> dict[str, bool]:
    """For each part, whether gradients reach all of its parameters, or exactly none."""
    answer = {}
    for name, parameters in parts(control).items():
        moved = {parameter.grad is not None and bool(parameter.grad.any()) for parameter in parameters}
        assert len(moved) == 1, f"{name} is reached in part"
        answer[name] = moved.pop()
    return answer


def reached_all(modules: Iterable[nn.Module]) -> bool:
    """Whether gradients reach every parameter."""
    gradients = (parameter.grad for module in modules for parameter in module.parameters())
    return all(gradient is not None and bool(gradient.any()) for gradient in gradients)


def passes(unet: Any, control: Any, question: dict[str, torch.Tensor]) -> Iterator[dict[str, bool]]:
    """What each backward pass reaches, with a plain step of gradient descent after it."""
    while True:
        backward(unet, control, question)
        yield reached(control)
        with torch.no_grad():
            for parameter in control.parameters():
                if parameter.grad is not None:
                    parameter -= 0.5 * parameter.grad


def test_a_fresh_control_changes_nothing_at_all(
    unet: Any, control: Any, question: dict[str, torch.Tensor]
) -> None:
    with torch.no_grad():
        plain = paper.predict(unet, None, **question)
        controlled = paper.predict(unet, control, **question)
    assert plain.std() > 0.01
    assert torch.equal(controlled, plain)


def test_the_untrained_control_is_not_equal_for_lack_of_wiring(
    unet: Any, control: Any, question: dict[str, torch.Tensor]
) -> None:
    with torch.no_grad():
        plain = paper.predict(unet, None, **question)
        for convolution in paper.output_zero_convolutions(control):
            for parameter in convolution.parameters():
                parameter.fill_(0.01)
            assert not torch.equal(paper.predict(unet, control, **question), plain)
            for parameter in convolution.parameters():
                parameter.zero_()


def test_gradients_reach_the_outputs_then_the_copy_then_the_hint_network(
    unet: Any, control: Any, question: dict[str, torch.Tensor]
) -> None:
    first, second, third = (
        reach for reach, _ in zip(passes(unet, control, question), range(3), strict=False)
    )
    assert first == {
        "output zero convolutions": True,
        "copied encoder": False,
        "hint zero convolution": False,
        "hint network": False,
    }
    assert second == {
        "output zero convolutions": True,
        "copied encoder": True,
        "hint zero convolution": True,
        "hint network": False,
    }
    assert set(third.values()) == {True}


def test_the_base_is_locked(unet: Any, control: Any, question: dict[str, torch.Tensor]) -> None:
    before = copy.deepcopy(unet.state_dict())
    list(islice(passes(unet, control, question), 3))
    assert all(parameter.grad is None for parameter in unet.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in unet.state_dict().items())


def test_the_copy_is_the_encoder_and_shares_nothing_with_it(unet: Any, control: Any) -> None:
    originals = (unet.conv_in, unet.time_embedding, unet.down_blocks, unet.mid_block)
    for copied, original in zip(paper.copied_encoder(control), originals, strict=True):
        for (name, ours), (other, theirs) in zip(
            copied.state_dict().items(), original.state_dict().items(), strict=True
        ):
            assert name == other
            assert torch.equal(ours, theirs)
            assert ours.data_ptr() != theirs.data_ptr()


def test_there_is_a_zero_convolution_for_every_skip_and_the_middle(
    unet: Any, control: Any, question: dict[str, torch.Tensor]
) -> None:
    skips, mid = control(
        question["x_t"],
        question["t"],
        encoder_hidden_states=question["text"],
        controlnet_cond=question["hint"],
        return_dict=False,
    )
    assert len(paper.output_zero_convolutions(control)) == len(skips) + 1
    assert len(paper.hint_network(control)) == HINT_CONVOLUTIONS
    zero = (*paper.output_zero_convolutions(control), paper.hint_zero_convolution(control))
    assert not any(parameter.any() for convolution in zero for parameter in convolution.parameters())
    assert mid.shape[1] == unet.config.block_out_channels[-1]


def test_a_control_of_stable_diffusions_size_is_the_originals() -> None:
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):  # the shapes alone
        control = paper.from_base(UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8))
    assert len(paper.output_zero_convolutions(control)) == 13
    assert sum(parameter.numel() for parameter in control.parameters()) == 361_279_120


def test_only_the_middle_learns_and_only_through_the_middle(
    unet: Any, control: Any, question: dict[str, torch.Tensor]
) -> None:
    paper.only_middle(control)
    for reach in range(3):
        backward(unet, control, question)
        assert control.controlnet_mid_block.weight.grad.any()
        assert all(p.grad is None for p in control.controlnet_down_blocks.parameters()), reach
        with torch.no_grad():
            for parameter in control.parameters():
                if parameter.grad is not None:
                    parameter -= 0.5 * parameter.grad
    assert not any(parameter.any() for parameter in control.controlnet_down_blocks.parameters())
    assert reached_all(paper.hint_network(control))


def test_a_control_goes_through_a_folder_and_the_studios_loader(
    tmp_path: Path, store: Store, control: Any, question: dict[str, torch.Tensor]
) -> None:
    nn.init.normal_(control.controlnet_mid_block.weight)
    weights = tmp_path / "weights"
    (weights / "pocket").mkdir(parents=True)
    (weights / "pocket" / "base").symlink_to(store.base("pocket"))
    control.save_pretrained(weights / "pocket" / "controls" / "lines")
    loaded = load(Store(weights), ModelKey(part="control", family="pocket", name="lines"), torch.float32)
    assert all(
        torch.equal(tensor, control.state_dict()[name]) for name, tensor in loaded.state_dict().items()
    )


# transfer


def moved(module: Any, seed: int) -> Any:
    """The same network, trained a little further."""
    other = copy.deepcopy(module)
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter += 0.01 * torch.randn(parameter.shape, generator=chance)
    return other


def test_a_transferred_control_keeps_what_it_learned(unet: Any, control: Any) -> None:
    trained, other = moved(control, 4), moved(unet, 5)
    result = paper.transfer(trained, unet, other).state_dict()
    for name, tensor in trained.state_dict().items():
        expected = tensor
        if name in unet.state_dict():
            expected = tensor + other.state_dict()[name] - unet.state_dict()[name]
        assert torch.allclose(result[name], expected, atol=1e-6)
    assert not torch.equal(result["conv_in.weight"], trained.state_dict()["conv_in.weight"])
    assert torch.equal(result["controlnet_mid_block.weight"], trained.controlnet_mid_block.weight)


def test_an_untrained_control_becomes_the_other_bases_untrained_control(unet: Any, control: Any) -> None:
    other = moved(unet, 6)
    result = paper.transfer(control, unet, other)
    for module, original in zip(
        paper.copied_encoder(result),
        (other.conv_in, other.time_embedding, other.down_blocks, other.mid_block),
        strict=True,
    ):
        for name, tensor in original.state_dict().items():
            assert torch.allclose(module.state_dict()[name], tensor, atol=1e-6)


def test_transfer_leaves_its_sources_alone(unet: Any, control: Any) -> None:
    before = copy.deepcopy(control.state_dict())
    paper.transfer(control, unet, moved(unet, 7))
    assert all(torch.equal(tensor, before[name]) for name, tensor in control.state_dict().items())


def test_a_base_of_another_architecture_is_refused(unet: Any, control: Any) -> None:
    from diffusers import UNet2DConditionModel

    wider = UNet2DConditionModel.from_config({**unet.config, "cross_attention_dim": 2 * TEXT_WIDTH})
    for original, other in ((unet, wider), (wider, wider)):
        with pytest.raises(ArmatureError) as refusal:
            paper.transfer(control, original, other)
        assert refusal.value.code is MODEL_PAIRING
