"""Networks out of one file give, bit for bit, what the networks give that the file was made of."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from errors import ArmatureError
from models import single_file
from models.store import Store
from tests.models import made_files
from tests.models.made_files import control_names, originally, unet_names, vae_names

F32 = torch.float32
Tensors = dict[str, torch.Tensor]


def config_of(folder: Path) -> dict[str, Any]:
    """The configuration in a folder."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return config


def tensors_in(folder: Path) -> Tensors:
    """The tensors in a folder of diffusers or transformers."""
    return load_file(next(folder.glob("*model.safetensors")))


def text_tensors(base: Path) -> Tensors:
    """The text encoder's, in the names of the library it came from."""
    found = tensors_in(base / "text_encoder")
    return {f"text_model.{name.removeprefix('text_model.')}": tensor for name, tensor in found.items()}


def checkpoint_of(base: Path) -> Tensors:
    """A whole base as one file of the original's, with what else lies in such files."""
    vae = originally(tensors_in(base / "vae"), vae_names(config_of(base / "vae")), "first_stage_model.")
    for name, tensor in vae.items():
        if re.search(r"\.(?:q|k|v|proj_out)\.weight$", name):
            vae[name] = tensor[:, :, None, None]  # the original's attention is a convolution
    unet = originally(
        tensors_in(base / "unet"), unet_names(config_of(base / "unet")), "model.diffusion_model."
    )
    text = {f"cond_stage_model.transformer.{n}": tensor for n, tensor in text_tensors(base).items()}
    places = "cond_stage_model.transformer.text_model.embeddings.position_ids"
    beside = {places: torch.arange(77)[None], "betas": torch.zeros(9), "model_ema.decay": torch.zeros(())}
    return {**unet, **vae, **text, **beside}


@pytest.fixture(scope="module")
def base(store: Store) -> Path:
    """The tiny base, a folder of diffusers."""
    return store.base("pocket")


