"""Files that are cut, altered or something else altogether: refused in words, at no cost."""

import json
import pickle
import resource
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from errors import ArmatureError
from models import inspect
from models.inspect import headers
from tests.models.made_files import one_tensor, write, write_header


def refused(path: Path, *words: str) -> str:
    """The code of the refusal of a file, whose message has some words and no path."""
    with pytest.raises(ArmatureError) as refusal:
        inspect.look(path)
    message = refusal.value.message
    assert all(word in message for word in words), message
    assert str(path.parent) not in message
    return refusal.value.code.name


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A file of 16 tensors that is as it should be."""
    path = tmp_path / "whole.safetensors"
    save_file({f"layer.{index}.weight": torch.full((4, index + 1), index) for index in range(16)}, path)
    return path


def test_a_header_says_what_safetensors_says(whole: Path) -> None:
    from safetensors import safe_open

    header = headers.read(whole)
    with safe_open(whole, "pt") as file:
        assert set(file.keys()) == set(header.tensors)
        for name in file.keys():  # noqa: SIM118
            assert tuple(file.get_slice(name).get_shape()) == header.tensors[name].shape
            assert file.get_slice(name).get_dtype() == header.tensors[name].dtype
    assert header.size == sum(8 * 4 * (index + 1) for index in range(16))


@pytest.mark.parametrize("cut", [100, 4, 1])
def test_row_76_a_file_that_is_cut_off_says_how_much_is_missing(whole: Path, cut: int) -> None:
    size = whole.stat().st_size
    whole.write_bytes(whole.read_bytes()[:-cut])
    assert refused(whole, "cut off", f"{size - cut} bytes", f"{size} bytes", "Fetch") == "MODEL_CORRUPT"


def test_a_file_that_is_cut_in_its_header_is_refused(whole: Path) -> None:
    whole.write_bytes(whole.read_bytes()[:200])
    assert refused(whole, "cut off", "200 bytes") == "MODEL_CORRUPT"


@pytest.mark.parametrize("size", [0, 4, 8])
def test_row_76_a_file_of_next_to_nothing_is_refused(whole: Path, size: int) -> None:
    whole.write_bytes(whole.read_bytes()[:size])
    assert refused(whole, f"{size} bytes") == "MODEL_CORRUPT"


def ready(entries: dict[str, Any]) -> bytes:
    """A header as bytes."""
    return json.dumps(entries).encode()


TWO = one_tensor("a.weight") | one_tensor("b.weight", data_offsets=[8, 24])
GAP = one_tensor("a.weight") | one_tensor("b.weight", data_offsets=[20, 36])
BROKEN: dict[str, tuple[bytes, int]] = {
    "no JSON": (b'{"a.weight": ', 16),
    "a list": (b"[]" + b" " * 20, 0),
    "nested without end": (b'{"a":' + b"[" * 200_000, 0),
    "overlapping": (ready(TWO), 24),
    "a gap": (ready(GAP), 36),
    "trailing bytes": (ready(one_tensor()), 17),
    "not its own size": (ready(one_tensor(shape=[2, 3])), 16),
    "a negative side": (ready(one_tensor(shape=[-2, -2])), 16),
    "no number": (ready(one_tensor(shape=["2", 2])), 16),
    "a truth for a number": (ready(one_tensor(data_offsets=[False, 16])), 16),
    "an end before the beginning": (ready(one_tensor(data_offsets=[16, 0])), 16),
    "a side beyond counting": (b'{"a": {"dtype": "F32", "shape": [' + b"9" * 5000 + b"]}}", 0),
    "no entry": (ready({"a.weight": 3}), 16),
    "the same name twice": (b'{"a.weight": 1, "a.weight": 2}', 0),
    "NaN": (b'{"a.weight": NaN}', 0),
}


@pytest.mark.parametrize("what", BROKEN)
def test_row_77_a_header_that_makes_no_sense_is_refused(what: str, tmp_path: Path) -> None:
    header, size = BROKEN[what]
    path = write_header(tmp_path / "x.safetensors", header, size)
    assert refused(path) == "MODEL_CORRUPT"
    with pytest.raises(ArmatureError):
        headers.read(path)


@pytest.mark.parametrize("length", [2**64 - 1, 2**63, 101_000_000, headers.LARGEST_HEADER + 1])
def test_row_77_a_header_of_any_length_costs_nothing(length: int, tmp_path: Path) -> None:
    path = write_header(tmp_path / "x.safetensors", ready(one_tensor()), 200_000_000, length=length)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(path, "header", str(length)) == "MODEL_CORRUPT"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_numbers_of_an_unknown_format_are_named(tmp_path: Path) -> None:
    path = write_header(tmp_path / "x.safetensors", ready(one_tensor(dtype="F99")), 16)
    assert refused(path, "F99") == "MODEL_DTYPE"


def torchs_own(path: Path) -> None:
    """As torch saves it: pickled, in a zip archive."""
    torch.save({"a.weight": torch.zeros(2)}, path)


def torchs_old(path: Path) -> None:
    """As torch saved it before version 1.6: pickled."""
    torch.save({"a.weight": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)


def archive(path: Path) -> None:
    """A zip archive of something else."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "hello")


