"""Modes, budgets and pieces, by numbers alone; and the pieces of Stable Diffusion's own networks."""

import pytest
import torch
from torch import nn

from errors import ArmatureError
from models import memory, torchvision_ops
from models.carrying import sizes_of, tensors_of
from models.memory import LARGEST_PIECE, MODES, Size, fitting, need, parse_bytes, pieces

MEGA = 10**6
# SD 1.5 in half precision with two controls; pieces as they are measured below
SD15 = (
    Size(part="text", whole=246 * MEGA, piece=76 * MEGA),
    Size(part="unet", whole=1719 * MEGA, piece=125 * MEGA),
    Size(part="vae", whole=167 * MEGA, piece=9 * MEGA),
    Size(part="preview", whole=5 * MEGA, piece=5 * MEGA),
    Size(part="control", whole=723 * MEGA, piece=125 * MEGA),
    Size(part="control", whole=723 * MEGA, piece=125 * MEGA),
)


def test_the_modes_of_stable_diffusion_in_figures() -> None:
    assert [need(mode, SD15) // MEGA for mode in MODES.values()] == [3583, 3170, 413]


@pytest.mark.parametrize(
    ("budget", "mode"), [(4000, "whole"), (3583, "whole"), (3500, "parts"), (3000, "blocks"), (100, "blocks")]
)
def test_the_quickest_that_fits_is_taken(budget: int, mode: str) -> None:
    assert fitting(SD15, budget * MEGA).name == mode
    assert fitting(SD15, budget * MEGA, "parts").name == "parts"


def test_every_part_has_a_stage() -> None:
    from typing import get_args

    from models.loading import Part

    in_stages = {part for parts in memory.STAGES.values() for part in parts}
    assert in_stages == set(get_args(Part)) - {"annotator", "safety"}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("auto", None),
        ("1000", 1000),
        ("6GB", 6 * 10**9),
        ("1.5 GiB", 3 * 2**29),
        ("800mb", 8 * 10**8),
        (" 4 KB ", 4000),
    ],
)
def test_bytes_as_people_write_them(text: str, size: int | None) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "much", "-1GB", "0", "6 TB", "1e9", "nan", "6GBGB", "9" * 20, "0.0001KB"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ArmatureError) as refusal:
        parse_bytes(text)
    assert refusal.value.code.name == "PARAM_TYPE"
    assert "--memory" in refusal.value.message


def test_pieces_are_as_large_as_they_may_be_and_lists_are_none() -> None:
    sizes = {
        "a.x.weight": 30,
        "a.y.weight": 30,
        "b.0.weight": 10,
        "b.1.c.weight": 10,
        "d.weight": 500,
        "d.e.w": 5,
    }
    assert pieces(sizes, 100) == {"a": 60, "b.0": 10, "b.1": 10, "d": 505}
    assert pieces(sizes, 50) == {"a.x": 30, "a.y": 30, "b.0": 10, "b.1": 10, "d": 505}
    assert pieces({"weight": 3, "a.weight": 4}, 1) == {"": 7}
    assert pieces({}) == {}


def sd15_networks() -> tuple[nn.Module, nn.Module]:
    """U-Net and control of Stable Diffusion 1.5 without any numbers, in half precision."""
    torchvision_ops.define_missing()
    from diffusers import ControlNetModel, UNet2DConditionModel

    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
        return unet.half(), ControlNetModel.from_unet(unet, load_weights_from_unet=False).half()


def test_every_piece_of_the_full_networks_is_called_and_small() -> None:
    """A piece that is never called would never come; a tensor in none would stay where it rests."""
    from pipelines.residuals import encoded

    unet, control = sd15_networks()
    called: set[str] = set()
    expected: set[str] = set()
    for name, network in (("unet", unet), ("control", control)):
        found = pieces(sizes_of(network))
        assert max(found.values()) <= LARGEST_PIECE
        assert sum(found.values()) == sum(sizes_of(network).values())
        inside = {id(tensor) for piece in found for tensor in tensors_of(network.get_submodule(piece))}
        assert inside == {id(tensor) for tensor in tensors_of(network)}
        for piece in found:
            key = f"{name}.{piece}"
            expected.add(key)
            network.get_submodule(piece).register_forward_pre_hook(lambda *_, key=key: called.add(key))
    with torch.no_grad(), torch.device("meta"):
        x, t, text = torch.empty(1, 4, 8, 8).half(), torch.zeros(1), torch.empty(1, 77, 768).half()
        features = control.get_submodule("controlnet_cond_embedding")(torch.empty(1, 3, 64, 64).half())
        *down, mid = encoded(control, x, t, text, features)
        unet(
            x,
            t,
            encoder_hidden_states=text,
            down_block_additional_residuals=down,
            mid_block_additional_residual=mid,
        )
    assert called == expected
