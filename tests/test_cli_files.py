"""`cli.py weights convert` and `transfer`: files that are used as they are made."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import cli
from models import bases, own
from models.store import Store
from tests.models.test_single_file import checkpoint_of

Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def copy(store: Store, tmp_path: Path) -> Store:
    """The tiny family, free to be changed."""
    return Store(Path(shutil.copytree(store.weights, tmp_path / "weights")))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("convert", ...)`: the exit code, and the JSON on stdout."""

    def ran(*arguments: object) -> tuple[int, Any]:
        code = cli.main(["weights", *map(str, arguments), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return ran


def test_a_pickled_base_is_offered_once_it_is_converted(run: Run, copy: Store) -> None:
    copy.own_bases.mkdir()
    torch.save({"state_dict": checkpoint_of(copy.base("pocket"))}, copy.own_bases / "mine.ckpt")
    assert bases.models(copy) == ()
    code, told = run("convert", copy.own_bases / "mine.ckpt")
    assert code == 0
    assert told["kind"] == "a checkpoint: a whole base in one file"
    assert told["belongs_in"] == "weights/bases"
    assert Path(told["file"]) == copy.own_bases / "mine.safetensors"
    assert bases.models(copy) == (("mine.safetensors (Pocket)", "pocket/mine.safetensors"),)
    code, told = run("convert", copy.own_bases / "mine.ckpt")
    assert (code, told["error"]["code"]) == (1, "PARAM_CHOICE")


def test_a_visitor_profile_converts_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "x.pt")
    monkeypatch.setenv("ARMATURE_PROFILE", "public")
    code, told = run("convert", tmp_path / "x.pt", tmp_path / "y.safetensors")
    assert (code, told["error"]["code"]) == (1, "NOT_ALLOWED")
    assert not (tmp_path / "y.safetensors").exists()


def unet_of(base: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """The file of a base's U-Net, and its tensors."""
    path = base / "unet" / "diffusion_pytorch_model.safetensors"
    return path, load_file(path)


def test_a_control_moves_to_another_base(run: Run, copy: Store) -> None:
    shutil.copytree(copy.base("pocket"), copy.own_bases / "other")
    path, other = unet_of(copy.own_bases / "other")
    chance = torch.Generator().manual_seed(5)
    other = {name: one + 0.1 * torch.randn(one.shape, generator=chance) for name, one in other.items()}
    save_file(other, path, metadata={"format": "pt"})
    _, original = unet_of(copy.base("pocket"))
    control = load_file(copy.control("pocket", "lines") / "diffusion_pytorch_model.safetensors")
    where = ["--weights", copy.weights]
    code, told = run("transfer", "canny", "moved", "--model", "other", *where)
    assert code == 0
    assert told == {
        "control": "moved",
        "folder": str(copy.control("pocket", "canny/moved")),
        "base": "pocket/other",
    }
    moved = load_file(Path(told["folder"]) / "diffusion_pytorch_model.safetensors")
    assert moved.keys() == control.keys()
    for name, tensor in moved.items():
        change = other[name] - original[name] if name in original else torch.zeros(())
        assert torch.allclose(tensor, control[name] + change, atol=1e-6), name
    assert "down_blocks.0.resnets.0.conv1.weight" in original.keys() & moved.keys()
    assert own.controls(copy, "pocket/other", "canny") == ("moved",)
    code, told = run("transfer", "canny", "moved", "--model", "other", *where)
    assert (code, told["error"]["code"]) == (1, "PARAM_CHOICE")


def test_a_control_of_ones_own_that_was_half_as_large_stays_so(run: Run, copy: Store) -> None:
    shutil.copytree(copy.base("pocket"), copy.own_bases / "other")
    path = copy.weights / "controls" / "canny" / "half.safetensors"
    path.parent.mkdir(parents=True)
    tensors = load_file(copy.control("pocket", "lines") / "diffusion_pytorch_model.safetensors")
    save_file({name: tensor.half() for name, tensor in tensors.items()}, path)
    given = ["--model", "other", "--trained-on", "pocket", "--weights", copy.weights]
    code, told = run("transfer", "canny", "again", "--control", "half.safetensors", *given)
    assert code == 0
    made = load_file(Path(told["folder"]) / "diffusion_pytorch_model.safetensors")
    assert {one.dtype for one in made.values()} == {torch.float16}
    assert all(torch.equal(one, tensors[name].half()) for name, one in made.items())


@pytest.mark.parametrize(
    ("name", "model", "code"),
    [("../x", "other", "PARAM_CHOICE"), ("x", "pocket", "PARAM_CHOICE"), ("x", "absent", "PARAM_CHOICE")],
)
def test_what_can_not_be_moved_is_refused(name: str, model: str, code: str, run: Run, copy: Store) -> None:
    shutil.copytree(copy.base("pocket"), copy.own_bases / "other")
    given = ["--model", model, "--trained-on", "pocket", "--weights", copy.weights]
    exit_code, told = run("transfer", "canny", name, *given)
    assert (exit_code, told["error"]["code"]) == (1, code)
    assert not (copy.weights / "controls").exists()
