"""The pocket family from nothing to what ships, at a size that takes seconds."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open

from benchmarks import pocket as benchmark
from models import control as paper
from models import loading
from models.heads import Heads
from models.layout import BASE_FILES, CONTROL_FILES
from models.store import Store
from pipelines import durable
from scripts import pocket as sheets
from training import checkpoint, parts, pocket
from training.config import Base as BaseSettings
from training.family import autoencoder, base, card, drawn, fitting, heads, measured, obeyed, settings
from training.family.recipe import CONDITIONS, RECIPES, Autoencoder, Base, Learning, Recipe, Scenes
from training.pocket import Making
from training.watch import GAP
from training.world import layers
from training.world.render import render

QUICK = Learning(steps=2, batch=2, rate=0.01, warmup=0, cooldown=1, ema=0.5)
TINY = Recipe(
    scenes=Scenes(count=10, size=64, kinds=("people",), styles=("flat",), weathers=("clear",)),
    autoencoder=Autoencoder(
        channels=(8, 8, 16, 16), crop=32, learning=replace(QUICK, steps=4), decoder=QUICK
    ),
    base=Base(channels=(32, 32, 32), width=32, layers=1, learning=QUICK),
    controls=MappingProxyType({"lines": QUICK, "inpaint": QUICK}),
    heads=QUICK,
    measured=2,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Making:
    folder = tmp_path_factory.mktemp("family")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pocket, "RECIPES", {"cpu": TINY})
        patch.setattr(measured, "STEPS", 2)
        assert pocket.main([str(folder)]) == 0
    return Making(TINY, folder)


def test_the_family_is_whole_and_can_be_loaded(made: Making) -> None:
    folder = made.folder / "pocket"
    for names in BASE_FILES:
        assert any((folder / "base" / name).is_file() for name in names), names
    for name in ("lines", "inpaint"):
        assert all((folder / "controls" / name / names[0]).is_file() for names in CONTROL_FILES)
        loading.read(folder / "controls" / name, "control", torch.float32, what=name)
    for part in ("text", "unet", "vae"):
        loading.read(folder / "base", part, torch.float32, what=part)
    for path in folder.rglob("*.safetensors"):
        with safe_open(path, "pt") as file:
            assert {file.get_slice(name).get_dtype() for name in file.keys()} <= {"F16", "I64"}  # noqa: SIM118


def test_the_card_says_what_was_done_and_measured(made: Making) -> None:
    text = (made.folder / "pocket" / "README.md").read_text("utf-8")
    assert "10 scenes" in text
    assert re.search(r"\| lines \| 2 \| 2 \| \d+ \|", text), "its steps, its batch, its seconds"
    assert "not noted" not in text
    (figure, _), colours = card.from_plain(json.loads(made.figures.read_text("utf-8")))
    assert colours is not None
    assert f"Of {colours.named} things" in text
    assert f"| lines | edge F1 within 2 pixels | {fmean(figure.with_control):.3f} |" in text
    nothing = card.card(TINY.plain | {"seconds": {}, "hardware": "nothing"}, [], None)
    assert "not noted" in nothing
    assert "Not measured." in nothing


def test_a_base_that_grows_answers_as_before_until_it_learns(made: Making, tmp_path: Path) -> None:
    old = base.unet(replace(TINY.base, channels=(32, 32, 64)), 64)
    fewer = (*old.config["up_block_types"][:2], "UpBlock2D")
    torch.manual_seed(0)
    old = type(old).from_config({**old.config, "up_block_types": fewer})
    shutil.copytree(made.folder / "pocket" / "base", tmp_path / "base", ignore=lambda *_: {"unet"})
    old.save_pretrained(tmp_path / "base" / "unet")
    base.grow(replace(TINY.base, channels=(32, 32, 64)), tmp_path / "base", 64, tmp_path / "grown")
    new = loading.read(tmp_path / "grown", "unet", torch.float32, what="grown")
    assert len(list(new.parameters())) > len(list(old.parameters()))
    x, text = torch.randn(2, 4, 8, 8), torch.randn(2, 77, TINY.base.width)
    with torch.no_grad():
        expected, found = (paper.answer(unet, x, torch.tensor([3, 900]), text) for unet in (old, new))
    assert torch.allclose(found, expected, atol=1e-5)
    for names in BASE_FILES:
        assert any((tmp_path / "grown" / name).is_file() for name in names), names


def test_base_and_controls_learn_on_and_the_rest_stays(made: Making, tmp_path: Path) -> None:
    family = made.folder / "pocket"
    recipe = replace(TINY, scenes=replace(TINY.scenes, count=9))
    further = Making(recipe, tmp_path, onwards=family)
    for stage in pocket.stages(further).values():
        stage()
    assert not set(further.scenes.seeds) & set(made.scenes.seeds)
    both = (
        {path.relative_to(root): path for path in root.rglob("*.*")} for root in (family, tmp_path / "pocket")
    )
    before, after = both
    assert before.keys() == after.keys()
    changed = {name.as_posix() for name in before if before[name].read_bytes() != after[name].read_bytes()}
    learnt = {f"controls/{name}/diffusion_pytorch_model.safetensors" for name in TINY.controls}
    learnt |= {"base/unet/diffusion_pytorch_model.safetensors", "base/text_encoder/model.safetensors"}
    assert changed == learnt | {"family.json", "README.md"}
    text = (tmp_path / "pocket" / "README.md").read_text("utf-8")
    assert "Base and controls learnt on from 9 others." in text
    assert "| base, onwards | 2 | 2 | not noted |" in text
    assert "| lines, onwards | 2 | 2 | not noted |" in text
    settings = (tmp_path / "runs" / "pocket" / "config.toml").read_text("utf-8")
    assert f'beside = "{family / "controls" / "lines"}"' in settings, "its own lines show where things are"


def test_a_family_that_learns_on_again_keeps_its_history(made: Making, tmp_path: Path) -> None:
    """Each time from scenes that it has not seen."""
    first = Making(TINY, tmp_path / "first", onwards=made.folder / "pocket")
    durable.make_folder(tmp_path / "family")
    (tmp_path / "family" / "family.json").write_text(json.dumps(first.note), "utf-8")
    second = Making(
        replace(TINY, scenes=replace(TINY.scenes, count=3)), tmp_path, onwards=tmp_path / "family"
    )
    seeds = [set(making.scenes.seeds) for making in (made, first, second)]
    assert [len(some) for some in seeds] == [10, 10, 3]
    assert len(set().union(*seeds)) == 23
    text = card.card(second.note, [], None)
    assert "Base and controls learnt on from 10 and then 3 others." in text
    assert text.count("| lines, onwards |") == 2


def test_what_is_there_is_not_made_again(made: Making) -> None:
    told: list[str] = []
    again = Making(TINY, made.folder, say=told.append)
    before = {path: path.stat().st_mtime_ns for path in (made.folder / "weights").rglob("*.safetensors")}
    for name, stage in pocket.stages(again).items():
        if name != "family":
            stage()
    assert before
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert not [words for words in told if "step" in words]


def test_every_part_has_learnt(made: Making) -> None:
    begun, learnt = (
        loading.read(folder, "unet", torch.float32, what="U-Net").state_dict()
        for folder in (made.begun, made.base)
    )
    assert any(not torch.equal(begun[name], learnt[name]) for name in begun)
    texts = [loading.read(folder, "text", torch.float32, what="text") for folder in (made.begun, made.base)]
    first, second = (next(text.parameters()) for text in texts)
    assert not torch.equal(first, second)
    control = loading.read(made.control("lines"), "control", torch.float32, what="lines")
    assert control.controlnet_mid_block.weight.any()  # type: ignore[union-attr, operator]


def test_the_autoencoder_goes_on_bit_for_bit(
    made: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = TINY.autoencoder

    def learnt(folder: Path, stop_after: int) -> dict[str, torch.Tensor]:
        def told(step: int, loss: float) -> None:
            if step == stop_after:
                raise KeyboardInterrupt

        return dict(autoencoder.learn(recipe, made.scenes, 64, folder, device="cpu", told=told).state_dict())

    whole = learnt(tmp_path / "whole", 0)
    monkeypatch.setattr(fitting, "SAVE_EVERY", 1)
    with pytest.raises(KeyboardInterrupt):
        learnt(tmp_path / "cut", 3)
    assert [path.name for path in checkpoint.found(tmp_path / "cut" / "whole")] == [checkpoint.name_of(2)]
    again = learnt(tmp_path / "cut", 0)
    assert all(torch.equal(tensor, again[name]) for name, tensor in whole.items())


def test_an_autoencoder_learns_whole_pictures_at_the_end(made: Making) -> None:
    sides = [autoencoder.batch(TINY.autoencoder, made.scenes, 64, step).shape for step in range(4)]
    assert [tuple(shape) for shape in sides] == [(2, 3, 32, 32)] * 3 + [(1, 3, 64, 64)]


def test_a_decoder_that_learns_on_leaves_the_latents_as_they_were(made: Making, tmp_path: Path) -> None:
    def learnt(decoder: Learning, folder: str) -> dict[str, torch.Tensor]:
        recipe = replace(TINY.autoencoder, decoder=decoder)
        ignore = lambda step, loss: None  # noqa: E731
        vae = autoencoder.learn(recipe, made.scenes, 64, tmp_path / folder, device="cpu", told=ignore)
        return dict(vae.state_dict())

    before, after = learnt(replace(QUICK, steps=0), "before"), learnt(QUICK, "after")
    changed = {name.split(".")[0] for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert changed == {"decoder", "post_quant_conv"}


def test_latents_of_the_family_have_a_deviation_of_one(made: Making) -> None:
    base = parts.load(BaseSettings(model=str(made.base)), made.store, 0)
    pictures = made.scenes.pictures(0, 10).float() / 127.5 - 1
    mean, _ = base.moments(pictures).chunk(2, dim=1)
    assert float(mean.std()) == pytest.approx(1, abs=0.05)


def test_every_control_is_measured_between_two_ends(made: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "STEPS", 3)
    base = parts.load(BaseSettings(model=str(made.base)), made.store, 0)
    ends = measured.ends(base, made.scenes, 2)
    for name in ("lines", "inpaint", "depth", "seg", "normal", "tile", "openpose"):
        source = name if name in TINY.controls else "lines"
        control: Any = loading.read(made.control(source), "control", torch.float32, what=name)
        for convolution in paper.output_zero_convolutions(control):  # two steps alone show in no picture
            torch.nn.init.normal_(convolution.weight, generator=torch.manual_seed(0))
        figure = measured.measure(name, control, base, made.scenes, Heads(64).eval(), ends)
        assert figure is not None
        assert len(figure.with_control) == len(figure.through) == 2
        assert figure.with_control != figure.without
    assert measured.measure("depth", control, base, made.scenes, None, ends) is None


def test_what_is_measured_is_what_ships(
    made: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every weight as float16 has it."""
    seen: list[torch.nn.Module] = []

    def noted(
        name: str, control: Any, model: parts.Parts, scenes: object, network: Any, ends: object
    ) -> None:
        seen.extend((control, model.unet, model.text, model.vae.autoencoder, network))

    monkeypatch.setattr(measured, "STEPS", 2)
    monkeypatch.setattr(measured, "measure", noted)
    folder = tmp_path / "again"
    shutil.copytree(made.folder, folder, ignore=shutil.ignore_patterns("figures.json"))
    Making(TINY, folder).measure()
    assert len(seen) == 5 * len(TINY.controls)
    weights = [tensor for network in seen for tensor in network.parameters()]
    assert {tensor.dtype for tensor in weights} == {torch.float32}
    assert all(torch.equal(tensor, tensor.half().float()) for tensor in weights)


