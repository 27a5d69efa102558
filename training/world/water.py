"""What still water shows of its surroundings."""

import torch
from torch import Tensor

from training.world import noise
from training.world.camera import Eyes
from training.world.lights import Lights
from training.world.shade import facing, shade
from training.world.shapes import Vector, dot, unit
from training.world.surface import Surface, painted, surface
from training.world.tables import Tables
from training.world.trace import Rays, nearest

LEAST = 0.08  # of the light from straight above


def mirrored(
    tables: Tables,
    eyes: Eyes,
    lights: Lights,
    rays: Rays,
    row: Tensor,
    met: Surface,
    light: Vector,
    depth: Tensor,
) -> Vector:
    """The light (rows, WIDTH) with what level surfaces mirror; they are all about at height 0."""
    mirror = painted(tables, row)("mirror")
    some = (mirror.amax(dim=1) > 0).nonzero()[:, 0]
    if not len(some):
        return light
    rays = rays.only(some)
    x, y, z = (part[some] for part in met.point)
    wave = _waves((x, y, z), depth[some], lights.one("detail", rays.scene))
    along = 2.0 * dot(rays.ways, wave)
    back_x, back_y, back_z = (way - along * axis for way, axis in zip(rays.ways, wave, strict=True))
    back = Rays(rays.scene, (x, y, z), (back_x, torch.relu(back_y) + 1e-3, back_z), rays.places)
    far, shown = nearest(tables, eyes.mirrored(torch.zeros_like(eyes.reach)), back)
    x, y, z = (p + far * way for p, way in zip(back.start, back.ways, strict=True))
    seen = surface(tables, lights, rays.scene, shown, (x, y, z))
    falls = facing(tables, lights, rays.scene, shown, seen)
    image = shade(tables, lights, back, shown, seen, far, falls)
    steep = 1.0 - torch.relu(-dot(unit(rays.ways), wave))
    share = mirror[some] * (LEAST + (1.0 - LEAST) * steep * steep * steep)
    out = []
    for old, new in zip(light, image, strict=True):
        whole = old.clone()
        whole[some] = old[some] + (new - old[some]) * share
        out.append(whole)
    return out[0], out[1], out[2]


def _waves(point: Vector, depth: Tensor, detail: Tensor) -> Vector:
    """The normals of water with small waves; far away they are too small to be seen."""
    calm = 0.07 * detail * (3.0 / (3.0 + depth))
    across = noise.at(point[0] * 9.0, point[2] * 26.0) * calm
    along = noise.at(point[0] * 7.0 + 91.0, point[2] * 30.0 + 37.0) * calm
    return unit((across, torch.ones_like(across), along))