@pytest.fixture(scope="module")
def checkpoint(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in one file."""
    path = tmp_path_factory.mktemp("single") / "mine.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in checkpoint_of(base).items()}, path)
    return path


def same(ours: nn.Module, theirs: Any, run: Callable[[Any], torch.Tensor]) -> None:
    """Equal tensors, equal answers, to the last bit."""
    assert {**dict(ours.state_dict())}.keys() == dict(theirs.state_dict()).keys()
    assert all(torch.equal(tensor, theirs.state_dict()[name]) for name, tensor in ours.state_dict().items())
    for tensor in (*ours.parameters(), *theirs.parameters()):
        tensor.data = tensor.data.clone()  # where a file put it in memory decides how sums are rounded
    with torch.no_grad():
        answer = run(ours)
        assert torch.equal(answer, run(theirs.eval()))
    assert answer.std() > 0
    assert not any(tensor.requires_grad or tensor.is_meta for tensor in ours.parameters())


def noise(*shape: int) -> torch.Tensor:
    """Always the same noise."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def test_the_unet_of_a_file_is_that_of_the_folder(checkpoint: Path, base: Path) -> None:
    from diffusers import UNet2DConditionModel

    ours = single_file.unet(checkpoint, config_of(base / "unet"), F32)
    theirs = UNet2DConditionModel.from_pretrained(base / "unet")
    same(ours, theirs, lambda unet: unet(noise(2, 4, 8, 8), 7, noise(2, 77, 32)).sample)


def test_the_vae_of_a_file_is_that_of_the_folder(checkpoint: Path, base: Path) -> None:
    from diffusers import AutoencoderKL

    ours = single_file.vae(checkpoint, config_of(base / "vae"), F32)
    theirs = AutoencoderKL.from_pretrained(base / "vae")
    same(ours, theirs, lambda vae: vae(noise(1, 3, 64, 64)).sample)


OLDER = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


@pytest.mark.parametrize("prefix", ["", "first_stage_model."])
def test_a_vae_in_the_names_of_older_diffusers_is_read(prefix: str, base: Path, tmp_path: Path) -> None:
    """Most VAEs that go about on their own were written in the days when its attention was called so."""
    from diffusers import AutoencoderKL

    tensors = {}
    for name, tensor in tensors_in(base / "vae").items():
        stem, _, last = name.rpartition(".")
        inner = next((one for one in OLDER if stem.endswith(one)), "")
        tensors[f"{prefix}{stem.removesuffix(inner)}{OLDER.get(inner, inner)}.{last}"] = tensor
    assert sum("proj_attn" in name for name in tensors) == 4, "weight and bias, in encoder and decoder"
    save_file(tensors, tmp_path / "mine.safetensors")
    ours = single_file.vae(tmp_path / "mine.safetensors", config_of(base / "vae"), F32)
    same(ours, AutoencoderKL.from_pretrained(base / "vae"), lambda vae: vae(noise(1, 3, 64, 64)).sample)


def test_the_text_encoder_of_a_file_is_that_of_the_folder(checkpoint: Path, base: Path) -> None:
    from transformers import CLIPTextModel

    ours = single_file.text(checkpoint, config_of(base / "text_encoder"), F32)
    theirs = CLIPTextModel.from_pretrained(base / "text_encoder")
    ids = torch.arange(77)[None] % 50
    same(ours, theirs, lambda text: text(ids).last_hidden_state)


def diffusers_own(kind: str, path: Path, folder: Path) -> Any:
    """The same file as diffusers' own loader reads it."""
    import diffusers

    return getattr(diffusers, kind).from_single_file(str(path), config=str(folder), local_files_only=True)


def test_diffusers_own_loader_reads_the_same_file_alike(checkpoint: Path, base: Path, tmp_path: Path) -> None:
    """Else the names that this test gives, and those that the code expects, could be wrong together."""
    ours = single_file.unet(checkpoint, config_of(base / "unet"), F32)
    theirs = diffusers_own("UNet2DConditionModel", checkpoint, base / "unet")
    same(ours, theirs, lambda unet: unet(noise(2, 4, 8, 8), 7, noise(2, 77, 32)).sample)
    vae = single_file.vae(checkpoint, config_of(base / "vae"), F32)
    same(
        vae,
        diffusers_own("AutoencoderKL", checkpoint, base / "vae"),
        lambda vae: vae(noise(1, 3, 64, 64)).sample,
    )


@pytest.mark.parametrize(
    ("layout", "merged"),
    [("control_model.", False), ("control_model.", True), ("", False), ("diffusers", False)],
)
def test_a_control_in_one_file_is_that_of_the_folder(
    layout: str, merged: bool, store: Store, checkpoint: Path, tmp_path: Path
) -> None:
    from diffusers import ControlNetModel

    folder = store.control("pocket", "lines")
    tensors = tensors_in(folder)
    if layout != "diffusers":
        tensors = originally(tensors, control_names(config_of(folder)), layout)
    path = tmp_path / "mine.safetensors"
    save_file(tensors | (load_file(checkpoint) if merged else {}), path)
    ours = single_file.control(path, config_of(store.base("pocket") / "unet"), F32, pooled=False)
    theirs = ControlNetModel.from_pretrained(folder)

    def answers(control: Any) -> torch.Tensor:
        down, mid = control(noise(1, 4, 8, 8), 7, noise(1, 77, 32), noise(1, 3, 64, 64), return_dict=False)
        return torch.cat([part.flatten() for part in (*down, mid)])

    same(ours, theirs, answers)
    if not merged and layout == "control_model.":
        same(ours, diffusers_own("ControlNetModel", path, folder), answers)


def test_a_control_can_be_pooled(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_file(tensors_in(store.control("pocket", "lines")), path)
    control: Any = single_file.control(path, config_of(store.base("pocket") / "unet"), F32, pooled=True)
    assert control.config.global_pool_conditions is True


def full_size() -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any], str]]:
    """The networks of Stable Diffusion 1.5 in our configurations, without any memory."""
    for part, kind, made in (
        ("unet", "UNet2DConditionModel", made_files.unet()),
        ("vae", "AutoencoderKL", made_files.vae()),
    ):
        yield part, config_of(single_file_configs() / part), made[1], kind


