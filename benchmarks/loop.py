"""Our loop beside diffusers' own pipeline: the same weights, request, noise and thread."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import annotators
from annotators.base import Pixels
from benchmarks.table import Row
from models.device import Device
from models.store import Store
from pipelines import schedulers
from pipelines.cache import ModelCache
from pipelines.generate import generate
from pipelines.pictures import PictureStore
from pipelines.request import ControlUnit, GenerateRequest, Result
from tests.browsing import draw_scene

RUNS, SIDE = 5, 256


def measure(folder: Path, weights: Path) -> list[Row]:
    """Seconds for 20 steps with guidance and one control, from the prompt to the pixels, alternating."""
    torch.set_num_threads(1)
    with Image.open(draw_scene(folder / "scene.png", SIDE, SIDE)) as image:
        map = annotators.annotate("canny", np.asarray(image)).map
    store, pictures = Store(weights), PictureStore(folder)
    unit = ControlUnit(condition="canny", map=pictures.put(map))
    request = GenerateRequest(prompt="a house", controls=(unit,), width=SIDE, height=SIDE, seed=7)
    cpu = Device(name="cpu", title="CPU", dtype=torch.float32, budget=10**9)
    cache = ModelCache(store, pictures, cpu)
    pipeline = _pipeline(store, request)
    ours, theirs = [], []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        *_, result = generate(request, cache)
        between = time.perf_counter()
        expected = _picture(pipeline, request, map)
        ours.append(between - began)
        theirs.append(time.perf_counter() - between)
    assert isinstance(result, Result)
    assert np.abs(result.images[0].astype(int) - expected).max() <= 1, "not the same picture"
    what = f"loop: {request.steps} steps, tiny family, {SIDE} pixels"
    beside = "StableDiffusionControlNetPipeline"
    return [Row(what=what, unit="s", ours=ours[1:], other=theirs[1:], beside=beside)]


def _pipeline(store: Store, request: GenerateRequest) -> Any:
    """diffusers' pipeline as its documentation makes it."""
    from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

    control = ControlNetModel.from_pretrained(store.control("pocket", "lines"), local_files_only=True)
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(
        store.base("pocket"), controlnet=control, safety_checker=None, local_files_only=True
    )
    pipeline.scheduler = schedulers.build(request.scheduler, dict(pipeline.scheduler.config))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _picture(pipeline: Any, request: GenerateRequest, map: Pixels) -> Pixels:
    """What diffusers makes of the request, RGB uint8 (H, W, 3)."""
    made = pipeline(
        prompt=request.prompt,
        image=Image.fromarray(map),
        num_inference_steps=request.steps,
        guidance_scale=request.guidance,
        generator=torch.Generator().manual_seed(request.seed),
    )
    return np.asarray(made.images[0])
