"""From seeds to pictures with everything that is true of them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from training.world import air
from training.world.caption import Seen, caption
from training.world.edges import edges
from training.world.look import Stage
from training.world.picture import BLOCK, Buffers, draw
from training.world.recipe import Scene
from training.world.scene import scene
from training.world.shapes import Vector, dot, each
from training.world.styles import STYLES
from training.world.tables import COLUMNS

MOST_PEOPLE = 3
NUMBERS = 256  # no scene has as many things and parts
LARGEST = 512
# Drawn at a time, one picture at least: what the caches of a processor hold, and what keeps a GPU busy.
PIXELS, MANY_PIXELS = 2 * 256 * 256, 64 * 256 * 256
HIDDEN, SEEN = 1.0, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Pictures of B scenes, and what is true of them, each size by size pixels.

    `picture` uint8 (B, 3, size, size), RGB; `white` the colours of things under white light: no style, shadow
    or air. `depth` float32 (B, size, size), metres along the axis of the camera, 900 for the sky. `normals`
    float32 (B, 3, size, size) of length 1: x to the left, y up, z to the viewer; the sky faces the viewer.
    `classes` uint8 (B, size, size), the numbers of ADE20K; `things` uint8, the numbers in the scenes' lists,
    0 for what has no name. `edges` and `lines` bool (B, size, size): all edges, and the straight ones, one
    pixel wide. `points` float32 (B, 3, 18, 3): for each of at most three people the key points of OpenPose, x
    and y in pixels and a state: 2 is seen, 1 is hidden by something nearer, 0 is not in the picture or
    nobody.
    """

    scenes: tuple[Scene, ...]
    captions: tuple[str, ...]
    picture: Tensor
    white: Tensor
    depth: Tensor
    normals: Tensor
    classes: Tensor
    things: Tensor
    edges: Tensor
    lines: Tensor
    points: Tensor


def render(seeds: Sequence[int], size: int = 256, device: str | torch.device = "cpu") -> World:
    """The worlds of seeds, in order. A seed gives the same world in any batch.

    The size is a multiple of 16, up to 512.
    """
    assert seeds, "nothing to render"
    assert size in range(BLOCK, LARGEST + 1, BLOCK), f"a size is a multiple of {BLOCK} up to {LARGEST}"
    return paint([scene(seed) for seed in seeds], size, device)


