"""The drawn scenes that the family learns from, on the disk: files of some scenes each, whole or not there.

They are drawn in the order of their seeds, so that drawing goes on where it was interrupted, and the same
recipe always means the same scenes.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import safe_open
from safetensors.torch import save

import gate
from pipelines import durable
from training.family.recipe import Scenes
from training.world.caption import named
from training.world.recipe import Scene
from training.world.render import World, paint
from training.world.scene import drafted, scene

SHARD = 128  # scenes of a file
HELD_OUT = 1_000_000_000  # the first seed of scenes that are never learnt
LARGEST_LABEL = 2**24  # bytes
LAYERS = ("picture", "depth", "normals", "classes", "things", "points")
STEEP = 127  # a normal's component of 1, as a whole number

Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Scenes on the disk, read one by one."""

    folder: Path
    captions: tuple[str, ...]
    seeds: tuple[int, ...]
    coloured: tuple[tuple[int, ...], ...]  # the numbers of the things whose colour the caption names

    def __len__(self) -> int:
        return len(self.captions)

    def layer(self, name: str, index: int) -> torch.Tensor:
        """One of LAYERS of one scene, as `World` has it without the batch."""
        row: torch.Tensor = _file(_path(self.folder, index // SHARD)).get_slice(name)[index % SHARD]
        return row.float() / STEEP if name == "normals" else row

    def pictures(self, first: int, count: int) -> torch.Tensor:
        """So many pictures from the first on, uint8 (N, 3, size, size)."""
        return torch.stack([self.layer("picture", index) for index in range(first, first + count)])

    def world(self, index: int) -> World:
        """The scene as a world of one, without what is not kept."""
        layers = {name: self.layer(name, index)[None] for name in LAYERS}
        nothing = torch.zeros_like(layers["classes"], dtype=torch.bool)
        return World(
            scenes=(),
            captions=(self.captions[index],),
            white=layers["picture"],
            edges=nothing,
            lines=nothing,
            **(layers | {"depth": layers["depth"].float()}),
        )


def draw(
    scenes: Scenes, folder: Path, *, first_seed: int = 0, device: str = "cpu", told: Told = lambda *_: None
) -> Drawn:
    """Draw what is not on the disk yet, and answer all of it."""
    seed = first_seed
    labels: list[dict[str, Any]] = []
    for shard in range(-(-scenes.count // SHARD)):
        path = _path(folder, shard)
        if not path.exists():
            wanted = _wanted(scenes, seed, min(SHARD, scenes.count - shard * SHARD))
            _write(path, paint(wanted, scenes.size, device))
        labels.append(_label(path))
        seed = labels[-1]["seeds"][-1] + 1
        told(min((shard + 1) * SHARD, scenes.count), scenes.count)
    return Drawn(
        folder=folder,
        captions=tuple(caption for label in labels for caption in label["captions"]),
        seeds=tuple(int(seed) for label in labels for seed in label["seeds"]),
        coloured=tuple(tuple(numbers) for label in labels for numbers in label["coloured"]),
    )


def fits(scenes: Scenes, seed: int) -> bool:
    """Whether the scene of a seed is one of those that are learnt."""
    kind, style, draft = drafted(seed)
    return (
        kind.name in scenes.kinds
        and style.name in scenes.styles
        and draft.setting.weather.name in scenes.weathers
    )


def _wanted(scenes: Scenes, seed: int, count: int) -> list[Scene]:
    return [scene(found) for found, _ in zip(_seeds(scenes, seed), range(count), strict=False)]


def _seeds(scenes: Scenes, seed: int) -> Iterator[int]:
    while True:
        if fits(scenes, seed):
            yield seed
        seed += 1


def _write(path: Path, world: World) -> None:
    """A file of scenes; in its header their seeds, their captions, and which things these name in colour."""
    layers = {name: getattr(world, name).cpu().contiguous() for name in LAYERS}
    layers["depth"] = layers["depth"].half()
    layers["normals"] = (layers["normals"] * STEEP).round().to(torch.int8)
    said = zip(world.scenes, world.captions, strict=True)
    label = {
        "seeds": [made.seed for made in world.scenes],
        "captions": list(world.captions),
        "coloured": [[number for number, _ in named(*both)] for both in said],
    }
    data = save(layers, metadata={"label": json.dumps(label)})
    durable.write(path, lambda file: file.writelines([data]))


def _label(path: Path) -> dict[str, Any]:
    text = _file(path).metadata()["label"]
    return cast(dict[str, Any], gate.parse_json(text.encode(), most_bytes=LARGEST_LABEL))


@lru_cache(maxsize=512)
def _file(path: Path) -> Any:
    """A file of scenes, open as long as it is used."""
    file: Any = safe_open(path, "pt")
    return file.__enter__()


def _path(folder: Path, shard: int) -> Path:
    return folder / f"worlds-{shard:05d}.safetensors"
