"""From a `Param` to a Gradio component: the only place that knows both."""

from typing import Any

import gradio as gr
from gradio.components import Component

from params import Param

WIDEST_SLIDER = 10_000  # beyond this a slider can't be set to one number, and a number box serves better


def widget(param: Param, **options: Any) -> Component:
    """The component of a declared control; its `elem_id` defaults to the name."""
    common: dict[str, Any] = {
        "value": param.default,
        "label": param.label,
        "info": param.help,
        "elem_id": param.name,
    }
    match param.kind:
        case "integer" | "number" if (param.maximum or 0) - (param.minimum or 0) > WIDEST_SLIDER:
            return gr.Number(**common | {"precision": 0} | options)
        case "integer" | "number":
            span = {"minimum": param.minimum, "maximum": param.maximum, "step": param.step}
            return gr.Slider(**common | span | options)
        case "switch":
            return gr.Checkbox(**common | options)
        case "choice":
            labelled = list(zip(param.labels or param.choices, param.choices, strict=True))
            return gr.Dropdown(**common | {"choices": labelled} | options)
        case "text" if param.choices:
            suggested = {"choices": list(param.choices), "allow_custom_value": True}
            return gr.Dropdown(**common | suggested | options)
        case "text":
            return gr.Textbox(**common | {"lines": param.lines, "max_length": param.length} | options)


def showing(button: gr.Button, *, when: bool = True, **options: Any) -> Any:
    """Show a button, or hide it. Gradio forgets what stands on one that was hidden from the start."""
    return gr.update(value=button.value, visible=when, **options)