@torch.no_grad()
def paint(scenes: Sequence[Scene], size: int, device: str | torch.device = "cpu") -> World:
    """The worlds of scenes that are made already."""
    place = torch.device(device)
    step = max(1, (PIXELS if place.type == "cpu" else MANY_PIXELS) // size**2)
    parts = [_part(scenes[start : start + step], size, place) for start in range(0, len(scenes), step)]
    tensors = {
        field.name: torch.cat([getattr(part, field.name) for part in parts])
        for field in fields(World)
        if isinstance(getattr(parts[0], field.name), Tensor)
    }
    captions = tuple(text for part in parts for text in part.captions)
    return World(scenes=tuple(scenes), captions=captions, **tensors)


def _part(scenes: Sequence[Scene], size: int, device: torch.device) -> World:
    stage = Stage(
        [s.matter for s in scenes],
        [s.camera for s in scenes],
        [s.light for s in scenes],
        device,
    )
    seen = draw(stage, size)
    lines = edges(stage.tables, stage.eyes, seen)
    things = stage.tables.things[seen.row]
    white = _bytes(seen.white)
    kinds = stage.tables.paints[COLUMNS.index("kind")][seen.row]
    return World(
        scenes=tuple(scenes),
        captions=_captions(scenes, things, white),
        picture=_bytes(_styled(scenes, seen, lines.all, lines.straight)),
        white=white,
        depth=seen.depth,
        normals=_normals(stage, seen),
        classes=kinds.to(torch.uint8),
        things=things.to(torch.uint8),
        edges=lines.all,
        lines=lines.straight,
        points=_points(stage, scenes, seen),
    )


def _captions(scenes: Sequence[Scene], things: Tensor, white: Tensor) -> tuple[str, ...]:
    """Captions from the numbers of things (B, size, size) and the colours uint8 (B, 3, size, size) in the
    picture."""
    numbers = things.flatten(1).long()
    counts = torch.zeros(len(scenes), NUMBERS, dtype=torch.int64, device=things.device)
    counts.scatter_add_(1, numbers, torch.ones_like(numbers))
    sums = torch.zeros(len(scenes), 3, NUMBERS, dtype=torch.int64, device=things.device)
    sums.scatter_add_(2, numbers[:, None].expand(-1, 3, -1), white.flatten(2).long())
    return tuple(
        caption(scene, _seen(count, total))
        for scene, count, total in zip(scenes, counts.tolist(), sums.tolist(), strict=True)
    )


def _seen(counts: list[int], sums: list[list[int]]) -> Seen:
    """What is seen, from how many pixels each number has, and the sums of their red, green and blue."""
    there = [number for number, count in enumerate(counts) if number and count]
    return Seen(
        shares={number: counts[number] / sum(counts) for number in there},
        colours={
            number: (
                sums[0][number] / counts[number] / 255,
                sums[1][number] / counts[number] / 255,
                sums[2][number] / counts[number] / 255,
            )
            for number in there
        },
    )


def _bytes(colour: Vector) -> Tensor:
    """Red, green and blue (B, size, size), 0 to 1, as uint8 (B, 3, size, size)."""
    return (torch.stack(colour, dim=1).clamp(0.0, 1.0) * 255.0 + 0.5).to(torch.uint8)


def _normals(stage: Stage, seen: Buffers) -> Tensor:
    """The normals as the viewer has them, (B, 3, size, size)."""
    ways = []
    for axis in (stage.eyes.right, stage.eyes.up, stage.eyes.ahead):
        way = each(lambda part: part[:, None, None], axis)
        ways.append(dot(seen.normal, way) / (dot(way, way)).sqrt())
    sky = seen.sky.float()
    x, y, z = (-ways[0] * (1 - sky), ways[1] * (1 - sky), -ways[2] * (1 - sky) + sky)
    return torch.stack([x, y, z], dim=1)


def _styled(scenes: Sequence[Scene], seen: Buffers, outline: Tensor, straight: Tensor) -> Vector:
    """The pictures, each in the style of its scene, with rain and snow in the air."""
    out = [torch.empty_like(part) for part in seen.light]
    for style in STYLES.values():
        own = [number for number, s in enumerate(scenes) if s.style == style.name]
        if not own:
            continue
        chosen = torch.tensor(own, device=outline.device)
        some = seen.only(chosen)
        falls = [scenes[number].falls for number in own]
        snow, rain = (
            torch.tensor([fall == kind for fall in falls], device=outline.device).float()
            for kind in ("snow", "rain")
        )
        some = some.lit(air.fallen(some.light, snow, rain))
        drawn = style.drawn(some, outline[chosen])
        for whole, part in zip(out, drawn, strict=True):
            whole[chosen] = part
    return out[0], out[1], out[2]


def _points(stage: Stage, scenes: Sequence[Scene], seen: Buffers) -> Tensor:
    """The key points of the people of each scene (B, MOST_PEOPLE, 18, 3)."""
    device, size = seen.depth.device, seen.depth.shape[1]
    points = torch.zeros(len(scenes), MOST_PEOPLE, 18, 4)
    there = torch.zeros(len(scenes), MOST_PEOPLE, 1)
    for number, own in enumerate(scenes):
        for place, figure in enumerate(own.figures[:MOST_PEOPLE]):
            points[number, place, :, :3] = torch.tensor(figure.points)
            points[number, place, :, 3] = torch.tensor(figure.deep)
            there[number, place] = 1.0
    points, there = points.to(device), there.to(device)
    places = points[..., 0].flatten(1), points[..., 1].flatten(1), points[..., 2].flatten(1)
    x, y, ahead = each(lambda part: part.view(there.shape[0], MOST_PEOPLE, -1), stage.eyes.seen(places))
    x, y = (x + 1) * (size / 2), (y + 1) * (size / 2)
    inside = (x >= 0) & (x < size) & (y >= 0) & (y < size) & (there > 0)
    column, row = (axis.clamp(0, size - 1).long() for axis in (x, y))
    scene_number = torch.arange(len(scenes), device=device)[:, None, None]
    surface = seen.depth[scene_number, row, column]
    state = inside.float() * (HIDDEN + (surface > ahead - points[..., 3]).float() * (SEEN - HIDDEN))
    return torch.stack([x * (state > 0), y * (state > 0), state], dim=-1)
