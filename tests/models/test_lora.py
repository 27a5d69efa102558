"""LoRAs: read in every way of naming, beside the layers equal to merged into them, and gone afterwards."""

import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from errors import ArmatureError
from models import loading, lora
from models.loading import ModelKey, Text
from models.lora import beside, ways_of
from models.store import Store
from tests import made_loras
from tests.made_loras import RANK, STYLES, Factors, factors, kohya, merge, peft, write


@pytest.fixture(scope="module")
def unet(store: Store) -> Any:
    """The tiny U-Net."""
    return loading.load(store, ModelKey(family="pocket", part="unet"), torch.float32)


@pytest.fixture(scope="module")
def text(store: Store) -> Text:
    """The tiny text encoder."""
    return cast(Text, loading.load(store, ModelKey(family="pocket", part="text"), torch.float32))


def asked(unet: Any) -> torch.Tensor:
    """A U-Net's answer to a question of noise."""
    chance = torch.Generator().manual_seed(3)
    x, prompt = (torch.randn(shape, generator=chance) for shape in ((2, 4, 8, 8), (2, 77, 32)))
    with torch.no_grad():
        answer: torch.Tensor = unet(x, torch.tensor([500.0, 20.0]), encoder_hidden_states=prompt).sample
    return answer


def read(text: Text, encoder: Any = None) -> torch.Tensor:
    """A text encoder's answer to some letters."""
    with torch.no_grad():
        states: torch.Tensor = (encoder or text.encoder)(torch.arange(77)[None]).last_hidden_state
    return states


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal as far as float32 lets the order of additions matter."""
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("style", list(STYLES))
def test_beside_the_layers_equals_merged_into_them(style: str, unet: Any, text: Text, tmp_path: Path) -> None:
    of_unet, of_text = factors(unet), factors(text.encoder, seed=1)
    path = write(tmp_path / "ink.safetensors", STYLES[style]("unet", of_unet), STYLES[style]("text", of_text))
    found = lora.read(path, torch.float32)
    scale = 0.7 * (2 / RANK if style == "kohya" else 1)
    if style == "processors":  # there was no other way then
        of_unet = {name: pair for name, pair in of_unet.items() if ".to_" in name}
        of_text = {}
    for part, network, chosen, ask in (
        ("unet", unet, of_unet, asked),
        ("text", text.encoder, of_text, lambda encoder: read(text, encoder)),
    ):
        plain, merged = ask(network), copy.deepcopy(network)
        merge(merged, chosen, scale)
        ways = ways_of(found, "ink", network, cast(Any, part), 0.7)
        assert len(ways) == len(chosen)
        with beside({layer: (way,) for layer, way in ways.items()}):
            worn = ask(network)
        close(worn, ask(merged))
        assert not chosen or float((worn - plain).abs().max()) > 0.1
        assert torch.equal(ask(network), plain)


def test_kohyas_names_are_those_that_diffusers_makes_of_them(unet: Any, text: Text, tmp_path: Path) -> None:
    """Which layer is meant, and its alpha, by diffusers' own converter."""
    from diffusers import StableDiffusionPipeline

    of_unet, of_text = factors(unet), factors(text.encoder, seed=1)
    path = write(tmp_path / "ink.safetensors", kohya("unet", of_unet, 1.5), kohya("text", of_text, 1.5))
    state, alphas = StableDiffusionPipeline.lora_state_dict(str(path.parent), weight_name=path.name)
    network, layers = copy.deepcopy(unet), 0
    for name in state:
        if name.startswith("unet.") and name.endswith("lora.down.weight"):
            layer = re.sub(
                r"[._]lora\.down\.weight$", "", name.removeprefix("unet.").replace(".processor", "")
            )
            layer = re.sub(r"\.to_out$", ".to_out.0", layer)
            merge(network, {layer: (state[name], state[name.replace(".down.", ".up.")])}, 1.5 / RANK)
            layers += 1
    assert layers == len(of_unet)
    assert set(alphas.values()) == {1.5}
    ways = ways_of(lora.read(path, torch.float32), "ink", unet, "unet", 1.0)
    with beside({layer: (way,) for layer, way in ways.items()}):
        close(asked(unet), asked(network))


def test_two_at_once_add_up(unet: Any, tmp_path: Path) -> None:
    merged = copy.deepcopy(unet)
    worn: dict[Any, tuple[lora.Way, ...]] = {}
    for seed, weight in ((0, 0.8), (5, -0.3)):
        found = factors(unet, seed=seed, convolutions=seed == 0)
        path = write(tmp_path / f"{seed}.safetensors", peft("unet", found))
        for layer, way in ways_of(lora.read(path, torch.float32), "ink", unet, "unet", weight).items():
            worn[layer] = (*worn.get(layer, ()), way)
        merge(merged, found, weight)
    with beside(worn):
        close(asked(unet), asked(merged))


def test_nothing_stays_behind_even_after_an_error(unet: Any, tmp_path: Path) -> None:
    before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    known = {module: set(vars(module)) for module in unet.modules()}
    path = write(tmp_path / "ink.safetensors", kohya("unet", factors(unet)))
    ways = ways_of(lora.read(path, torch.float32), "ink", unet, "unet", 1.0)
    with pytest.raises(ZeroDivisionError), beside({layer: (way,) for layer, way in ways.items()}):
        raise ZeroDivisionError
    assert all(not module._forward_hooks for module in unet.modules())
    assert {module: set(vars(module)) for module in unet.modules()} == known
    assert all(torch.equal(tensor, before[name]) for name, tensor in unet.state_dict().items())
    assert all(
        tensor.data_ptr() == unet.get_parameter(name).data_ptr() for name, tensor in unet.named_parameters()
    )