def test_the_benchmark_has_both_ends_for_each_control(
    made: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "STEPS", 2)
    monkeypatch.setattr(benchmark, "RUNS", 1)
    rows = benchmark.rows_of(Store(made.folder), tmp_path, 2)
    lines = [row for row in rows if row.what.startswith("pocket, lines")]
    assert [row.beside for row in lines] == [
        "without the control",
        "the true picture through the autoencoder",
        "",
        "",
    ]
    assert all(len(row.ours) == len(row.other) == 2 for row in lines[:2])
    (figure, _), colours = card.from_plain(json.loads(made.figures.read_text("utf-8")))
    assert colours is not None
    # the benchmark reads what ships, and the card has the same figures
    assert [*lines[0].ours, *lines[1].other] == pytest.approx([*figure.with_control, *figure.through])
    assert lines[3].ours == [100 * colours.share]
    assert str(colours.named) in lines[3].what
    assert [row.unit for row in rows].count("s") == 1
    drawn_scenes = drawn.draw(replace(TINY.scenes, count=2), tmp_path / "scenes", first_seed=drawn.HELD_OUT)
    assert min(drawn_scenes.seeds) >= drawn.HELD_OUT


def test_sheets_show_hints_results_and_the_truth(
    made: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "STEPS", 2)
    monkeypatch.setattr(sheets, "COUNT", 2)
    assert sheets.main([str(made.folder), str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"pocket-lines.webp", "pocket-inpaint.webp"}
    with Image.open(tmp_path / "pocket-lines.webp") as sheet:
        assert sheet.size == (2 * 64 + GAP, 3 * 64 + 2 * GAP)


def test_without_weights_the_benchmark_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "WEIGHTS", tmp_path)
    (row,) = benchmark.measure(tmp_path, tmp_path)
    assert row.cells[1:3] == ("not measured", "not measured")