def single_file_configs() -> Path:
    """Our configurations of Stable Diffusion 1.5."""
    return Path(single_file.__file__).parent / "configs" / "sd15"


def test_our_configurations_are_those_of_stable_diffusion() -> None:
    """Its numbers of parameters are known: 859.5 million, 83.7 million and 123.1 million."""
    import diffusers
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):
        for part, config, shapes, kind in full_size():
            network = getattr(diffusers, kind).from_config(config)
            assert {n: tuple(t.shape) for n, t in network.state_dict().items()} == dict(shapes), part
            count = sum(one.numel() for one in network.parameters())
            assert count == {"unet": 859_520_964, "vae": 83_653_863}[part]
        text = CLIPTextModel(CLIPTextConfig.from_dict(config_of(single_file_configs() / "text_encoder")))
        assert sum(one.numel() for one in text.parameters()) == 123_060_480


def test_the_original_names_of_stable_diffusion_are_as_published() -> None:
    """A few that everybody has seen in files of Stable Diffusion 1.5 and of its ControlNets."""
    names = set(made_files.checkpoint())
    assert {
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
        "model.diffusion_model.input_blocks.3.0.op.weight",
        "model.diffusion_model.input_blocks.11.0.out_layers.3.weight",
        "model.diffusion_model.middle_block.1.proj_in.weight",
        "model.diffusion_model.output_blocks.2.1.conv.weight",
        "model.diffusion_model.output_blocks.5.2.conv.weight",
        "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.ff.net.0.proj.bias",
        "model.diffusion_model.out.2.weight",
        "first_stage_model.decoder.up.3.block.0.conv1.weight",
        "first_stage_model.decoder.up.1.upsample.conv.weight",
        "first_stage_model.encoder.down.1.block.0.nin_shortcut.weight",
        "first_stage_model.encoder.mid.attn_1.q.weight",
        "first_stage_model.post_quant_conv.weight",
    } <= names
    config, shapes = made_files.control()
    control = originally(shapes, control_names(config))
    assert len(control) == 340
    assert {
        *("zero_convs.11.0.weight", "middle_block_out.0.bias", "time_embed.2.weight"),
        *("input_hint_block.14.weight", "input_blocks.8.1.proj_out.weight"),
    } <= set(control)


def refusal_of(path: Path, config: Mapping[str, Any], what: Any = single_file.unet) -> ArmatureError:
    """How a file is refused."""
    with pytest.raises(ArmatureError) as refusal:
        what(path, config, F32)
    return refusal.value


def changed(checkpoint: Path, target: Path, change: Callable[[Tensors], None]) -> Path:
    """The checkpoint with a change to its tensors."""
    tensors = load_file(checkpoint)
    change(tensors)
    save_file(tensors, target)
    return target


def inside(tensors: Tensors) -> list[str]:
    """The names of the U-Net's."""
    return sorted(name for name in tensors if name.startswith("model.diffusion_model."))


def test_row_87_what_is_missing_is_counted_and_named(checkpoint: Path, base: Path, tmp_path: Path) -> None:
    def drop(tensors: Tensors) -> None:
        for name in inside(tensors)[:7]:
            del tensors[name]

    error = refusal_of(changed(checkpoint, tmp_path / "x.safetensors", drop), config_of(base / "unet"))
    assert error.code.name == "MODEL_KEYS"
    assert "7 of " in error.message
    named = error.found.partition("such as ")[2].split(", ")
    assert len(named) == 5
    assert "conv_in.weight" in named


