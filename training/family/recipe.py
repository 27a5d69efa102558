"""What a family is made of and how long it learns, as frozen tables: one recipe for a CPU, one for a GPU."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from training.world.kinds import KINDS
from training.world.light import WEATHERS
from training.world.styles import STYLES

Sizes: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenes:
    """Which scenes are learnt: so many of some kinds, styles and weathers, `size` pixels square.

    With `mirrored` each is learnt in a mirror as well, which costs its latents and no drawing.
    """

    count: int
    size: int
    mirrored: bool = False
    kinds: tuple[str, ...] = tuple(KINDS)
    styles: tuple[str, ...] = tuple(STYLES)
    weathers: tuple[str, ...] = tuple(WEATHERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How one network learns: steps of `batch` scenes; the rate rises over `warmup` steps, falls over
    `cooldown`."""

    steps: int
    batch: int
    rate: float
    warmup: int = 50
    cooldown: int = 0
    ema: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoencoder:
    """The autoencoder: channels at 1/1 to 1/8, and squares of `crop` pixels until the last quarter.

    When all of it has learnt, its decoder alone learns on as `decoder` says, from whole pictures.
    """

    channels: Sizes = (16, 32, 64, 128)
    crop: int = 64
    learning: Learning
    decoder: Learning


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The U-Net's channels at 1/8, 1/16 and 1/32 of a picture, and the text encoder's width and layers.

    One that learns on has its control of lines beside it, but for the share of samples that are `alone`.
    """

    channels: Sizes = (64, 128, 128)
    width: int = 96
    layers: int = 2
    alone: float = 0.4
    learning: Learning


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole family. `controls` has how each learns, in the order in which they are made.

    It is measured on so many scenes that it never learnt.
    """

    scenes: Scenes
    autoencoder: Autoencoder
    base: Base
    controls: Mapping[str, Learning]
    heads: Learning
    measured: int = 500

    @property
    def plain(self) -> dict[str, Any]:
        """The same as plain values, for a file beside the weights."""
        parts = {name: asdict(getattr(self, name)) for name in ("scenes", "autoencoder", "base", "heads")}
        return parts | {"controls": {name: asdict(learning) for name, learning in self.controls.items()}}


def scenes_of(plain: Mapping[str, Any], count: int) -> Scenes:
    """So many scenes of the kinds in a plain recipe."""
    found: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in plain["scenes"].items()
    }
    return Scenes(**{**found, "count": count})


# Which condition's annotator, measure and page a control of the family stands for as it learns.
CONDITIONS: Mapping[str, str] = MappingProxyType(
    {
        "lines": "canny",
        "depth": "depth",
        "seg": "seg",
        "openpose": "openpose",
        "normal": "normal",
        "inpaint": "inpaint",
        "tile": "tile",
    }
)
_OUTDOORS = ("cottage", "mountains", "castle", "windmill", "lake", "sea", "people", "wild animals")


def _controls(lines: Learning, openpose: Learning, others: Learning) -> Mapping[str, Learning]:
    """Lines have many strengths to learn, and poses are in few scenes: both take longer than the others."""
    return MappingProxyType({**dict.fromkeys(CONDITIONS, others), "lines": lines, "openpose": openpose})


# Four hours on one core: flat drawings at 128 pixels.
_CPU = Recipe(
    scenes=Scenes(
        count=6784,
        size=128,
        kinds=(*_OUTDOORS, "table"),
        styles=("flat",),
        weathers=("clear", "fair"),
    ),
    autoencoder=Autoencoder(
        learning=Learning(steps=3200, batch=16, rate=0.02, cooldown=2000),
        decoder=Learning(steps=4500, batch=4, rate=0.012, warmup=20, cooldown=4500),
    ),
    base=Base(learning=Learning(steps=5200, batch=32, rate=0.02, cooldown=700, ema=0.995)),
    controls=_controls(
        Learning(steps=1200, batch=16, rate=0.01, cooldown=400, ema=0.99),
        Learning(steps=800, batch=16, rate=0.01, cooldown=266, ema=0.98),
        Learning(steps=500, batch=16, rate=0.01, cooldown=166, ema=0.98),
    ),
    heads=Learning(steps=800, batch=16, rate=0.02, cooldown=400),
)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "cpu": _CPU,
        # after it: an hour for the base, in a process for each of two cores; half an hour for the controls
        "cpu-onwards": replace(
            _CPU,
            scenes=replace(_CPU.scenes, count=12_288, mirrored=True),
            base=Base(learning=Learning(steps=5400, batch=32, rate=0.02, cooldown=5400, ema=0.998)),
            controls={
                **_controls(
                    Learning(steps=600, batch=16, rate=0.01, cooldown=400, ema=0.98),
                    Learning(steps=600, batch=16, rate=0.01, cooldown=400, ema=0.98),
                    Learning(steps=300, batch=16, rate=0.01, cooldown=250, ema=0.97),
                ),
                "inpaint": Learning(steps=900, batch=16, rate=0.01, cooldown=250, ema=0.97),
            },
        ),
        # half an hour on one H200, by arithmetic: the whole world at 256 pixels
        "gpu": Recipe(
            scenes=Scenes(count=40_000, size=256, mirrored=True),
            autoencoder=Autoencoder(
                channels=(32, 64, 128, 128),
                crop=128,
                learning=Learning(steps=12_000, batch=64, rate=0.02, cooldown=6000),
                decoder=Learning(steps=6000, batch=16, rate=0.012, cooldown=6000),
            ),
            base=Base(
                learning=Learning(steps=30_000, batch=256, rate=0.02, cooldown=10_000, ema=0.999),
            ),
            controls=_controls(
                Learning(steps=8000, batch=128, rate=0.01, cooldown=3000, ema=0.999),
                Learning(steps=8000, batch=128, rate=0.01, cooldown=3000, ema=0.999),
                Learning(steps=4000, batch=128, rate=0.01, cooldown=1500, ema=0.999),
            ),
            heads=Learning(steps=6000, batch=64, rate=0.02, cooldown=3000),
        ),
    }
)
