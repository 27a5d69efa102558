"""From a moved slider to the map, as the page asks for it, alone and beside a running generation."""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from gradio_client import Client, handle_file
from PIL import Image

import annotators
from benchmarks.table import Row
from pipelines.request.intake import fit
from tests.browsing import draw_scene
from tests.serving import Front, serving, until

RUNS, SIDE, BOUND = 30, 512, 150.0


def measure(folder: Path, weights: Path) -> list[Row]:
    """Milliseconds, each time with another threshold, at 512x512 pixels from a picture of 1024x1024."""
    picture = _grained(draw_scene(folder / "scene.png", 1024, 1024))
    with Image.open(picture) as image:
        fitted = fit(np.asarray(image), SIDE, SIDE, "area")
    bare = _milliseconds(lambda low: cv2.Canny(fitted, low, 200))
    call = _milliseconds(lambda low: annotators.annotate("canny", fitted, low_threshold=low))
    with serving(folder / "app", weights) as app:
        front = Front(app.url)
        front.wait_for_models()
        sent = front.upload(picture)

        def move(low: int) -> None:
            values = {"canny_picture": sent, "size": f"{SIDE}x{SIDE}", "canny_canny_low_threshold": low}
            assert front.fire("change", "canny-canny-low_threshold", **values)["canny-map"]

        alone = _milliseconds(move)
        client = Client(app.url, verbose=False, analytics_enabled=False)
        work = client.submit(image=handle_file(picture), prompt="x", steps=150, count=4, api_name="/canny")
        until(lambda: "control lines" in app.log, seconds=60)
        busy = _milliseconds(move)
        assert not work.done(), "the generation was over before the figures were taken"
        client.close()
        front.close()
    series = {
        "canny: a moved slider, to the map": (alone, BOUND),
        "canny: the same beside a generation": (busy, BOUND),
        "canny: annotate() alone": (call, None),
    }
    return [
        Row(what=what, unit="ms", ours=ours, other=bare, beside="cv2.Canny alone, 512 pixels", bound=bound)
        for what, (ours, bound) in series.items()
    ]


def _grained(path: Path) -> Path:
    """The picture with the grain of a photograph, so that there are edges to find and a map to pack."""
    with Image.open(path) as image:
        clean = np.asarray(image).astype(np.int16)
    grain = np.random.default_rng(7).normal(0, 24, clean.shape)
    Image.fromarray((clean + grain).clip(0, 255).astype(np.uint8)).save(path)
    return path


def _milliseconds(act: Callable[[int], object]) -> list[float]:
    """The time of each of the runs, after two that only warm up."""
    times = []
    for low in range(40, 40 + RUNS + 2):
        began = time.perf_counter()
        act(low)
        times.append(1000 * (time.perf_counter() - began))
    return times[2:]
