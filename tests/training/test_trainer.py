"""The loop learns what it says: the right loss, from the right samples, moving the right weights."""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from numpy.typing import NDArray

from errors import PACKAGE_MISSING, PARAM_RANGE, TRAIN_DIVERGED, ArmatureError
from models import control as paper
from models.store import Store
from tests.training.made import Made, gradients, settings, watched
from training import chance, feed, parts
from training.feed import Feed, Sample, Share
from training.optimizers import Average
from training.trainer import MOST_SKIPPED, Trainer, check_batch

Build = Callable[..., Trainer]


@pytest.fixture
def build(store: Store, tmp_path: Path) -> Build:
    """A trainer of a run with those changes, on the tiny family and a set in memory."""

    def make(pairs: Made | None = None, **changes: Any) -> Trainer:
        config = settings(**changes)
        base = parts.load(config.base, store, config.train.seed)
        accelerator = Accelerator(cpu=True)
        return Trainer(config, base, pairs or Made(), accelerator, cache=tmp_path / "latents")

    return make


def copied(trainer: Trainer) -> dict[str, torch.Tensor]:
    """Every weight, as it is now."""
    return copy.deepcopy(trainer.learner.state_dict())


def changed(trainer: Trainer, before: dict[str, torch.Tensor]) -> set[str]:
    """The names of the weights that are not what they were."""
    now = trainer.learner.state_dict()
    return {name for name, tensor in before.items() if not torch.equal(tensor, now[name])}


def first_gradients(trainer: Trainer) -> dict[str, torch.Tensor]:
    """The gradients of the first step, before any clipping."""
    seen = watched(trainer)
    next(trainer.steps())
    return seen


