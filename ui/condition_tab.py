"""One tab: a picture goes in, its map comes out, and Generate follows it. Made from one `Condition`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from annotators import Annotator
from conditions import Condition
from pipelines.request.controls import CONTROL, UNIT_PARAMS
from pipelines.request.intake import TYPED
from ui.brush import mask_brush
from ui.controls import widget
from ui.methods import named, settings
from ui.own_map import OwnMap, own_map
from ui.uploads import uploaded

Raw = Mapping[Component, Any]
FAMILYS_OWN = "The model's own"
# What all tabs share has changed: those that show something look again. The others don't, since each tab's
# event costs the browser a tenth of a second.
AGAIN = """
document.addEventListener('armature:moved', () => {
    const tab = element.closest('[role=tabpanel]');
    const typed = tab.querySelector('.typed textarea');
    if (tab.querySelector('.source img') || (typed && typed.value)) trigger('again');
});
"""
MOVED = "() => { document.dispatchEvent(new Event('armature:moved')); }"
PAINT_HERE = "Bring a picture, and paint over the part that is to be made new."


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionTab:
    """The components of one tab. `values` are the settings of each annotator, by annotator and name.

    A tab that needs a mask has a `brush`, for its own picture.
    """

    condition: Condition
    picture: gr.Image
    typed: gr.Textbox
    map: gr.Image
    example: gr.Button
    brush: gr.HTML | None
    own: OwnMap
    row: gr.Row
    annotator: gr.Dropdown
    values: Mapping[str, Mapping[str, Component]]
    groups: Mapping[str, gr.Group]
    unit: Mapping[str, Component]
    annotate: gr.Button
    generate: gr.Button
    send: gr.Button
    sent: gr.HTML
    notes: gr.HTML
    missing: gr.HTML
    lack: gr.HTML
    get_method: gr.Button
    get_model: gr.Button

    @property
    def marks(self) -> list[Component]:
        """What says what the tab lacks, and which controls there are."""
        return [self.generate, self.missing, self.lack, self.unit[CONTROL.name]]

    @property
    def marked(self) -> set[Component]:
        """What decides on these."""
        return {self.annotator, *self.own.switches, self.unit[CONTROL.name]}

    @property
    def settings(self) -> list[Component]:
        """Everything that changes the map when it is moved."""
        return [component for group in self.values.values() for component in group.values()]

    @property
    def inputs(self) -> set[Component]:
        """All that a handler of this tab reads."""
        return set(self.ordered)

    @property
    def ordered(self) -> list[Component]:
        """The same, always in one order."""
        return [
            *(self.picture, *((self.brush,) if self.brush else ()), self.typed),
            *(*self.own.parts, self.annotator),
            *(*self.settings, *self.unit.values()),
        ]

    def own_picture(self, raw: Raw) -> Path | None:
        """The file of the picture that was brought, if any."""
        return None if raw[self.picture] is None else uploaded(raw[self.picture])

    def painting(self, raw: Raw) -> object:
        """The raw value of the brush over its picture; None where it has no brush."""
        return None if self.brush is None else raw[self.brush] or {}

    def method(self, raw: Raw) -> str:
        """The annotator that makes the map: one for ready maps, or the one that was chosen."""
        return self.own.method(raw) or raw[self.annotator]

    def annotator_values(self, raw: Raw) -> dict[str, Any]:
        """The settings of the annotator that makes the map."""
        return {name: raw[part] for name, part in self.values.get(self.method(raw), {}).items()}

    def unit_values(self, raw: Raw) -> dict[str, Any]:
        """Strength and window of the control."""
        return {name: raw[part] for name, part in self.unit.items()}


def condition_tab(condition: Condition, begun: Annotator) -> ConditionTab:
    """Lay out the tab of a condition, which begins with an annotator; wiring is the studio's business."""
    name = condition.name
    methods = condition.making or condition.taking("map")
    first = begun if begun in methods else methods[0]
    with gr.Column(elem_classes="structure"):
        gr.HTML(f"<p>{condition.help}</p>", elem_classes="lead")
        with gr.Row(elem_classes="pair"):
            picture = gr.Image(
                label="Your picture",
                type="filepath",
                image_mode=None,
                sources=["upload", "clipboard", "webcam"],
                format="png",
                elem_id=f"{name}-picture",
                elem_classes="source",
                placeholder="Drop a picture here\nor click to choose one",
            )
            map_image = gr.Image(
                label="The map that the model follows",
                interactive=False,
                visible=condition.needs != "mask",
                format="png",
                buttons=["download", "fullscreen"],
                elem_id=f"{name}-map",
                elem_classes="map",
            )
            brush = mask_brush(f"{name}-mask", empty=PAINT_HERE) if condition.needs == "mask" else None
        example = gr.Button("Try an example", size="sm", elem_id=f"{name}-example", elem_classes="example")
        own = own_map(condition)
        typed = _typed_box(condition, first)
        notes = gr.HTML(js_on_load=AGAIN, elem_id=f"{name}-notes", elem_classes="told")
        with gr.Row(elem_classes="method", visible=not first.keeps) as row:
            annotator = gr.Dropdown(
                [(named(method), method.name) for method in methods],
                value=first.name,
                label="Take the structure with",
                interactive=len(methods) > 1,
                elem_id=f"{name}-annotator",
            )
            annotate = gr.Button("Annotate", elem_id=f"{name}-annotate", scale=0, min_width=120)
        lack = gr.HTML(elem_id=f"{name}-lack", elem_classes="told")
        get_method = gr.Button("Get its files…", elem_id=f"{name}-get-method", elem_classes="get")
        values, groups = settings(methods, name, shown=first.name)
        with gr.Accordion("Control", open=False):
            unit = {
                param.name: _own_controls(name)
                if param is CONTROL
                else widget(param, elem_id=f"{name}-{param.name}")
                for param in UNIT_PARAMS
            }
    with gr.Column(elem_classes="go"):
        with gr.Row(elem_classes="deeds"):
            generate = gr.Button("Generate", variant="primary", size="lg", elem_id=f"{name}-generate")
            send = gr.Button("Send to Compose", size="lg", scale=0, min_width=170, elem_id=f"{name}-send")
        sent = gr.HTML(elem_id=f"{name}-sent", elem_classes="told")
        missing = gr.HTML(elem_id=f"{name}-missing", elem_classes="told")
        get_model = gr.Button("Get the model…", elem_id=f"{name}-get-model", elem_classes="get")
    return ConditionTab(
        condition=condition,
        picture=picture,
        typed=typed,
        map=map_image,
        example=example,
        brush=brush,
        own=own,
        row=row,
        annotator=annotator,
        values=values,
        groups=groups,
        unit=unit,
        annotate=annotate,
        generate=generate,
        send=send,
        sent=sent,
        notes=notes,
        missing=missing,
        lack=lack,
        get_method=get_method,
        get_model=get_model,
    )


def still(chosen: object, choices: Sequence[tuple[str, Any]]) -> Any:
    """What was chosen, for as long as it can be; else the first there is."""
    values = [value for _, value in choices]
    return chosen if chosen in values else values[0]


def _own_controls(name: str) -> gr.Dropdown:
    """Which control steers; there to see once there are controls of the user's own."""
    return gr.Dropdown(
        [(FAMILYS_OWN, CONTROL.default)],
        value=CONTROL.default,
        label=CONTROL.label,
        info="The one of the model, or one of your own.",
        visible=False,
        elem_id=f"{name}-{CONTROL.name}",
    )


def _typed_box(condition: Condition, first: Annotator) -> gr.Textbox:
    """Where a text or a pose goes in; there on every tab, shown while the annotator starts from one."""
    sources = [method.source for method in condition.available_annotators if method.source in TYPED]
    source = sources[0] if sources else "text"
    return gr.Textbox(
        label=TYPED[source],
        lines=4 if source == "pose" else 1,
        max_lines=12,
        visible=first.source in TYPED,
        elem_id=f"{condition.name}-typed",
        elem_classes="typed",
    )