def test_the_share_of_the_way_knows_which_end_is_which() -> None:
    figure = measured.Figure(
        control="depth", measure="RMSE", with_control=(0.1, 0.2), without=(0.3,), through=(0.1,)
    )
    assert figure.share == pytest.approx(0.75)


def test_recipes_name_every_control_and_scenes_that_there_are() -> None:
    for recipe in RECIPES.values():
        assert tuple(recipe.controls) == tuple(CONDITIONS)
        making = Making(recipe, Path("nowhere"))
        settings.base_settings(recipe, making.begun, making.kept)
        for name in recipe.controls:
            settings.control_settings(recipe, name, making.base, making.kept)


def test_one_stage_can_be_made_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pocket, "RECIPES", {"cpu": TINY})
    assert pocket.main([str(tmp_path), "--only", "scenes"]) == 0
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["scenes"]


def test_heads_learn_where_people_are(made: Making) -> None:
    world = made.scenes.world(0)
    heat, reach = heads.poses(world)
    nose, neck = world.points[0, 0, 0], world.points[0, 0, 1]
    assert nose[2] > 0
    top = int(heat[0].argmax())
    assert abs(2 * (top % 32) + 1 - float(nose[0])) <= 2
    assert abs(2 * (top // 32) + 1 - float(nose[1])) <= 2
    way = reach[:2].flatten(1)[:, top] * 64
    assert float(nose[0] + way[0]) == pytest.approx(float(neck[0]), abs=2.5)
    assert float(nose[1] + way[1]) == pytest.approx(float(neck[1]), abs=2.5)


def test_right_answers_have_no_loss(made: Making) -> None:
    truth = heads.truths([made.scenes.world(index) for index in range(2)])
    logits = torch.nn.functional.one_hot(truth["classes"], 150).movedim(-1, 1).float() * 100
    parts_of = heads.losses({**truth, "classes": logits}, truth)
    assert all(float(part) == pytest.approx(0, abs=0.01) for part in parts_of.values())


def test_colours_are_judged_where_things_stand_and_under_their_light(made: Making) -> None:
    seeds = made.scenes.seeds
    world = render(seeds, 64)
    true = [list(obeyed.judged(world, n, layers.picture(world, n))) for n in range(len(seeds))]
    assert sum(map(len, true)) > 3
    assert all(all(found) for found in true)
    turned = [list(obeyed.judged(world, n, 255 - layers.picture(world, n))) for n in range(len(seeds))]
    assert sum(map(sum, turned)) < 0.3 * sum(map(len, turned))  # what is grey stays so
