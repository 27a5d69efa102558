"""The base that is learnt on: its networks and its noise schedule, from a folder in diffusers' layout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

import gate
from errors import MODEL_CORRUPT, MODEL_MISSING, ArmatureError
from models import loading
from models.catalogue import FAMILIES
from models.layout import BASE_FILES
from models.loading import Text, Vae
from models.store import Store
from pipelines.reading import tokenize
from training.chance import seed_of
from training.config import Base

LARGEST_SCHEDULE = 2**20  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A base in its parts. `schedule` is the noise schedule as diffusers' `from_config` takes it."""

    folder: Path
    family: str | None
    text: Text
    unet: Any
    vae: Vae
    schedule: Mapping[str, Any]

    @property
    def device(self) -> torch.device:
        """Where the base lies."""
        return self.vae.rgb.device

    def moments(self, pictures: torch.Tensor) -> torch.Tensor:
        """Mean and standard deviation (N, 2 * 4, h, w) of the latents of pictures (N, 3, 8h, 8w), -1 to 1."""
        autoencoder = self.vae.autoencoder
        spread = autoencoder.encode(pictures.type(autoencoder.dtype)).latent_dist
        scale = autoencoder.config.scaling_factor
        moments: torch.Tensor = torch.cat((spread.mean, spread.std), dim=1).float() * scale
        return moments

    def ids(self, prompts: Sequence[str]) -> torch.Tensor:
        """The token ids (N, 77) of prompts."""
        return torch.tensor([tokenize(self.text.tokenizer, prompt) for prompt in prompts])

    @torch.no_grad()
    def states(self, prompts: Sequence[str]) -> torch.Tensor:
        """CLIP's states (N, 77, C) of prompts; each is asked for once, however often it comes."""
        different = list(dict.fromkeys(prompts))
        states: torch.Tensor = self.text(self.ids(different).to(self.device)).float()
        return states[[different.index(prompt) for prompt in prompts]]


def load(base: Base, store: Store, seed: int) -> Parts:
    """The base of a run on the CPU in float32, frozen; with a U-Net of random weights where it is `fresh`."""
    family = base.model if base.model in FAMILIES else None
    folder = store.base(base.model) if family else Path(base.model)
    if family:
        store.require(family)
    else:
        _require(folder)
    what = f"The base {folder.name if family is None else FAMILIES[family].title}"
    unet: Any = loading.read(folder, "unet", torch.float32, what=f"{what}: U-Net")
    schedule = _schedule(folder)
    if base.prediction != "auto":
        schedule["prediction_type"] = base.prediction
    return Parts(
        folder=folder,
        family=family,
        text=cast(Text, loading.read(folder, "text", torch.float32, what=f"{what}: text encoder")),
        unet=anew(unet, seed) if base.fresh else unet,
        vae=cast(Vae, loading.read(folder, "vae", torch.float32, what=f"{what}: decoder")),
        schedule=schedule,
    )


def anew(unet: Any, seed: int) -> Any:
    """A U-Net of the same architecture, with random weights that follow from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("fresh", seed))
        fresh = type(unet).from_config(unet.config)
    return fresh.eval().requires_grad_(False)


def _require(folder: Path) -> None:
    missing = [names[0] for names in BASE_FILES if not any((folder / name).is_file() for name in names)]
    if missing:
        raise MODEL_MISSING(
            f"The base {folder.name} is not complete",
            found=f"{len(missing)} files missing, such as {missing[0]}",
            allowed=f"{', '.join(FAMILIES)}, or a folder in diffusers' layout",
            todo="Change base.model, or complete the folder",
        )


def _schedule(folder: Path) -> dict[str, Any]:
    path = folder / "scheduler" / "scheduler_config.json"
    try:
        schedule = gate.parse_json(path.read_bytes(), most_bytes=LARGEST_SCHEDULE)
    except ArmatureError:
        schedule = None
    if not isinstance(schedule, dict):
        raise MODEL_CORRUPT("The base's noise schedule can't be read", todo="Fetch the file again")
    return schedule
