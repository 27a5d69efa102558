"""Pickled files: converted when asked for, by a child that runs nothing; rows 79 and 81 to 83."""

import collections
import os
import pickle
import socket
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from errors import ArmatureError
from gate import LIMITS
from models import inspect
from models.store import Store
from pipelines import converting
from pipelines.unpickling import Forbidden, forbid, opened, plain, tensors_in
from tests.models.test_single_file import checkpoint_of

LOCAL = LIMITS["local"]
Tensors = dict[str, torch.Tensor]


def control() -> Tensors:
    """So much of a control that its names tell what it is."""
    chance = torch.Generator().manual_seed(1)
    shapes: dict[str, tuple[int, ...]] = {
        "control_model.input_hint_block.0.weight": (16, 3, 3, 3),
        "control_model.zero_convs.0.0.weight": (320, 320, 1, 1),
        "control_model.input_blocks.0.0.weight": (320, 4, 3, 3),
    }
    return {name: torch.randn(shape, generator=chance).half() for name, shape in shapes.items()}


def refusal_of(source: Path, **more: Any) -> ArmatureError:
    """How a conversion is refused; it leaves nothing behind."""
    before = sorted(source.parent.iterdir())
    with pytest.raises(ArmatureError) as refusal:
        converting.convert(source, source.with_name("out.safetensors"), **{"limits": LOCAL} | more)
    assert sorted(source.parent.iterdir()) == before
    assert str(source.parent) not in refusal.value.message
    return refusal.value


def inside(source: Path) -> Tensors:
    """What the child makes of a file, without the child, which takes a second or two to come."""
    return plain(tensors_in(opened(source)), 2 * source.stat().st_size)


def inner_refusal_of(source: Path) -> ArmatureError:
    """How the child refuses a file."""
    with pytest.raises(ArmatureError) as refusal:
        inside(source)
    return refusal.value


