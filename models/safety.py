"""The safety checker of Stable Diffusion 1.5: whether a finished picture may be shown.

It is CLIP's view of a picture, compared with that of three groups of words that call for special care and of
seventeen concepts. The network is diffusers'; the rule is that of its class, but numbers that are not finite
flag a picture, and of a picture that is not square all parts are looked at. Importing this imports torch.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn.functional import normalize

from models import torchvision_ops

Pixels: TypeAlias = NDArray[np.uint8]
Scores: TypeAlias = NDArray[np.float32]

CARE = 0.01  # by how much a picture that calls for special care is nearer to every concept
DIGITS = 3  # to which the distances are rounded


class Checker(nn.Module):
    """The network of the checker, in float32, and what brings a picture to the size that it looks at."""

    def __init__(self, network: Any, processor: Any) -> None:
        super().__init__()
        self.network = network
        self.processor = processor

    @torch.no_grad()
    def flags(self, picture: Pixels) -> bool:
        """Whether an RGB uint8 (H, W, 3) picture is not to be shown."""
        special, concepts = self.nearness(views(picture))
        cares, thresholds = self.network.special_care_embeds_weights, self.network.concept_embeds_weights
        rows = zip(special, concepts, strict=True)
        return any(is_flagged(*row, _numbers(cares), _numbers(thresholds)) for row in rows)

    def nearness(self, pictures: Sequence[Pixels]) -> tuple[Scores, Scores]:
        """How near pictures, RGB uint8 (H, W, 3), are to each special care (N, 3) and concept (N, 17)."""
        images = [Image.fromarray(picture) for picture in pictures]
        pixels = self.processor(images, return_tensors="pt").pixel_values
        own = self.network.concept_embeds
        pooled = self.network.vision_model(torch.as_tensor(pixels, device=own.device, dtype=own.dtype))[1]
        seen = normalize(self.network.visual_projection(pooled))
        special, concepts = (
            seen @ normalize(known).T
            for known in (self.network.special_care_embeds, self.network.concept_embeds)
        )
        return _numbers(special), _numbers(concepts)


def is_flagged(special: Scores, concepts: Scores, cares: Scores, thresholds: Scores) -> bool:
    """The rule for one view: its nearness to each special care and concept, and from where each counts."""
    if not (np.isfinite(special).all() and np.isfinite(concepts).all()):
        return True
    adjustment = 0.0
    for near, threshold in zip(special, cares, strict=True):
        if round(near - threshold + adjustment, DIGITS) > 0:
            adjustment = CARE
    return bool((np.round(concepts - thresholds + np.float32(adjustment), DIGITS) > 0).any())


def views(picture: Pixels) -> tuple[Pixels, ...]:
    """The picture, of which the middle square is looked at, and squares (S, S, 3) that hold all of it."""
    height, width = picture.shape[:2]
    side, longer = min(height, width), max(height, width)
    if side == longer:
        return (picture,)
    count = -(-longer // side)
    starts = [round(place) for place in np.linspace(0, longer - side, count)]
    if height < width:
        squares = [picture[:, start : start + side] for start in starts]
    else:
        squares = [picture[start : start + side] for start in starts]
    return (picture, *map(np.ascontiguousarray, squares))


def read(folder: Path) -> Checker:
    """The checker from `safety_checker` and `feature_extractor` in a folder; a lacking tensor is an error."""
    torchvision_ops.define_missing()
    import transformers
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPImageProcessor

    transformers.utils.logging.disable_progress_bar()
    weights = folder / "safety_checker"
    network, report = StableDiffusionSafetyChecker.from_pretrained(
        weights,
        dtype=torch.float32,
        variant=None if (weights / "model.safetensors").is_file() else "fp16",
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    lacking = [*report["missing_keys"], *report["mismatched_keys"]]
    if lacking:
        raise ValueError(f"{weights.name} lacks {len(lacking)} tensors, such as {lacking[0]}")
    processor = CLIPImageProcessor.from_pretrained(folder / "feature_extractor", local_files_only=True)
    return Checker(network, processor)


def _numbers(tensor: torch.Tensor) -> Scores:
    return tensor.detach().cpu().float().numpy()
