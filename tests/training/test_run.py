"""A run on the disk: watched, resumed exactly, never begun anew in silence, and handed out whole."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from errors import (
    DATASET_CHANGED,
    DATASET_INVALID,
    INTERRUPTED,
    MODEL_CORRUPT,
    NOT_ALLOWED,
    RESUME_MISMATCH,
    TRAIN_DIVERGED,
    ArmatureError,
    Code,
)
from models.loading import ModelKey, load
from models.store import Store
from tests.training.made import Made, settings
from training import checkpoint, run
from training.data import Example
from training.journal import entries
from training.resume import locked
from training.run import CHECKPOINTS, Event, Finished, Saved, Told, never
from training.trainer import Taken, Trainer
from training.watch import Looked


@pytest.fixture
def weights(store: Store, tmp_path: Path) -> Store:
    """The tiny family, beside which results may be put."""
    folder = tmp_path / "weights"
    (folder / "pocket").mkdir(parents=True)
    (folder / "pocket" / "base").symlink_to(store.base("pocket"))
    return Store(folder)


@pytest.fixture
def go(weights: Store, tmp_path: Path) -> Callable[..., Iterator[Event]]:
    """Train with those changes, in a folder that stays from one call to the next."""

    def train(pairs: Made | None = None, stop: run.Stop = never, **changes: Any) -> Iterator[Event]:
        given = Made() if pairs is None else pairs
        return run.train(
            settings(**changes), store=weights, runs=tmp_path / "runs", device="cpu", stop=stop, pairs=given
        )

    return train


Go = Callable[..., Iterator[Event]]


def folder_of(tmp_path: Path) -> Path:
    """The run's folder."""
    return tmp_path / "runs" / "squares"


def saved(tmp_path: Path) -> list[int]:
    """The steps of its checkpoints, the newest first."""
    found = checkpoint.found(folder_of(tmp_path) / CHECKPOINTS)
    return [int(path.name.removeprefix("step-")) for path in found]


def result(tmp_path: Path) -> dict[str, torch.Tensor]:
    """The weights of the control that was handed out."""
    folder = tmp_path / "weights" / "controls" / "canny" / "squares"
    return load_file(folder / "diffusion_pytorch_model.safetensors")


def finished(events: Iterator[Event]) -> Finished:
    """The end of a run that comes to one."""
    *_, last = events
    assert isinstance(last, Finished)
    return last


def refusal(events: Iterator[Event]) -> ArmatureError:
    """What ends a run before its time."""
    with pytest.raises(ArmatureError) as error:
        list(events)
    return error.value


def told(events: list[Event]) -> str:
    """All notices together."""
    return "\n".join(event.words for event in events if isinstance(event, Told))


# what there is afterwards


def test_a_run_leaves_config_log_curves_sheets_checkpoints_and_a_control(
    go: Go, tmp_path: Path, weights: Store
) -> None:
    events = list(go(train={"steps": 4}, watch={"sample_every": 2, "save_every": 2}))
    folder = folder_of(tmp_path)
    assert (folder / "config.toml").read_text().startswith('name = "squares"')
    lines = entries(folder)
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]
    assert [line["step"] for line in lines if "agreement" in line] == [0, 2, 4]
    assert all(0 <= line["agreement"] <= 1 for line in lines if "agreement" in line)
    assert [path.name for path in sorted((folder / "samples").iterdir())] == [
        f"step-{step:08d}.png" for step in (0, 2, 4)
    ]
    assert saved(tmp_path)[0] == 4
    end = events[-1]
    assert isinstance(end, Finished)
    assert [step for step, _ in end.curve] == [0, 2, 4]
    assert end.made == (weights.weights / "controls" / "canny" / "squares",)
    card = json.loads((end.made[0] / "training.json").read_text())
    assert (card["condition"], card["steps"], card["base"]) == ("canny", 4, "pocket")
    assert sum(isinstance(event, Taken) for event in events) == 4
    assert sum(isinstance(event, Looked) for event in events) == 3