@pytest.mark.parametrize("old", [False, True])
def test_a_pickled_base_becomes_the_same_tensors(old: bool, store: Store, tmp_path: Path) -> None:
    tensors = checkpoint_of(store.base("pocket"))
    tensors["model.diffusion_model.out.2.bias"] = tensors["model.diffusion_model.out.2.bias"].half()
    trained = {"state_dict": tensors, "epoch": 3, "optimizer_states": [{"lr": 0.1}]}
    source = tmp_path / "mine.ckpt"
    torch.save(trained, source, _use_new_zipfile_serialization=not old)
    source.chmod(0o640)
    target = converting.default_target(source)
    found = converting.convert(source, target, LOCAL)
    assert (target.name, found.kind.name) == ("mine.safetensors", "checkpoint")
    assert target.stat().st_mode & 0o777 == 0o640
    made = load_file(target)
    assert made.keys() == tensors.keys()
    assert all(
        torch.equal(made[name], one) and made[name].dtype == one.dtype for name, one in tensors.items()
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.ckpt", "mine.safetensors"]


def test_files_of_diffusers_get_the_names_that_it_expects() -> None:
    for pickled, plainly in (
        ("pytorch_model.bin", "model.safetensors"),
        ("diffusion_pytorch_model.bin", "diffusion_pytorch_model.safetensors"),
        ("v1.5.ckpt", "v1.5.safetensors"),
    ):
        assert converting.default_target(Path("a") / pickled) == Path("a") / plainly


def canary(path: Path) -> Any:
    """An object that makes a file where it is unpickled."""

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {path}",)

    return Evil()


@pytest.mark.parametrize(
    ("old", "suffix", "refused"),
    [
        (False, "ckpt", refusal_of),
        *((old, suffix, inner_refusal_of) for old in (False, True) for suffix in ("ckpt", "safetensors")),
    ],
)
def test_row_81_code_in_a_pickle_is_named_and_not_run(
    old: bool, suffix: str, refused: Callable[[Path], ArmatureError], tmp_path: Path
) -> None:
    source = tmp_path / f"evil.{suffix}"
    wrapped = control() | {"x": canary(tmp_path / "canary")}
    torch.save(wrapped, source, _use_new_zipfile_serialization=not old)
    error = refused(source)
    assert error.code.name == "MODEL_UNSAFE"
    assert "system" in error.found
    assert not (tmp_path / "canary").exists()


def test_row_81_a_bare_pickle_is_no_model(tmp_path: Path) -> None:
    source = tmp_path / "evil.pkl"
    source.write_bytes(pickle.dumps(canary(tmp_path / "canary"), protocol=2))
    assert inner_refusal_of(source).code.name in ("MODEL_UNSAFE", "MODEL_CORRUPT")
    assert not (tmp_path / "canary").exists()


def rewritten(path: Path, change: Callable[[list[tuple[zipfile.ZipInfo, bytes]]], Any]) -> None:
    """The archive again, with other entries."""
    with zipfile.ZipFile(path) as archive:
        entries = [(entry, archive.read(entry)) for entry in archive.infolist()]
    change(entries)
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in entries:
            archive.writestr(entry, data)


def twice(path: Path) -> None:
    """Two entries of one name, of which each program may take another."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        rewritten(path, lambda entries: entries.append(entries[0]))


def second_pickle(path: Path) -> None:
    """A second pickle beside the first."""
    rewritten(path, lambda entries: entries.append((zipfile.ZipInfo("x/other.pkl"), entries[0][1])))


def compressed(path: Path) -> None:
    """An entry that grows as it is read."""

    def change(entries: list[tuple[zipfile.ZipInfo, bytes]]) -> None:
        entries[-1][0].compress_type = zipfile.ZIP_DEFLATED

    rewritten(path, change)


def flagged(path: Path) -> None:
    """The list says that the pickle is encrypted, which some scanners then leave out."""
    data = bytearray(path.read_bytes())
    data[data.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)


def renamed(path: Path) -> None:
    """The list names the pickle otherwise than the pickle itself does."""
    data = path.read_bytes()
    at = data.rfind(b"data.pkl")
    path.write_bytes(data[:at] + b"data.pkx" + data[at + 8 :])


def inside_7z(path: Path) -> None:
    """Another archive around it, which torch opens nevertheless when it is asked in some ways."""
    path.write_bytes(b"7z\xbc\xaf\x27\x1c" + path.read_bytes())


ALTERED = (twice, second_pickle, compressed, flagged, renamed, inside_7z)


@pytest.mark.parametrize("alter", ALTERED, ids=lambda alter: alter.__name__)
def test_row_82_an_archive_that_can_be_read_in_two_ways_is_refused(
    alter: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "x.ckpt"
    torch.save(control(), source)
    alter(source)
    monkeypatch.setattr(subprocess, "run", lambda *what, **more: pytest.fail("it was opened"))
    assert refusal_of(source).code.name == "MODEL_UNSAFE"


def test_row_83_what_a_file_is_called_says_nothing(tmp_path: Path) -> None:
    source = tmp_path / "x.safetensors"
    torch.save(control(), source)
    found = converting.convert(source, tmp_path / "y.safetensors", LOCAL)
    assert found.kind.name == "control"
    other = (tmp_path / "y.safetensors").rename(tmp_path / "y.ckpt")
    error = refusal_of(other)
    assert (error.code.name, error.found) == ("PARAM_CHOICE", inspect.look(other).title)


def test_row_79_numbers_that_are_none_are_found_in_the_last_place(tmp_path: Path) -> None:
    tensors = control()
    name = "control_model.zero_convs.0.0.weight"
    tensors[name][-1, -1] = float("nan")
    torch.save(tensors, tmp_path / "x.pth")
    error = refusal_of(tmp_path / "x.pth")
    assert error.code.name == "MODEL_NUMERIC"
    assert name in error.found


def test_a_mark_of_an_old_trainer_is_no_danger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first checkpoints of Stable Diffusion name a class of their trainer as a key."""
    name = "pytorch_lightning.callbacks.model_checkpoint"
    marking = types.ModuleType(name)
    for module in ("pytorch_lightning", "pytorch_lightning.callbacks"):
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    monkeypatch.setitem(sys.modules, name, marking)
    mark = type("ModelCheckpoint", (), {"__module__": name})
    monkeypatch.setattr(marking, "ModelCheckpoint", mark, raising=False)
    source = tmp_path / "x.ckpt"
    torch.save({"state_dict": control(), "callbacks": {mark: {"best": 1}}}, source)
    assert inside(source).keys() == control().keys()


def test_a_textual_inversion_gets_a_name(tmp_path: Path) -> None:
    source = tmp_path / "style.pt"
    word = torch.ones(3, 768)
    torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": word}, "name": "style"}, source)
    found = converting.convert(source, tmp_path / "style.safetensors", LOCAL)
    assert (found.kind.name, found.architecture.title) == ("embedding", "Stable Diffusion 1.5")
    assert torch.equal(load_file(tmp_path / "style.safetensors")["emb_params"], word)


@pytest.mark.parametrize(
    ("saved", "code"),
    [
        ({"epoch": 3}, "MODEL_ARCH"),
        ([1, 2], "MODEL_ARCH"),
        (control() | {"b": torch.zeros(1).expand(10**6, 10**6)}, "MODEL_CORRUPT"),
    ],
)
def test_what_is_no_model_is_refused(saved: Any, code: str, tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "x.pt")
    assert inner_refusal_of(tmp_path / "x.pt").code.name == code


def test_tensors_of_no_known_kind_are_not_kept(tmp_path: Path) -> None:
    torch.save({"x.weight": torch.zeros(3)}, tmp_path / "x.pt")
    error = refusal_of(tmp_path / "x.pt")
    assert (error.code.name, error.found) == ("MODEL_ARCH", inspect.UNKNOWN.title)


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "x.pt"
    torch.save(control(), source, _use_new_zipfile_serialization=False)
    source.write_bytes(source.read_bytes()[:-1000])
    assert inner_refusal_of(source).code.name in ("MODEL_CORRUPT", "MODEL_UNSAFE")


@pytest.mark.parametrize("profile", ["lan", "public"])
def test_only_the_owner_converts(profile: Any, tmp_path: Path) -> None:
    torch.save(control(), tmp_path / "x.pt")
    assert refusal_of(tmp_path / "x.pt", limits=LIMITS[profile]).code.name == "NOT_ALLOWED"


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    torch.save(control(), tmp_path / "x.pt")
    (tmp_path / "out.safetensors").write_text("mine")
    assert "there already" in refusal_of(tmp_path / "x.pt").message
    assert (tmp_path / "out.safetensors").read_text() == "mine"


def test_a_disk_without_room_is_said_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(control(), tmp_path / "x.pt")
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(9, 9, 0))
    assert refusal_of(tmp_path / "x.pt").code.name == "DISK_FULL"


