"""Networks of annotators at their real size, with random weights: how long they take does not depend on them.

Most come from the tests' random files, which have the real shapes. Those of transformers are small there, and
are made here as their published configurations have them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from annotators import Annotator
from models.checkpoints import building
from models.store import Store
from tests.annotators import random_weights


def network(annotator: Annotator, folder: Path) -> nn.Module:
    """The network of an annotator on the CPU, frozen, as its own `load` gives it."""
    store = Store(folder)
    random_weights.write(store, annotator.name)
    made: nn.Module
    if annotator.name in PUBLISHED:
        with building():
            made = PUBLISHED[annotator.name]().eval().requires_grad_(False)
    else:
        made = annotator.load(store.annotator_files(annotator.weights))
    return made


def _depth_anything() -> nn.Module:
    """depth-anything/Depth-Anything-V2-Small-hf: 25 million parameters."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    backbone = Dinov2Config(
        hidden_size=384,
        num_attention_heads=6,
        image_size=518,
        patch_size=14,
        out_features=["stage3", "stage6", "stage9", "stage12"],
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(backbone_config=backbone, neck_hidden_sizes=[48, 96, 192, 384])
    made: nn.Module = DepthAnythingForDepthEstimation(config)
    return made


def _seg_upernet() -> nn.Module:
    """openmmlab/upernet-convnext-small: 82 million parameters."""
    from transformers import ConvNextConfig, UperNetConfig, UperNetForSemanticSegmentation

    backbone = ConvNextConfig(
        hidden_sizes=[96, 192, 384, 768],
        depths=[3, 3, 27, 3],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    made: nn.Module = UperNetForSemanticSegmentation(UperNetConfig(backbone_config=backbone, num_labels=150))
    return made


def _seg_oneformer() -> nn.Module:
    """shi-labs/oneformer_ade20k_swin_large: 219 million parameters."""
    from transformers import OneFormerConfig, OneFormerForUniversalSegmentation, SwinConfig

    backbone = SwinConfig(
        embed_dim=192,
        depths=[2, 2, 18, 2],
        num_heads=[6, 12, 24, 48],
        window_size=12,
        image_size=384,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    made: nn.Module = OneFormerForUniversalSegmentation(
        OneFormerConfig(backbone_config=backbone, num_labels=150, num_queries=250)
    )
    made.register_buffer("task", torch.ones((1, 77), dtype=torch.int64), persistent=False)
    return made


PUBLISHED: dict[str, Callable[[], Any]] = {
    "depth_anything": _depth_anything,
    "seg_upernet": _seg_upernet,
    "seg_oneformer": _seg_oneformer,
}
