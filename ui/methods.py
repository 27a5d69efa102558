"""What the tabs share about annotators: their names in a list, and their settings in groups."""

from collections.abc import Iterable, Mapping
from html import escape

import gradio as gr
from gradio.components import Component

from annotators import Annotator
from ui.controls import widget

Values = Mapping[str, Mapping[str, Component]]
Groups = Mapping[str, gr.Group]


def named(method: Annotator) -> str:
    """An annotator in a list; which ones need files of their own is said before one is chosen."""
    return f"{method.label} (needs a download)" if method.is_fetched else method.label


def settings(
    methods: Iterable[Annotator], prefix: str, *, shown: str = "", titled: bool = False
) -> tuple[Values, Groups]:
    """Widgets by annotator and name, in a group for each annotator that has any; only `shown` is visible.

    A title says whose settings they are, where several may be seen.
    """
    values: dict[str, dict[str, Component]] = {}
    groups: dict[str, gr.Group] = {}
    for method in methods:
        if not method.params:
            continue
        with gr.Group(visible=method.name == shown, elem_classes="settings") as group:
            if titled:
                gr.HTML(f"<p>{escape(method.label)}</p>", elem_classes="whose")
            values[method.name] = {
                param.name: widget(param, elem_id=f"{prefix}-{method.name}-{param.name}")
                for param in method.params
            }
        groups[method.name] = group
    return values, groups
