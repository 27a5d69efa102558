"""From files to modules; and what is said about files that are no good."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from errors import ArmatureError
from models.loading import ModelKey, Part, Text, Vae, load
from models.store import Store

PARTS: tuple[Part, ...] = ("text", "unet", "vae", "control")


def key_of(part: Part) -> ModelKey:
    """The key of a part of the tiny family."""
    return ModelKey(family="pocket", part=part, name="lines" if part == "control" else "")


@pytest.fixture
def copy(store: Store, tmp_path: Path) -> Store:
    """The tiny family, free to be broken."""
    shutil.copytree(store.weights, tmp_path / "weights")
    return Store(tmp_path / "weights")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("part", PARTS)
def test_every_part_loads_frozen_and_in_its_dtype(part: Part, dtype: torch.dtype, store: Store) -> None:
    module = load(store, key_of(part), dtype)
    parameters = list(module.parameters())
    assert parameters
    assert all(tensor.dtype == dtype for tensor in parameters)
    assert not any(tensor.requires_grad for tensor in parameters)
    assert not any(part.training for part in module.modules())


def test_keys_have_names_for_people() -> None:
    assert str(key_of("control")) == "Pocket: control lines"
    assert str(key_of("unet")) == "Pocket: U-Net"


def test_the_text_encoder_answers_tokens(store: Store) -> None:
    text = load(store, key_of("text"), torch.float32)
    assert isinstance(text, Text)
    assert text(torch.zeros((2, 77), dtype=torch.long)).shape == (2, 77, 32)


def test_the_linear_map_of_the_decoder_explains_its_colours(store: Store) -> None:
    vae = load(store, key_of("vae"), torch.float32)
    assert isinstance(vae, Vae)
    assert vae.rgb.shape == (5, 3)
    x_0 = torch.randn((1, 4, 2, 2), generator=torch.Generator().manual_seed(5))
    x_0 = x_0.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    with torch.no_grad():
        colours = torch.nn.functional.avg_pool2d(vae.decode(x_0), 8)
    guess = (x_0.movedim(1, -1) @ vae.rgb[:4] + vae.rgb[4]).movedim(-1, 1)
    assert (guess - colours).var() < 0.7 * (colours - colours.mean((0, 2, 3), keepdim=True)).var()


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_file_is_refused_with_the_way_to_get_it(part: Part, copy: Store) -> None:
    where = copy.control("pocket", "lines") if part == "control" else copy.base("pocket") / "unet"
    (where / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ArmatureError) as refusal:
        load(copy, key_of(part), torch.float32)
    assert refusal.value.code.name == "MODEL_MISSING"


def test_a_control_that_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(ArmatureError) as refusal:
        load(store, ModelKey(family="pocket", part="control", name="depth"), torch.float32)
    assert refusal.value.code.name == "MODEL_MISSING"


def halve(path: Path) -> None:
    """Cut a file off, as a broken download does."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    """Leave nothing of a file but its name."""
    path.write_bytes(b"")


def page(path: Path) -> None:
    """What a server answers instead of a file."""
    path.write_text("<html>404</html>")


def drop_tensor(path: Path, name: str) -> None:
    """A file that is whole, but lacks a tensor."""
    tensors = load_file(path)
    del tensors[name]
    save_file(tensors, path, metadata={"format": "pt"})


def reshape_a_tensor(path: Path) -> None:
    """A file that is whole, but made for another size."""
    tensors = load_file(path)
    tensors[list(tensors)[3]] = torch.zeros(7, 3)
    save_file(tensors, path, metadata={"format": "pt"})


def break_the_config(path: Path) -> None:
    """Half a JSON object beside good weights."""
    (path.parent / "config.json").write_text("{")


def list_for_a_config(path: Path) -> None:
    """JSON, but no object."""
    (path.parent / "config.json").write_text("[]")


def other_widths(path: Path) -> None:
    """The configuration of another size of model."""
    config = json.loads((path.parent / "config.json").read_text())
    config |= {"block_out_channels": [64, 128], "hidden_size": 64}
    (path.parent / "config.json").write_text(json.dumps(config))


DAMAGES = [
    *(halve, empty, page),
    *(reshape_a_tensor, break_the_config, list_for_a_config, other_widths),
]
# What is said of the large networks, whose headers are read before their tensors.
SEEN_IN_THE_HEADER: dict[Callable[[Path], None], tuple[str, str]] = {
    halve: ("MODEL_CORRUPT", "is cut off"),
    empty: ("MODEL_CORRUPT", "is empty"),
    page: ("MODEL_CORRUPT", "is a web page"),
    reshape_a_tensor: ("MODEL_KEYS", "another shape"),
    other_widths: ("MODEL_KEYS", "another shape"),
}


# diffusers takes a configuration that is no object for a file name, and warns before it fails.
@pytest.mark.filterwarnings("ignore:It is deprecated to pass a pretrained model name:FutureWarning")
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("part", PARTS)
def test_broken_files_are_refused_in_words(part: Part, damage: Callable[[Path], None], copy: Store) -> None:
    damage(weights_of(part, copy))
    exactly = SEEN_IN_THE_HEADER.get(damage) if part in ("unet", "control") else None
    code, words = exactly or ("MODEL_CORRUPT", "damaged, or made for something else")
    with pytest.raises(ArmatureError, match=words) as refusal:
        load(copy, key_of(part), torch.float32)
    assert refusal.value.code.name == code
    assert refusal.value.__cause__ is not None
    assert str(copy.weights) not in refusal.value.message
    assert str(key_of(part)) in refusal.value.message, "all such files have one name"


def weights_of(part: Part, store: Store) -> Path:
    """The file of a part's weights."""
    base = store.base("pocket")
    folders = {"text": base / "text_encoder", "control": store.control("pocket", "lines")}
    return next(folders.get(part, base / part).glob("*.safetensors"))


