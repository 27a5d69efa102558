"""The styles that a scene can be drawn in. Each makes the picture from the exact buffers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from training.world import noise
from training.world.picture import Buffers
from training.world.shapes import Vector, each

PAPER = (0.985, 0.975, 0.945)
INK = (0.13, 0.13, 0.17)


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A style: the words for it, before and after what is shown, and how it draws.

    `detail` and `steps` are those of Light. `drawn(seen, outline)` takes the buffers and all edges (B, size,
    size), and gives red, green and blue (B, size, size), 0 to 1. Where it has no `colours`, none are spoken
    of.
    """

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    drawn: Callable[[Buffers, Tensor], Vector]
    detail: float = 1.0
    steps: float = 0.0
    colours: bool = True


def _photo(seen: Buffers, outline: Tensor) -> Vector:
    """The picture as it is, a little darker to its corners."""
    size = seen.depth.shape[1]
    middle = (2 * torch.arange(size, device=seen.depth.device) + 1).float() / size - 1
    off = middle[None, :, None] ** 2 + middle[None, None, :] ** 2
    fade = 1.0 - 0.07 * off * off
    return each(lambda part: part * fade, seen.light)


def _flat(seen: Buffers, outline: Tensor) -> Vector:
    """Clear areas of strong colour, with a dark line around things."""
    line = (1.3 * _soft(outline.float())).clamp(0.0, 1.0) * 0.62
    grey = (seen.light[0] + seen.light[1] + seen.light[2]) * (1 / 3)

    def strong(part: Tensor) -> Tensor:
        own = (grey + 1.16 * (part - grey)).clamp(0.0, 1.0)
        return own + (own * own * 0.4 - own) * line

    return each(strong, seen.light)


def _line(seen: Buffers, outline: Tensor) -> Vector:
    """Ink on paper: outlines, hatching in the shadows, and a grey wash for a dark sky."""
    line = (1.7 * _soft(outline.float())).clamp(0.0, 1.0)
    tone = 0.35 * seen.light[0] + 0.5 * seen.light[1] + 0.15 * seen.light[2]
    white = 0.35 * seen.white[0] + 0.5 * seen.white[1] + 0.15 * seen.white[2]
    place = torch.arange(tone.shape[1], device=tone.device).float() * (256 / tone.shape[1])
    way = (place[:, None] + place[None]) * 0.16
    stroke = ((way - way.floor() - 0.5).abs() * 4.0 - 1.0).clamp(0.0, 1.0)
    solid = 1.0 - seen.sky.float()
    shadow = (1.0 - seen.falling * 12.0).clamp(0.0, 1.0) * solid * ((tone < 0.8) & (tone < 0.92 * white))
    wash = ((0.62 - tone) * 2.0).clamp(0.0, 0.55) * seen.sky + (0.16 - 0.3 * white).clamp(
        min=0.0
    ) * 2.6 * solid
    ink = torch.maximum(torch.maximum(line, 0.40 * shadow * stroke), wash)
    red, green, blue = (paper + (own - paper) * ink for paper, own in zip(PAPER, INK, strict=True))
    return red, green, blue


def _watercolour(seen: Buffers, outline: Tensor) -> Vector:
    """Washes of colour on rough paper, pooled along their edges, with a border left white."""
    size = seen.depth.shape[1]
    place = torch.arange(size, device=seen.depth.device).float() * (256 / size)
    x, y = place[None, :].expand(size, -1), place[:, None].expand(-1, size)
    wobble = tuple(noise.at(x * 1.3 + shift, y * 1.3 + shift) * 2.6 * size / 256 for shift in (0.0, 83.0))
    pool = _moved(_soft(_soft(outline.float())), wobble)
    grain = noise.at(x * 7.0, y * 7.0) * 0.05
    wash = noise.at(x * 0.8 + 31.0, y * 0.8) * 0.24
    edge = torch.minimum(torch.minimum(x, 255 - x), torch.minimum(y, 255 - y))
    bare = ((edge - 6.0 + 9.0 * noise.at(x * 1.7, y * 1.7 + 57.0)) * 0.22).clamp(0.0, 1.0)
    colours = []
    smooth = _washed(_washed(torch.stack(seen.light), seen.face), seen.face)
    for number, paper in enumerate(PAPER):
        part = 0.17 + 0.83 * _moved(smooth[number], wobble)
        thick = 1.0 + wash + grain + 0.45 * pool
        # Thin paint lets the paper through, thick paint is darker: as a power would, by its first terms.
        less = 1.0 - part
        painted = 1.0 - less * thick.clamp(0.5, 2.0)
        colours.append((paper + (painted.clamp(0.0, 1.0) * paper - paper) * bare).clamp(0.0, 1.0))
    return colours[0], colours[1], colours[2]


def _around(values: Tensor, axis: int, reach: int) -> Callable[[int], Tensor]:
    """Pictures (..., size, size) moved along an axis, -1 or -2, by steps of at most `reach`; the border
    stays."""
    size = values.shape[axis]
    ends = values.narrow(axis, 0, 1), values.narrow(axis, size - 1, 1)
    wide = torch.cat([ends[0]] * reach + [values] + [ends[1]] * reach, dim=axis)
    return lambda step: wide.narrow(axis, reach + step, size)


def _soft(values: Tensor) -> Tensor:
    """Pictures (B, size, size), each pixel mixed with its neighbours."""
    for axis in (-1, -2):
        moved = _around(values, axis, 1)
        values = 0.5 * values + 0.25 * (moved(1) + moved(-1))
    return values


def _washed(values: Tensor, face: Tensor) -> Tensor:
    """Pictures (3, B, size, size), each pixel mixed with those around it that show the same face (B, size,
    size)."""
    total, weight = values.clone(), torch.ones_like(values[0])
    reach = max(1, values.shape[-1] // 128)
    for axis in (-1, -2):
        moved, faces = _around(values, axis, 2 * reach), _around(face, axis, 2 * reach)
        for step in (-2 * reach, -reach, reach, 2 * reach):
            same = (faces(step) == face).float()
            total += same * moved(step)
            weight += same
    return total / weight


def _moved(values: Tensor, wobble: tuple[Tensor, ...]) -> Tensor:
    """Pictures (B, size, size) as through uneven glass: each pixel from as far away as `wobble` says."""
    size = values.shape[1]
    place = torch.arange(size, device=values.device)
    x = (place[None] + wobble[0].round().long()).clamp(0, size - 1)
    y = (place[:, None] + wobble[1].round().long()).clamp(0, size - 1)
    return values[:, y, x]


STYLES: Mapping[str, Style] = MappingProxyType(
    {
        style.name: style
        for style in (
            Style(
                name="photo",
                before=("a photo of", "a photograph of", "a realistic picture of"),
                after=("photo", "realistic"),
                drawn=_photo,
            ),
            Style(
                name="flat",
                before=("a flat drawing of", "a flat illustration of", "a cartoon of"),
                after=("flat style", "flat illustration", "cartoon"),
                drawn=_flat,
                detail=0.0,
                steps=1.0,
            ),
            Style(
                name="line",
                before=("a line drawing of", "an ink drawing of", "a pen sketch of"),
                after=("line drawing", "black ink", "sketch"),
                drawn=_line,
                detail=0.0,
                colours=False,
            ),
            Style(
                name="watercolour",
                before=("a watercolour of", "a watercolour painting of"),
                after=("watercolour", "watercolour painting"),
                drawn=_watercolour,
            ),
        )
    }
)
