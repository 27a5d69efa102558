"""The network of the pocket annotators: one encoder, and heads for depth, normals, classes and poses.

Importing this imports torch.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import interpolate, normalize

CHANNELS = (16, 48, 96, 128)  # at 1/2, 1/4, 1/8 and 1/16
GROUPS = 8
POINTS = 18  # of a person
KINDS = 150  # of things, as ADE20K numbers them
STRIDE = 16

Found = dict[str, torch.Tensor]


class Heads(nn.Module):
    """From pictures (N, 3, H, W), 0 to 1, with sides that are multiples of 16, to what is true of them.

    All that is found is half as high and wide: h, w. `depth` (N, h, w) is 1 where it is near and 0 where it
    is far; `normals` (N, 3, h, w) have length 1; `classes` (N, 150, h, w) are logits. `heat` (N, 18, h, w) is
    high where a key point is, and there `reach` (N, 36, h, w) says how far away, across and down in sides of
    the picture, the neck is.
    """

    side: torch.Tensor  # of the pictures that it learnt from, in pixels

    def __init__(self, side: int = 256) -> None:
        super().__init__()
        self.register_buffer("side", torch.tensor(side))
        self.steps_down = nn.ModuleList(
            _block(before, after, stride=2) for before, after in zip((3, *CHANNELS), CHANNELS, strict=False)
        )
        self.middle = _block(CHANNELS[-1], CHANNELS[-1])
        self.steps_up = nn.ModuleList(
            _block(below + beside, beside)
            for below, beside in zip(CHANNELS[:0:-1], CHANNELS[-2::-1], strict=True)
        )
        self.last = nn.Conv2d(CHANNELS[0], 1 + 3 + KINDS + 3 * POINTS, 1)

    def answers(self, pictures: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
        """What these heads answer, one after the other, (N, C, h, w)."""
        found = self(pictures)
        return torch.cat([found[name] if found[name].ndim > 3 else found[name][:, None] for name in names], 1)

    def forward(self, pictures: torch.Tensor) -> Found:
        x, beside = pictures * 2 - 1, []
        for step in self.steps_down:
            x = step(x)
            beside.append(x)
        x = self.middle(x)
        for step, other in zip(self.steps_up, beside[-2::-1], strict=True):
            x = step(torch.cat((interpolate(x, scale_factor=2, mode="nearest"), other), dim=1))
        depth, normals, classes, heat, reach = self.last(x).split((1, 3, KINDS, POINTS, 2 * POINTS), dim=1)
        return {
            "depth": depth[:, 0],
            "normals": normalize(normals, dim=1),
            "classes": classes,
            "heat": heat,
            "reach": reach,
        }


def read(path: Path) -> Heads:
    """The network in a file, on the CPU in float32, frozen."""
    network = Heads()
    network.load_state_dict(load_file(path))
    return network.eval().requires_grad_(False)


def _block(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1),
        nn.GroupNorm(GROUPS, after),
        nn.SiLU(),
        nn.Conv2d(after, after, 3, padding=1),
        nn.GroupNorm(GROUPS, after),
        nn.SiLU(),
    )
