"""The stack of controls: what was sent is kept as it was, and what stands on the page is checked."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from annotators.base import Pixels
from conditions import CONDITIONS
from errors import ArmatureError
from gate import LIMITS
from pipelines.pictures import PictureStore
from pipelines.request.composing import compose
from pipelines.request.controls import MOST_CONTROLS
from pipelines.request.intake import Desk, Draft
from ui.stack import Sent, Stack, all_placed, layer, send, told

RUN = {"prompt": "a house", "steps": 4, "seed": 11}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return Desk(PictureStore(tmp_path / "pictures"), LIMITS["local"])


def plain(value: int) -> Pixels:
    """A picture of one grey, RGB uint8 (128, 128, 3)."""
    return np.full((128, 128, 3), value, np.uint8)


def sent(
    desk: Desk, stack: Stack, page: Any, condition: str, *, grey: int = 9, values: Any = None, **unit: Any
) -> Sent:
    """A map of one grey on the stack."""
    draft = Draft(
        condition=CONDITIONS[condition],
        annotator=CONDITIONS[condition].annotators[0],
        values=values or {},
        map=plain(grey),
        data=None,
        notices=(),
    )
    return send(desk, stack, page, draft, Path(f"{condition}.png"), unit)


def standing(stack: Stack) -> dict[str, Any]:
    """The value of the cards once the page has seen all that was sent."""
    cards = told(stack)["sent"]
    entries = [
        {"id": card["id"], "muted": False, "region": None, "values": dict(card["values"])} for card in cards
    ]
    return {"sent": cards, "controls": entries}


def titles(stack: Stack, page: Any) -> list[str]:
    return [placed.sent.card["title"] for placed in all_placed(stack, page)]


def refusal(stack: Stack, page: Any) -> str:
    """The code with which a value of the page is refused."""
    with pytest.raises(ArmatureError) as refused:
        all_placed(stack, page)
    return refused.value.code.name


def test_what_is_sent_stands_last_even_before_the_page_has_seen_it(desk: Desk) -> None:
    stack = Stack()
    sent(desk, stack, {}, "canny")
    sent(desk, stack, told(stack), "depth", control="mine")
    assert titles(stack, told(stack)) == ["Canny", "Depth · mine"]
    page = standing(stack)
    page["controls"].reverse()
    sent(desk, stack, page, "tile")
    assert titles(stack, page) == ["Depth · mine", "Canny", "Tile"]


def test_what_was_removed_on_the_page_is_forgotten(desk: Desk) -> None:
    stack = Stack()
    for condition in ("canny", "depth"):
        sent(desk, stack, told(stack), condition)
    page = standing(stack)
    del page["controls"][0]
    assert titles(stack, page) == ["Depth"]
    sent(desk, stack, page, "tile")
    assert [card["title"] for card in told(stack)["sent"]] == ["Depth", "Tile"]


def test_a_control_keeps_all_that_it_came_from_and_takes_what_the_card_says(desk: Desk) -> None:
    stack = Stack()
    first = sent(desk, stack, {}, "canny", grey=40, values={"low_threshold": 7}, strength=0.5, mode="prompt")
    assert first.card["values"] == {"strength": 0.5, "start": 0.0, "end": 1.0, "mode": "prompt"}
    assert first.card["size"] == (128, 128)
    page = standing(stack)
    region = np.zeros((256, 256, 3), np.uint8)
    region[:, :128] = 255
    buffer = io.BytesIO()
    Image.fromarray(region).save(buffer, format="PNG")
    packed = base64.b64encode(buffer.getvalue()).decode()
    page["controls"][0] |= {"region": f"data:image/png;base64,{packed}"}
    page["controls"][0]["values"] |= {"strength": 1.25, "end": 0.5}
    (placed,) = all_placed(stack, page)
    request = compose(desk, [layer(desk, placed)], family="pocket", values=RUN)
    (unit,) = request.controls
    assert (unit.condition, unit.annotator, unit.values) == ("canny", "canny", {"low_threshold": 7})
    assert (unit.strength, unit.end, unit.mode) == (1.25, 0.5, "prompt")
    assert np.array_equal(desk.kept(unit.map), plain(40))
    assert unit.region is not None
    assert np.array_equal(desk.kept(unit.region)[0, :, 0], np.repeat(np.array([255, 0], np.uint8), 64))


def test_a_control_out_of_bounds_is_refused(desk: Desk) -> None:
    stack = Stack()
    sent(desk, stack, {}, "canny")
    page = standing(stack)
    page["controls"][0]["values"]["strength"] = 7
    layers = [layer(desk, placed) for placed in all_placed(stack, page)]
    with pytest.raises(ArmatureError, match="Control strength") as refused:
        compose(desk, layers, family="pocket", values=RUN)
    assert refused.value.code.name == "PARAM_RANGE"
    with pytest.raises(ArmatureError, match="Control strength"):
        sent(desk, stack, page, "canny", strength="much")


def test_muted_is_muted(desk: Desk) -> None:
    stack = Stack()
    sent(desk, stack, {}, "canny")
    page = standing(stack)
    page["controls"][0]["muted"] = True
    assert [placed.muted for placed in all_placed(stack, page)] == [True]


def test_a_full_stack_takes_no_more(desk: Desk) -> None:
    stack = Stack()
    for _ in range(MOST_CONTROLS):
        sent(desk, stack, told(stack), "canny")
    with pytest.raises(ArmatureError, match="Compose is full") as refused:
        sent(desk, stack, standing(stack), "canny")
    assert refused.value.code.name == "PARAM_RANGE"


def test_a_stack_that_is_none_is_refused(desk: Desk) -> None:
    stack = Stack()
    sent(desk, stack, {}, "canny")
    page = standing(stack)
    assert refusal(stack, page | {"controls": [{"id": "0" * 16, "values": {}}]}) == "INPUT_GONE"
    assert refusal(stack, page | {"controls": {}}) == "PARAM_TYPE"
    assert refusal(stack, page | {"controls": [[]]}) == "PARAM_TYPE"
    assert refusal(stack, page | {"controls": [{"id": ["a"]}]}) == "PARAM_TYPE"
    assert refusal(stack, page | {"sent": "all"}) == "PARAM_TYPE"
    assert refusal(stack, {**page, "controls": [{"id": page["sent"][0]["id"]}]}) == "PARAM_TYPE"
    assert titles(stack, "nonsense") == ["Canny"]
