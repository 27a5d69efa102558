"""The switch for ready maps: guessed for a new picture, and left to the visitor from then on."""

import asyncio
from typing import Any

import gradio as gr
import numpy as np
import pytest

from annotators.looking import Look
from conditions import CONDITIONS
from ui.condition_tab import ConditionTab, condition_tab
from ui.own_map import OwnMap

MAP, NEGATIVE = Look(is_map=True, seen="lines"), Look(is_map=True, seen="dark lines", negative=True)
SCENE, PAPER = Look(), Look(negative=True)
Stand = tuple[bool, bool, str]


async def laid_out(*here: str) -> dict[str, ConditionTab]:
    """Every tab, where some annotators are here, or all.

    Gradio would leave an event loop behind if it had to make one for its page.
    """
    with gr.Blocks():
        return {
            name: condition_tab(condition, condition.first(lambda name: not here or name in here))
            for name, condition in CONDITIONS.items()
        }


@pytest.fixture(scope="module")
def tabs() -> dict[str, ConditionTab]:
    return asyncio.run(laid_out())


@pytest.fixture
def canny(tabs: dict[str, ConditionTab]) -> OwnMap:
    return tabs["canny"].own


def after(own: OwnMap, before: Stand, picture: str, look: Look | None) -> Stand:
    """How the two switches and the picture that they speak of stand after an event."""
    raw: dict[Any, Any] = dict(zip(own.parts, before, strict=True))
    switch, inverted, judged = own.of(raw, picture, look).values()
    return switch, inverted, judged


@pytest.mark.parametrize(
    ("before", "picture", "look", "stands"),
    [
        pytest.param((False, False, ""), "a", SCENE, (False, False, "a"), id="a scene"),
        pytest.param((False, False, ""), "a", MAP, (True, False, "a"), id="a map"),
        pytest.param((False, False, ""), "a", NEGATIVE, (True, True, "a"), id="a negative map"),
        pytest.param((False, False, ""), "a", PAPER, (False, True, "a"), id="paper, for whoever says map"),
        pytest.param((False, False, "a"), "a", MAP, (False, False, "a"), id="switched off stays off"),
        pytest.param((True, False, "a"), "a", SCENE, (True, False, "a"), id="switched on stays on"),
        pytest.param((True, False, "a"), "a", NEGATIVE, (True, False, "a"), id="inversion taken back"),
        pytest.param((True, True, "a"), "b", SCENE, (False, False, "b"), id="another picture is a new guess"),
        pytest.param((False, False, "a"), "b", MAP, (True, False, "b"), id="and may be a map"),
        pytest.param((True, False, ""), "", None, (True, False, ""), id="switched on before any picture"),
        pytest.param((True, False, ""), "a", SCENE, (True, False, "a"), id="holds for the one that comes"),
        pytest.param((True, False, ""), "a", PAPER, (True, True, "a"), id="turned the right way round"),
        pytest.param((True, True, "a"), "", None, (False, False, ""), id="a picture taken away"),
    ],
)
def test_the_switches_stand(
    canny: OwnMap, before: Stand, picture: str, look: Look | None, stands: Stand
) -> None:
    assert after(canny, before, picture, look) == stands


def test_nothing_is_turned_where_dark_lines_are_right(tabs: dict[str, ConditionTab]) -> None:
    for name in ("qr", "depth", "seg"):
        assert after(tabs[name].own, (False, False, ""), "a", NEGATIVE) == (True, False, "a")


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_tab_has_the_switch_and_it_names_an_annotator(name: str, tabs: dict[str, ConditionTab]) -> None:
    tab, condition = tabs[name], CONDITIONS[name]
    raw: dict[Any, Any] = {part: part.value for part in tab.ordered}
    assert tab.own.switch.label == "My picture is already a map"
    taken = tab.method(raw | {tab.own.switch: True})
    assert taken == "none"
    if condition.taking("negative"):
        assert tab.method(raw | {tab.own.switch: True, tab.own.inverted: True}) == "invert"
    if condition.making:
        assert tab.own.switch.interactive
        assert not tab.own.switch.value
        assert tab.method(raw) == tab.annotator.value
        assert {value for _, value in tab.annotator.choices}.isdisjoint({"none", "invert"})
    else:
        assert not tab.own.switch.interactive, "there is nothing else to do with a picture here"
        assert tab.own.switch.value
        assert tab.method(raw | {tab.own.switch: False}) == "none"


def test_a_tab_starts_with_what_takes_a_picture(tabs: dict[str, ConditionTab]) -> None:
    assert tabs["openpose"].annotator.value == "openpose"
    assert tabs["depth"].annotator.value == "depth_anything"
    assert tabs["qr"].annotator.value == "qr"
    assert tabs["qr"].typed.visible
    assert not tabs["openpose"].typed.visible


def test_a_tab_begins_with_what_is_here() -> None:
    tabs = asyncio.run(laid_out("pocket_seg"))
    assert tabs["seg"].annotator.value == "pocket_seg"
    assert [value for _, value in tabs["seg"].annotator.choices] == [
        "seg_upernet",
        "seg_oneformer",
        "pocket_seg",
    ]


def shown(own: OwnMap, before: Stand, picture: str, look: Look | None) -> tuple[dict[str, Any], ...]:
    """What an event changes about the two switches on the page."""
    raw: dict[Any, Any] = dict(zip(own.parts, before, strict=True))
    changes = own.shown(raw, own.of(raw, picture, look), look)
    return changes[own.switch], changes[own.inverted]


def test_it_says_why(canny: OwnMap) -> None:
    why, turning = shown(canny, (False, False, ""), "a", MAP)
    assert why["info"] == "It looks like one: lines."
    assert turning["visible"]
    why, turning = shown(canny, (False, False, ""), "a", NEGATIVE)
    assert (
        why["info"]
        == "It looks like one: dark lines. The model follows the reverse, so it is shown inverted."
    )
    assert turning["value"] is True
    why, turning = shown(canny, (False, False, ""), "a", SCENE)
    assert "for maps drawn by hand" in why["info"]
    assert not turning["visible"]
    why, _ = shown(canny, (True, False, "a"), "a", NEGATIVE)
    assert why["info"] == "It looks like one: dark lines."


def test_a_switch_that_stands_is_not_touched(canny: OwnMap) -> None:
    """What a slider's event answers must not undo a click that came meanwhile."""
    for change in shown(canny, (True, True, "a"), "a", MAP):
        assert "value" not in change


def test_where_every_picture_is_a_map_it_says_so(tabs: dict[str, ConditionTab]) -> None:
    look = CONDITIONS["ip2p"].kind.look(np.zeros((9, 9, 3), np.uint8))
    why, _ = shown(tabs["ip2p"].own, (True, False, ""), "a", look)
    assert why["info"] == "Here the model follows the picture itself."


def test_a_strange_value_is_off(canny: OwnMap) -> None:
    assert after(canny, ("yes", None, None), "a", SCENE) == (False, False, "a")  # type: ignore[arg-type]
