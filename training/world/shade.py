"""Light on surfaces: the key, what comes from all around, a lamp, highlights, glow, snow and haze."""

import torch
from torch import Tensor

from training.world.lights import Lights
from training.world.shapes import Vector, dot, unit
from training.world.sky import sky
from training.world.surface import Surface, painted
from training.world.tables import NUMBERS, Tables
from training.world.trace import Rays, reached

SHADOWS = 70.0  # metres: further away no shadow is seen
OFF = 2e-3  # metres off a surface that a ray to the light sets out, so as not to meet that surface


def to_light(key: Vector, near: Tensor, point: Vector) -> Vector:
    """The ways from points to the key."""
    x, y, z = (k - near * p for k, p in zip(key, point, strict=True))
    return x, y, z


def facing(tables: Tables, lights: Lights, scene: Tensor, row: Tensor, met: Surface) -> Tensor:
    """How much of the key would fall on each surface if there were no shadows: up to 1 where it faces the
    light."""
    way = unit(to_light(lights.three("key", scene), lights.one("near", scene), met.point))
    return torch.relu(dot(met.normal, way)) * (painted(tables, row)("kind") != NUMBERS["sky"])


def lit(tables: Tables, lights: Lights, scene: Tensor, row: Tensor, met: Surface, depth: Tensor) -> Tensor:
    """How much of the key falls on each surface, 0 in shadow."""
    x, y, z = (p + OFF * n for p, n in zip(met.point, met.normal, strict=True))
    falls = facing(tables, lights, scene, row, met)
    wanted = (falls > 0) & (depth < SHADOWS)
    free = reached(tables, lights.keys, scene, (x, y, z), wanted)
    return falls * torch.maximum(free, (depth >= SHADOWS).float())


def squared(colour: Vector) -> Vector:
    """A colour of the screen as light."""
    return colour[0] * colour[0], colour[1] * colour[1], colour[2] * colour[2]


def shade(
    tables: Tables, lights: Lights, rays: Rays, row: Tensor, met: Surface, depth: Tensor, falling: Tensor
) -> Vector:
    """The light (rows, WIDTH) that comes along rays from what they have met: red, green and blue, linear."""
    light = _reflected(tables, lights, rays, row, met, depth, falling)
    clear = row % tables.stride == 0
    some = clear.any(dim=1).nonzero()[:, 0]
    if len(some):
        above = squared(sky(lights, rays.scene[some], rays.only(some).ways))
        for part, new in zip(light, above, strict=True):
            part[some] = torch.where(clear[some], new, part[some])
    return light


def _reflected(
    tables: Tables, lights: Lights, rays: Rays, row: Tensor, met: Surface, depth: Tensor, falling: Tensor
) -> Vector:
    """The light that comes from surfaces; clouds are white from all sides, and a little darker below."""
    scene = rays.scene
    paint = painted(tables, row)
    steps = lights.one("steps", scene)
    level = ((falling - 0.12) * 40.0).clamp(0.0, 1.0) * 0.5 + ((falling - 0.55) * 40.0).clamp(0.0, 1.0) * 0.38
    direct = falling + (level - falling) * steps
    cloud = (paint("kind") == NUMBERS["sky"]).float()
    upward = 0.5 + 0.5 * met.normal[1] * (1.0 - 0.65 * steps)
    shine = _shine(lights, scene, met, rays.ways) * paint("gloss") * falling * (1.0 - steps)
    lamp = _lamp(lights, scene, met)
    glow = paint("glow") * lights.one("glow", scene)
    far = depth / lights.one("haze", scene)
    mist = far * far / (1.0 + far * far)
    colours = []
    names = ("above", "below", "bright", "lamp_colour", "horizon", "cloud")
    light = [lights.three(name, scene) for name in names]
    for k in range(3):
        above, below, bright, tint, horizon, puff = (colour[k] for colour in light)
        own = met.colour[k] * met.colour[k]
        falls = below + (above - below) * upward + bright * direct + tint * lamp
        part = own * falls + shine * bright + glow * own
        part = part + (horizon * horizon - part) * mist
        puffy = puff * (0.80 + 0.20 * upward)
        colours.append(part + (puffy * puffy - part) * cloud)
    return colours[0], colours[1], colours[2]


def _lamp(lights: Lights, scene: Tensor, met: Surface) -> Tensor:
    """How much of the lamp's light falls on a surface; it goes a little around corners."""
    x, y, z = (a - p for a, p in zip(lights.three("lamp", scene), met.point, strict=True))
    far = dot((x, y, z), (x, y, z))
    reach = lights.one("reach", scene)
    facing = dot(met.normal, (x, y, z)) / (far + 1e-6).sqrt()
    return torch.relu(0.6 * facing + 0.4) * (reach * reach / (reach * reach + 4.0 * far))


def _shine(lights: Lights, scene: Tensor, met: Surface, ways: Vector) -> Tensor:
    """The highlight: how well the middle between light and viewer fits the normal, to the 32nd power."""
    light = unit(to_light(lights.three("key", scene), lights.one("near", scene), met.point))
    view = unit(ways)
    half = unit((light[0] - view[0], light[1] - view[1], light[2] - view[2]))
    near = torch.relu(dot(met.normal, half))
    for _ in range(5):
        near = near * near
    return near
