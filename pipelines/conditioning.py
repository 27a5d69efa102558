"""What steers a picture: prompts as embeddings, maps as hints, and when a hint holds."""

from dataclasses import dataclass
from typing import Any

import torch

from annotators.base import Pixels
from errors import PARAM_RANGE
from models.loading import Text
from pipelines.request import ControlUnit

PROMPT_TOKENS = 75  # CLIP takes 77 with the start and the end


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as CLIP's states (1, 77, C), and the end of its text that CLIP had no room for."""

    states: torch.Tensor
    dropped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """One control on one picture: the name of its network, its map (1, 3, H, W) from 0 to 1, and its hold.

    It holds from the part `start` to the part `end` of the run, with `strength`; where it is `on_both`, under
    the negative prompt too.
    """

    control: str
    map: torch.Tensor
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    on_both: bool = True

    def holds(self, step: int, steps: int) -> bool:
        """Whether it has an effect in step `step` (from 0) of `steps`."""
        inside = not (step / steps < self.start or (step + 1) / steps > self.end)
        return inside and self.strength != 0


@torch.no_grad()
def encode(text: Text, prompt: str) -> Prompt:
    """The prompt through CLIP; what comes after 75 tokens is dropped, and named."""
    row, dropped = tokenize(text.tokenizer, prompt)
    states = text(torch.tensor([row], device=next(text.parameters()).device))
    return Prompt(states, dropped)


def tokenize(tokenizer: Any, prompt: str) -> tuple[list[int], str]:
    """The 77 ids of a prompt as CLIP takes them, and the end of its text that there was no room for."""
    tokens = tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ids = tokens.input_ids[:PROMPT_TOKENS]
    padding = [tokenizer.pad_token_id] * (PROMPT_TOKENS - len(ids))
    rest = tokens.offset_mapping[PROMPT_TOKENS:]
    return [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id, *padding], (
        prompt[rest[0][0] :] if rest else ""
    )


def to_hint(unit: ControlUnit, control: str, network: Any, pixels: Pixels) -> Hint:
    """A control of a request with its network and its map, RGB uint8 (H, W, 3).

    One that is pooled over the whole picture (shuffle) was trained to steer under the prompt only.
    """
    map = torch.tensor(pixels, device=network.device).movedim(-1, 0)[None]
    return Hint(
        control=control,
        map=(map.float() / 255).type(network.dtype),
        strength=unit.strength,
        start=unit.start,
        end=unit.end,
        on_both=not network.config.global_pool_conditions,
    )


def check_size(pixels: Pixels, width: int, height: int) -> None:
    """Refuse a map, RGB uint8 (H, W, 3), of another size than its picture: maps are never resampled here."""
    found_height, found_width = pixels.shape[:2]
    if (found_width, found_height) != (width, height):
        raise PARAM_RANGE(
            "The map has another size than the picture",
            found=f"{found_width}x{found_height}",
            allowed=f"{width}x{height}",
            todo="Make the map anew at the picture's size",
        )
