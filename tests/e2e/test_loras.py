"""A LoRA, put into the folder while the page is open, is used by its name in the prompt."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from annotators.base import Pixels
from models.loading import ModelKey, load
from models.store import Store
from tests import made_loras
from tests.browsing import Studio
from tests.e2e.test_studio import ready_to_generate

NAME = "ink wash"


@pytest.fixture
def lora(store: Store) -> Iterator[Path]:
    """A LoRA of random numbers for the little U-Net, taken away in the end."""
    unet = load(store, ModelKey(family="pocket", part="unet"), torch.float32)
    path = store.weights / "loras" / f"{NAME}.safetensors"
    yield made_loras.write(path, made_loras.kohya("unet", made_loras.factors(unet)))
    path.unlink()


def shown(address: str) -> tuple[Pixels, dict[str, str]]:
    """The picture at an address, RGB uint8 (H, W, 3), and its texts."""
    with Image.open(io.BytesIO(httpx.get(address).content)) as image:
        texts = {str(key): str(value) for key, value in image.info.items() if isinstance(value, str)}
        return np.asarray(image.convert("RGB")), texts


def painted(studio: Studio, prompt: str, before: str) -> str:
    """The address of the picture that a prompt makes, other than the last one."""
    studio.page.fill("#prompt textarea", prompt)
    studio.generate()
    return studio.picture_after(before)


def test_a_lora_in_the_prompt_changes_the_picture_and_is_remembered(
    studio: Studio, scene: Path, lora: Path
) -> None:
    ready_to_generate(studio, scene)
    studio.set_number("seed", 7)
    first = painted(studio, "a house", "")
    second = painted(studio, f"a house <lora:{NAME}:0.8>", first)
    third = painted(studio, "a house", second)
    (plain, texts), (worn, worn_texts), (again, _) = map(shown, (first, second, third))
    assert np.abs(worn.astype(int) - plain).mean() > 1
    assert np.array_equal(again, plain)
    assert json.loads(worn_texts["armature"])["request"]["loras"] == [[NAME, 0.8]]
    assert f"<lora:{NAME}:0.8>" in worn_texts["parameters"]
    assert json.loads(texts["armature"])["request"]["loras"] == []


def test_one_that_is_not_there_is_refused_with_those_that_are_near(
    studio: Studio, scene: Path, lora: Path
) -> None:
    ready_to_generate(studio, scene)
    studio.page.fill("#prompt textarea", "a house <lora:ink_wish:0.8>")
    studio.generate()
    studio.wait_for_text(".toast-body", "There is no LoRA of that name")
    assert NAME in studio.text(".toast-body")


def test_a_preset_sets_what_belongs_together(studio: Studio) -> None:
    studio.open_settings()
    for name, steps, scheduler in (("lcm", "4", "LCM"), ("tcd", "8", "TCD"), ("usual", "20", "UniPC")):
        studio.page.click(f"#preset-{name}")
        studio.page.wait_for_function(
            "([steps, scheduler]) => document.querySelector('#steps input[type=number]').value === steps"
            " && document.querySelector('#scheduler input').value.startsWith(scheduler)",
            arg=[steps, scheduler],
        )
        guidance = studio.page.input_value("#guidance input[type=number]")
        assert guidance == ("3" if name == "usual" else "1")