def test_row_87_a_few_tensors_too_many_are_left_out(
    checkpoint: Path, base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def add(tensors: Tensors, count: int) -> None:
        for index in range(count):
            tensors[f"model.diffusion_model.extra.{index}.weight"] = torch.zeros(2)

    config = config_of(base / "unet")
    one = changed(checkpoint, tmp_path / "x.safetensors", lambda tensors: add(tensors, 1))
    single_file.unet(one, config, F32)
    assert "1 tensors are left out, such as model.diffusion_model.extra.0.weight" in caplog.text
    many = changed(checkpoint, tmp_path / "y.safetensors", lambda tensors: add(tensors, 9))
    error = refusal_of(many, config)
    assert error.code.name == "MODEL_KEYS"
    assert "9 beside" in error.message


@pytest.mark.parametrize("shape", [(0,), (3,), (2, 2, 2)])
def test_row_89_a_tensor_of_another_shape_is_refused(
    shape: tuple[int, ...], checkpoint: Path, base: Path, tmp_path: Path
) -> None:
    def reshape(tensors: Tensors) -> None:
        tensors[inside(tensors)[3]] = torch.zeros(shape)

    error = refusal_of(changed(checkpoint, tmp_path / "x.safetensors", reshape), config_of(base / "unet"))
    assert error.code.name == "MODEL_KEYS"
    assert "1, such as model.diffusion_model." in error.message


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_row_79_numbers_that_are_none_are_refused(
    bad: float, checkpoint: Path, base: Path, tmp_path: Path
) -> None:
    def spoil(tensors: Tensors) -> None:
        tensors[inside(tensors)[-1]].flatten()[-1] = bad

    error = refusal_of(changed(checkpoint, tmp_path / "x.safetensors", spoil), config_of(base / "unet"))
    assert error.code.name == "MODEL_NUMERIC"


def test_large_numbers_are_no_fault() -> None:
    single_file.refuse_not_finite("x", "y", torch.full((4,), 3e38))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_row_88_other_number_formats_are_converted(
    dtype: torch.dtype, checkpoint: Path, base: Path, tmp_path: Path
) -> None:
    def convert(tensors: Tensors) -> None:
        tensors |= {name: tensors[name].to(dtype) for name in inside(tensors)[::2]}

    mixed = changed(checkpoint, tmp_path / "x.safetensors", convert)
    network = single_file.unet(mixed, config_of(base / "unet"), torch.bfloat16)
    assert {tensor.dtype for tensor in network.parameters()} == {torch.bfloat16}


def test_row_92_what_becomes_of_the_file_later_changes_nothing(
    checkpoint: Path, base: Path, tmp_path: Path
) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(checkpoint.read_bytes())
    network = single_file.unet(path, config_of(base / "unet"), F32)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(bytes(size))
        file.truncate(100)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_no_more_of_a_file_is_open_at_once_than_is_allowed(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read of an open file stays in memory until it is closed."""
    from diffusers import UNet2DConditionModel

    opened: list[list[int]] = []

    class Counted:
        def __init__(self, *given: Any, **named: Any) -> None:
            self.file: Any = safe_open(*given, **named)
            opened.append([])

        def __enter__(self) -> "Counted":
            self.open = self.file.__enter__()
            return self

        def __exit__(self, *raised: Any) -> None:
            self.file.__exit__(*raised)

        def get_tensor(self, name: str) -> torch.Tensor:
            tensor: torch.Tensor = self.open.get_tensor(name)
            opened[-1].append(tensor.nbytes)
            return tensor

    most = 2**18
    monkeypatch.setattr(single_file, "safe_open", Counted)
    monkeypatch.setattr(single_file, "AT_ONCE", most)
    ours = single_file.as_built(UNet2DConditionModel, base / "unet", F32)
    assert len(opened) > 3
    assert all(sum(sizes[:-1]) < most for sizes in opened)
    assert sum(map(len, opened)) == len(ours.state_dict())
