"""`cli.py weights convert` and `transfer`: files that are used as they are made."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import cli
from errors import ArmatureError
from models import bases, inspect, own
from models.inspect.kinds import BY_NAME
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


def as_base(copy: Store) -> Path:
    """A pickled base, under a name that a shell would take apart."""
    place = copy.own_bases / "it's mine [v2].ckpt"
    place.parent.mkdir()
    torch.save({"state_dict": checkpoint_of(copy.base("pocket"))}, place)
    return place


def as_folder(copy: Store) -> Path:
    """A base in diffusers' layout, whose U-Net is pickled as older programs did."""
    place = Path(shutil.copytree(copy.base("pocket"), copy.own_bases / "older"))
    path, tensors = unet_of(place)
    torch.save(tensors, path.with_suffix(".bin"))
    path.unlink()
    return place


def as_control(copy: Store) -> Path:
    """A pickled control that has the name of a safetensors file, as has every other of its layout."""
    place = Path(shutil.copytree(copy.control("pocket", "lines"), copy.control("pocket", "canny/mine")))
    path = place / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(path), path.with_suffix(".bin"))  # not into the file: the tensors lie in it
    path.with_suffix(".bin").replace(path)
    return place


def as_linked(copy: Store) -> Path:
    """A pickled base in a folder of bases that lies on another disk."""
    (copy.weights.parent / "mnt").mkdir()
    copy.own_bases.symlink_to(copy.weights.parent / "mnt")
    torch.save(checkpoint_of(copy.base("pocket")), copy.own_bases / "mine.ckpt")
    return copy.own_bases / "mine.ckpt"


@pytest.mark.parametrize("make", [as_base, as_folder, as_control, as_linked], ids=lambda make: make.__name__)
def test_the_command_that_a_refusal_names_converts_the_file(
    make: Callable[[Store], Path], run: Run, copy: Store
) -> None:
    with pytest.raises(ArmatureError) as refusal:
        inspect.look(make(copy))
    assert refusal.value.code.name == "MODEL_UNSAFE"
    named = re.search(r"cli\.py weights (convert .+?)(?:, or choose .*)?$", refusal.value.todo)
    assert named is not None
    code, told = run(*shlex.split(named[1]), "--weights", copy.weights)
    assert code == 0, told
    assert inspect.look(Path(told["file"])).kind.why in ("", BY_NAME["U-Net"].why)


def test_a_name_that_two_pickled_files_have_is_refused_with_both(run: Run, copy: Store) -> None:
    for folder in ("one", "two"):
        (copy.own_bases / folder).mkdir(parents=True)
        torch.save({"a": torch.zeros(1)}, copy.own_bases / folder / "x.bin")
    code, told = run("convert", "x.bin", "--weights", copy.weights)
    assert (code, told["error"]["code"]) == (1, "PARAM_CHOICE")
    assert "weights/bases/one/x.bin, weights/bases/two/x.bin" in told["error"]["message"]
    code, told = run("convert", "absent.ckpt", "--weights", copy.weights)
    assert (code, told["error"]["code"]) == (1, "MODEL_MISSING")


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