def test_tensorboard_has_the_curves_and_the_sheets(go: Go, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    list(go(watch={"sample_every": 2, "save_every": 2}))
    board = EventAccumulator(str(folder_of(tmp_path) / "tensorboard"), size_guidance={"images": 0})
    board.Reload()
    assert [point.step for point in board.Scalars("loss")] == [1, 2, 3, 4]
    losses = [line["loss"] for line in entries(folder_of(tmp_path)) if "loss" in line]
    assert [point.value for point in board.Scalars("loss")] == pytest.approx(losses)
    assert [point.step for point in board.Scalars("agreement")] == [0, 2, 4]
    assert [image.step for image in board.Images("samples")] == [0, 2, 4]


def test_a_sheet_shows_hint_result_and_target_and_the_same_noise_each_time(go: Go, tmp_path: Path) -> None:
    """With a learning rate of almost nothing the results stay what they are."""
    quiet = {"sample_every": 2, "save_every": 99}
    list(go(train={"steps": 2, "learning_rate": 1e-9, "weight_decay": 0.0}, watch=quiet))
    first, second = (
        np.asarray(Image.open(folder_of(tmp_path) / "samples" / f"step-0000000{step}.png")).astype(int)
        for step in (0, 2)
    )
    assert first.shape == (2 * 64 + 4, 3 * 64 + 2 * 4, 3)
    assert np.abs(first - second).max() <= 1
    pairs = Made()
    index = next(index for index in range(12) if (first[:64, -64:] == pairs.at(index, 0).target).all())
    assert (first[:64, :64] == pairs.hint(index, 0) * 255).all()
    result = first[:64, 68:132]
    assert not (result == first[:64, -64:]).all()
    assert not (result == first[68:, 68:132]).all()


def test_the_control_that_is_handed_out_is_what_was_learnt_and_the_studio_loads_it(
    go: Go, tmp_path: Path, weights: Store
) -> None:
    finished(go(train={"steps": 3}, watch={"save_every": 3}))
    newest = checkpoint.load(folder_of(tmp_path) / CHECKPOINTS / "step-00000003")
    assert newest is not None
    handed = result(tmp_path)
    assert {f"control.{name}" for name in handed} == set(newest.tensors["weights"])
    for name, tensor in handed.items():
        assert torch.equal(tensor, newest.tensors["weights"][f"control.{name}"])
    shutil.copytree(
        weights.weights / "controls" / "canny" / "squares", weights.weights / "pocket" / "controls" / "lines"
    )
    load(weights, ModelKey(part="control", family="pocket", name="lines"), torch.float32)


def test_the_average_is_handed_out_where_one_is_kept(go: Go, tmp_path: Path) -> None:
    finished(go(train={"steps": 4, "ema": 0.9}, watch={"save_every": 4}))
    newest = checkpoint.load(folder_of(tmp_path) / CHECKPOINTS / "step-00000004")
    assert newest is not None
    name = "controlnet_mid_block.weight"
    handed = result(tmp_path)[name]
    assert torch.equal(handed, newest.tensors["average"][f"control.{name}"])
    assert not torch.equal(handed, newest.tensors["weights"][f"control.{name}"])


def test_stage_two_hands_out_the_base_as_well(go: Go, weights: Store) -> None:
    end = finished(go(train={"steps": 4}, stage2={"after": 2, "learning_rate": 1e-4}))
    base = weights.weights / "bases" / "squares"
    assert base in end.made
    assert sorted(path.name for path in base.iterdir() if path.is_dir()) == [
        *("scheduler", "text_encoder", "tokenizer", "unet", "vae"),
    ]
    before, after = (
        load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
        for folder in (weights.base("pocket"), base)
    )
    assert not torch.equal(before["conv_out.weight"], after["conv_out.weight"])
    assert torch.equal(before["conv_in.weight"], after["conv_in.weight"])


def test_a_base_is_handed_out_and_a_control_is_learnt_on_it(go: Go, weights: Store) -> None:
    changes: dict[str, Any] = {
        "objective": "base",
        "base": {"prediction": "v_prediction", "train_text": True},
    }
    end = finished(go(name="ground", **changes))
    (base,) = end.made
    assert base == weights.weights / "bases" / "ground"
    assert json.loads((base / "scheduler" / "scheduler_config.json").read_text())["prediction_type"] == (
        "v_prediction"
    )
    assert finished(go(base={"model": str(base)})).steps == 4


def test_bfloat16_learns_in_both_stages(go: Go) -> None:
    events = list(
        go(train={"steps": 4, "precision": "bfloat16"}, stage2={"after": 2}, watch={"sample_every": 2})
    )
    plain = list(go(name="plain", train={"steps": 4}, stage2={"after": 2}))
    losses = [[event.loss for event in run if isinstance(event, Taken)] for run in (events, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert losses[0] != losses[1]


# going on


def test_interrupted_five_times_the_weights_are_those_of_a_straight_run(go: Go, tmp_path: Path) -> None:
    """Stopped within steps and after them; 200 steps and kills are in scripts/soaking/training.py."""
    whole: dict[str, Any] = {
        "train": {"steps": 14, "ema": 0.9, "batch": 4, "at_once": 2, "warmup": 4},
        "stage2": {"after": 7, "learning_rate": 1e-4},
        "watch": {"save_every": 5, "sample_every": 7},
    }
    straight = finished(go(**whole))
    expected = result(tmp_path)
    base = load_file(straight.made[1] / "unet" / "diffusion_pytorch_model.safetensors")
    log = [line for line in entries(folder_of(tmp_path)) if "loss" in line]
    shutil.rmtree(tmp_path / "runs")
    for asked in (6, 5, 4, 7, 4):
        patience = iter(range(asked))
        error = refusal(go(stop=lambda left=patience: next(left, None) is None, **whole))
        assert error.code is INTERRUPTED
    steps = saved(tmp_path)
    assert 7 < steps[0] < 14
    finished(go(**whole))
    assert all(torch.equal(tensor, expected[name]) for name, tensor in result(tmp_path).items())
    again = load_file(straight.made[1] / "unet" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(tensor, again[name]) for name, tensor in base.items())
    resumed = [line for line in entries(folder_of(tmp_path)) if "loss" in line]
    assert [(line["step"], line["loss"]) for line in resumed] == [
        (line["step"], line["loss"]) for line in log
    ]


def test_a_run_that_is_over_can_be_made_longer(go: Go, tmp_path: Path) -> None:
    finished(go(train={"steps": 6}))
    expected = result(tmp_path)
    shutil.rmtree(tmp_path / "runs")
    finished(go(train={"steps": 4}))
    events = list(go(train={"steps": 6}))
    assert "Going on from step 4" in told(events)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in result(tmp_path).items())


def test_a_half_written_newest_checkpoint_is_passed_over_with_a_notice(go: Go, tmp_path: Path) -> None:
    whole: dict[str, Any] = {"train": {"steps": 6}, "watch": {"save_every": 2}}
    finished(go(**whole))
    expected = result(tmp_path)
    newest = folder_of(tmp_path) / CHECKPOINTS / "step-00000006"
    (newest / "weights.safetensors").write_bytes(b"half")
    events = list(go(**whole))
    assert "step-00000006 is not whole, and is passed over" in told(events)
    assert "Going on from step 4" in told(events)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in result(tmp_path).items())
    assert checkpoint.load(newest) is not None


def test_a_run_whose_checkpoints_are_all_spoilt_is_refused_and_not_begun_anew(go: Go, tmp_path: Path) -> None:
    finished(go(train={"steps": 4}, watch={"save_every": 2}))
    for path in (folder_of(tmp_path) / CHECKPOINTS).iterdir():
        (path / "manifest.json").unlink()
    error = refusal(go(train={"steps": 4}))
    assert error.code is MODEL_CORRUPT
    assert "move the run's folder away" in error.message


def test_a_run_that_ended_before_its_first_checkpoint_says_that_it_begins_again(go: Go) -> None:
    events = go(train={"steps": 4})
    while not isinstance(next(events), Taken):
        pass
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert "ended before its first checkpoint" in told(list(go(train={"steps": 4})))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train": {"steps": 4, "batch": 4}}, "train.batch was 2 and is 4"),
        ({"train": {"steps": 4}, "control": {"only_middle": True}}, "control.only_middle"),
        ({"train": {"steps": 4, "ema": 0.5}}, "train.ema"),
        ({"train": {"steps": 4}, "pairs": Made(count=11)}, "another set"),
    ],
    ids=["batch", "middle", "average", "data"],
)
def test_another_run_under_the_same_name_is_refused(change: dict[str, Any], words: str, go: Go) -> None:
    finished(go(train={"steps": 2}))
    error = refusal(go(**change))
    assert error.code is RESUME_MISMATCH
    assert words in error.message


