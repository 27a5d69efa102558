"""Every declared control becomes the right component, with the bounds that the server checks."""

import gradio as gr
import pytest

from annotators import ANNOTATORS
from params import Param
from pipelines.request.controls import NEGATIVE_PROMPT, PROMPT, RUN_PARAMS, SCHEDULER, SEED, SIZE, UNIT_PARAMS
from ui.controls import widget

ALL = [PROMPT, NEGATIVE_PROMPT, *UNIT_PARAMS, *RUN_PARAMS] + [
    param for annotator in ANNOTATORS.values() for param in annotator.params
]


@pytest.mark.parametrize("param", ALL, ids=lambda param: param.name)
def test_a_widget_starts_at_the_default_and_is_named(param: Param) -> None:
    component = widget(param)
    assert component.value == param.default
    assert component.elem_id == param.name
    assert component.label == param.label


@pytest.mark.parametrize(
    "param",
    [param for param in ALL if param.maximum is not None and param.name != SEED.name],
    ids=lambda param: param.name,
)
def test_a_slider_ends_where_the_check_does(param: Param) -> None:
    slider = widget(param)
    assert isinstance(slider, gr.Slider)
    assert (slider.minimum, slider.maximum, slider.step) == (param.minimum, param.maximum, param.step)


def test_a_range_too_wide_for_a_slider_is_a_number_box() -> None:
    assert isinstance(widget(SEED), gr.Number)


def test_a_choice_shows_labels_and_sends_names() -> None:
    dropdown = widget(SCHEDULER)
    assert isinstance(dropdown, gr.Dropdown)
    assert ("DPM++ 2M Karras", "dpmpp_2m_karras") in dropdown.choices


def test_a_text_with_suggestions_takes_other_text_too() -> None:
    dropdown = widget(SIZE)
    assert isinstance(dropdown, gr.Dropdown)
    assert dropdown.allow_custom_value


def test_a_switch_is_a_checkbox() -> None:
    switch = Param(name="safe", label="Safe", kind="switch", default=True, help="Three grey levels.")
    component = widget(switch, elem_id="other")
    assert isinstance(component, gr.Checkbox)
    assert component.value is True
    assert component.elem_id == "other"
