"""How well the family does on scenes that it never learnt: each control between two ends of a scale.

`without` is the same prompt without the control, `through` the true picture through the autoencoder alone;
all three are looked at by the same annotator, and compared with the true map.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from annotators.base import Pixels
from annotators.pocket_depth import POCKET_DEPTH
from annotators.pocket_normal import POCKET_NORMAL
from annotators.pocket_pose import POCKET_POSE
from annotators.pocket_seg import POCKET_SEG
from models.catalogue import POCKET
from models.heads import Heads
from pipelines import measures, schedulers
from pipelines.conditioning import Hint
from pipelines.generate import Models, denoise
from pipelines.modes import MODES
from pipelines.preview import to_pixels
from pipelines.state import PictureState
from training.chance import generator
from training.data import Example
from training.family.drawn import Drawn
from training.family.pairs import ScenePairs, found
from training.feed import hints_of, pictures_of
from training.parts import Parts
from training.watch import shown

AT_ONCE = 16  # pictures
CHEAPEST = "tile"  # whose hints cost next to nothing
STEPS, GUIDANCE, SCHEDULER = 20, POCKET.guidance, "ddim"

Measure: TypeAlias = Callable[[Example, Pixels, Heads | None], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A control, scene by scene, between the two ends of its scale."""

    control: str
    measure: str
    with_control: tuple[float, ...]
    without: tuple[float, ...]
    through: tuple[float, ...]

    @property
    def share(self) -> float:
        """How far the mean comes on the way from the first end to the second; 1 is all the way."""
        ours, first, second = map(fmean, (self.with_control, self.without, self.through))
        return (ours - first) / (second - first) if second != first else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What a control is measured by."""

    title: str
    measure: Measure
    needs_heads: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The pictures at the two ends of every scale, RGB uint8, scene by scene."""

    without: Sequence[Pixels]
    through: Sequence[Pixels]


def ends(parts: Parts, drawn: Drawn, count: int) -> Ends:
    """The ends on the first scenes, which are the same for every control."""
    without: list[Pixels] = []
    whole: list[Pixels] = []
    for some in _batches(ScenePairs(drawn, CHEAPEST), count):
        without += sampled(parts, None, some)
        whole += through(parts, some)
    return Ends(without=without, through=whole)


def measure(
    control: str, network: Any, parts: Parts, drawn: Drawn, heads: Heads | None, ends: Ends
) -> Figure | None:
    """A control between these ends; None where its measure needs a network that is not there."""
    scale = SCALES[control]
    if scale.needs_heads and heads is None:
        return None
    values: list[tuple[float, float, float]] = []
    outer = zip(ends.without, ends.through, strict=True)
    for some in _batches(ScenePairs(drawn, control), len(ends.without)):
        for example, result in zip(some, sampled(parts, network, some), strict=True):
            scores = [scale.measure(example, picture, heads) for picture in (result, *next(outer))]
            known = [score for score in scores if score is not None]
            if len(known) == len(scores):
                values.append((known[0], known[1], known[2]))
    ours, without, whole = zip(*values, strict=True)
    return Figure(control=control, measure=scale.title, with_control=ours, without=without, through=whole)


def _batches(pairs: ScenePairs, count: int) -> Iterator[list[Example]]:
    for first in range(0, count, AT_ONCE):
        yield [pairs[index] for index in range(first, min(first + AT_ONCE, count))]


@torch.no_grad()
def sampled(parts: Parts, control: Any | None, examples: Sequence[Example]) -> list[Pixels]:
    """What comes of the examples' prompts, and of their hints where there is a control: RGB uint8."""
    controls = {} if control is None else {"measured": control}
    models = Models(text=parts.text, unet=parts.unet, vae=parts.vae, controls=controls)
    states = [_state(parts, example, controls) for example in examples]
    for _ in denoise(models, states):
        pass
    return [to_pixels(models.vae.decode(state.x_t)) for state in states]


@torch.no_grad()
def through(parts: Parts, examples: Sequence[Example]) -> list[Pixels]:
    """The true pictures, encoded and decoded."""
    pictures = pictures_of([example.target for example in examples], parts.device)
    mean, _ = parts.moments(pictures).chunk(2, dim=1)
    return [to_pixels(parts.vae.decode(latent)) for latent in mean.split(1)]


def _state(parts: Parts, example: Example, controls: Mapping[str, Any]) -> PictureState:
    scheduler = schedulers.build(SCHEDULER, parts.schedule)
    scheduler.set_timesteps(STEPS)
    chance = generator("measured", example.name)
    height, width = (side // 8 for side in example.target.shape[:2])
    noise = torch.randn((1, 4, height, width), generator=chance).to(parts.device)
    map = hints_of([example.hint], parts.device)
    positive, negative = parts.states([example.prompt, ""]).split(1)
    return PictureState(
        x_t=noise * scheduler.init_noise_sigma,
        scheduler=scheduler,
        generator=chance,
        guidance=GUIDANCE,
        positive=positive,
        negative=negative,
        hints=tuple(Hint(control=name, map=map, on_both=MODES[POCKET.mode].on_both) for name in controls),
    )


# the scales


def _lines(example: Example, picture: Pixels, heads: Heads | None) -> float | None:
    return measures.edge_f1(found("canny", example.target), found("canny", picture))


def _depth(example: Example, picture: Pixels, heads: Heads | None) -> float:
    """The root of the mean squared difference of nearness, 0 to 1."""
    apart = _scaled(POCKET_DEPTH.run(picture, heads).map) - example.hint
    return float(np.sqrt((apart**2).mean()))


def _normal(example: Example, picture: Pixels, heads: Heads | None) -> float:
    """The mean angle in degrees."""
    ours, true = (_unit(map) for map in (_scaled(POCKET_NORMAL.run(picture, heads).map), example.hint))
    return float(np.degrees(np.arccos((ours * true).sum(axis=2).clip(-1, 1))).mean())


def _seg(example: Example, picture: Pixels, heads: Heads | None) -> float | None:
    return measures.mean_iou(shown(example.hint), POCKET_SEG.run(picture, heads).map)


def _pose(example: Example, picture: Pixels, heads: Heads | None) -> float | None:
    return measures.pck(shown(example.hint), POCKET_POSE.run(picture, heads).map)


def _scaled(map: Pixels) -> NDArray[np.float32]:
    return map.astype(np.float32) / np.float32(255)


def _unit(map: NDArray[np.float32]) -> NDArray[np.float32]:
    """The normals (H, W, 3), each of length 1, of a map from 0 to 1."""
    normals = map * 2 - 1
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-6))


def _inpaint(example: Example, picture: Pixels, heads: Heads | None) -> float:
    known = example.hint[..., 0] >= 0
    return _mean_difference(example.target[known], picture[known])


def _tile(example: Example, picture: Pixels, heads: Heads | None) -> float:
    return _mean_difference(found("tile", example.target), found("tile", picture))


def _mean_difference(first: Pixels, second: Pixels) -> float:
    return float(np.abs(first.astype(np.float64) - second).mean() / 255)


SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        "lines": Scale(title="edge F1 within 2 pixels", measure=_lines),
        "depth": Scale(title="RMSE of nearness", measure=_depth, needs_heads=True),
        "seg": Scale(title="mean IoU", measure=_seg, needs_heads=True),
        "normal": Scale(title="mean angle, degrees", measure=_normal, needs_heads=True),
        "openpose": Scale(title="PCK@0.1", measure=_pose, needs_heads=True),
        "inpaint": Scale(title="mean difference where known", measure=_inpaint),
        "tile": Scale(title="mean difference of blurred colours", measure=_tile),
    }
)