def test_another_learning_rate_is_taken_and_said(go: Go, tmp_path: Path) -> None:
    finished(go(train={"steps": 2}))
    events = list(go(train={"steps": 4, "learning_rate": 0.5}))
    assert "train.learning_rate was 0.001 and is 0.5" in told(events)
    assert [event.learning_rate for event in events if isinstance(event, Taken)] == [0.5, 0.5]


def test_it_goes_on_from_the_very_step_at_which_stage_two_begins(go: Go, tmp_path: Path) -> None:
    whole: dict[str, Any] = {"stage2": {"after": 3, "learning_rate": 1e-4}}
    straight = finished(go(train={"steps": 6, "ema": 0.9}, **whole))
    expected = result(tmp_path)
    base = load_file(straight.made[1] / "unet" / "diffusion_pytorch_model.safetensors")
    shutil.rmtree(tmp_path / "runs")
    finished(go(train={"steps": 3, "ema": 0.9}, watch={"sample_every": 1}, **whole))
    finished(go(train={"steps": 6, "ema": 0.9}, **whole))
    assert all(torch.equal(tensor, expected[name]) for name, tensor in result(tmp_path).items())
    again = load_file(straight.made[1] / "unet" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(tensor, again[name]) for name, tensor in base.items())


def test_two_runs_in_one_folder_are_refused(go: Go, tmp_path: Path) -> None:
    folder_of(tmp_path).mkdir(parents=True)
    with locked(folder_of(tmp_path)):
        assert refusal(go()).code is NOT_ALLOWED
    assert finished(go()).steps == 4


