"""Checkpoints: whole or passed over, whatever fails and whenever."""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines import durable
from training import checkpoint
from training.checkpoint import Checkpoint


def made(step: int, score: float | None = None) -> Checkpoint:
    """A small checkpoint whose tensors say which one it is."""
    tensors = {"weights": {"a": torch.full((3,), float(step)), "b": torch.arange(4)}, "optimizer": {}}
    return Checkpoint(state={"step": step, "score": score, "exact": 0.1 + 0.2}, tensors=tensors)


def same(first: Checkpoint | None, second: Checkpoint) -> bool:
    """Whether two checkpoints hold the same."""
    return (
        first is not None
        and first.state == second.state
        and first.tensors.keys() == second.tensors.keys()
        and all(
            torch.equal(tensor, first.tensors[group][name])
            for group, tensors in second.tensors.items()
            for name, tensor in tensors.items()
        )
    )


def steps(folder: Path) -> list[int]:
    """The steps of the checkpoints in a folder, the newest first."""
    return [int(path.name.removeprefix("step-")) for path in checkpoint.found(folder)]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, made(5))
    assert same(checkpoint.load(path), made(5))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000005"]


def test_the_manifest_is_written_last(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, made(5))
    times = {file.name: file.stat().st_mtime_ns for file in path.iterdir()}
    assert max(times, key=times.__getitem__) == checkpoint.MANIFEST


def test_the_same_step_is_replaced(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, made(5))
    path = checkpoint.save(tmp_path, made(5, score=1.0))
    assert same(checkpoint.load(path), made(5, score=1.0))
    assert steps(tmp_path) == [5]


def _shortened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("spoil", [Path.unlink, _shortened, _flipped, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize(
    "file", ["manifest.json", "state.json", "weights.safetensors", "optimizer.safetensors"]
)
def test_a_checkpoint_that_is_not_whole_is_none(
    file: str, spoil: Callable[[Path], Any], tmp_path: Path
) -> None:
    path = checkpoint.save(tmp_path, made(5))
    spoil(path / file)
    assert checkpoint.load(path) is None


def test_the_newest_stay_and_the_best(tmp_path: Path) -> None:
    for step, score in enumerate((0.1, 0.9, 0.3, None, 0.5)):
        checkpoint.save(tmp_path, made(step, score))
        checkpoint.prune(tmp_path, 2)
    assert steps(tmp_path) == [4, 3, 1]


def test_without_scores_the_newest_stay(tmp_path: Path) -> None:
    for step in range(5):
        checkpoint.save(tmp_path, made(step))
        checkpoint.prune(tmp_path, 2)
    assert steps(tmp_path) == [4, 3]


def test_what_a_killed_run_left_aside_is_no_checkpoint_and_goes(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, made(1))
    aside = tmp_path / f"step-00000002{durable.ASIDE}77"
    shutil.copytree(tmp_path / "step-00000001", aside)
    assert steps(tmp_path) == [1]
    checkpoint.clear_unfinished(tmp_path)
    assert not aside.exists()


# Every call that touches the disk is made to fail once, as in tests/pipelines/test_durable.py.


def failing(patch: pytest.MonkeyPatch, number: int, code: int) -> list[int]:
    """Let the call of that number that writes fail with an errno; answers a list that counts the calls."""
    calls = [0]

    def wrapped(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls[0] += 1
            if calls[0] == number:
                raise OSError(code, os.strerror(code))
            return real(*args, **kwargs)

        return call

    places = ((os, "fsync"), (os, "replace"), (checkpoint, "save_file"), (json, "dump"), (Path, "mkdir"))
    for module, name in places:
        patch.setattr(module, name, wrapped(getattr(module, name)))
    return calls


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_save_that_fails_anywhere_leaves_the_one_before(code: int, tmp_path: Path) -> None:
    number, reached = 0, True
    while reached:
        number += 1
        folder = tmp_path / str(number)
        checkpoint.save(folder, made(1))
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(OSError):
            calls = failing(patch, number, code)
            checkpoint.save(folder, made(2))
        reached = calls[0] >= number
        assert same(checkpoint.load(folder / "step-00000001"), made(1))
        newest = checkpoint.load(checkpoint.found(folder)[0])
        assert same(newest, made(2)) or (reached and same(newest, made(1)))
        assert not list(folder.glob(f"*{durable.ASIDE}*"))
    assert number > 8
