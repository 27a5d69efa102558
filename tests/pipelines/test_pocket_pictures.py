"""Pictures of the family that ships: the controls control, the words are heard, previews show what comes.

With random weights all of this runs, and none of it can be seen. The bounds are wide: how good the family is
says its own benchmark.
"""

from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from annotators.base import Pixels
from conditions import CONDITIONS
from models.catalogue import FAMILIES
from models.device import Device
from models.store import Store
from pipelines import networks
from pipelines.agreement import agreement
from pipelines.cache import ModelCache
from pipelines.generate import generate
from pipelines.pictures import PictureStore
from pipelines.request import ControlUnit, GenerateRequest, Progress, Result
from pipelines.request.intake import fit

ROOT = Path(__file__).parents[2]
SIDE, STEPS, GUIDANCE = 128, 6, FAMILIES["pocket"].guidance
# Drawings that the family never learnt (scripts/examples.py), and what is in them.
SCENES = {
    "mlsd": "a flat illustration of a blue house with a brown roof, at midday, sunny",
    "tile": "a flat illustration of a stone castle with red roofs on a hill, at sunset",
    "depth": "a flat illustration of a yellow tent in the mountains, at midday, sunny",
    "lineart": "a flat illustration of a lighthouse and a sailing boat on the coast, at sunset",
}


@pytest.fixture(scope="module")
def pocket(tmp_path_factory: pytest.TempPathFactory, cpu: Device) -> ModelCache:
    """The family that ships, loaded once."""
    return ModelCache(Store(ROOT / "weights"), PictureStore(tmp_path_factory.mktemp("pictures")), cpu)


def drawing(name: str) -> Pixels:
    """One of the tabs' examples, RGB uint8 (SIDE, SIDE, 3)."""
    with Image.open(ROOT / "ui" / "examples" / f"{name}.webp") as image:
        return fit(np.asarray(image.convert("RGB")), SIDE, SIDE, "area")


def map_of(cache: ModelCache, condition: str, picture: Pixels) -> tuple[str, Pixels]:
    """The name of the built-in annotator, and its map."""
    entry = CONDITIONS[condition]
    method = entry.first(lambda name: not name.partition("_")[2] or name.startswith("pocket_"))
    return method.name, networks.annotate(cache, method.name, picture, resolution=SIDE).map


def request(cache: ModelCache, condition: str, map: Pixels, prompt: str, **unit: Any) -> GenerateRequest:
    control = ControlUnit(
        condition=condition, map=cache.pictures.put(map), **{"mode": FAMILIES["pocket"].mode} | unit
    )
    return GenerateRequest(
        prompt=prompt,
        controls=(control,),
        width=SIDE,
        height=SIDE,
        steps=STEPS,
        guidance=GUIDANCE,
        seed=4,
    )


def painted(cache: ModelCache, wanted: GenerateRequest) -> Pixels:
    *_, result = generate(wanted, cache)
    assert isinstance(result, Result)
    return result.images[0]


@pytest.mark.parametrize("condition", ["canny", "depth", "normal", "seg", "tile"])
def test_a_picture_keeps_the_structure_that_it_was_given(condition: str, pocket: ModelCache) -> None:
    """More than the same words and the same noise keep of it by themselves."""
    kept: dict[float, list[float]] = {0.0: [], 1.0: []}
    for name, prompt in SCENES.items():
        method, map = map_of(pocket, condition, drawing(name))
        for strength, shares in kept.items():
            picture = painted(pocket, request(pocket, condition, map, prompt, strength=strength))
            share = agreement(
                CONDITIONS[condition],
                map,
                picture,
                annotator=method,
                annotate=partial(networks.annotate, pocket),
            )
            assert share is not None
            shares.append(share)
    free, held = fmean(kept[0.0]), fmean(kept[1.0])
    assert held - free > 0.15 * (1 - free), "part of the way from there to all of it"


def test_the_words_decide_on_the_hour_and_the_map_on_the_place(pocket: ModelCache) -> None:
    _, map = map_of(pocket, "canny", drawing("mlsd"))
    what = "a flat illustration of a house with a red roof"
    day, sunset, night = (
        painted(pocket, request(pocket, "canny", map, f"{what}, {hour}")).astype(float)
        for hour in ("at midday, sunny", "at sunset", "by night, under the stars")
    )
    assert night.mean() < 0.7 * day.mean()
    sky = (slice(0, 16), slice(None))
    warmth = [float((picture[sky][..., 0] - picture[sky][..., 2]).mean()) for picture in (day, sunset)]
    assert warmth[0] < 0 < warmth[1]


def test_the_first_preview_looks_like_the_picture(pocket: ModelCache) -> None:
    """The base predicts v: taken for the noise, it would leave most of the noise in the preview."""
    _, map = map_of(pocket, "canny", drawing("tile"))
    *shown, result = generate(request(pocket, "canny", map, SCENES["tile"]), pocket)
    assert isinstance(result, Result)
    previews = [event.preview for event in shown if isinstance(event, Progress) and event.preview is not None]
    first, picture = (
        cv2.resize(pixels, (16, 16), interpolation=cv2.INTER_AREA).reshape(-1)
        for pixels in (previews[0], result.images[0])
    )
    assert np.corrcoef(first, picture)[0, 1] > 0.8
