"""The choice of the processor, its number format and its budget."""

from pathlib import Path

import pytest
import torch

from errors import ArmatureError
from models import device


def test_the_cpu_is_always_there_and_float32_can_be_forced() -> None:
    chosen = device.choose("cpu", "float32")
    assert (chosen.name, chosen.kind, chosen.title) == ("cpu", "cpu", "CPU")
    assert chosen.dtype is torch.float32
    assert not chosen.channels_last
    assert chosen.budget > 0


@pytest.mark.parametrize("native", [True, False])
def test_the_dtype_of_the_cpu_follows_its_instructions(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "has_native_bfloat16", lambda: native)
    chosen = device.choose("cpu")
    assert chosen.dtype is (torch.bfloat16 if native else torch.float32)
    assert chosen.channels_last is native


def test_the_question_about_the_processor_has_an_answer() -> None:
    assert isinstance(device.has_native_bfloat16(), bool)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:9", "mps"])
def test_a_device_that_is_not_here_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ArmatureError, match="--device auto") as refusal:
        device.choose(name)
    assert refusal.value.code.name == "NO_GPU"
    assert device.choose("auto").name == "cpu"


@pytest.mark.parametrize("name", ["", "tpu", "cuda:", "cuda:x", "cpu:1", "CUDA", "cuda:-1"])
def test_a_device_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(ArmatureError) as refusal:
        device.choose(name)
    assert refusal.value.code.name == "PARAM_CHOICE"


@pytest.mark.parametrize(("major", "dtype"), [(7, torch.float16), (8, torch.bfloat16), (9, torch.bfloat16)])
def test_a_gpu_is_preferred_in_the_format_it_computes_in(
    major: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, answer in (
        ("is_available", True),
        ("device_count", 2),
        ("get_device_name", "Some GPU"),
        ("get_device_capability", (major, 0)),
        ("mem_get_info", (8 * 10**9, 10 * 10**9)),
    ):
        monkeypatch.setattr(torch.cuda, name, lambda *given, answer=answer: answer)
    chosen = device.choose()
    assert (chosen.name, chosen.title, chosen.kind) == ("cuda:0", "Some GPU", "cuda")
    assert (chosen.dtype, chosen.channels_last, chosen.budget) == (dtype, True, 6 * 10**9)
    assert device.choose("cuda:1").name == "cuda:1"
    with pytest.raises(ArmatureError, match="cuda:2"):
        device.choose("cuda:2")


def test_a_gpu_has_a_memory_of_its_own_and_no_more_of_it_is_filled_than_was_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, answer in (
        ("is_available", True),
        ("device_count", 1),
        ("get_device_name", "Some GPU"),
        ("get_device_capability", (8, 0)),
        ("mem_get_info", (8 * 10**9, 10 * 10**9)),
    ):
        monkeypatch.setattr(torch.cuda, name, lambda *given, answer=answer: answer)
    chosen = device.choose()
    assert (chosen.memory, chosen.mode) == (8 * 10**9, "auto")
    assert chosen.resting > 0
    chosen = device.choose(memory=4 * 10**9, mode="blocks")
    assert (chosen.memory, chosen.budget, chosen.mode) == (4 * 10**9, 3 * 10**9, "blocks")
    assert device.choose(memory=80 * 10**9).memory == 8 * 10**9, "what is not free can't be had"
    with pytest.raises(ArmatureError, match="parts"):
        device.choose(mode="tiny")


def test_a_processor_has_nowhere_for_models_to_rest() -> None:
    chosen = device.choose("cpu", memory=10**6)
    assert (chosen.memory, chosen.budget, chosen.resting) == (10**6, 600_000, 0)
    with pytest.raises(ArmatureError, match="--memory-mode") as refusal:
        device.choose("cpu", mode="parts")
    assert refusal.value.code.name == "PARAM_CHOICE"


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "CGROUP", tmp_path)
    free = device.choose("cpu").budget
    (tmp_path / "memory.current").write_text("1000000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert device.choose("cpu").budget > free / 2
    (tmp_path / "memory.max").write_text("2000000\n")
    assert device.choose("cpu").budget == 600_000
    stat = "anon 100\nactive_file 7\ninactive_file 500000\nworkingset_inactive_file 9\n"
    (tmp_path / "memory.stat").write_text(stat)
    assert device.choose("cpu").budget == 900_000, "what was read and may be forgotten is free"
    (tmp_path / "memory.stat").write_text("anon 100\n")
    assert device.choose("cpu").budget == 600_000
    (tmp_path / "memory.max").write_text("500000\n")
    assert device.choose("cpu").budget == 0