@pytest.mark.parametrize(
    ("settings", "scale", "first"),
    [
        ({}, 1.0, 1.0),
        ({"unet.lora_alpha": 6, "unet.r": 3}, 2.0, 2.0),
        ({"unet.lora_alpha": 6, "unet.use_rslora": True}, 6 / 3**0.5, 6 / 3**0.5),
        ({"unet.lora_alpha": 6, "unet.alpha_pattern": {"attn1.to_q": 12}}, 2.0, 4.0),
        ({"text_encoder.lora_alpha": 6}, 1.0, 1.0),
        ({"unet.alpha_pattern": "odd"}, 1.0, 1.0),
    ],
)
def test_the_settings_of_peft_are_heeded(
    settings: Mapping[str, Any], scale: float, first: float, unet: Any, tmp_path: Path
) -> None:
    metadata = {lora.ADAPTER: json.dumps(settings)}
    path = write(tmp_path / "ink.safetensors", peft("unet", factors(unet)), metadata=metadata)
    found = lora.read(path, torch.float32)
    for stem, one in zip(found.stems, found.scales, strict=True):
        assert one == pytest.approx(first if stem.endswith("attn1.to_q") else scale)


def test_settings_that_are_none_are_passed_over(unet: Any, tmp_path: Path) -> None:
    for text in ("[1]", "{", "[" * 10_000):
        path = write(tmp_path / "ink.safetensors", peft("unet", factors(unet)), metadata={lora.ADAPTER: text})
        assert set(lora.read(path, torch.float32).scales) == {1.0}


def spoilt(
    found: Factors, *, shape: bool = False, half: bool = False, number: float = 0.0
) -> made_loras.Named:
    """A LoRA in which something is wrong with its first layer."""
    for place, (name, (down, up)) in enumerate(found.items()):
        first = place == 0
        yield f"unet.{name}.lora_A.weight", down[:, :-1] if first and shape else down + number * first
        if not (first and half):
            yield f"unet.{name}.lora_B.weight", up


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"shape": True}, "MODEL_PAIRING"),
        ({"half": True}, "MODEL_KEYS"),
        ({"number": float("nan")}, "MODEL_NUMERIC"),  # row 79
        ({"number": float("inf")}, "MODEL_NUMERIC"),
    ],
)
def test_what_is_wrong_with_a_layer_is_said(wrong: Any, code: str, unet: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "ink.safetensors", spoilt(factors(unet), **wrong))
    with pytest.raises(ArmatureError, match="ink") as refusal:
        ways_of(lora.read(path, torch.float32), "ink", unet, "unet", 1.0)
    assert refusal.value.code.name == code
    assert refusal.value.todo


def test_a_matrix_serves_as_a_convolution_of_one_pixel_and_the_reverse(unet: Any, tmp_path: Path) -> None:
    """Trainers do not agree on which of the two a projection is."""
    plain = factors(unet, convolutions=False)
    turned = {
        name: (down.flatten(1), up.flatten(1))
        if down.dim() == 4
        else (down[..., None, None], up[..., None, None])
        for name, (down, up) in plain.items()
    }
    answers = []
    for found in (plain, turned):
        path = write(tmp_path / "ink.safetensors", peft("unet", found))
        ways = ways_of(lora.read(path, torch.float32), "ink", unet, "unet", 1.0)
        assert len(ways) == len(plain)
        with beside({layer: (way,) for layer, way in ways.items()}):
            answers.append(asked(unet))
    assert any(down.dim() == 4 for down, _ in plain.values())
    assert torch.equal(*answers)


def test_every_layer_of_stable_diffusion_that_kohya_trains_is_found() -> None:
    """At full size and without memory: 192 layers of the U-Net, 72 of the text encoder, each by one name."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):
        unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
        encoder = CLIPTextModel(
            CLIPTextConfig(
                hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
            )
        )
    attention = [
        name
        for name, layer in unet.named_modules()
        if "attentions" in name and hasattr(layer, "weight") and "norm" not in name
    ]
    linear = [name for name, layer in encoder.named_modules() if isinstance(layer, torch.nn.Linear)]
    assert (len(attention), len(linear)) == (192, 72)
    for part, network, names in (("unet", unet, attention), ("text", encoder, linear)):
        shapes = {name: network.get_submodule(name).weight.shape for name in names}
        with torch.device("meta"):
            found = {
                name: (torch.zeros(4, *shape[1:]), torch.zeros(shape[0], 4, *[1] * (len(shape) - 2)))
                for name, shape in shapes.items()
            }
        tensors = dict(kohya(part, found))
        stems = [name.removesuffix(".alpha") for name in tensors if name.endswith(".alpha")]
        whole = lora.Lora(
            stems,
            [tensors[f"{stem}.lora_down.weight"] for stem in stems],
            [tensors[f"{stem}.lora_up.weight"] for stem in stems],
            [1.0] * len(stems),
        )
        ways = ways_of(whole, "ink", network, cast(Any, part), 1.0)
        assert set(ways) == {network.get_submodule(name) for name in names}
