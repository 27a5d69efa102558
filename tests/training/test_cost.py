"""The benchmark of training runs, on small networks; its figures need a GPU."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import training
from benchmarks.table import aligned
from benchmarks.training import BASE, CASES, Case, Cost, Size

UNET: dict[str, Any] = {
    "block_out_channels": (16, 32),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": 16,
    "attention_head_dim": 4,
    "norm_num_groups": 8,
}
SMALL = Size(
    side=64,
    batch=2,
    precision="float32",
    unet=UNET,
    vae={
        "block_out_channels": (8, 8, 8, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 1,
        "norm_num_groups": 4,
    },
    text={
        "vocab_size": 1000,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    },
)


@pytest.mark.parametrize(
    "case", [BASE, *(case for case in CASES if not case.needs)], ids=lambda case: case.what
)
def test_every_case_trains(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "WARM", 1)
    monkeypatch.setattr(training, "RUNS", 2)
    found = training.cost(case, SMALL, tmp_path, "cpu")
    assert len(found.seconds) == 2
    assert all(seconds > 0 for seconds in found.seconds)


def test_shares_of_the_base_stand_beside_what_was_promised() -> None:
    costs = {BASE.what: Cost(seconds=(2.0, 2.0), memory=(20.0,))}
    found = training.rows(lambda case: costs.get(case.what, Cost(seconds=(1.0, 1.5), memory=(10.0,))))
    shares = {row.what: row for row in found if row.unit == "x"}
    assert {row.bound for row in shares.values()} == {0.97, 0.70}
    assert shares["training: control, nothing cached, time of a step, as a share"].ours == (0.5, 0.75)
    assert shares["training: control, nothing cached, peak memory, as a share"].ours == (0.5,)
    assert {row.bound for row in found if row.beside == "the card's memory"} == {12, 8}


def test_without_a_gpu_every_row_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(training, "Size", lambda: SMALL)
    lines = aligned(training.measure(tmp_path, tmp_path)).splitlines()[2:]
    known, unknown = (
        [line for line in lines if ("TFLOP" in line) == is_counted] for is_counted in (True, False)
    )
    assert len(known) == 3
    assert len(unknown) > 10
    assert all(line.count("not measured") == 2 for line in unknown)


def test_a_step_of_a_control_takes_less_arithmetic_than_one_of_the_base() -> None:
    plain, cached, both = training.counted(SMALL)
    assert plain.other == cached.other == both.other
    assert 0 < cached.ours[0] < plain.ours[0] < both.ours[0]
