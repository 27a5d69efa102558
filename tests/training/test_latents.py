"""Latents that were kept are those that would be computed; what is kept is never another set's or base's."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from errors import ArmatureError
from models.loading import ModelKey, Text, Vae, load
from models.store import Store
from pipelines.reading import Reader
from training import latents
from training.data import DataConfig, FolderPairs, open_pairs
from training.latents import MOMENTS, STATES, fingerprint, keep

COUNT = 5


class Base:
    """The frozen parts of the tiny family, which count how much they were asked for."""

    device = torch.device("cpu")

    def __init__(self, store: Store) -> None:
        vae = load(store, ModelKey(part="vae", family="pocket"), torch.float32)
        text = load(store, ModelKey(part="text", family="pocket"), torch.float32)
        assert isinstance(vae, Vae)
        assert isinstance(text, Text)
        self.vae, self.text = vae, text
        self.asked = {MOMENTS: 0, STATES: 0}

    def moments(self, pictures: torch.Tensor) -> torch.Tensor:
        self.asked[MOMENTS] += len(pictures)
        found = self.vae.autoencoder.encode(pictures).latent_dist
        scaled: torch.Tensor = torch.cat((found.mean, found.std), dim=1) * 0.18
        return scaled

    def states(self, prompts: Sequence[str]) -> torch.Tensor:
        self.asked[STATES] += len(prompts)
        return torch.cat([Reader(text=self.text).encode(prompt)[0] for prompt in prompts])


@pytest.fixture
def base(store: Store) -> Base:
    return Base(store)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures, two of which share a prompt."""
    place = tmp_path / "set"
    place.mkdir()
    for number in range(COUNT):
        pixels = np.random.default_rng(number).integers(0, 256, (64, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
        (place / f"{number}.txt").write_text(f"thing {number // 2}")
    return place


def opened(folder: Path, **settings: object) -> FolderPairs:
    values: dict[str, object] = {"path": folder, "condition": "canny", "size": 64} | settings
    return open_pairs(DataConfig(**values))  # type: ignore[arg-type]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float16, 2e-3)])
def test_what_is_kept_is_what_would_be_computed(
    folder: Path, base: Base, tmp_path: Path, dtype: torch.dtype, tolerance: float
) -> None:
    pairs = opened(folder)
    kept = keep(pairs, base, tmp_path / "kept", base="tiny", batch=2, dtype=dtype)
    assert len(kept) == COUNT
    with torch.no_grad():
        for index in range(COUNT):
            example = pairs[index]
            picture = torch.from_numpy(example.target).movedim(-1, 0)[None].float() / 127.5 - 1
            for stored, computed in (
                (kept.moments(index), base.moments(picture)[0]),
                (kept.states(example.prompt), base.states([example.prompt])[0]),
                (kept.states(""), base.states([""])[0]),
            ):
                assert stored.dtype == torch.float32
                assert stored.shape == computed.shape
                bound = tolerance * max(1.0, float(computed.abs().max()))
                assert (stored - computed).abs().max() <= bound


def test_each_prompt_is_kept_once(folder: Path, base: Base, tmp_path: Path) -> None:
    keep(opened(folder), base, tmp_path / "kept", base="tiny")
    assert base.asked == {MOMENTS: COUNT, STATES: 4}  # three prompts, and none


def test_what_is_kept_is_not_computed_again(
    folder: Path, base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latents, "SHARD", 2)
    told: list[tuple[int, int]] = []
    keep(opened(folder), base, tmp_path / "kept", base="tiny", told=lambda *now: told.append(now))
    asked = dict(base.asked)
    assert told == [(2, 9), (4, 9), (5, 9), (7, 9), (9, 9)]
    other_hints = opened(folder, condition="softedge")
    again = keep(other_hints, base, tmp_path / "kept", base="tiny")
    assert base.asked == asked, "hints are no part of it"
    assert again.moments(4).shape == (8, 8, 8)


def test_a_run_that_was_cut_goes_on_where_it_was(
    folder: Path, base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latents, "SHARD", 2)
    whole = keep(opened(folder), base, tmp_path / "whole", base="tiny")

    class Cut(Base):
        def moments(self, pictures: torch.Tensor) -> torch.Tensor:
            if self.asked[MOMENTS] >= 2:
                raise KeyboardInterrupt
            return super().moments(pictures)

    cut = Cut.__new__(Cut)
    cut.__dict__.update(base.__dict__, asked={MOMENTS: 0, STATES: 0})
    with pytest.raises(KeyboardInterrupt):
        keep(opened(folder), cut, tmp_path / "kept", base="tiny")
    base.asked = {MOMENTS: 0, STATES: 0}
    kept = keep(opened(folder), base, tmp_path / "kept", base="tiny")
    assert base.asked[MOMENTS] == COUNT - 2
    assert all(torch.equal(kept.moments(index), whole.moments(index)) for index in range(COUNT))


def test_a_damaged_file_is_made_again(
    folder: Path, base: Base, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = keep(opened(folder), base, tmp_path / "kept", base="tiny")
    before = kept.moments(3)
    path = kept.folder / f"{MOMENTS}-000000.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    again = keep(opened(folder), base, tmp_path / "kept", base="tiny")
    assert torch.equal(again.moments(3), before)
    assert "damaged" in caplog.text


@pytest.mark.parametrize("change", ["size", "prompt", "picture", "base", "dtype"])
def test_nothing_is_taken_from_another_set_or_base(
    folder: Path, base: Base, tmp_path: Path, change: str
) -> None:
    first = keep(opened(folder), base, tmp_path / "kept", base="tiny")
    if change == "prompt":
        (folder / "0.txt").write_text("something else")
    if change == "picture":
        Image.fromarray(np.zeros((64, 80, 3), np.uint8)).save(folder / "0.png")
    second = keep(
        opened(folder, size=72 if change == "size" else 64),
        base,
        tmp_path / "kept",
        base="other" if change == "base" else "tiny",
        dtype=torch.float32 if change == "dtype" else torch.float16,
    )
    assert second.folder != first.folder
    assert base.asked[MOMENTS] == 2 * COUNT


def test_the_fingerprint_of_a_base_changes_with_any_weight(base: Base) -> None:
    before = fingerprint(base.vae.autoencoder, base.text.encoder)
    assert fingerprint(base.vae.autoencoder, base.text.encoder) == before
    bias = base.vae.autoencoder.quant_conv.bias
    with torch.no_grad():
        bias[0] += 1e-3
    assert fingerprint(base.vae.autoencoder, base.text.encoder) != before


def test_what_is_fitted_to_the_weights_is_no_part_of_the_fingerprint(base: Base) -> None:
    """The map for previews comes out a little different in each process: what was kept would be of no use."""
    before = fingerprint(base.vae)
    base.vae.rgb.mul_(1.001)
    assert fingerprint(base.vae) == before


@pytest.mark.parametrize("settings", [{"flip": True}, {"crop": "random"}])
def test_pictures_that_vary_are_not_kept(
    folder: Path, base: Base, tmp_path: Path, settings: dict[str, object]
) -> None:
    with pytest.raises(ArmatureError, match="PARAM_CHOICE"):
        keep(opened(folder, **settings), base, tmp_path / "kept", base="tiny")
