"""The pocket family from nothing, in one command, in stages that go on where they were interrupted.

    python -m training.pocket [FOLDER] [--recipe NAME] [--onwards FAMILY] [--device cpu] [--only STAGE]

    scenes         drawn with all that is true of them (training/world)
    autoencoder    factor 8, four channels
    base           a small CLIP and a U-Net, by the trainer, objective base
    CONTROL        lines, depth, seg, openpose, normal, inpaint, tile: each by the trainer, on the locked base
    heads          one network for depth, normals, classes and poses
    figures        each control on scenes that were never learnt
    family         all of it in float16 in FOLDER/pocket, with its card: what weights/pocket is

With --onwards FAMILY a family that is there learns on, from scenes that it has not seen; its autoencoder and
its heads stay as they are.

What each is made of and how long it learns is in training/family/recipe.py.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

import gate
from errors import ArmatureError
from models import loading
from models.heads import read as read_heads
from models.store import Store
from pipelines import durable
from training import parts
from training.config import Base as BaseSettings
from training.config import Config
from training.family import autoencoder, base, card, drawn, heads, measured, obeyed, shipped
from training.family.drawn import Drawn
from training.family.pairs import ScenePairs
from training.family.recipe import CONDITIONS, RECIPES, Recipe
from training.family.settings import LINES, NAME, UNSEEN, base_settings, control_settings
from training.run import train
from training.trainer import Taken
from training.watch import Looked

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "pocket"
SAY_EVERY = 25  # steps
SECONDS, LARGEST = "seconds.json", 2**24  # bytes of our own notes
FURTHER = 50_000_000  # from one first seed to the next, each time that a family learns on


@dataclass(frozen=True)
class Making:
    """One family in the making. Every stage is a method that does nothing where its result is there.

    `onwards` is a family that is there, whose base and controls learn on.
    """

    recipe: Recipe
    folder: Path
    device: str = "cpu"
    say: Callable[[str], None] = lambda _: None
    onwards: Path | None = None

    @cached_property
    def scenes(self) -> Drawn:
        """The scenes, drawn as far as they are not."""
        told = lambda done, total: self.say(f"scenes: {done:,} of {total:,}")  # noqa: E731
        return drawn.draw(
            self.recipe.scenes,
            self.folder / "scenes",
            first_seed=FURTHER * len(self.times),
            device=self.device,
            told=told,
        )

    @property
    def store(self) -> Store:
        """Where the trainer finds and leaves models."""
        return Store(self.folder / "weights")

    @property
    def begun(self) -> Path:
        """The base before it has learnt."""
        return self.folder / "begun"

    @property
    def base(self) -> Path:
        """The base that has learnt."""
        return self.store.weights / "bases" / NAME

    @property
    def kept(self) -> Path:
        """Latents and text states, which all controls share."""
        return self.folder / "kept"

    def control(self, name: str) -> Path:
        """One of its controls."""
        return self.store.weights / "controls" / CONDITIONS[name] / name

    def learn_autoencoder(self) -> None:
        """The autoencoder, and the base that it is the first part of."""
        if self.begun.exists():
            return
        if self.onwards:
            base.grow(self.recipe.base, self.onwards / "base", self.recipe.scenes.size, self.begun)
            return
        vae = autoencoder.learn(
            self.recipe.autoencoder,
            self.scenes,
            self.recipe.scenes.size,
            self.folder / "autoencoder",
            device=self.device,
            told=self._fitting("autoencoder"),
        )
        base.begin(self.recipe.base, vae.cpu(), self.scenes.captions, self.recipe.scenes.size, self.begun)

    def learn_base(self) -> None:
        """The U-Net and the text encoder."""
        if not self.base.exists():
            beside = shipped.control(self.onwards, LINES) if self.onwards else None
            settings = base_settings(self.recipe, self.begun, self.kept, beside)
            self._train("base", settings, self._pairs(UNSEEN if beside is None else LINES))

    def learn_control(self, name: str) -> None:
        """A control on the base."""
        if not self.control(name).exists():
            begun = shipped.control(self.onwards, name) if self.onwards else None
            settings = control_settings(self.recipe, name, self.base, self.kept, begun)
            self._train(name, settings, self._pairs(name))

    def learn_heads(self) -> None:
        """The network of the four annotators."""
        if not self.heads.exists():
            heads.learn(
                self.recipe.heads,
                self.scenes,
                self.heads.parent,
                device=self.device,
                told=self._fitting("heads"),
            )

    def measure(self) -> None:
        """How good each control is, of weights as they ship."""
        if self.figures.exists():
            return
        told = lambda done, total: self.say(f"held out: {done:,} of {total:,}")  # noqa: E731
        wanted = replace(self.recipe.scenes, count=self.recipe.measured)
        scenes = drawn.draw(wanted, self.folder / "held-out", first_seed=drawn.HELD_OUT, told=told)
        model = parts.load(BaseSettings(model=str(self.base)), self.store, 0)
        for network in (model.unet, model.text, model.vae.autoencoder):
            shipped.rounded(network)
        network = shipped.rounded(read_heads(self.heads)) if self.heads.exists() else None
        found, colours, ends = [], None, measured.ends(model, scenes, len(scenes))
        for name, folder in self.controls.items():
            control = shipped.rounded(loading.read(folder, "control", torch.float32, what=name))
            figure = measured.measure(name, control, model, scenes, network, ends)
            if figure is not None:
                found.append(figure)
                self.say(f"{name}: {100 * figure.share:.0f} % of the way")
        if lines := self.controls.get(LINES):
            control = shipped.rounded(loading.read(lines, "control", torch.float32, what=LINES))
            colours = obeyed.obeyed(model, control, scenes, count=len(scenes))
            self.say(f"colours: {colours.right} of {colours.named} obeyed")
        text = json.dumps(card.as_plain(found, colours)).encode()
        durable.write(self.figures, lambda file: file.writelines([text]))

    def gather(self) -> None:
        """All of it in the layout that ships, with its card."""
        found = self.heads if self.heads.exists() else None
        figures, colours = card.from_plain(_json(self.figures) or card.as_plain([], None))
        text = card.card(self.note, figures, colours)
        target = self.folder / NAME
        size = shipped.gather(self.base, self.controls, found, self.note, text, target)
        self.say(f"family: {size / 2**20:.1f} MiB of {shipped.LARGEST // 2**20} in {target}")

    @property
    def plain(self) -> dict[str, Any]:
        """The recipe, how long each part took, and on what."""
        made = {"seconds": _json(self.folder / SECONDS) or {}, "hardware": hardware(self.device)}
        return self.recipe.plain | made

    @property
    def note(self) -> dict[str, Any]:
        """What it is made of, how long each part took, and on what; plain values."""
        if self.onwards is None:
            return self.plain
        return shipped.read_note(self.onwards) | {"onwards": self.times}

    @property
    def times(self) -> list[dict[str, Any]]:
        """What it learnt on from and how long, each time, this one the last; none where it begins."""
        if self.onwards is None:
            return []
        now = {name: self.plain[name] for name in ("scenes", "base", "controls", "seconds", "hardware")}
        return [*shipped.read_note(self.onwards).get("onwards", []), now]

    @property
    def heads(self) -> Path:
        """The network of the four annotators."""
        return self.onwards / shipped.HEADS if self.onwards else self.folder / "annotators" / heads.FILE

    @property
    def figures(self) -> Path:
        """What was measured."""
        return self.folder / "figures.json"

    @property
    def controls(self) -> dict[str, Path]:
        """The controls that are made."""
        return {name: self.control(name) for name in CONDITIONS if self.control(name).exists()}

    def _pairs(self, control: str) -> ScenePairs:
        return ScenePairs(self.scenes, control, self.recipe.scenes.mirrored)

    def _fitting(self, name: str) -> Callable[[int, float], None]:
        def told(step: int, loss: float) -> None:
            if step % SAY_EVERY == 0:
                self.say(f"{name}: step {step:,}, loss {loss:.4f}")

        return told

    def _train(self, name: str, settings: Config, pairs: ScenePairs) -> None:
        runs = self.folder / "runs"
        for event in train(settings, store=self.store, runs=runs, device=self.device, pairs=pairs):
            match event:
                case Taken(step=step) if step % SAY_EVERY == 0:
                    self.say(f"{name}: step {step:,}, loss {event.loss:.4f}, {event.seconds:.2f} s")
                case Looked():
                    self.say(f"{name}: {event.step:,}, held out {event.held_out_loss:.4f}, {event.agreement}")


def stages(making: Making) -> Mapping[str, Callable[[], Any]]:
    """Every stage by name, in order."""
    return MappingProxyType(
        {
            "scenes": lambda: making.scenes,
            "autoencoder": making.learn_autoencoder,
            "base": making.learn_base,
            **{name: partial(making.learn_control, name) for name in making.recipe.controls},
            "heads": making.learn_heads,
            "figures": making.measure,
            "family": making.gather,
        }
    )


def main(arguments: Sequence[str]) -> int:
    """Make every stage that is not made, or the only one that is wanted."""
    parser = argparse.ArgumentParser(prog="python -m training.pocket", description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="where all of it goes")
    parser.add_argument("--recipe", choices=tuple(RECIPES), default="cpu", help="how large, and how long")
    parser.add_argument("--onwards", type=Path, help="a family that is there, which learns on")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--only", default="", help="one stage, by name")
    given = parser.parse_args(arguments)
    making = Making(RECIPES[given.recipe], given.folder, given.device, say, given.onwards)
    try:
        for name, made in chosen(making, given.only):
            say(f"{name}:")
            _noted(making.folder, name, made)
    except ArmatureError as error:
        say(error.message)
        return 1
    return 0


def _noted(folder: Path, name: str, made: Callable[[], Any]) -> None:
    """Make a stage, and add to the notes how many seconds that took, however it ends."""
    began = time.monotonic()
    try:
        made()
    finally:
        if _is_first():
            seconds = _json(folder / SECONDS) or {}
            seconds[name] = round(seconds.get(name, 0.0) + time.monotonic() - began, 1)
            text = json.dumps(seconds, indent=1).encode()
            durable.write(folder / SECONDS, lambda file: file.writelines([text]))


def _is_first() -> bool:
    """Whether this is the first of the processes that share the work, or the only one."""
    shared = torch.distributed.is_available() and torch.distributed.is_initialized()
    return not shared or torch.distributed.get_rank() == 0


def _json(path: Path) -> Any:
    """What a file of our own says, or nothing where there is none."""
    return gate.parse_json(path.read_bytes(), most_bytes=LARGEST) if path.exists() else None


def hardware(device: str) -> str:
    """What the family is made on, in words."""
    if device != "cpu":
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    threads, cores = torch.get_num_threads(), os.cpu_count()
    return f"{threads} thread(s) a process, {cores} cores of {(names or [platform.machine()])[0]}"


def chosen(making: Making, only: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The stages that are wanted."""
    yield from ((name, made) for name, made in stages(making).items() if only in ("", name))


def say(words: str) -> None:
    """A line for whoever waits."""
    sys.stderr.write(f"{words}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