def test_one_that_takes_for_ever_is_ended(tmp_path: Path) -> None:
    torch.save(control(), tmp_path / "x.pt")
    assert refusal_of(tmp_path / "x.pt", patience=0.05).code.name == "TIMEOUT"


def test_modules_that_nobody_has_compiled_yet_are_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python would make folders for what it compiles as it imports, which the child must not."""
    torch.save(control(), tmp_path / "x.pt")
    fresh = tmp_path / "compiled"
    monkeypatch.setitem(converting.ENVIRONMENT, "PYTHONPYCACHEPREFIX", str(fresh))
    converting.convert(tmp_path / "x.pt", tmp_path / "x.safetensors", LOCAL)
    assert (tmp_path / "x.safetensors").is_file()
    assert not fresh.exists()


def test_the_child_gets_nothing_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(control(), tmp_path / "x.pt")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    run, seen = subprocess.run, []

    def watched(*what: Any, **more: Any) -> Any:
        seen.append(more["env"])
        return run(*what, **more)

    monkeypatch.setattr(subprocess, "run", watched)
    converting.convert(tmp_path / "x.pt", tmp_path / "x.safetensors", LOCAL)
    assert seen == [{"OMP_NUM_THREADS": "1"}]


@pytest.mark.parametrize(
    ("event", "arguments", "is_forbidden"),
    [
        ("socket.connect", (None, ("127.0.0.1", 80)), True),
        ("subprocess.Popen", ("sh", [], None, None), True),
        ("os.system", ("true",), True),
        ("os.remove", ("x", -1), True),
        ("open", ("x", "w", 0), True),
        ("open", ("x", "rb", 0), False),
        ("import", ("x", None), False),
    ],
)
def test_the_child_reads_and_does_nothing_else(event: str, arguments: Any, is_forbidden: bool) -> None:
    if is_forbidden:
        with pytest.raises(Forbidden):
            forbid(event, arguments)
    else:
        forbid(event, arguments)


def test_the_hook_holds_in_a_process_of_its_own() -> None:
    code = (
        "import sys, socket, os; from pipelines.unpickling import forbid, Forbidden\n"
        "sys.addaudithook(forbid)\n"
        "for act in (lambda: socket.create_connection(('127.0.0.1', 9)), lambda: os.system('true')):\n"
        "    try: act()\n    except Forbidden: print('no')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=converting.ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == ["no", "no"], done.stderr
    assert socket.socket is not None


def test_shared_and_turned_tensors_become_plain_ones() -> None:
    whole = torch.arange(6.0).reshape(2, 3)
    made = plain({"a": whole, "b": whole, "c": whole.t(), "d": whole[0]}, 10**6)
    assert all(one.is_contiguous() for one in made.values())
    assert len({one.untyped_storage().data_ptr() for one in made.values()}) == 4
    assert torch.equal(made["c"], whole.t())


@pytest.mark.parametrize("inside", ["state_dict", "model_state_dict", "params_ema", "params"])
def test_tensors_are_found_where_trainers_lay_them(inside: str) -> None:
    assert tensors_in({inside: {"a": torch.zeros(1)}, "step": 7}).keys() == {"a"}
