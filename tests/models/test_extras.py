"""Files of one's own: found by their names, and refused in words by what their headers say."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from errors import ArmatureError
from models.extras import LORA, find, names, require, stamp
from models.store import Store
from tests.models import made_files
from tests.models.made_files import kohya, write

CONTEXTS = {"pocket": 96, "sd15": 768}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A folder of weights in which each family has no more than the configuration of its U-Net."""
    for family, context in CONTEXTS.items():
        config = tmp_path / "weights" / family / "base" / "unet" / "config.json"
        config.parent.mkdir(parents=True)
        config.write_text(json.dumps({"cross_attention_dim": context, "block_out_channels": [320]}))
    return Store(tmp_path / "weights")


def put(store: Store, name: str, shapes: Mapping[str, tuple[int, ...]]) -> Path:
    """A file of tensors among the LoRAs."""
    return write(store.weights / "loras" / f"{name}.safetensors", shapes)


def refusal(store: Store, name: str, model: str = "sd15") -> ArmatureError:
    """What is said of a LoRA that is refused."""
    with pytest.raises(ArmatureError) as refusal:
        require(store, LORA, name, model)
    assert refusal.value.todo
    return refusal.value


def test_a_file_is_known_by_its_name_as_soon_as_it_is_there(store: Store) -> None:
    assert names(store, LORA) == ()
    for name in ("ink", "more_details v1.2", "Ölbild (weich)"):
        put(store, name, kohya(768))
    (store.weights / "loras" / "notes.txt").write_text("my notes")
    assert names(store, LORA) == ("ink", "more_details v1.2", "Ölbild (weich)")
    path = require(store, LORA, "more_details v1.2", "sd15")
    assert path.name == "more_details v1.2.safetensors"


@pytest.mark.parametrize("model", list(CONTEXTS))
def test_a_lora_fits_the_base_that_it_was_made_for(model: str, store: Store) -> None:
    for family, context in CONTEXTS.items():
        put(store, family, kohya(context))
    assert require(store, LORA, model, model)
    for other in CONTEXTS.keys() - {model}:
        error = refusal(store, other, model)
        assert error.code.name == "MODEL_PAIRING"
        assert f"{CONTEXTS[other]} numbers" in error.message
        assert f"{CONTEXTS[model]} numbers" in error.message


@pytest.mark.parametrize(
    ("shapes", "title"),
    [
        (kohya(2048, text=False), "Stable Diffusion XL"),
        (kohya(1024), "Stable Diffusion 2"),
        ({"lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": (4, 1280)}, "Stable Diffusion XL"),
        ({"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": (4, 3072)}, "Flux"),
    ],
)
def test_a_lora_for_another_base_is_refused_by_name(
    shapes: Mapping[str, tuple[int, ...]], title: str, store: Store
) -> None:
    put(store, "ink", shapes)
    error = refusal(store, "ink")
    assert error.code.name == "MODEL_PAIRING"
    assert f"ink was made for {title}, and not for Stable Diffusion 1.5" in error.message


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("inc", "ink"),
        ("INK", "ink"),
        ("water_colour", "watercolor"),
        ("detail", "detailed, more_details"),
        ("x", "detailed, ink, more_details, watercolor"),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_those_that_are_near(
    asked: str, near: str, store: Store
) -> None:
    for name in ("ink", "watercolor", "detailed", "more_details"):
        put(store, name, kohya(768))
    error = refusal(store, asked)
    assert (error.code.name, error.found, error.allowed) == ("MODEL_MISSING", asked, near)
    assert f"{asked}.safetensors into weights/loras" in error.todo


def test_without_any_it_is_said_so(store: Store) -> None:
    assert refusal(store, "ink").allowed == "there is none yet"


@pytest.mark.parametrize("name", ["../ink", "/etc/passwd", "..", "", ".", "ink\0", "a" * 5000, "loras/ink"])
def test_a_name_is_no_path(name: str, store: Store) -> None:
    put(store, "ink", kohya(768))
    write(store.weights / "ink.safetensors", kohya(768))
    assert refusal(store, name).code.name == "MODEL_MISSING"


def test_a_link_that_leads_out_is_not_followed(store: Store, tmp_path: Path) -> None:
    outside = write(tmp_path / "elsewhere.safetensors", kohya(768))
    put(store, "ink", kohya(768))
    os.symlink(outside, store.weights / "loras" / "link.safetensors")
    assert refusal(store, "link").code.name == "NOT_ALLOWED"
    os.symlink("ink.safetensors", store.weights / "loras" / "alias.safetensors")
    assert require(store, LORA, "alias", "sd15")


def test_a_whole_folder_may_be_a_link(store: Store, tmp_path: Path) -> None:
    write(tmp_path / "others" / "ink.safetensors", kohya(768))
    os.symlink(tmp_path / "others", store.weights / "loras")
    assert require(store, LORA, "ink", "sd15")


def test_what_is_no_lora_is_told_what_it_is(store: Store) -> None:
    put(store, "vae", made_files.vae()[1])
    put(store, "control", made_files.control()[1])
    put(store, "loha", {"lora_unet_mid_block_attentions_0_proj_in.hada_w1_a": (8, 8)})
    said = {name: refusal(store, name) for name in ("vae", "control", "loha")}
    assert {name: error.code.name for name, error in said.items()} == dict.fromkeys(said, "MODEL_ARCH")
    assert "a VAE" in said["vae"].message
    assert "a ControlNet" in said["control"].message
    assert "LyCORIS" in said["loha"].message


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("ink.pt", b"\x80\x02}q\x00.", "MODEL_UNSAFE"),
        ("ink.safetensors", b"<!DOCTYPE html><p>Access denied", "MODEL_CORRUPT"),
        ("ink.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "MODEL_CORRUPT"),
        ("ink.safetensors", b"", "MODEL_CORRUPT"),
        ("ink.safetensors", b"\x80\x02}q\x00.", "MODEL_UNSAFE"),
    ],
)
def test_what_can_not_be_read_is_told_why(name: str, content: bytes, code: str, store: Store) -> None:
    path = store.weights / "loras" / name
    path.parent.mkdir()
    path.write_bytes(content)
    assert refusal(store, "ink").code.name == code


def test_a_file_that_takes_the_place_of_another_has_another_stamp(store: Store) -> None:
    before = stamp(put(store, "ink", kohya(768)))
    assert stamp(find(store, LORA, "ink")) == before
    assert stamp(put(store, "ink", kohya(768, 4))) != before


def test_a_folder_is_another_where_one_of_its_files_is(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    file = tmp_path / "unet" / "weights"
    (tmp_path / "card").write_text("newer than the rest")
    file.write_text("a")
    os.utime(file, ns=(10**9, 10**9))
    before = stamp(tmp_path)
    assert stamp(tmp_path) == before
    os.utime(file, ns=(2 * 10**9, 2 * 10**9))
    assert stamp(tmp_path) != before
    assert stamp(tmp_path / "gone") == ""
