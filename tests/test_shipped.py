"""The family that ships: which tabs it serves, and that the others say so before anything runs."""

import json
from pathlib import Path

import pytest

import cli
import gate
from conditions import CONDITIONS
from errors import ArmatureError
from models.catalogue import POCKET
from models.device import choose
from models.store import Store
from pipelines import home
from pipelines.cache import ModelCache
from pipelines.generate import generate
from pipelines.pictures import PictureStore
from pipelines.request import ControlUnit, GenerateRequest, Result
from tests.conftest import drawn_map

SHIPPED = Path(__file__).parents[1] / "weights"
WITHOUT_CONTROL = ("lineart_anime", "shuffle", "ip2p", "qr")


def test_the_built_in_family_serves_eleven_tabs_and_says_that_it_does_not_serve_the_others() -> None:
    store = Store(SHIPPED)
    lacking = {name: home.lacking(store, "pocket", name) for name in CONDITIONS}
    assert tuple(name for name, words in lacking.items() if words) == WITHOUT_CONTROL
    for name in WITHOUT_CONTROL:
        assert f"Pocket has no control for {CONDITIONS[name].title}" in lacking[name]
        assert "allowed: Stable Diffusion 1.5" in lacking[name]
        assert "Choose another model family or another tab" in lacking[name]


@pytest.mark.parametrize("name", WITHOUT_CONTROL)
def test_the_command_line_says_so_before_it_opens_the_picture(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code = cli.main(
        [
            *("generate", "--condition", name, "--model", "pocket", "--image", str(tmp_path / "gone.png")),
            *("--prompt", "x", "--out", str(out), "--weights", str(SHIPPED), "--json"),
        ]
    )
    error = json.loads(capsys.readouterr().out)["error"]
    assert (code, error["code"]) == (1, "MODEL_MISSING")
    assert f"Pocket has no control for {CONDITIONS[name].title}" in error["message"]
    assert not out.exists()


def test_it_makes_every_multiple_of_64_from_128_to_512_and_no_other_size(tmp_path: Path) -> None:
    bounds = {"multiple": POCKET.multiple, "smallest": POCKET.smallest, "largest": POCKET.largest}
    sides = range(128, 513, 64)
    for side in sides:
        assert gate.check_size(f"{side}x{sides[-1]}", **bounds) == (side, 512, ())
    assert gate.check_size("200x128", **bounds)[:2] == (192, 128)
    for size in ("64x128", "128x576"):
        with pytest.raises(ArmatureError, match="sides from 128 to 512"):
            gate.check_size(size, **bounds)
    pictures = PictureStore(tmp_path)
    cache = ModelCache(Store(SHIPPED), pictures, choose("cpu"))
    for width, height in ((128, 512), (448, 128)):
        unit = ControlUnit(condition="canny", map=pictures.put(drawn_map(width, height)))
        request = GenerateRequest(
            prompt="a house", controls=(unit,), width=width, height=height, steps=1, seed=1
        )
        *_, result = generate(request, cache)
        assert isinstance(result, Result)
        assert result.images[0].shape == (height, width, 3)


def test_nothing_in_it_names_a_place_on_the_machine_that_made_it() -> None:
    texts = [path for path in (SHIPPED / "pocket").rglob("*") if path.suffix in (".json", ".md")]
    assert len(texts) > 10
    for path in texts:
        assert "_name_or_path" not in (text := path.read_text("utf-8")), path
        assert "/tmp" not in text, path
