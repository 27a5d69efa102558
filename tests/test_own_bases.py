"""Bases and controls of one's own in a file: offered at once, painting as their folders do, or refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from safetensors.torch import load_file, save_file

import cli
from errors import ArmatureError
from gate import LIMITS
from models import bases, own
from models.loading import ModelKey, load
from models.store import Store
from pipelines import bundles, home
from pipelines.cache import ModelCache
from pipelines.fetching import Fetching
from pipelines.generate import generate
from pipelines.own_stock import own_files
from pipelines.pictures import PictureStore
from pipelines.request import GenerateRequest, Result
from pipelines.request.checks import checked
from pipelines.shelf import WeightsShelf
from settings import Settings
from tests import tiny_family
from tests.browsing import draw_scene
from tests.conftest import MakeRequest
from tests.models import made_files
from tests.models.made_files import control_names, originally, write
from tests.models.test_single_file import checkpoint_of, config_of, tensors_in
from tests.serving import Front, serving

MINE = "my own (v1.2).safetensors"


@pytest.fixture(scope="module")
def weights(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The tiny family, and beside it its base and its control once more, as files of the original's."""
    folder = tmp_path_factory.mktemp("own") / "weights"
    shutil.copytree(store.weights, folder)
    own_bases, canny = folder / "bases", folder / "controls" / "canny"
    own_bases.mkdir()
    canny.mkdir(parents=True)
    tensors = checkpoint_of(store.base("pocket"))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, own_bases / MINE)
    shutil.copytree(store.base("pocket"), own_bases / "folder")
    lines = store.control("pocket", "lines")
    save_file(originally(tensors_in(lines), control_names(config_of(lines))), canny / "steers.safetensors")
    return Store(folder)


@pytest.fixture
def copy(weights: Store, tmp_path: Path) -> Store:
    """The same, free to be changed."""
    return Store(Path(shutil.copytree(weights.weights, tmp_path / "weights")))


def painted(request: GenerateRequest, weights: Store, pictures: PictureStore, cpu: Any) -> Any:
    """The picture of a request, which has gone through JSON."""
    *_, result = generate(GenerateRequest.from_json(request.to_json()), ModelCache(weights, pictures, cpu))
    assert isinstance(result, Result)
    return result.images[0]


def test_bases_are_offered_with_their_family(weights: Store) -> None:
    assert bases.models(weights) == (
        ("folder (Pocket)", "pocket/folder"),
        (f"{MINE} (Pocket)", f"pocket/{MINE}"),
    )


@pytest.mark.parametrize("base", [MINE, "folder"])
def test_a_base_of_ones_own_paints_as_the_same_base_in_a_folder(
    base: str, weights: Store, make_request: MakeRequest, pictures: PictureStore, cpu: Any
) -> None:
    request = make_request()
    familys = painted(request, weights, pictures, cpu)
    assert np.array_equal(familys, painted(replace(request, base=base), weights, pictures, cpu))


def test_a_control_in_one_file_steers_as_its_folder_does(
    weights: Store, make_request: MakeRequest, pictures: PictureStore, cpu: Any
) -> None:
    request = make_request()
    assert own.controls(weights, "pocket", "canny") == ("steers.safetensors",)
    assert own.controls(weights, f"pocket/{MINE}", "canny") == ("steers.safetensors",)
    units = tuple(replace(unit, control="steers.safetensors") for unit in request.controls)
    familys = painted(request, weights, pictures, cpu)
    assert np.array_equal(familys, painted(replace(request, controls=units), weights, pictures, cpu))


def test_a_file_that_is_marked_so_paints_as_a_base_that_predicts_v(
    copy: Store, make_request: MakeRequest, pictures: PictureStore, cpu: Any
) -> None:
    """The mark in its header is all that such a file says of it; a folder has it in its schedule."""
    marked = load_file(copy.own_bases / MINE) | {"v_pred": torch.zeros(0)}
    save_file(marked, copy.own_bases / "v.safetensors")
    schedule = copy.own_bases / "folder" / "scheduler" / "scheduler_config.json"
    schedule.write_text(json.dumps({**json.loads(schedule.read_text()), "prediction_type": "v_prediction"}))
    assert copy.scheduler_config("pocket/v.safetensors") == copy.scheduler_config("pocket/folder")
    assert copy.scheduler_config(f"pocket/{MINE}") == copy.scheduler_config("pocket")
    request = make_request()
    names = (MINE, "v.safetensors", "folder")
    plain, file, folder = (painted(replace(request, base=name), copy, pictures, cpu) for name in names)
    assert np.array_equal(file, folder)
    assert not np.array_equal(file, plain)