# what goes wrong


@pytest.mark.parametrize("condition", ["depth", "shuffle"])
def test_a_condition_whose_judge_is_not_here_is_trained_without_agreement(condition: str, go: Go) -> None:
    end = finished(go(data={"condition": condition}, watch={"sample_every": 2}))
    assert end.curve == ()
    assert end.steps == 4


def test_one_card_of_several_is_not_chosen_here(go: Go, weights: Store, tmp_path: Path) -> None:
    with pytest.raises(ArmatureError):
        list(run.train(settings(), store=weights, runs=tmp_path, device="cuda:1", pairs=Made()))


class Gone(Made):
    """A set whose pictures go away after a while."""

    left = 9

    def at(self, index: int, epoch: int) -> Example:
        type(self).left -= 1
        if type(self).left < 0:
            raise DATASET_CHANGED("A picture is gone", found=f"{index}.png")
        return super().at(index, epoch)


def test_a_picture_that_goes_away_leaves_a_checkpoint_from_which_it_goes_on(go: Go, tmp_path: Path) -> None:
    finished(go(train={"steps": 6}))
    expected = result(tmp_path)
    shutil.rmtree(tmp_path / "runs")
    error = refusal(go(pairs=Gone(), train={"steps": 6}))
    assert error.code is DATASET_CHANGED
    assert 0 < saved(tmp_path)[0] < 6
    finished(go(train={"steps": 6}))
    assert all(torch.equal(tensor, expected[name]) for name, tensor in result(tmp_path).items())


def test_a_run_that_diverges_ends_with_its_last_finite_checkpoint(
    go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = Trainer.batch

    def spoilt(self: Trainer, samples: Any) -> Any:
        found = batch(self, samples)
        if self.step >= 5:
            found.x_0.fill_(float("inf"))
        return found

    monkeypatch.setattr(Trainer, "batch", spoilt)
    error = refusal(go(train={"steps": 40}, watch={"save_every": 2}))
    assert error.code is TRAIN_DIVERGED
    skipped = [line for line in entries(folder_of(tmp_path)) if line.get("skipped")]
    assert len(skipped) == 10
    assert all(line["loss"] is None for line in skipped)
    for path in checkpoint.found(folder_of(tmp_path) / CHECKPOINTS):
        kept = checkpoint.load(path)
        assert kept is not None
        assert all(tensor.isfinite().all() for tensor in kept.tensors["weights"].values())


@pytest.mark.parametrize(
    ("count", "code"), [(0, DATASET_INVALID), (1, DATASET_INVALID), (2, DATASET_INVALID)]
)
def test_a_set_that_is_too_small_is_refused_before_anything(
    count: int, code: Code, go: Go, tmp_path: Path
) -> None:
    assert refusal(go(pairs=Made(count=count))).code is code
    assert not folder_of(tmp_path).exists()


def test_the_step_of_sudden_convergence_is_told(
    go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = iter([0.2] * 3 * 2 + [0.8] * 100)
    monkeypatch.setattr(run, "agreement", lambda *given, **named: next(measured))
    events = list(go(train={"steps": 7}, watch={"sample_every": 1}))
    assert "converged between step 2 and step 3" in told(events)
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.convergence is not None
    assert (end.convergence.after, end.convergence.by) == (2, 3)
    assert any("converged" in line.get("notice", "") for line in entries(folder_of(tmp_path)))


def test_the_best_checkpoint_stays(go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = iter([0.1, 0.1, 0.3, 0.3, 0.9, 0.9] + [0.2] * 100)
    monkeypatch.setattr(run, "agreement", lambda *given, **named: next(measured))
    events = list(go(train={"steps": 8}, watch={"sample_every": 1, "save_every": 1}))
    assert saved(tmp_path) == [8, 7, 2]
    assert sum(isinstance(event, Saved) for event in events) == 8
