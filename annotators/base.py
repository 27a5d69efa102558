"""The one contract of every annotator: what goes in, what comes out, what is declared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.catalogue import Weight
from params import Param

Pixels: TypeAlias = NDArray[np.uint8]
Source: TypeAlias = Literal["picture", "pose", "text"]
Takes: TypeAlias = Literal["scene", "map", "negative", "depth"]
Network: TypeAlias = Any  # a module of torch, a pipeline of transformers: known to its own annotator only

BLACK = 8  # a map that is nowhere brighter is all black, with JPEG's noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What an annotator found.

    `map` is RGB uint8 of shape (H, W, 3), lines white on black; for a picture H and W are the picture's own.
    `data` is plain JSON: key points, classes, a depth range; None where there is nothing to say.
    """

    map: Pixels
    data: Mapping[str, Any] | None = None
    notices: tuple[str, ...] = ()


def no_network(files: tuple[Path, ...]) -> None:
    """The `load` of an annotator that has no weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotator:
    """One way to take the structure out of a source.

    `load(files)` takes the local files of `weights` in order and returns a network on the CPU; the engine's
    cache calls it, moves it and lends it. `run(source, network, **values)` is pure: a picture comes as RGB
    uint8 (H, W, 3), a text as str, a pose as the plain data of OpenPose's JSON (dicts, lists, numbers), which
    the caller has parsed with `gate.parse_pose`: whatever it is, `run` refuses what is no pose. Its keyword
    arguments are the names of `params`.
    `takes` says what a picture is to it: a scene to take the structure out of, the map itself, the negative
    of one, or a map of depth that another map is made from.
    `resample` says how a map is brought from the working size to the picture's; an annotator that `rescales`
    nothing gets the picture as it came.
    `mended` says what the original does wrong and this one does not; `caution` what a user has to know of
    every map it makes.
    """

    name: str
    label: str
    help: str
    run: Callable[..., Annotation]
    source: Source = "picture"
    takes: Takes = "scene"
    params: tuple[Param, ...] = ()
    weights: tuple[Weight, ...] = ()
    load: Callable[[tuple[Path, ...]], Network] = no_network
    resample: Literal["nearest", "smooth"] = "smooth"
    rescales: bool = True
    mended: str = ""
    caution: str = ""

    @property
    def is_fetched(self) -> bool:
        """Whether it needs files that do not come with the program."""
        return any(weight.repo for weight in self.weights)

    @property
    def of_maps(self) -> bool:
        """Whether it starts from a picture that is a map already."""
        return self.takes != "scene"

    @property
    def keeps(self) -> bool:
        """Whether the picture stays what it is, but for black and white."""
        return self.takes in ("map", "negative")
