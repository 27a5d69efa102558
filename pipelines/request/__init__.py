"""What one generation is asked for and what it answers: frozen, torch-free, plain JSON.

Browser, API, command line and tests all make the same `GenerateRequest`. Pictures in it are SHA-256 hashes of
files that the picture store keeps, so a request survives a restart and travels in a PNG.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import conditions
from annotators.base import Pixels
from models import own
from params import Value
from pipelines.request.controls import LARGEST_SEED
from pipelines.request.keeping import Kept, overall

Stage: TypeAlias = Literal[
    "loading", "annotating", "denoising", "decoding", "saving", "checking", "fetching"
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlUnit:
    """One control: its map, where the map came from, and how firmly and when it holds.

    `map` and `region` are content hashes; it acts where the region is white, everywhere without one.
    `layer_weights` are factors, one for each layer, the shallowest first and the middle last: 13 in Stable
    Diffusion. Where there are any, they take the place of those of the mode. `control` names one of the
    user's own, in place of the family's.
    """

    condition: str
    map: str
    annotator: str = "none"
    values: Mapping[str, Value] = field(default_factory=dict)
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    mode: str = "balanced"
    layer_weights: tuple[float, ...] = ()
    region: str | None = None
    control: str = ""

    def network(self, family: str) -> str:
        """What its network is called in a family; refused where the family has none for the condition."""
        if self.control:
            return own.key(self.condition, self.control)
        return conditions.find(self.condition).control(family).name


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest:
    """Everything that makes one batch of pictures again; `init` and `mask` are content hashes.

    From `init`, under so much noise as `denoise` says, where there is one; white in `mask` is made anew, its
    edge softened by `mask_blur` pixels, and begins as `fill` says.

    Image `i` of the batch is made from seed `(seed + i) mod 2^32`, alone or together.
    """

    prompt: str
    controls: tuple[ControlUnit, ...]
    width: int
    height: int
    negative_prompt: str = ""
    family: str = "pocket"
    base: str | None = None
    vae: str | None = None
    loras: tuple[tuple[str, float], ...] = ()
    clip_skip: int = 0
    init: str | None = None
    denoise: float = 1.0
    mask: str | None = None
    mask_blur: float = 4.0
    fill: str = "original"
    steps: int = 20
    guidance: float = 7.5
    scheduler: str = "unipc"
    seed: int = -1
    count: int = 1
    agreement: bool = False
    safety: bool = False

    @property
    def model(self) -> str:
        """The family, or the base of one's own with the controls of the family, as the store calls it."""
        return f"{self.family}/{self.base}" if self.base else self.family

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each picture; the request's own seed must have been drawn by now."""
        assert self.seed >= 0, "the seed is drawn when the request is built"
        return tuple((self.seed + index) % (LARGEST_SEED + 1) for index in range(self.count))

    @property
    def others(self) -> Mapping[str, str]:
        """The hash of each picture that it names and that is no map, by what that is."""
        regions = {f"region{index}": unit.region for index, unit in enumerate(self.controls)}
        named = {"init": self.init, "mask": self.mask} | regions
        return {what: digest for what, digest in named.items() if digest}

    @property
    def taken(self) -> int:
        """How many of its steps are taken: all from noise, and the last ones from a start picture."""
        return int(self.steps * self.denoise)

    def to_json(self) -> str:
        """The request as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "GenerateRequest":
        """The request that `to_json` wrote; `checked` still has to see it."""
        entry = json.loads(text)
        entry["controls"] = tuple(
            ControlUnit(**{**unit, "layer_weights": tuple(unit["layer_weights"])})
            for unit in entry["controls"]
        )
        entry["loras"] = tuple((name, weight) for name, weight in entry["loras"])
        return cls(**entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One picture that is finished while others are not, RGB uint8 (H, W, 3), its seed, and its notices."""

    pixels: Pixels
    seed: int
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands; in the stage "denoising" one comes after each of the `total` steps.

    Of a fetch, the steps are bytes: those that are here, in "checking" counted again, in "fetching" new ones.

    `preview` is RGB uint8 (h, w, 3) of at most 256 pixels a side, or None. `made` is a picture just finished.
    """

    stage: Stage = "denoising"
    step: int
    total: int
    preview: Pixels | None = None
    made: Made | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The finished pictures, RGB uint8 (H, W, 3), the seed of each, and the request that makes them again.

    `others` are the pictures that the request names so, in their order. `agreement` has for each picture how
    it kept each control, where that was asked for.
    """

    images: tuple[Pixels, ...]
    seeds: tuple[int, ...]
    maps: tuple[Pixels, ...]
    request: GenerateRequest
    others: tuple[Pixels, ...] = ()
    notices: tuple[str, ...] = ()
    agreement: tuple[tuple[Kept, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedImage:
    """One finished picture on disk, the seed that makes it again alone, and how it kept each control."""

    path: Path
    seed: int
    agreement: tuple[Kept, ...] = ()

    @property
    def kept(self) -> float | None:
        """How well it kept all its controls together, as far as that was measured; 1 is best."""
        return overall(self.agreement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A finished request: its pictures and maps on disk, and how long it took."""

    images: tuple[SavedImage, ...]
    maps: tuple[tuple[str, Path], ...]
    request: GenerateRequest
    notices: tuple[str, ...]
    seconds: float
