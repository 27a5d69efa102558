"""Whether captions are obeyed: the colour of each thing that is named with one, in the place where it stands.

The light of the scene is taken out again: a red roof at dusk is to be as dark as any roof at dusk.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from annotators.base import Pixels
from training.data import Example
from training.family.drawn import Drawn
from training.family.measured import AT_ONCE, sampled
from training.family.pairs import ScenePairs
from training.parts import Parts
from training.world.caption import named
from training.world.colours import could_be_called
from training.world.render import World, render

LEAST = 0.01  # of the picture: what is smaller has hardly a colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Obeyed:
    """How many of the things that were named with a colour had it."""

    right: int
    named: int

    @property
    def share(self) -> float:
        """From 0 to 1; 1 where nothing was named."""
        return self.right / self.named if self.named else 1.0


def obeyed(parts: Parts, control: Any | None, drawn: Drawn, *, count: int) -> Obeyed:
    """The colours in results under the control of lines, on the first scenes."""
    pairs = ScenePairs(drawn, "lines")
    size = drawn.layer("picture", 0).shape[-1]
    found: list[bool] = []
    for first in range(0, count, AT_ONCE):
        some: list[Example] = [pairs[index] for index in range(first, min(first + AT_ONCE, count))]
        world = render(drawn.seeds[first : first + len(some)], size)
        for number, result in enumerate(sampled(parts, control, some)):
            found += judged(world, number, result)
    return Obeyed(right=sum(found), named=len(found))


def judged(world: World, number: int, result: Pixels) -> Iterator[bool]:
    """Whether a result, RGB uint8 (size, size, 3), has the colour of each thing that the caption names."""
    pixels = torch.from_numpy(result).movedim(-1, 0).float() / 255
    for thing, colour in named(world.scenes[number], world.captions[number]):
        mask = world.things[number] == thing
        if mask.float().mean() < LEAST:
            continue
        picture, white = (
            part[number][:, mask].float().mean(dim=1) / 255 for part in (world.picture, world.white)
        )
        light = picture / white.clamp(min=0.02)
        red, green, blue = (pixels[:, mask].mean(dim=1) / light.clamp(min=0.02)).clamp(0, 1).tolist()
        yield could_be_called((red, green, blue), colour)
