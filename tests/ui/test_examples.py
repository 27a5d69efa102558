"""The examples of the tabs: what ships, that it is ours, and that each tab has something to make of it."""

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from annotators.base import Pixels
from conditions import CONDITIONS
from gate import LIMITS
from models.catalogue import FAMILIES
from models.store import Store
from pipelines import home
from pipelines.pictures import PictureStore
from pipelines.request.intake import Desk
from scripts import examples as drawing
from ui.examples import EXAMPLES, FOLDER, is_example, tried

SHIPPED = Path(__file__).parents[2] / "weights"
BYTES = 400_000


def read(path: Path) -> Pixels:
    """RGB uint8 (H, W, 3)."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk with the weights that ship."""
    lack = partial(home.annotator_lack, Store(SHIPPED))
    return Desk(PictureStore(tmp_path / "pictures"), LIMITS["local"], lack=lack)


def test_every_tab_has_an_example_and_there_are_no_others() -> None:
    assert list(EXAMPLES) == list(CONDITIONS)
    pictures = {example.picture for example in EXAMPLES.values() if example.picture}
    assert pictures == set(FOLDER.iterdir())
    assert sum(path.stat().st_size for path in pictures) < BYTES


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_tab_begins_with_what_its_example_is(name: str, desk: Desk) -> None:
    example, method = EXAMPLES[name], desk.first(CONDITIONS[name])
    assert example.prompt
    assert (method.source == "picture") is (example.picture is not None)
    assert (method.source == "text") is bool(example.text)
    if example.picture is None:
        draft = desk.draft(name, None, typed=example.text, family="pocket")
    elif method.weights:
        return  # the engine runs it: below, and in tests/e2e
    else:
        draft = desk.draft(name, desk.picture(example.picture), family="pocket")
    assert draft.map.std() > 5


@pytest.mark.parametrize("name", ["openpose", "depth", "normal", "seg"])
def test_the_built_in_network_finds_something_in_its_example(name: str, tmp_path: Path) -> None:
    """The tabs that need a network have a built-in one: what it makes of the example is no empty map."""
    from annotators import annotate
    from annotators.base import Network

    method = CONDITIONS[name].first(lambda name: name.startswith("pocket_"))
    picture = EXAMPLES[name].picture
    assert method.load is not None
    assert picture is not None
    files = tuple(SHIPPED / weight.subfolder / weight.file for weight in method.weights)
    network: Network = method.load(files)
    found = annotate(method.name, read(picture), networks=lambda _: network)
    assert found.map.std() > 5
    if name == "openpose":
        assert len(found.data["people"]) >= 1  # type: ignore[index]


def test_the_pictures_are_drawn_by_this_project_and_none_was_learnt() -> None:
    drawn = [example for example in EXAMPLES.values() if example.seed is not None][:2]
    for example in drawn:
        assert example.seed is not None
        assert example.picture is not None
        difference = np.abs(read(example.picture).astype(int) - drawing.drawn(example.seed))
        assert difference.mean() < 6, "only what the packing of a WebP costs"


def test_the_built_in_family_knows_every_word_of_the_prompts_for_its_controls() -> None:
    tokens = json.loads((SHIPPED / "pocket/base/tokenizer/tokenizer.json").read_text("utf-8"))
    known = set(tokens["model"]["vocab"])
    for name, example in EXAMPLES.items():
        if FAMILIES["pocket"].name in CONDITIONS[name].controls:
            words = example.prompt.replace(",", " ").split()
            assert [word for word in words if f"{word}</w>" not in known] == [], name


def test_one_click_fills_the_tab_and_takes_back_what_was_chosen(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    condition, prompt = CONDITIONS["canny"], "prompt"
    tab: Any = SimpleNamespace(
        condition=condition,
        picture="picture",
        typed="typed",
        annotator="annotator",
        own=SimpleNamespace(switch="switch"),
    )
    shown = tried(tab, desk.first(condition), prompt)  # type: ignore[arg-type]
    path = Path(shown.pop("picture"))
    assert shown == {
        "typed": "",
        "annotator": "canny",
        "switch": False,
        "prompt": EXAMPLES["canny"].prompt,
    }
    assert path.is_relative_to(get_upload_folder())
    assert is_example("canny", {"path": str(path)})
    assert not is_example("depth", {"path": str(path)})
    assert not is_example("canny", None)
