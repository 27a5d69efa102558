"""A control of one's own, as a training run leaves it, is offered in its tab at once, and steers."""

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

from errors import PARAM_CHOICE, PARAM_RANGE, ArmatureError
from gate import LIMITS
from models import own
from models.store import Store
from pipelines import home
from pipelines.cache import ModelCache
from pipelines.generate import generate
from pipelines.own_stock import own_files
from pipelines.pictures import PictureStore
from pipelines.request import GenerateRequest, Result
from pipelines.request.checks import checked
from tests.browsing import draw_scene
from tests.conftest import MakeRequest
from tests.models import made_files
from tests.models.made_files import control_names, originally, write
from tests.serving import Front, serving


@pytest.fixture(scope="module")
def weights(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The tiny family with its control, and beside it one of the user's own and three that are no good."""
    from models import control as paper
    from models.loading import ModelKey, load

    folder = tmp_path_factory.mktemp("own") / "weights"
    shutil.copytree(store.weights, folder)
    control = paper.from_base(load(store, ModelKey(part="unet", family="pocket"), torch.float32))
    torch.manual_seed(8)
    for convolution in (
        *paper.output_zero_convolutions(control),
        paper.hint_zero_convolution(control),
    ):
        torch.nn.init.normal_(convolution.weight, std=0.3)
    canny = folder / "controls" / "canny"
    for name in ("mine", "half", "wider", "broken"):
        control.save_pretrained(canny / name)
    control.save_pretrained(folder / "controls" / "qr" / "mine")
    (canny / "half" / "diffusion_pytorch_model.safetensors").unlink()
    config = json.loads((canny / "wider" / "config.json").read_text())
    (canny / "wider" / "config.json").write_text(json.dumps(config | {"cross_attention_dim": 768}))
    (canny / "broken" / "config.json").write_text("{")
    return Store(folder)


def test_those_are_offered_that_are_whole_and_fit_the_base(weights: Store) -> None:
    assert own.controls(weights, "pocket", "canny") == ("mine",)
    assert own.controls(weights, "pocket", "depth") == ()
    assert own.controls(weights, "sd15", "canny") == ()


# A configuration as diffusers 0.14 wrote it, in the days of version 1.0: it lacks what came later.
FIRST_VERSION = {
    "_class_name": "ControlNetModel",
    "_diffusers_version": "0.14.0.dev0",
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "class_embed_type": None,
    "conditioning_embedding_out_channels": [16, 32, 96, 256],
    "controlnet_conditioning_channel_order": "rgb",
    "cross_attention_dim": 768,
    "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "num_class_embeds": None,
    "only_cross_attention": False,
    "projection_class_embeddings_input_dim": None,
    "resnet_time_scale_shift": "default",
    "upcast_attention": False,
    "use_linear_projection": False,
}


@pytest.mark.parametrize("form", ["folder", "merged", "control_model.", ""])
def test_controls_of_version_1_0_and_1_1_fit_stable_diffusion_in_every_form(
    form: str, tmp_path: Path
) -> None:
    canny = tmp_path / "controls" / "canny"
    canny.mkdir(parents=True)
    if form == "folder":
        (canny / "x").mkdir()
        (canny / "x" / "config.json").write_text(json.dumps(FIRST_VERSION))
        write(canny / "x" / "diffusion_pytorch_model.safetensors", made_files.control()[1])
    else:
        config, shapes = made_files.control()
        prefix = "control_model." if form == "merged" else form
        named = originally(shapes, control_names(config), prefix)
        write(canny / "x", named | (made_files.checkpoint() if form == "merged" else {}))
    assert own.controls(Store(tmp_path), "sd15", "canny") == ("x",)
    assert own.controls(Store(tmp_path), "pocket", "canny") == ()


def made(request: GenerateRequest, control: str, weights: Store, pictures: PictureStore, cpu: Any) -> Any:
    """The picture of a request with that control."""
    units = tuple(replace(unit, control=control) for unit in request.controls)
    asked = GenerateRequest.from_json(replace(request, controls=units).to_json())
    *_, result = generate(asked, ModelCache(weights, pictures, cpu))
    assert isinstance(result, Result)
    return result.images[0].astype(int)


def test_it_steers_in_place_of_the_familys(
    weights: Store, make_request: MakeRequest, pictures: PictureStore, cpu: Any
) -> None:
    request = make_request()
    familys, mine = (made(request, name, weights, pictures, cpu) for name in ("", "mine"))
    assert np.abs(familys - mine).max() > 2


@pytest.mark.parametrize("name", ["../canny/mine", "mine/..", ".hidden", "a" * 121, " "])
def test_a_name_that_is_none_is_refused(name: str, make_request: MakeRequest) -> None:
    request = make_request()
    units = tuple(replace(unit, control=name) for unit in request.controls)
    with pytest.raises(ArmatureError) as refusal:
        checked(replace(request, width=128, height=128, controls=units), LIMITS["local"])
    assert refusal.value.code in (PARAM_CHOICE, PARAM_RANGE)


def test_what_it_lacks_is_said(weights: Store) -> None:
    assert home.lacking(weights, "pocket", "canny", "mine") == ""
    assert "weights/controls/canny/absent" in home.lacking(weights, "pocket", "canny", "absent")
    wider = home.lacking(weights, "pocket", "canny", "wider")
    assert "made for Stable Diffusion 1.5 (768 numbers to a token), and not for Pocket" in wider


@pytest.mark.parametrize("name", ["_canny [v2]", "линии", "-mine"])
def test_one_whose_name_can_not_be_used_is_to_be_renamed_and_not_called_absent(
    name: str, weights: Store, tmp_path: Path
) -> None:
    copy = Store(Path(shutil.copytree(weights.weights, tmp_path / "weights")))
    canny = copy.weights / "controls" / "canny"
    (canny / "mine").rename(canny / name)
    assert own.controls(copy, "pocket", "canny") == ()
    error = home.lack(copy, "pocket", "canny", name)
    assert error is not None
    (listed,) = (file for file in own_files(copy) if file.place == f"controls/canny/{name}")
    for told in (error.message, listed.refusal):
        assert told.startswith("The name of this control can't be used")
        assert told.endswith("Rename it.")
        assert repr(name) in told


def test_a_condition_that_the_family_has_no_control_for_works_with_ones_own(
    weights: Store, make_request: MakeRequest, pictures: PictureStore, cpu: Any
) -> None:
    request = make_request()
    units = tuple(replace(unit, condition="qr") for unit in request.controls)
    assert made(replace(request, controls=units), "mine", weights, pictures, cpu).any()
    assert home.lacking(weights, "pocket", "qr") != ""
    assert home.lacking(weights, "pocket", "qr", "mine") == ""


def test_the_page_and_the_endpoint_offer_it(weights: Store, tmp_path: Path) -> None:
    picture = handle_file(draw_scene(tmp_path / "scene.png", 160, 160))
    with serving(tmp_path, weights.weights) as app:
        front = Front(app.url)
        marks = front.fire("load", model="pocket")
        front.close()
        assert [name for _, name in marks["canny-control"]["choices"]] == ["", "mine"]
        assert marks["canny-control"]["visible"] is True
        assert marks["depth-control"]["visible"] is False
        assert [name for _, name in marks["qr-control"]["choices"]] == ["mine"]
        assert marks["qr-generate"]["interactive"] is True
        asked = {"image": picture, "prompt": "a house", "steps": 1, "size": "128x128", "seed": 3}
        client = Client(app.url, verbose=False, download_files=tmp_path / "got", analytics_enabled=False)
        _, _, info = client.predict(**asked, control="mine", api_name="/canny")
        assert info["request"]["controls"][0]["control"] == "mine"
        with pytest.raises(AppError, match=r"\(MODEL_MISSING\)$"):
            client.predict(**asked, control="absent", api_name="/canny")
        client.close()
