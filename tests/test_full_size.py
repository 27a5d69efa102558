"""The real road at full size: from a Hub on loopback to a picture of 512x512 by Stable Diffusion 1.5's shape.

It takes some minutes, 8 GB of disk and 12 GB of memory, so it runs by name: make test ARGS="-m long".
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.catalogue import FAMILIES
from models.store import HALF, Store
from pipelines.metadata import request_from_png
from tests.conftest import drawn_map
from tests.fake_hub import FakeHub, fake_hub
from tests.serving import ROOT

CONTROLS = ("canny", "depth")
BILLION = 10**9


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[FakeHub]:
    """A Hub that has a base and two controls under the names of the real ones, in half precision."""
    from tests import full_family

    folder, family = tmp_path / "hub", FAMILIES["sd15"]
    full_family.write_as_on_the_hub(folder, CONTROLS)
    assert family.base is not None
    repos = {"base": family.base.repo}
    for name in CONTROLS:
        control = family.control(name)
        assert control is not None
        assert control.weight is not None
        repos[name] = control.weight.repo
    with fake_hub() as hub:
        for name, repo in repos.items():
            for path in filter(Path.is_file, (folder / name).rglob("*")):
                hub.add(repo, path.relative_to(folder / name).as_posix(), path.read_bytes())
                path.unlink()
        yield hub


def cli(hub: FakeHub, *arguments: object) -> Any:
    """What a command of a process of its own answers as JSON."""
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "OMP_NUM_THREADS": str(os.cpu_count())}
    environment.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "cli.py", *map(str, arguments), "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_full_size_is_fetched_loaded_and_paints(hub: FakeHub, tmp_path: Path) -> None:
    weights, out, picture = tmp_path / "weights", tmp_path / "out", tmp_path / "lines.png"
    names = ("sd15", *(f"sd15/{name}" for name in CONTROLS))
    got = cli(hub, "weights", "get", *names, "--yes", "--weights", weights)
    assert 3.4 * BILLION < got["bytes"] < 3.8 * BILLION
    assert sum(HALF in place for place in got["files"]) == 3 + len(CONTROLS)
    assert all(Store(weights).has("sd15", name) for name in CONTROLS)

    Image.fromarray(drawn_map(512, 512)).save(picture)
    asked = len(hub.asked)
    cli(
        hub, "generate", "--model", "sd15", "--condition", "canny", "--image", picture, "--annotator", "none",
        "--unit", f"condition=depth,image={picture},annotator=none,strength=0.5",
        "--prompt", "a house by the sea", "--size", "512x512", "--steps", 1, "--seed", 1,
        "--weights", weights, "--out", out,
    )  # fmt: skip
    assert len(hub.asked) == asked, "nothing is asked of the Hub to paint"
    (made,) = out.glob("*seed1.png")
    with Image.open(made) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (512, 512, 3)
    assert pixels.std() > 1
    request = request_from_png(made)
    assert [unit.condition for unit in request.controls] == list(CONTROLS)
    assert (request.family, request.steps) == ("sd15", 1)