def test_all_bases_share_the_familys_controls(
    weights: Store, make_request: MakeRequest, pictures: PictureStore, cpu: Any
) -> None:
    cache = ModelCache(weights, pictures, cpu)
    for base in (None, MINE, "folder"):
        list(generate(replace(make_request(steps=1), base=base), cache))
    controls = [key for key in cache.resident if key.part == "control"]
    assert controls == [ModelKey(part="control", family="pocket", name="lines")]
    assert len([key for key in cache.resident if key.part == "unet"]) == 3
    assert str(ModelKey(part="unet", family=f"pocket/{MINE}")) == f"{MINE}: U-Net"


def test_a_new_file_shows_at_once(copy: Store) -> None:
    (copy.own_bases / MINE).rename(copy.own_bases / "other.safetensors")
    assert [name for _, name in bases.models(copy)] == ["pocket/folder", "pocket/other.safetensors"]


def test_a_control_that_takes_the_place_of_another_steers_at_once(
    copy: Store, make_request: MakeRequest, pictures: PictureStore, cpu: Any
) -> None:
    controls = copy.weights / "controls" / "canny"
    tiny_family.add_control(copy.weights, "first", seed=1)
    tiny_family.add_control(copy.weights, "second", seed=2)
    made = copy.weights / "pocket" / "controls"
    (made / "first").rename(controls / "mine")
    request, cache = make_request(steps=1), ModelCache(copy, pictures, cpu)
    request = replace(request, controls=tuple(replace(unit, control="mine") for unit in request.controls))
    before = last_picture(request, cache)
    assert np.array_equal(last_picture(request, cache), before)
    shutil.rmtree(controls / "mine")
    (made / "second").rename(controls / "mine")
    assert not np.array_equal(last_picture(request, cache), before)


def last_picture(request: GenerateRequest, cache: ModelCache) -> Any:
    *_, result = generate(request, cache)
    assert isinstance(result, Result)
    return result.images[0]


def test_a_folder_of_bases_may_be_missing(store: Store) -> None:
    assert bases.models(store) == ()


def test_another_base_of_the_family_has_its_own_numbers(
    copy: Store, make_request: MakeRequest, pictures: PictureStore, cpu: Any
) -> None:
    tensors = load_file(copy.own_bases / MINE)
    save_file({name: tensor * 1.01 for name, tensor in tensors.items()}, copy.own_bases / "b.safetensors")
    request = make_request()
    familys = painted(request, copy, pictures, cpu).astype(int)
    assert np.abs(familys - painted(replace(request, base="b.safetensors"), copy, pictures, cpu)).max() > 1


def fp16(path: Path) -> None:
    """A VAE of another shape: 16 channels."""
    write(path, made_files.vae(16)[1])


def cut(path: Path) -> None:
    """A checkpoint of Stable Diffusion 1.5 that is cut off."""
    write(path, made_files.checkpoint())
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 100)


def link(path: Path) -> None:
    """A link to a file outside."""
    outside = path.parents[2] / "outside.safetensors"
    write(outside, made_files.checkpoint())
    path.symlink_to(outside)