@pytest.mark.parametrize("part", PARTS)
def test_row_87_a_folder_that_lacks_tensors_says_which(part: Part, copy: Store) -> None:
    path = weights_of(part, copy)
    missing = sorted(load_file(path))[3]
    drop_tensor(path, missing)
    with pytest.raises(ArmatureError, match=r"1 of .* missing") as refusal:
        load(copy, key_of(part), torch.float32)
    assert refusal.value.code.name == "MODEL_KEYS"
    assert missing.removeprefix("text_model.") in refusal.value.message


@pytest.mark.parametrize("part", PARTS)
def test_row_87_a_folder_with_a_tensor_too_many_is_taken(part: Part, copy: Store) -> None:
    path = weights_of(part, copy)
    save_file(load_file(path) | {"extra.weight": torch.zeros(2)}, path, metadata={"format": "pt"})
    assert not load(copy, key_of(part), torch.float32).training


@pytest.mark.parametrize("part", PARTS)
def test_row_79_a_folder_with_numbers_that_are_none_is_refused(part: Part, copy: Store) -> None:
    path = weights_of(part, copy)
    tensors = load_file(path)
    next(reversed(tensors.values())).view(-1)[-1] = float("nan")
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ArmatureError) as refusal:
        load(copy, key_of(part), torch.float32)
    assert refusal.value.code.name == "MODEL_NUMERIC"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_broken_tokenizer_is_refused_in_words(text: str, copy: Store) -> None:
    (copy.base("pocket") / "tokenizer" / "tokenizer.json").write_text(text)
    with pytest.raises(ArmatureError) as refusal:
        load(copy, key_of("text"), torch.float32)
    assert refusal.value.code.name == "MODEL_CORRUPT"


@pytest.mark.parametrize("part", PARTS)
def test_half_precision_files_load_under_their_own_name(part: Part, copy: Store) -> None:
    for path in copy.weights.rglob("*.safetensors"):
        path.rename(path.with_name(path.name.replace("model.", "model.fp16.")))
    assert next(load(copy, key_of(part), torch.float32).parameters()).dtype == torch.float32