def altered_archive(path: Path) -> None:
    """As torch saves it, with flags that only some readers mind."""
    torchs_own(path)
    data = bytearray(path.read_bytes())
    data[data.rfind(b"PK\x05\x06") :] = b"PK\x05\x06" + bytes(4)
    path.write_bytes(data)


OTHERS: dict[str, tuple[Any, str, str]] = {
    "web page": (b"<!DOCTYPE html><title>Access denied</title>", "MODEL_CORRUPT", "web page"),
    "web page without a doctype": (b"\n <html><body>404</body></html>", "MODEL_CORRUPT", "web page"),
    "pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 2132696762\n",
        "MODEL_CORRUPT",
        "Git LFS pointer",
    ),
    "answer": (b'{"error": {"code": 401, "message": "log in"}}', "MODEL_CORRUPT", "JSON"),
    "text": (b"Entry not found, go away", "MODEL_CORRUPT", "a text"),
    "pickle": (torchs_own, "MODEL_UNSAFE", "weights convert x.safetensors"),
    "old pickle": (torchs_old, "MODEL_UNSAFE", "pickled"),
    "plain pickle": (pickle.dumps({"a": 1}), "MODEL_UNSAFE", "pickled"),
    "zip": (archive, "MODEL_CORRUPT", "zip archive"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(40), "MODEL_UNSAFE", "7z"),
    "gguf": (b"GGUF\x03\0\0\0" + bytes(40), "MODEL_ARCH", "GGUF"),
    "onnx": (b"\x08\x07\x12\x07pytorch" + bytes(40), "MODEL_ARCH", "ONNX"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "MODEL_ARCH", "HDF5"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(40), "MODEL_ARCH", "picture"),
    "zeros": (bytes(4000), "MODEL_CORRUPT", "no safetensors file"),
    "noise": (np.random.default_rng(0).bytes(4000), "MODEL_CORRUPT", "no safetensors file"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_row_80_what_is_no_safetensors_file_is_named(what: str, tmp_path: Path) -> None:
    made, code, words = OTHERS[what]
    path = tmp_path / "x.safetensors"
    if callable(made):
        made(path)
    else:
        path.write_bytes(made)
    assert refused(path, words) == code


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".pth", ".bin"])
def test_row_82_a_damaged_archive_that_is_called_torchs_is_not_trusted(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    altered_archive(path)
    assert refused(path) == "MODEL_UNSAFE"
    path.write_bytes(bytes(1000))
    assert refused(path, "may run code") == "MODEL_UNSAFE"


def test_row_83_a_safetensors_file_is_one_whatever_it_is_called(whole: Path) -> None:
    renamed = whole.rename(whole.with_suffix(".ckpt"))
    assert inspect.look(renamed).kind is inspect.UNKNOWN


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "x.safetensors", "can't be opened") == "MODEL_MISSING"


def test_row_81_looking_runs_nothing_that_is_pickled(tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (canary,)

    path = tmp_path / "x.ckpt"
    for old in (False, True):
        torch.save({"state_dict": Evil()}, path, _use_new_zipfile_serialization=not old)
        assert refused(path, "pickled") == "MODEL_UNSAFE"
    assert not canary.exists()


def test_row_91_a_file_of_forty_gigabytes_is_looked_at_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "x.safetensors", {"a.weight": (20_000, 1_000_000)})
    assert inspect.look(path).size == 40_000_000_000
    assert path.stat().st_blocks < 1000