FAULTS: dict[str, tuple[Any, str, str]] = {
    "a VAE": (fp16, "MODEL_ARCH", "found: a VAE for Stable Diffusion 3"),
    "a LoRA": (lambda path: write(path, made_files.kohya(768)), "MODEL_ARCH", "Put it into weights/loras"),
    "cut off": (cut, "MODEL_CORRUPT", "is cut off"),
    "SD 2": (lambda path: write(path, made_files.checkpoint(1024)), "MODEL_PAIRING", "Stable Diffusion 2"),
    "inpainting": (
        lambda path: write(path, made_files.checkpoint(channels=9)),
        "MODEL_ARCH",
        "made for inpainting",
    ),
    "pickled": (lambda path: torch.save({"a": 1}, path), "MODEL_UNSAFE", "weights convert"),
    "a link": (link, "NOT_ALLOWED", "a link that leads out"),
    "int8": (lambda path: write(path, made_files.checkpoint(), dtype="I8"), "MODEL_DTYPE", "I8"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_can_not_paint_is_refused_in_words_before_it_is_loaded(fault: str, copy: Store) -> None:
    make, code, words = FAULTS[fault]
    make(copy.own_bases / "bad.safetensors")
    refusals = [home.lack(copy, "sd15/bad.safetensors", "canny")]
    for refused in (
        lambda: home.default_model("bad.safetensors", copy),
        lambda: load(copy, ModelKey(part="unet", family="sd15/bad.safetensors"), torch.float32),
    ):
        with pytest.raises(ArmatureError) as refusal:
            refused()
        refusals.append(refusal.value)
    if code != "MODEL_MISSING":  # the last one may lack the tokenizer first
        refusals.pop()
    for error in refusals:
        assert error is not None
        assert error.code.name == code
        assert words in error.message
        assert str(copy.weights) not in error.message
    assert "sd15/bad.safetensors" not in dict(bases.models(copy)).values()


def test_a_base_of_stable_diffusion_takes_the_familys_tokenizer(copy: Store) -> None:
    write(copy.own_bases / "big.safetensors", made_files.checkpoint())
    assert ("big.safetensors (Stable Diffusion 1.5)", "sd15/big.safetensors") in bases.models(copy)
    shelf = WeightsShelf(fetching=Fetching(weights=copy.weights, hub=Settings().hub), open=True)
    assert shelf.lacking_of_model("sd15/big.safetensors", "canny") == ("sd15/tokenizer", "sd15/canny")
    assert shelf.lacking_of_model("sd15/../pocket/base", "canny") == ("sd15/canny",)
    (bundle,) = bundles.named(copy, ["sd15/tokenizer"])
    assert {file.path for file in bundle.missing} == {
        f"tokenizer/{name}"
        for name in ("tokenizer_config.json", "special_tokens_map.json", "merges.txt", "vocab.json")
    }
    lack = home.lacking(copy, "sd15/big.safetensors", "canny")
    assert "cli.py weights get sd15/tokenizer sd15/canny in the project's folder" in lack
    assert "sd15/base/tokenizer/tokenizer.json" in lack
    assert '--include "tokenizer/*" --local-dir weights/sd15/base' in lack
    shutil.copytree(copy.base("pocket") / "tokenizer", copy.base("sd15") / "tokenizer")
    assert copy.missing("sd15/big.safetensors") == ()
    assert shelf.lacking_of_model("sd15/big.safetensors", "canny") == ("sd15/canny",)
    assert "sd15/controls/canny" in home.lacking(copy, "sd15/big.safetensors", "canny")
    assert copy.scheduler_config("sd15/big.safetensors")["beta_end"] == 0.012


@pytest.mark.parametrize("name", ["..", "../pocket/base", ".hidden", "a/b", "a\\b", "a\0", "x" * 201])
def test_a_name_that_is_none_is_refused(name: str, weights: Store, make_request: MakeRequest) -> None:
    request = replace(make_request(), width=128, height=128, base=name)
    with pytest.raises(ArmatureError) as refusal:
        checked(request, LIMITS["local"])
    assert refusal.value.code.name == "PARAM_CHOICE"
    assert home.lack(weights, f"pocket/{name}", "canny") is not None


def test_a_base_is_held_to_its_family(weights: Store) -> None:
    error = home.lack(weights, f"sd15/{MINE}", "canny")
    assert error is not None
    assert error.code.name == "MODEL_PAIRING"
    assert f"Ask for pocket/{MINE}" in error.message


def test_row_92_a_file_that_goes_while_it_is_loaded_is_missing(
    copy: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models import single_file

    unet = single_file.unet

    def late(path: Path, *rest: Any) -> Any:
        path.unlink()
        return unet(path, *rest)

    monkeypatch.setattr(single_file, "unet", late)
    with pytest.raises(ArmatureError) as refusal:
        load(copy, ModelKey(part="unet", family=f"pocket/{MINE}"), torch.float32)
    assert refusal.value.code.name == "MODEL_MISSING"


def test_row_92_what_is_loaded_stays_when_its_file_is_replaced(
    copy: Store, make_request: MakeRequest, pictures: PictureStore, cpu: Any
) -> None:
    cache = ModelCache(copy, pictures, cpu)
    request = replace(make_request(steps=2), base=MINE)
    *_, before = generate(request, cache)
    for path in (
        copy.own_bases / MINE,
        copy.control("pocket", "lines") / "diffusion_pytorch_model.safetensors",
    ):
        path.write_bytes(bytes(path.stat().st_size))
    *_, after = generate(request, cache)
    assert isinstance(before, Result)
    assert isinstance(after, Result)
    assert np.array_equal(before.images[0], after.images[0])


def test_row_104_painting_writes_nothing_into_the_weights(
    copy: Store, make_request: MakeRequest, pictures: PictureStore, cpu: Any
) -> None:
    """So a folder that can't be written is as good as another."""

    def state() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in copy.weights.rglob("*")}

    before = state()
    for base in (None, MINE, "folder"):
        painted(replace(make_request(steps=1), base=base), copy, pictures, cpu)
    assert state() == before


def test_row_93_a_link_to_a_control_outside_is_refused(copy: Store, tmp_path: Path) -> None:
    canny = copy.weights / "controls" / "canny"
    (canny / "steers.safetensors").rename(tmp_path / "outside.safetensors")
    (canny / "linked.safetensors").symlink_to(tmp_path / "outside.safetensors")
    inside = canny / "inside.safetensors"
    shutil.copy(tmp_path / "outside.safetensors", inside)
    (canny / "again.safetensors").symlink_to(inside)
    assert own.controls(copy, "pocket", "canny") == ("again.safetensors", "inside.safetensors")
    error = home.lack(copy, "pocket", "canny", "linked.safetensors")
    assert error is not None
    assert error.code.name == "NOT_ALLOWED"


def alone(path: Path, folder: Path) -> None:
    """The file in a folder of its own, with what sites of models put beside it."""
    folder.mkdir()
    path.rename(folder / "model-1.safetensors")
    for name in ("model-1.preview.png", "README.md", "._model-1.safetensors"):
        (folder / name).write_bytes(b"x")


def test_a_file_alone_in_a_folder_is_the_model(
    copy: Store, make_request: MakeRequest, pictures: PictureStore, cpu: Any
) -> None:
    request = make_request()
    familys = painted(request, copy, pictures, cpu)
    canny = copy.weights / "controls" / "canny"
    alone(copy.own_bases / MINE, copy.own_bases / "boxed")
    alone(canny / "steers.safetensors", canny / "packed")
    assert ("boxed (Pocket)", "pocket/boxed") in bases.models(copy)
    assert own.controls(copy, "pocket/boxed", "canny") == ("packed",)
    assert home.lack(copy, "pocket/boxed", "canny", "packed") is None
    units = tuple(replace(unit, control="packed") for unit in request.controls)
    boxed = painted(replace(request, base="boxed", controls=units), copy, pictures, cpu)
    assert np.array_equal(familys, boxed)


def test_two_files_in_a_folder_are_no_model_and_are_not_offered(copy: Store) -> None:
    canny = copy.weights / "controls" / "canny"
    for path in (copy.own_bases / MINE, canny / "steers.safetensors"):
        (path.parent / "two").mkdir()
        for name in ("a", "b"):
            shutil.copy(path, path.parent / "two" / f"{name}.safetensors")
    assert "pocket/two" not in dict(bases.models(copy)).values()
    assert "two" not in own.controls(copy, "pocket", "canny")
    for file in own_files(copy):
        assert ("2 safetensors files" in file.refusal) == file.place.endswith("two"), file


def moved_and_linked(folder: Path, to: Path) -> None:
    """The folder elsewhere, and in its place a link to it: how people keep large files on another disk."""
    shutil.move(folder, to)
    folder.symlink_to(to)


def test_a_folder_of_models_that_is_itself_a_link_is_looked_into(copy: Store, tmp_path: Path) -> None:
    offered = bases.models(copy)
    assert offered
    (tmp_path / "mnt").mkdir()
    moved_and_linked(copy.own_bases, tmp_path / "mnt" / "models")
    moved_and_linked(copy.weights / "controls", tmp_path / "mnt" / "steering")
    assert bases.models(copy) == offered
    assert own.controls(copy, "pocket", "canny") == ("steers.safetensors",)
    assert home.lack(copy, f"pocket/{MINE}", "canny", "steers.safetensors") is None
    load(copy, ModelKey(part="unet", family=f"pocket/{MINE}"), torch.float32)
    for place in (copy.own_bases, copy.weights / "controls" / "canny"):
        (place / "away.safetensors").symlink_to(tmp_path / "away.safetensors")
    (tmp_path / "away.safetensors").write_bytes((copy.own_bases / MINE).read_bytes())
    assert bases.models(copy) == offered
    for asked in (("pocket/away.safetensors", "canny"), ("pocket", "canny", "away.safetensors")):
        error = home.lack(copy, *asked)
        assert error is not None
        assert error.code.name == "NOT_ALLOWED"


def test_a_link_from_one_folder_of_models_to_another_is_followed(copy: Store) -> None:
    moved_and_linked(copy.own_bases / "folder", copy.weights / "shelf")
    assert "pocket/folder" in dict(bases.models(copy)).values()


def test_the_page_and_the_endpoint_offer_it(weights: Store, tmp_path: Path) -> None:
    picture = handle_file(draw_scene(tmp_path / "scene.png", 160, 160))
    own_weights = Path(shutil.copytree(weights.weights, tmp_path / "weights"))
    with serving(tmp_path, own_weights) as app:
        client = Client(app.url, verbose=False, download_files=tmp_path / "got", analytics_enabled=False)
        asked = {"image": picture, "prompt": "a house", "steps": 1, "size": "128x128", "seed": 3}
        shutil.copy(own_weights / "bases" / MINE, own_weights / "bases" / "new.safetensors")
        write(own_weights / "bases" / "xl.safetensors", made_files.kohya(2048))
        front = Front(app.url)
        told = front.fire("load")
        assert "pocket/new.safetensors" in json.dumps(told["model"]["choices"])
        assert front.fire("load", model="pocket/new.safetensors")["canny-generate"]["interactive"] is True
        front.close()
        _, _, info = client.predict(**asked, model="pocket/new.safetensors", api_name="/canny")
        assert info["request"]["base"] == "new.safetensors"
        assert info["request"]["family"] == "pocket"
        with pytest.raises(AppError, match=r"\(MODEL_ARCH\)$"):
            client.predict(**asked, model="pocket/xl.safetensors", api_name="/canny")
        with pytest.raises(AppError, match=r"\(MODEL_MISSING\)$"):
            client.predict(**asked, model="pocket/../pocket/base", api_name="/canny")
        client.close()


@pytest.mark.parametrize("where", ["bases", "elsewhere"])
def test_the_command_line_takes_a_path(
    where: str, copy: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy.own_bases / MINE
    if where == "elsewhere":
        (tmp_path / where).mkdir()
        path = path.rename(tmp_path / where / MINE)
    scene, out = draw_scene(tmp_path / "scene.png", 160, 160), tmp_path / "out"
    given = ["generate", "--condition", "canny", "--image", str(scene), "--prompt", "x", "--out", str(out)]
    given += [
        "--weights",
        str(copy.weights),
        "--size",
        "128x128",
        "--steps",
        "1",
        "--device",
        "cpu",
        "--json",
    ]
    assert cli.main([*given, "--model", str(path)]) == 0
    assert Path(json.loads(capsys.readouterr().out)["images"][0]["path"]).is_file()
    assert cli.main([*given, "--model", str(tmp_path / "absent.safetensors")]) == 1
    assert "There is no such model" in capsys.readouterr().err
