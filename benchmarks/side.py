"""One side of the full-size comparison, a process: `python -m benchmarks.side ours|diffusers WEIGHTS STEPS`.

It makes a picture for each line that it reads, `1` or a smaller part of the run for which the control holds,
and answers with JSON: the seconds of the whole, of each step, and of its previews; and its peak memory in GB.
"""

import json
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image

from annotators.base import Pixels
from models import torchvision_ops
from models.device import choose
from models.store import Store
from pipelines import generate as loop
from pipelines import schedulers
from pipelines.cache import ModelCache
from pipelines.generate import generate
from pipelines.pictures import PictureStore
from pipelines.preview import preview
from pipelines.request import ControlUnit, GenerateRequest, Progress
from tests.conftest import drawn_map

FAMILY, CONDITION, SIDE = "sd15", "canny", 512
PROMPT, NEGATIVE = "a house by the sea", "fog"
STATUS = Path("/proc/self/status")
Make = Callable[[float], dict[str, Any]]  # a picture whose control holds until this part of the run


def ours(weights: Path, steps: int, folder: Path) -> Make:
    """This engine, with the device and the dtype that it chooses itself."""
    device = choose()
    pictures = PictureStore(folder)
    cache = ModelCache(Store(weights), pictures, device)
    digest = pictures.put(drawn_map(SIDE, SIDE))
    previews: list[float] = []

    def timed(*given: Any) -> Pixels:
        _settle()
        began = time.perf_counter()
        try:
            return preview(*given)
        finally:
            previews.append(time.perf_counter() - began)

    vars(loop)["preview"] = timed

    def make(end: float) -> dict[str, Any]:
        unit = ControlUnit(condition=CONDITION, map=digest, end=end)
        request = GenerateRequest(
            prompt=PROMPT,
            negative_prompt=NEGATIVE,
            controls=(unit,),
            width=SIDE,
            height=SIDE,
            family=FAMILY,
            steps=steps,
            seed=7,
        )
        previews.clear()
        marks = [time.perf_counter()]
        for event in generate(request, cache):
            if isinstance(event, Progress) and event.stage == "denoising":
                marks.append(time.perf_counter())
        return {"marks": marks, "previews": sum(previews)}

    return make


def diffusers(weights: Path, steps: int, _: Path) -> Make:
    """diffusers' pipeline as its documentation shows it: half precision on a GPU, else as the files are."""
    torchvision_ops.define_missing()
    from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

    store, gpu = Store(weights), torch.cuda.is_available()
    dtype = {"dtype": torch.float16} if gpu else {}
    control = ControlNetModel.from_pretrained(
        store.control(FAMILY, CONDITION), local_files_only=True, **dtype
    )
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(
        store.base(FAMILY), controlnet=control, safety_checker=None, local_files_only=True, **dtype
    )
    pipeline.scheduler = schedulers.build("unipc", dict(pipeline.scheduler.config))
    pipeline.set_progress_bar_config(disable=True)
    if gpu:
        pipeline.to("cuda")
    map = Image.fromarray(drawn_map(SIDE, SIDE))

    def make(end: float) -> dict[str, Any]:
        marks = [time.perf_counter()]

        def mark(pipeline: Any, step: int, t: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            marks.append(time.perf_counter())
            return tensors

        pipeline(
            prompt=PROMPT,
            negative_prompt=NEGATIVE,
            image=map,
            num_inference_steps=steps,
            generator=torch.Generator().manual_seed(7),
            control_guidance_end=end,
            callback_on_step_end=mark,
        )
        return {"marks": marks, "previews": 0.0}

    return make


def _settle() -> None:
    """What was asked of a GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _peak() -> float:
    """In GB. A process's `ru_maxrss` begins with what the one that started it had filled; this does not."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e9


def main() -> None:
    """Answer every line with a picture made and measured."""
    name, weights, steps = sys.argv[1:]
    sides = {"ours": ours, "diffusers": diffusers}
    with TemporaryDirectory() as folder:
        make = sides[name](Path(weights), int(steps), Path(folder))
        for line in sys.stdin:
            began = time.perf_counter()
            made = make(float(line))
            _settle()
            seconds = time.perf_counter() - began
            marks = made.pop("marks")
            between = [after - before for before, after in pairwise(marks[1:])]
            answer = {"seconds": seconds, "steps": between, "peak": _peak(), **made}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
