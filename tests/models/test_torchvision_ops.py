"""The operators that a torchvision of another build lacks, in processes of their own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMPORTS = "import torchvision, timm, diffusers.models, controlnet_aux"
DEFINE = "from models import torchvision_ops; library = torchvision_ops.define_missing()"


def run(*lines: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter with these lines; the foreign packages' own warnings are not the matter here."""
    command = [sys.executable, "-W", "ignore", "-c", "\n".join(lines)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


def test_everything_imports_after_it_whatever_the_builds() -> None:
    done = run(DEFINE, IMPORTS)
    assert done.returncode == 0, done.stderr


def test_it_defines_something_exactly_where_the_plain_import_fails() -> None:
    plain = run("import torchvision")
    assert plain.returncode == 0 or "torchvision::nms does not exist" in plain.stderr
    done = run(DEFINE, "print(library is None)")
    assert done.stdout.strip() == str(plain.returncode == 0), done.stderr


def test_it_does_nothing_where_the_operator_exists() -> None:
    done = run(
        "import torch",
        "own = torch.library.Library('torchvision', 'DEF')",
        "own.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')",
        DEFINE,
        "print(library)",
    )
    assert done.stdout.strip() == "None", done.stderr


def test_it_defines_once() -> None:
    done = run(DEFINE, "print(torchvision_ops.define_missing() is library)")
    assert done.stdout.strip() == "True", done.stderr


def test_it_needs_no_torchvision() -> None:
    done = run("import sys; sys.modules['torchvision'] = None", DEFINE, "print(library)")
    assert done.stdout.strip() == "None", done.stderr
