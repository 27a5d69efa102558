"""Learning the network of the pocket annotators from drawn scenes, in which everything is known."""

from pathlib import Path

import torch
from safetensors.torch import save
from torch.nn.functional import cross_entropy, interpolate

from models.heads import POINTS, Found, Heads
from pipelines import durable
from training.chance import generator
from training.family.drawn import Drawn
from training.family.fitting import Told, fit
from training.family.pairs import in_mirror
from training.family.recipe import Learning
from training.world import layers
from training.world.render import World

FILE = "heads.safetensors"
SPREAD = 1.5  # of a key point's heat, in pixels of the heat's map
WARM = 0.3  # the heat above which a place must know where its neck is
NECK = 1
WEIGHTS = {"depth": 2.0, "normals": 1.0, "classes": 0.3, "heat": 20.0, "reach": 2.0}


def learn(recipe: Learning, drawn: Drawn, folder: Path, *, device: str, told: Told) -> Heads:
    """The network, learnt and kept in `folder` in float16; it goes on from its newest checkpoint."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Heads(drawn.layer("picture", 0).shape[-1]).to(device)

    def loss_of(step: int) -> torch.Tensor:
        chance = generator("heads", step)
        rows = torch.randint(len(drawn), (recipe.batch,), generator=chance).tolist()
        worlds = [drawn.world(row) for row in rows]
        worlds = [in_mirror(world) if place % 2 else world for place, world in enumerate(worlds)]
        pictures = torch.cat([world.picture for world in worlds]).to(device).float() / 255
        truth = {name: part.to(device) for name, part in truths(worlds).items()}
        return sum_of(losses(network(_unevenly(pictures, chance)), truth))

    fit(network, recipe, loss_of, folder / "checkpoints", told)
    tensors = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
    data = save({name: part.half() if part.is_floating_point() else part for name, part in tensors.items()})
    durable.write(folder / FILE, lambda file: file.writelines([data]))
    return network.eval().requires_grad_(False)


def truths(worlds: list[World]) -> Found:
    """What the network is to answer for worlds of one scene each."""
    depth = [torch.from_numpy(layers.depth_map(world, 0)[::2, ::2, 0].copy()) for world in worlds]
    heats, reaches = zip(*(poses(world) for world in worlds), strict=True)
    return {
        "depth": torch.stack(depth).float() / 255,
        "normals": torch.cat([world.normals[..., ::2, ::2] for world in worlds]),
        "classes": torch.cat([world.classes[..., ::2, ::2] for world in worlds]).long(),
        "heat": torch.stack(heats),
        "reach": torch.stack(reaches),
    }


def poses(world: World) -> tuple[torch.Tensor, torch.Tensor]:
    """The heat (18, H/2, W/2) of all key points, and the way to the neck (36, H/2, W/2), 0 where it is
    cold."""
    size = world.depth.shape[-1]
    heat, reach = torch.zeros(POINTS, size // 2, size // 2), torch.zeros(2 * POINTS, size // 2, size // 2)
    place = torch.arange(size // 2).float() + 0.5
    for person in world.points[0]:
        neck = person[NECK]
        for number, (x, y, state) in enumerate(person.tolist()):
            if not state:
                continue
            away = (place[None, :] - x / 2) ** 2 + (place[:, None] - y / 2) ** 2
            own = torch.exp(-away / (2 * SPREAD**2))
            mine = (own > WARM) & (own >= heat[number]) & bool(neck[2] > 0)
            heat[number] = torch.maximum(heat[number], own)
            for axis in range(2):
                way = (float(neck[axis]) - 2 * (place[None, :] if axis == 0 else place[:, None])) / size
                plane = reach[2 * number + axis]
                reach[2 * number + axis] = torch.where(mine, way.expand_as(plane), plane)
    return heat, reach


def losses(found: Found, truth: Found) -> Found:
    """How far each head is off; poses count where they are, and less where nobody is."""
    warm = (truth["heat"] > WARM).repeat_interleave(2, dim=1) & (truth["reach"] != 0)
    apart = (found["reach"] - truth["reach"]).abs() * warm
    return {
        "depth": (found["depth"] - truth["depth"]).abs().mean(),
        "normals": (1 - (found["normals"] * truth["normals"]).sum(dim=1)).mean(),
        "classes": cross_entropy(found["classes"], truth["classes"]),
        "heat": ((found["heat"] - truth["heat"]).square() * (1 + 20 * truth["heat"])).mean(),
        "reach": apart.sum() / warm.sum().clamp(min=1),
    }


def sum_of(parts: Found) -> torch.Tensor:
    """One loss of all."""
    return torch.stack([WEIGHTS[name] * part for name, part in parts.items()]).sum()


def _unevenly(pictures: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    """Pictures as they come from a small denoiser too: half of them a little blurred, brighter or darker."""
    drawn = torch.rand(3, len(pictures), 1, 1, 1, generator=chance).to(pictures.device)
    small = interpolate(pictures, scale_factor=0.5, mode="area")
    blurred = interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
    mixed = torch.where(drawn[0] < 0.5, pictures, pictures.lerp(blurred, drawn[1]))
    return (mixed * (0.8 + 0.4 * drawn[2])).clamp(0, 1)
