"""The LoRAs of one request, as its U-Net and its text encoder wear them while they are asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from torch import nn

from errors import MODEL_ARCH
from models import extras
from models.loading import ModelKey, Text
from models.lora import Lora, Part, Way, Ways, ways_of
from models.store import Store
from pipelines.request import GenerateRequest

SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outfit:
    """What stands beside the layers of a U-Net and of a text encoder: by default nothing.

    `text_key` tells apart what prompts are read with. `notices` are about files that were used in part.
    """

    unet: Ways = field(default_factory=dict)
    text: Ways = field(default_factory=dict)
    text_key: tuple[tuple[ModelKey, float], ...] = ()
    notices: tuple[str, ...] = ()


def keys(request: GenerateRequest, store: Store) -> dict[ModelKey, float]:
    """The LoRAs of a request by their keys, with their weights."""
    found = {}
    for name, weight in request.loras:
        path = extras.find(store, extras.LORA, name)
        found[ModelKey(part="lora", name=name, stamp=extras.stamp(path))] = weight
    return found


def dressed(
    asked: Mapping[ModelKey, float], lent: Mapping[ModelKey, nn.Module], *, unet: nn.Module, text: Text
) -> Outfit:
    """The outfit of some LoRAs for a U-Net and a text encoder, all of which are lent.

    One of which no layer has a place is refused; of which some have none, it is said.
    """
    networks: dict[Part, nn.Module] = {"unet": unet, "text": text.encoder}
    worn: dict[Part, dict[nn.Module, tuple[Way, ...]]] = {part: {} for part in networks}
    text_key, notices = [], []
    for key, weight in asked.items():
        lora = cast(Lora, lent[key])
        found = {part: ways_of(lora, key.name, network, part, weight) for part, network in networks.items()}
        left = len(lora.stems) + len(lora.unread) - sum(map(len, found.values()))
        if not any(found.values()):
            raise MODEL_ARCH(
                f"The LoRA {key.name} has no layer that this model has",
                found=", ".join((*lora.stems, *lora.unread)[:SHOWN]),
                todo="Choose a LoRA that was made for your base",
            )
        if left:
            notices.append(
                f"{left} parts of the LoRA {key.name} have no place in this model, and are left out."
            )
        for part, ways in found.items():
            for layer, way in ways.items():
                worn[part][layer] = (*worn[part].get(layer, ()), way)
        if found["text"]:
            text_key.append((key, weight))
    return Outfit(unet=worn["unet"], text=worn["text"], text_key=tuple(text_key), notices=tuple(notices))
