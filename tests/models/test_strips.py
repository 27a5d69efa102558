"""Coding in strips: the numbers of coding at once, whatever the strips, in a part of the memory."""

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from models import loading, torchvision_ops
from models.loading import ModelKey, Vae
from models.store import Store
from models.strips import LAYERS_AT_ONCE, Strips, bytes_at_once

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
NARROW, MIDDLING, WIDE = 1, 400_000, 10**9  # bytes for a strip: some rows, more rows, all at once


@pytest.fixture(scope="module")
def vae() -> Vae:
    """The decoder that comes with the program, which has learnt something."""
    found = loading.load(Store(ROOT / "weights"), ModelKey(family="pocket", part="vae"), torch.float32)
    assert isinstance(found, Vae)
    return found


def latents(height: int, width: int) -> torch.Tensor:
    return torch.randn((1, 4, height, width), generator=torch.Generator().manual_seed(1))


def as_pixels(picture: torch.Tensor) -> torch.Tensor:
    return ((picture.float() / 2 + 0.5).clamp(0, 1) * 255).round()


@pytest.mark.parametrize("room", [NARROW, MIDDLING, WIDE])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (13, 21)])
@torch.no_grad()
def test_strips_make_the_picture_of_the_whole_everywhere(
    room: int, height: int, width: int, vae: Vae
) -> None:
    x = latents(height, width)
    whole = vae.autoencoder.decode(x).sample
    strips = Strips(CPU, room).decode(vae.autoencoder, x)
    assert strips.shape == whole.shape
    assert (strips - whole).abs().max() <= 1e-5
    assert (as_pixels(strips) - as_pixels(whole)).abs().max() <= 1


@pytest.mark.parametrize("room", [NARROW, MIDDLING, WIDE])
@torch.no_grad()
def test_strips_find_the_latents_of_the_whole(room: int, vae: Vae) -> None:
    picture = vae.autoencoder.decode(latents(13, 21)).sample
    whole = vae.autoencoder.encode(picture).latent_dist.parameters
    strips = Strips(CPU, room).encode(vae.autoencoder, picture)
    assert (strips - whole).abs().max() <= 1e-5 * whole.abs().max()


@torch.no_grad()
def test_in_bfloat16_they_differ_by_its_rounding(vae: Vae) -> None:
    low = loading.load(Store(ROOT / "weights"), ModelKey(family="pocket", part="vae"), torch.bfloat16)
    assert isinstance(low, Vae)
    x = latents(16, 16)
    whole, strips = low.decode(x), low.decode_in_strips(x)
    rounding = (whole.float() - vae.decode(x)).abs().max()
    assert (strips.float() - whole.float()).abs().max() <= 2 * rounding
    assert (as_pixels(strips) - as_pixels(whole)).abs().max() <= 4


@torch.no_grad()
def test_the_spread_of_latents_is_the_same(vae: Vae) -> None:
    picture = vae.autoencoder.decode(latents(8, 8)).sample
    whole, strips = vae.encode(picture), vae.encode(picture, in_strips=True)
    assert torch.allclose(whole.mean, strips.mean, atol=1e-4)
    assert torch.allclose(whole.std, strips.std, rtol=1e-3)
    assert whole.scale == strips.scale


class Peak(TorchDispatchMode):
    """Counts the most bytes alive at once of what is computed inside; whole layers at rest are left out."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._live: dict[int, int] = {}
        self.most = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        at_rest = function is torch.ops.aten.new_empty.default
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self._live:
                    self._live[storage._cdata] = 0 if at_rest else storage.nbytes()
                    weakref.finalize(storage, self._live.pop, storage._cdata, None)
        self.most = max(self.most, sum(self._live.values()))
        return out


def sd15_autoencoder(scale: int = 1) -> Any:
    """The autoencoder of Stable Diffusion 1.5, or one of its form, narrower."""
    torchvision_ops.define_missing()
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=tuple(width // scale for width in (128, 256, 512, 512)),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        norm_num_groups=32 // scale,
        latent_channels=4,
    )


@torch.no_grad()
def test_the_foretold_bytes_are_those_that_coding_at_once_needs() -> None:
    with torch.device("meta"):
        autoencoder = sd15_autoencoder().half()
    for side in (512, 768):
        with Peak() as peak:
            autoencoder.decode(torch.empty(1, 4, side // 8, side // 8, device="meta", dtype=torch.half))
        told = bytes_at_once(autoencoder, side, side)
        assert told / LAYERS_AT_ONCE * 2.5 < peak.most <= told
        with Peak() as peak:
            autoencoder.encode(torch.empty(1, 3, side, side, device="meta", dtype=torch.half))
        assert peak.most <= told


@torch.no_grad()
def test_strips_need_a_part_of_the_memory() -> None:
    autoencoder, x = sd15_autoencoder(scale=8).eval().requires_grad_(False), latents(32, 32)
    with Peak() as whole:
        autoencoder.decode(x)
    strips = Strips(CPU, NARROW)
    with Peak() as narrow:
        strips.decode(autoencoder, x)
    assert narrow.most < whole.most / 4
    with Peak() as whole:
        autoencoder.encode(torch.zeros(1, 3, 256, 256))
    with Peak() as narrow:
        strips.encode(autoencoder, torch.zeros(1, 3, 256, 256))
    assert narrow.most < whole.most / 4
