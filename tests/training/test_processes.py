"""Several processes share a step, as `accelerate launch` starts them, and learn what one would."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import cli
from models.store import Store
from tests.serving import free_port
from tests.training import gradients
from tests.training.gradients import STAGE_TWO
from tests.training.test_command import FILE
from training import fill50k

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# accelerate's launcher imports torchvision, which some machines have in another build than torch
LAUNCH = (
    "from models import torchvision_ops; torchvision_ops.define_missing();"
    "from accelerate.commands.launch import main; main()"
)
FLAGS = "--multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no".split()


def launched(*command: str) -> None:
    """Run a command in two processes to a good end, each on one thread, as ours is."""
    calm = os.environ | {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0"}
    port = ["--main_process_port", str(free_port())]
    words = [sys.executable, "-c", LAUNCH, *FLAGS, *port, *command]
    done = subprocess.run(words, cwd=ROOT, env=calm, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def norm(tensors: dict[str, torch.Tensor], names: list[str]) -> float:
    """The length of all tensors together."""
    return math.sqrt(sum(float(tensors[name].square().sum()) for name in names))


def test_two_processes_have_the_gradients_of_one_in_both_stages(store: Store, tmp_path: Path) -> None:
    gradients.main(store.weights, tmp_path)
    launched("-m", gradients.__name__, str(store.weights), str(tmp_path))
    alone, first, second = (
        load_file(tmp_path / f"{name}.safetensors") for name in ("0-of-1", "0-of-2", "1-of-2")
    )
    assert (int(alone["parts"]), int(first["parts"])) == (2, 1)
    assert torch.allclose(alone["losses"], first["losses"], rtol=1e-6)
    for what in ("0 ", "1 ", f"{STAGE_TWO} ", "final "):
        names = [name for name in alone if name.startswith(what)]
        assert any("unet." in name for name in names) == (what in (f"{STAGE_TWO} ", "final "))
        apart = {name: alone[name] - first[name] for name in names}
        assert norm(apart, names) < 1e-6 * norm(alone, names), what
        assert all(torch.equal(first[name], second[name]) for name in names)


def test_the_command_makes_the_same_control_in_two_processes(store: Store, tmp_path: Path) -> None:
    fill50k.make(tmp_path / "data", fill50k.Recipe(size=64), 12, workers=1)
    text = FILE.format(data=tmp_path / "data", steps=4).replace("batch = 2", "batch = 4\nat_once = 2")
    made = []
    for number in range(2):
        place = tmp_path / str(number)
        (place / "weights" / "pocket").mkdir(parents=True)
        (place / "weights" / "pocket" / "base").symlink_to(store.base("pocket"))
        (place / "run.toml").write_text(text)
        places = ["--weights", str(place / "weights"), "--outputs", str(place)]
        command = ["train", str(place / "run.toml"), *places, "--device", "cpu"]
        if number == 0:
            assert cli.main(command) == 0
        else:
            launched("cli.py", *command)
        control = place / "weights" / "controls" / "canny" / "circles"
        made.append(load_file(control / "diffusion_pytorch_model.safetensors"))
        assert len(list((place / "training" / "circles" / "samples").iterdir())) == 3
    for name, tensor in made[0].items():
        assert torch.allclose(tensor, made[1][name], rtol=1e-6, atol=1e-8), name
