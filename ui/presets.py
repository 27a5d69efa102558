"""Buttons that set what belongs together: steps, guidance and scheduler."""

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from pipelines.request.presets import PRESET_PARAMS, PRESETS, SUITING, Preset, guidance_for, steps_for
from ui.border import answers


def preset_buttons(values: Mapping[str, Component], model: Component) -> None:
    """A button for each preset; what it sets may be changed afterwards like anything else."""
    with gr.Row(elem_classes="presets"):
        for preset in PRESETS.values():
            button = gr.Button(preset.label, size="sm", min_width=120, elem_id=f"preset-{preset.name}")
            button.click(
                answers(lambda model, chosen=preset: _set(chosen, model)),
                model,
                [values[param.name] for param in PRESET_PARAMS],
                preprocess=False,
                queue=False,
                show_progress="hidden",
                api_visibility="private",
            )


def _set(preset: Preset, model: object) -> list[object]:
    return list(preset.values(model).values())


def suited_steps(scheduler: object, steps: object) -> Any:
    """As many steps as a scheduler that was chosen can take, if it can't take those that are set."""
    if not isinstance(steps, int | float):
        return gr.skip()
    nearest = steps_for(scheduler, steps)
    return gr.skip() if nearest == steps else nearest


def suited(model: object, guidance: object) -> Any:
    """The guidance that suits a model that was chosen, unless somebody has set another than any model's."""
    return guidance_for(model) if guidance in SUITING else gr.skip()
