"""The panel that all tabs share: prompt, settings, progress and results. Changing tab keeps it as it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.components import Component

from params import Param
from pipelines.request.controls import ADVANCED_PARAMS, NEGATIVE_PROMPT, PROMPT, RUN_PARAMS, SAFETY, VAE
from pipelines.request.intake import Desk
from pipelines.request.presets import PRESETS
from ui.controls import widget
from ui.fetching import Box, box
from ui.presets import preset_buttons
from ui.shown import Shown
from ui.start import Start

MODELS_OWN = "The model's own"
# A reload, or another visit, finds the job again: that of this tab, or the last one of this browser.
REMEMBER = """
watch('value', () => {
    const job = element.querySelector('[data-job]')?.dataset.job;
    if (job) { sessionStorage.setItem('armature-job', job); localStorage.setItem('armature-job', job); }
});
"""


@dataclass(slots=True)
class Board:
    """What one open page shows: its newest job, and the pictures of all that it has seen end, newest first.

    Gradio keeps one for each page and hands that same one to every event, so that two jobs that run at once
    find each other's pictures in it.
    """

    job: str = ""
    pictures: list[Shown] = field(default_factory=list)
    best_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The shared components. `values` are the declared controls; `board` belongs to one open page."""

    values: Mapping[str, Component]
    start: Start
    model: gr.Dropdown
    progress: gr.HTML
    cancel: gr.Button
    stop: gr.Button
    gallery: gr.Gallery
    best_first: gr.Checkbox
    info: gr.HTML
    remembered: gr.Textbox
    board: gr.State
    weights: Box

    @property
    def inputs(self) -> set[Component]:
        """All that a generation reads from the panel."""
        return {self.model, *self.values.values(), *self.start.ordered}

    @property
    def outputs(self) -> list[Component]:
        """All that a running job changes."""
        return [self.progress, self.cancel, self.stop, self.gallery, self.best_first, self.info]

    def run_values(self, raw: Mapping[Component, Any]) -> dict[str, Any]:
        """Prompt and settings, raw, by name."""
        return {name: raw[component] for name, component in self.values.items()}


def panel(desk: Desk, family: str) -> Panel:
    """Lay the panel out, with the declared controls within the bounds of the desk's profile."""
    controls = {param.name: param for param in desk.controls}
    usual = PRESETS["usual"].values(family)
    with gr.Column(elem_id="prompts"):
        values = {
            PROMPT.name: widget(
                controls[PROMPT.name],
                info=None,
                placeholder="What the picture shows: “a house at sunset, watercolour”",
            ),
            NEGATIVE_PROMPT.name: widget(
                controls[NEGATIVE_PROMPT.name],
                info=None,
                lines=1,
                placeholder="What it should not show (optional)",
            ),
        }
        start = Start(desk)
    with gr.Column(elem_id="results"):
        weights = box()
        with gr.Row():
            stop = gr.Button("Stop, keep what is finished", visible=False, elem_id="stop")
            cancel = gr.Button("Cancel", visible=False, elem_id="cancel")
        progress = gr.HTML(elem_id="progress", js_on_load=REMEMBER)
        remembered = gr.Textbox(visible=False, elem_id="remembered")
        gallery = gr.Gallery(
            label="Results",
            columns=2,
            object_fit="contain",
            format="png",
            height="auto",
            interactive=False,
            elem_id="gallery",
            buttons=["download", "fullscreen"],
        )
        best_first = gr.Checkbox(
            label="Of each run, the best agreement first",
            visible=False,
            container=False,
            elem_id="best-first",
        )
        info = gr.HTML(elem_id="info", elem_classes="told")
        with gr.Accordion("Settings", open=False, elem_id="settings"):
            model = gr.Dropdown(
                list(desk.models),
                value=family,
                label="Model",
                info="The base that paints, with the controls that belong to it.",
                elem_id="model",
            )
            with gr.Row():
                for param in RUN_PARAMS:
                    if param not in ADVANCED_PARAMS:
                        asked = param is not SAFETY or not desk.limits.safety  # else it is no choice
                        values[param.name] = widget(
                            controls[param.name],
                            value=usual.get(param.name, param.default),
                            min_width=220,
                            visible=asked,
                        )
            preset_buttons(values, model)
            with gr.Accordion("Advanced", open=False, elem_id="advanced"), gr.Row():
                for param in ADVANCED_PARAMS:
                    values[param.name] = _advanced(desk, param)
    return Panel(
        values=values,
        start=start,
        model=model,
        progress=progress,
        cancel=cancel,
        stop=stop,
        remembered=remembered,
        gallery=gallery,
        best_first=best_first,
        info=info,
        board=gr.State(Board()),
        weights=weights,
    )


def vae_choices(desk: Desk) -> list[tuple[str, str]]:
    """The model's own VAE, and those of the user's that are there at the moment."""
    return [(MODELS_OWN, str(VAE.default)), *((name, name) for name in desk.vaes())]


def _advanced(desk: Desk, param: Param) -> Component:
    """A control that few need; a VAE is chosen among those that are there."""
    if param is not VAE:
        return widget(param, min_width=220)
    return gr.Dropdown(
        vae_choices(desk),
        value=VAE.default,
        label=VAE.label,
        info="The model's, or one of your own.",
        elem_id=VAE.name,
        min_width=220,
    )
