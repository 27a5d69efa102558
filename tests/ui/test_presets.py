"""What suits a model is set with it, unless somebody has set something else."""

import gradio as gr

from ui.presets import suited, suited_steps


def test_the_guidance_goes_with_the_model() -> None:
    assert suited("sd15", 3.0) == 7.5
    assert suited("pocket", 7.5) == 3.0
    assert suited("sd15/mine.safetensors", 3) == 7.5


def test_a_guidance_of_ones_own_stays() -> None:
    assert suited("sd15", 5.0) == gr.skip()
    assert suited("pocket", None) == gr.skip()


def test_a_scheduler_of_just_so_many_steps_brings_their_number() -> None:
    assert suited_steps("ays", 20) == 10
    assert suited_steps("lcm", 60) == 50
    assert suited_steps("unipc", 10) == gr.skip()
    assert suited_steps("ays", 10) == gr.skip()
    assert suited_steps("magic", 20) == suited_steps("ays", None) == gr.skip()