def apart(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    """How far two sets of gradients are apart, relative to their norm."""
    assert first.keys() == second.keys()
    difference = math.sqrt(sum(float((first[name] - second[name]).square().sum()) for name in first))
    return difference / math.sqrt(sum(float(tensor.square().sum()) for tensor in first.values()))


def opened(trainer: Trainer) -> None:
    """Zero convolutions of a control that has learnt, so that gradients go everywhere."""
    for name, tensor in trainer.learning.items():
        if "controlnet" in name:
            torch.nn.init.normal_(tensor, std=0.1, generator=chance.generator("opened", name))


# the loss


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_the_loss_is_the_papers(build: Build, prediction: str) -> None:
    """Against the equations, with the noise schedule written out."""
    trainer = build(objective="base", base={"prediction": prediction})
    batch = trainer.batch([trainer.feed.sample(number) for number in range(2)])
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    a = torch.cumprod(1 - betas, 0)[batch.t].float()[:, None, None, None]
    x_t = a.sqrt() * batch.x_0 + (1 - a).sqrt() * batch.eps
    wanted = {"epsilon": batch.eps, "v_prediction": a.sqrt() * batch.eps - (1 - a).sqrt() * batch.x_0}
    with torch.no_grad():
        answer = trainer.learner.unet(x_t, batch.t, encoder_hidden_states=batch.text).sample
        loss = trainer.learner(batch.x_0, batch.t, batch.eps, batch.text, batch.hint)
    assert float(loss) == pytest.approx(float((answer - wanted[prediction]).square().mean()), rel=1e-4)
    assert trainer.learner.schedule.config.prediction_type == prediction


def test_what_is_emphasised_counts_more(build: Build) -> None:
    class Marked(Made):
        def emphasis(self, index: int) -> NDArray[np.float32]:
            map = np.zeros((8, 8), np.float32)
            map[:4] = 2
            return map

    trainer, plain = build(Marked(), objective="base"), build(objective="base")
    batch = trainer.batch([trainer.feed.sample(number) for number in range(2)])
    assert plain.batch([plain.feed.sample(0)]).emphasis is None
    assert trainer.batch(list(trainer.feed.held())).emphasis is None, "what is looked at counts alike"
    with torch.no_grad():
        x_t = trainer.learner.schedule.add_noise(batch.x_0, batch.eps, batch.t)
        answer = trainer.learner.unet(x_t, batch.t, encoder_hidden_states=batch.text).sample
        wanted = trainer.learner.wanted(batch.x_0, batch.t, batch.eps)
        loss = trainer.learner(**vars(batch))
    assert float(loss) == pytest.approx(float((answer - wanted)[:, :, :4].square().mean()), rel=1e-4)


def test_latents_are_drawn_from_the_autoencoders_spread(build: Build) -> None:
    trainer = build()
    sample = trainer.feed.sample(0)
    batch = trainer.batch([sample])
    assert sample.picture is not None
    picture = torch.tensor(sample.picture).movedim(-1, 0)[None] / 127.5 - 1
    autoencoder = trainer.parts.vae.autoencoder
    with torch.no_grad():
        spread = autoencoder.encode(picture).latent_dist
    expected = (spread.mean + spread.std * sample.drawn.spread) * autoencoder.config.scaling_factor
    assert torch.allclose(batch.x_0, expected, atol=1e-5)


# which samples


def test_every_epoch_learns_every_pair_once_and_none_that_is_held_out(build: Build) -> None:
    trainer = build(Made(count=12), watch={"held_out": 3})
    held = set(trainer.feed.held_out)
    assert len(held) == 3
    for epoch in range(3):
        places = [chance.place(number, 9, 0) for number in range(9 * epoch, 9 * (epoch + 1))]
        assert {place for _, place in places} == {epoch}
        assert sorted(within for within, _ in places) == list(range(9))
    assert set(trainer.feed.learnt) == set(range(12)) - held
    assert chance.order(9, 0, 0) != chance.order(9, 0, 1)


@pytest.mark.parametrize("at_once", [0, 1, 2])
@pytest.mark.parametrize("of", [1, 2, 4])
def test_devices_share_a_step_without_overlap(of: int, at_once: int) -> None:
    config = settings(train={"batch": 8, "at_once": at_once})
    seen: list[int] = []
    for rank in range(of):
        source = Feed(Made(), config, times=1000, share=Share(rank=rank, of=of))
        numbers = source._numbers(3)
        for _ in range(source.parts):
            seen += next(numbers)
    assert sorted(seen) == list(range(24, 32))


def test_half_of_the_prompts_are_left_empty(build: Build) -> None:
    source = build().feed
    kept = [source.drawn("sample", number).keeps_prompt for number in range(2000)]
    assert 0.46 < np.mean(kept) < 0.54
    prompts = {bool(source.sample(number).prompt) == keeps for number, keeps in enumerate(kept[:20])}
    assert prompts == {True}
    assert all(sample.prompt for sample in source.held())


def test_the_noise_of_a_sample_follows_from_its_number(build: Build) -> None:
    first, second = build().feed, build().feed
    assert torch.equal(first.drawn("sample", 7).eps, second.drawn("sample", 7).eps)
    assert not torch.equal(first.drawn("sample", 7).eps, first.drawn("sample", 8).eps)
    times = [first.drawn("sample", number).t for number in range(500)]
    assert min(times) < 50
    assert max(times) > 950


def test_holes_of_a_hint_reach_the_network_as_minus_one(build: Build) -> None:
    trainer = build(Made(holes=True), data={"condition": "inpaint"})
    hint = trainer.batch([trainer.feed.sample(0)]).hint
    assert float(hint.min()) == -1
    assert torch.equal(hint[0, :, 24:40, 24:40], torch.full((3, 16, 16), -1.0))
    assert next(trainer.steps()).loss > 0


def test_an_odd_division_of_the_batch_is_refused() -> None:
    with pytest.raises(ArmatureError) as refusal:
        check_batch(settings(train={"batch": 6, "at_once": 2}), Share(rank=0, of=2))
    assert refusal.value.code is PARAM_RANGE


# which weights


def test_stage_one_moves_the_control_alone(build: Build) -> None:
    trainer = build(train={"steps": 4})
    before = copied(trainer)
    list(trainer.steps())
    moved = changed(trainer, before)
    assert moved
    assert all(name.startswith("control.") for name in moved)
    assert moved >= {name for name in before if name.startswith("control.")}


def test_stage_two_moves_the_decoder_too_at_its_own_rate(build: Build) -> None:
    trainer = build(train={"steps": 5}, stage2={"after": 3, "learning_rate": 1e-6})
    before = copied(trainer)
    for taken in trainer.steps():
        if taken.step == 3:
            assert not any(name.startswith("unet.") for name in changed(trainer, before))
    moved = {name for name in changed(trainer, before) if name.startswith("unet.")}
    assert moved == {
        name
        for name in before
        if name.startswith(("unet.up_blocks.", "unet.conv_norm_out.", "unet.conv_out."))
    }
    now = trainer.learner.state_dict()
    largest = max(float((now[name] - before[name]).abs().max()) for name in moved)
    assert 0 < largest < 2 * 1.1e-6  # two steps of Adam go two rates far, and the decay a little


def test_only_the_middle_is_learnt_through(build: Build) -> None:
    trainer = build(train={"steps": 4}, control={"only_middle": True})
    before = copied(trainer)
    list(trainer.steps())
    moved = changed(trainer, before)
    assert not any("controlnet_down_blocks" in name for name in moved)
    assert {"control.controlnet_mid_block.weight", "control.conv_in.weight"} <= moved


def test_the_base_objective_moves_the_whole_network(build: Build) -> None:
    trainer = build(objective="base", train={"steps": 2})
    before = copied(trainer)
    list(trainer.steps())
    assert changed(trainer, before) == set(before)


def test_the_text_encoder_learns_where_it_is_asked_to(build: Build) -> None:
    trainer = build(objective="base", base={"train_text": True}, train={"steps": 2, "prompt_dropout": 0.0})
    before = copied(trainer)
    list(trainer.steps())
    moved = changed(trainer, before)
    assert any(name.startswith("text.") for name in moved)
    assert any(name.startswith("unet.") for name in moved)


def test_a_fresh_base_follows_from_the_seed(build: Build) -> None:
    first, again, other, trained = (
        build(objective="base", base={"fresh": fresh}, train={"seed": seed}).learner.unet.conv_in.weight
        for seed, fresh in ((1, True), (1, True), (2, True), (1, False))
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, trained)


def test_a_control_is_learnt_onwards(build: Build, store: Store) -> None:
    folder = store.control("pocket", "lines")
    trainer = build(control={"onwards": str(folder)})
    assert trainer.learner.control is not None
    assert trainer.learner.control.controlnet_mid_block.weight.any()


def test_a_control_stands_beside_a_base_that_learns_but_for_some_samples(build: Build, store: Store) -> None:
    beside = {"beside": str(store.control("pocket", "lines")), "alone": 0.5}
    trainer = build(objective="base", base=beside, train={"batch": 8})
    batch = trainer.batch([trainer.feed.sample(number) for number in range(8)])
    assert 0 < int(batch.alone.sum()) < 8
    control, unet = trainer.learner.beside, trainer.learner.unet
    with torch.no_grad():
        x_t = trainer.learner.schedule.add_noise(batch.x_0, batch.eps, batch.t)
        led = paper.predict(unet, control, x_t, batch.t, batch.text, batch.hint)
        free = paper.predict(unet, None, x_t, batch.t, batch.text, batch.hint)
        answer = torch.where(batch.alone[:, None, None, None], free, led)
        wanted = trainer.learner.wanted(batch.x_0, batch.t, batch.eps)
        loss = trainer.learner(**vars(batch))
    assert not torch.allclose(led, free)
    assert float(loss) == pytest.approx(float((answer - wanted).square().mean()), rel=1e-4)
    before = copied(trainer)
    next(trainer.steps())
    assert {name.split(".")[0] for name in changed(trainer, before)} == {"unet"}


def test_beside_a_control_the_times_are_early_ones(build: Build, store: Store) -> None:
    """The larger of two: two thirds of the way to all noise, on average, and half of it for who is alone."""
    trainer = build(objective="base", base={"beside": str(store.control("pocket", "lines"))})
    drawn = [trainer.feed.drawn("some", number) for number in range(2000)]
    means = [np.mean([one.t for one in drawn if one.alone == alone]) for alone in (True, False)]
    assert means == pytest.approx([500, 667], abs=40)
    without = build(objective="base")
    assert all(without.feed.drawn("some", number).alone for number in range(50))


# how


def test_parts_of_a_step_have_the_gradients_of_the_whole(build: Build) -> None:
    whole, accumulated = build(train={"batch": 4}), build(train={"batch": 4, "at_once": 1})
    opened(whole)
    opened(accumulated)
    assert accumulated.feed.parts == 4
    # one picture and four go through other kernels, which add up in another order
    assert apart(first_gradients(whole), first_gradients(accumulated)) < 1e-5


def test_checkpointing_has_the_gradients_of_keeping_all(build: Build) -> None:
    plain, saving = build(), build(train={"checkpointing": True})
    opened(plain)
    opened(saving)
    assert saving.learner.unet.is_gradient_checkpointing
    assert apart(first_gradients(plain), first_gradients(saving)) < 1e-6


def test_what_was_kept_is_what_would_be_computed(build: Build) -> None:
    fresh, kept = build(train={"steps": 3}), build(train={"steps": 3, "cached": True})
    for first, second in zip(fresh.steps(), kept.steps(), strict=True):
        assert second.loss == pytest.approx(first.loss, rel=2e-3)  # what is kept is kept in float16


def test_a_text_encoder_learns_beside_kept_latents(build: Build) -> None:
    wanted = {"objective": "base", "base": {"train_text": True}}
    fresh = build(**wanted, train={"steps": 3})
    kept = build(**wanted, train={"steps": 3, "cached": True})
    before = {name: tensor.clone() for name, tensor in kept.learning.items() if name.startswith("text.")}
    for first, second in zip(fresh.steps(), kept.steps(), strict=True):
        assert second.loss == pytest.approx(first.loss, rel=2e-3)
    assert before
    assert any(not torch.equal(tensor, kept.learning[name]) for name, tensor in before.items())


def test_a_step_that_learns_from_kept_latents_asks_no_encoder(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = build(train={"cached": True})

    def never(*given: Any) -> torch.Tensor:
        raise AssertionError("an encoder ran")

    for name in ("moments", "states", "ids"):
        monkeypatch.setattr(type(trainer.parts), name, never)
    assert next(trainer.steps()).loss > 0


def test_the_learning_rate_warms_up(build: Build) -> None:
    trainer = build(train={"steps": 5, "warmup": 3, "learning_rate": 0.004})
    assert [taken.learning_rate for taken in trainer.steps()] == pytest.approx(
        [0.001, 0.002, 0.003, 0.004, 0.004]
    )


def test_the_learning_rate_cools_down_at_the_end(build: Build) -> None:
    trainer = build(train={"steps": 5, "warmup": 1, "cooldown": 2, "learning_rate": 0.003})
    assert [taken.learning_rate for taken in trainer.steps()] == pytest.approx(
        [0.0015, 0.003, 0.003, 0.002, 0.001]
    )


def test_gradients_are_clipped(build: Build) -> None:
    trainer = build(train={"clip": 1e-3})
    seen: list[float] = []
    step = trainer._plain.step

    def look(*given: Any) -> Any:
        seen.append(math.sqrt(sum(float(found.square().sum()) for found in gradients(trainer).values())))
        return step(*given)

    trainer._plain.step = look  # type: ignore[method-assign, assignment]
    taken = next(trainer.steps())
    assert taken.norm > 0.01
    assert seen == [pytest.approx(1e-3, rel=1e-3)]


def test_the_average_follows_its_formula() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    average, expected = Average({"w": weight}, 0.9), 1.0
    for n in range(1, 200):
        with torch.no_grad():
            weight.fill_(float(n))
        average.update({"w": weight})
        decay = min(0.9, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * n
    assert float(average.tensors["w"]) == pytest.approx(expected, rel=1e-5)
    with average.applied({"w": weight}):
        assert weight.item() == pytest.approx(expected, rel=1e-5)
    assert weight.item() == 199


def test_an_optimizer_that_is_not_installed_is_refused_in_words(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ArmatureError) as refusal:
        build(train={"optimizer": "adamw8bit"})
    assert refusal.value.code is PACKAGE_MISSING
    assert "pip install bitsandbytes" in refusal.value.message


# what is not finite


def poisoned(trainer: Trainer, bad: range) -> None:
    """Latents that are not finite, in those steps."""
    batch = trainer.batch

    def spoilt(samples: list[Sample]) -> feed.Batch:
        found = batch(samples)
        if trainer.step in bad:
            found.x_0.fill_(float("nan"))
        return found

    trainer.batch = spoilt  # type: ignore[method-assign, assignment]


def test_a_step_that_is_not_finite_is_skipped(build: Build) -> None:
    trainer = build(train={"steps": 4, "ema": 0.5})
    poisoned(trainer, range(1, 3))
    before: dict[str, torch.Tensor] = {}
    skipped = []
    for taken in trainer.steps():
        skipped.append(taken.skipped)
        if taken.step == 1:
            before = copied(trainer)
        elif taken.skipped:
            assert not changed(trainer, before)
    assert skipped == [False, True, True, False]
    assert changed(trainer, before)
    assert trainer.skipped == 0
    assert trainer.average is not None
    assert all(tensor.isfinite().all() for tensor in trainer.average.tensors.values())


def test_ten_such_steps_in_a_row_are_borne_and_the_eleventh_is_the_end(build: Build) -> None:
    trainer = build(train={"steps": 40})
    poisoned(trainer, range(2, 12))
    assert sum(taken.skipped for taken in trainer.steps()) == MOST_SKIPPED == 10
    trainer = build(train={"steps": 40})
    poisoned(trainer, range(2, 40))
    with pytest.raises(ArmatureError) as refusal:
        list(trainer.steps())
    assert refusal.value.code is TRAIN_DIVERGED
    assert trainer.step == 12
    assert all(tensor.isfinite().all() for tensor in trainer.learner.state_dict().values())
