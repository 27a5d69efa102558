"""What the controls add to the U-Net: ControlNet's two halves, run only where and as often as is needed.

The hint network sees a map, which stays the same: it runs once for a picture. The encoder sees latents and
time: it runs at every step, on those rows that it acts on.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import interpolate

from pipelines.conditioning import Hint, is_pooled
from pipelines.state import Row


def residuals(
    controls: Mapping[str, Any], rows: Sequence[Row], x: torch.Tensor, t: torch.Tensor, text: torch.Tensor
) -> list[torch.Tensor]:
    """What the controls add to the U-Net's skips and, last, to its middle; nothing where no hint holds.

    Each ControlNet runs once, on the rows that have a hint for it; for all other rows it adds zeros.
    """
    total: list[torch.Tensor] = []
    for name in dict.fromkeys(hint.control for row in rows for hint in row.hints):
        pairs = [(i, hint) for i, row in enumerate(rows) for hint in row.hints if hint.control == name]
        index = torch.tensor([i for i, _ in pairs], device=x.device)
        features = torch.cat([features_of(hint, controls[name], x.device) for _, hint in pairs])
        parts = encoded(controls[name], x[index], t[index], text[index], features)
        parts = weighted(parts, [hint for _, hint in pairs], pooled=is_pooled(controls[name]))
        added = [part.new_zeros((len(rows), *part.shape[1:])).index_add_(0, index, part) for part in parts]
        total = [a + b for a, b in zip(total, added, strict=True)] if total else added
    return total


def features_of(hint: Hint, control: Any, device: torch.device) -> torch.Tensor:
    """The hint network's view (1, C, h, w) of a hint's map; found once, and kept with the hint."""
    if hint.features is None:
        is_bgr = control.config.controlnet_conditioning_channel_order == "bgr"
        map = torch.as_tensor(hint.map.flip(1) if is_bgr else hint.map, device=device)
        hint.features = control.controlnet_cond_embedding(map)
    return hint.features


def encoded(
    control: Any, x: torch.Tensor, t: torch.Tensor, text: torch.Tensor, features: torch.Tensor
) -> list[torch.Tensor]:
    """The answer of a ControlNet's encoder to latents (N, 4, h, w) at times t (N): a part for each skip,
    the shallowest first, and last one for the middle.

    As `ControlNetModel` computes it, save that the hint network has run already.
    """
    time = control.time_embedding(control.time_proj(t).type(x.dtype))
    h = control.conv_in(x) + features
    skips = [h]
    for block in control.down_blocks:
        h, made = block(h, time, **_read(block, text))
        skips += made
    h = control.mid_block(h, time, **_read(control.mid_block, text))
    zero_convolutions = (*control.controlnet_down_blocks, control.controlnet_mid_block)
    return [convolution(part) for convolution, part in zip(zero_convolutions, (*skips, h), strict=True)]


def _read(block: Any, text: torch.Tensor) -> dict[str, torch.Tensor]:
    """The text, for a block that reads it."""
    return {"encoder_hidden_states": text} if getattr(block, "has_cross_attention", False) else {}


def weighted(parts: list[torch.Tensor], hints: Sequence[Hint], *, pooled: bool) -> list[torch.Tensor]:
    """The parts (N, C, h, w) of N hints as far as each counts: by strength, by layer, and by region."""
    rows = [[hint.strength * factor for factor in hint.layers or (1.0,) * len(parts)] for hint in hints]
    weights = torch.tensor(rows, device=parts[0].device, dtype=parts[0].dtype)
    regional = any(hint.region is not None for hint in hints)
    answers = []
    for part, weight in zip(parts, weights.T, strict=True):
        answer = part * weight[:, None, None, None]
        if pooled:
            answer = answer.mean((2, 3), keepdim=True)
        if regional:
            answer = answer * torch.cat([region_of(hint, part) for hint in hints])
        answers.append(answer)
    return answers


def region_of(hint: Hint, part: torch.Tensor) -> torch.Tensor:
    """Where a hint acts (1, 1, h, w), from 0 to 1, at the size of a part (N, C, h, w)."""
    size = (part.shape[-2], part.shape[-1])
    if size not in hint.regions:
        whole = torch.ones((1, 1, *size)) if hint.region is None else hint.region.float()
        region = interpolate(whole, size=size, mode="bilinear")
        hint.regions[size] = torch.as_tensor(region, device=part.device, dtype=part.dtype)
    return hint.regions[size]
