"""The sizes in the tables are about those of the networks, counted from their shapes; nothing is built."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

from annotators import ANNOTATORS
from models.catalogue import FAMILIES
from models.checkpoints import building
from tests.annotators import random_weights

NEAR = 0.02  # a file has a header, and lists its names


def bytes_of(state: Mapping[str, Any]) -> int:
    """The bytes of all tensors in a file."""
    parts = (
        value.numel() * value.element_size() if isinstance(value, torch.Tensor) else bytes_of(value)
        for value in state.values()
    )
    return sum(parts)


def counted(build: Callable[[], Any]) -> int:
    with building(), torch.device("meta"):
        return bytes_of(build().state_dict())


def unet() -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)


def vae() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
    )


def text() -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12))


def control() -> Any:
    from diffusers import ControlNetModel

    return ControlNetModel(cross_attention_dim=768)


def depth_anything() -> Any:
    """Depth Anything V2, small."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    backbone = Dinov2Config(
        hidden_size=384,
        num_attention_heads=6,
        image_size=518,
        out_features=["stage3", "stage6", "stage9", "stage12"],
    )
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=384, neck_hidden_sizes=[48, 96, 192, 384]
    )
    return DepthAnythingForDepthEstimation(config)


def seg_upernet() -> Any:
    """UPerNet on a small ConvNeXt."""
    from transformers import ConvNextConfig, UperNetConfig, UperNetForSemanticSegmentation

    backbone = ConvNextConfig(
        hidden_sizes=[96, 192, 384, 768],
        depths=[3, 3, 27, 3],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = UperNetConfig(
        backbone_config=backbone, hidden_size=512, num_labels=150, auxiliary_in_channels=384
    )
    return UperNetForSemanticSegmentation(config)


def seg_oneformer() -> Any:
    """OneFormer on a large Swin."""
    from transformers import OneFormerConfig, OneFormerForUniversalSegmentation, SwinConfig

    backbone = SwinConfig(
        embed_dim=192,
        depths=[2, 2, 18, 2],
        num_heads=[6, 12, 24, 48],
        window_size=12,
        image_size=384,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = OneFormerConfig(backbone_config=backbone, num_labels=150, num_queries=250)
    return OneFormerForUniversalSegmentation(config)


def test_the_base_of_sd15_has_about_its_size() -> None:
    base = FAMILIES["sd15"].base
    assert base is not None
    assert base.size == pytest.approx((counted(unet) + counted(vae) + counted(text)) / 2, rel=NEAR)


def test_every_control_of_sd15_has_about_its_size() -> None:
    size = counted(control) / 2
    for entry in FAMILIES["sd15"].controls:
        assert entry.weight is not None
        assert entry.weight.size == pytest.approx(size, rel=NEAR)


@pytest.mark.parametrize("file", random_weights.PICKLES)
def test_the_file_of_an_annotator_has_about_its_size(file: str) -> None:
    with building():
        size = bytes_of(random_weights.PICKLES[file]())
    weights = {weight for method in ANNOTATORS.values() for weight in method.weights if weight.file == file}
    assert [weight.size for weight in weights] == [pytest.approx(size, rel=NEAR)]


@pytest.mark.parametrize("build", [depth_anything, seg_upernet, seg_oneformer], ids=lambda b: b.__name__)
def test_the_folder_of_an_annotator_has_about_its_size(build: Callable[[], Any]) -> None:
    size = sum(weight.size for weight in ANNOTATORS[build.__name__].weights)
    assert size == pytest.approx(counted(build), rel=NEAR)


def test_whatever_is_fetched_says_about_how_large_it_is() -> None:
    for method in ANNOTATORS.values():
        assert method.is_fetched == (sum(weight.size for weight in method.weights) > 0)
