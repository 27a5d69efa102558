"""Buttons that set what belongs together: steps, guidance and scheduler."""

from collections.abc import Mapping

import gradio as gr
from gradio.components import Component

from pipelines.request.presets import PRESET_PARAMS, PRESETS, Preset
from ui.border import answers


def preset_buttons(values: Mapping[str, Component]) -> None:
    """A button for each preset; what it sets may be changed afterwards like anything else."""
    with gr.Row(elem_classes="presets"):
        for preset in PRESETS.values():
            button = gr.Button(preset.label, size="sm", min_width=120, elem_id=f"preset-{preset.name}")
            button.click(
                answers(lambda chosen=preset: _set(chosen)),
                None,
                [values[param.name] for param in PRESET_PARAMS],
                queue=False,
                show_progress="hidden",
                api_visibility="private",
            )


def _set(preset: Preset) -> list[object]:
    return [preset.values[param.name] for param in PRESET_PARAMS]
