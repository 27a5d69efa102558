"""The drawn scenes as a data set of the trainer: each as it is and mirrored, with a control's hints."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import annotators
from annotators.base import Pixels
from training.chance import seed_of
from training.data import Example
from training.family.drawn import Drawn
from training.feed import LATENT
from training.hints import Hint, masked
from training.holes import hole
from training.world import layers
from training.world.render import World

# A mirrored person's left is right: the 18 key points in the order of the other side.
MIRRORED = (0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16)
SEEDED = "scribble_synthetic"
COLOURED = 3  # how much more a thing counts whose colour is named

Make = Callable[[World, int], Hint]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """A kind of lines: an annotator, and settings within bounds that each hint draws anew."""

    annotator: str
    between: tuple[tuple[str, int, int], ...] = ()


# All strengths of line that the tabs make; the first is the one that held-out scenes have.
LINES = (
    Lines(annotator="canny"),
    Lines(annotator="canny", between=(("low_threshold", 30, 120), ("high_threshold", 120, 250))),
    Lines(annotator="softedge_gradient"),
    Lines(annotator="lineart_standard"),
    Lines(annotator="scribble_synthetic"),
    Lines(annotator="scribble_xdog"),
    Lines(annotator="hough"),
)


@dataclass(frozen=True)
class ScenePairs:
    """Drawn scenes for one control of the family; where `mirrored`, all of them follow in a mirror.

    In its first epoch a scene has the hint that it is measured by; later ones vary where hints can.
    """

    drawn: Drawn
    control: str
    mirrored: bool = False

    def __len__(self) -> int:
        return len(self.prompts)

    def __getitem__(self, index: int) -> Example:
        return self.at(index, 0)

    @cached_property
    def prompts(self) -> tuple[str, ...]:
        return self.drawn.captions * (2 if self.mirrored else 1)

    @property
    def varies(self) -> bool:
        return False

    @property
    def skipped(self) -> int:
        return 0

    @cached_property
    def contents(self) -> str:
        return hashlib.sha256(repr((self.drawn.seeds, self.prompts)).encode()).hexdigest()

    @property
    def fingerprint(self) -> str:
        return f"{self.contents} {self.control}"

    def at(self, index: int, epoch: int) -> Example:
        seed = self.drawn.seeds[index % len(self.drawn)]
        return Example(
            target=self.target(index, epoch),
            hint=self.hint(index, epoch),
            prompt=self.prompts[index],
            name=f"{seed} mirrored" if index >= len(self.drawn) else str(seed),
        )

    def target(self, index: int, epoch: int) -> Pixels:
        picture = self.drawn.layer("picture", index % len(self.drawn)).permute(1, 2, 0).numpy()
        return np.ascontiguousarray(picture if index < len(self.drawn) else picture[:, ::-1])

    def hint(self, index: int, epoch: int) -> Hint:
        world = self.drawn.world(index % len(self.drawn))
        chance = seed_of("hint", index, epoch) % 2**32 if epoch else 0
        return MAKERS[self.control](world if index < len(self.drawn) else in_mirror(world), chance)

    def emphasis(self, index: int) -> NDArray[np.float32]:
        row = index % len(self.drawn)
        classes, things = (self.drawn.layer(name, row) for name in ("classes", "things"))
        counted = emphasis(classes, things, self.drawn.coloured[row])
        return counted if index < len(self.drawn) else np.ascontiguousarray(counted[:, ::-1])


def emphasis(classes: torch.Tensor, things: torch.Tensor, coloured: Sequence[int]) -> NDArray[np.float32]:
    """How much each latent of a scene counts, (H/8, W/8), 1 on average, from maps uint8 (H, W).

    The less there is of a thing, the more it counts, by the root of its share: else a picture's sky would be
    most of what is learnt. What the caption names in colour counts most: nothing but words tells its colour.
    """
    _, place, counts = torch.unique(classes.int() * 256 + things, return_inverse=True, return_counts=True)
    weights = counts.float().rsqrt()[place]
    weights[torch.isin(things, torch.tensor(coloured, dtype=things.dtype))] *= COLOURED
    weights = torch.nn.functional.avg_pool2d(weights[None], LATENT)[0]
    return np.asarray((weights / weights.mean()).numpy())


def in_mirror(world: World) -> World:
    """The same world seen in a mirror."""
    points, size = world.points.clone(), world.depth.shape[-1]
    there = points[..., 2] > 0
    points[..., 0] = torch.where(there, size - points[..., 0], points[..., 0])
    normals = world.normals.flip(-1)
    normals[:, 0] = -normals[:, 0]
    turned = {
        name: getattr(world, name).flip(-1)
        for name in ("picture", "white", "depth", "classes", "things", "edges", "lines")
    }
    return replace(world, points=points[:, :, MIRRORED], normals=normals, **turned)


def _scaled(map: Pixels) -> Hint:
    return np.asarray(map, np.float32) / np.float32(255)


def found(annotator: str, picture: Pixels, chance: int = 0, **values: Any) -> Pixels:
    """The map of an annotator without a network at the picture's own size."""
    if annotator == SEEDED:
        values["seed"] = chance % 2**31
    return annotators.annotate(annotator, picture, resolution=min(picture.shape[:2]), **values).map


def _lines(world: World, chance: int) -> Hint:
    generator = np.random.default_rng(chance)
    kind = LINES[generator.integers(len(LINES)) if chance else 0]
    values = {name: int(generator.integers(least, most)) for name, least, most in kind.between}
    return _scaled(found(kind.annotator, layers.picture(world, 0), chance, **values))


def _inpaint(world: World, chance: int) -> Hint:
    generator, size = np.random.default_rng(chance), world.depth.shape[-1]
    return masked(layers.picture(world, 0), hole(generator, size, size))


MAKERS: Mapping[str, Make] = MappingProxyType(
    {
        "lines": _lines,
        "openpose": lambda world, chance: _scaled(layers.pose_map(world, 0, hidden=chance % 2 == 0)),
        "depth": lambda world, _: _scaled(layers.depth_map(world, 0)),
        "seg": lambda world, _: _scaled(layers.class_map(world, 0)),
        "normal": lambda world, _: _scaled(layers.normal_map(world, 0)),
        "inpaint": _inpaint,
        "tile": lambda world, chance: _scaled(found("tile", layers.picture(world, 0), chance)),
    }
)
