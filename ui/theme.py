"""How the page looks: colours, type and space as a Gradio theme; the layout is in `style.css`."""

from pathlib import Path

import gradio as gr
from gradio.themes.utils.colors import Color
from gradio.themes.utils.fonts import LocalFont

STYLE = Path(__file__).with_name("style.css")

INK = Color(
    name="ink",
    c50="#f7f7f5", c100="#efefec", c200="#e2e2dd", c300="#cbcbc4", c400="#9d9d95", c500="#74746d",
    c600="#57574f", c700="#3f3f3a", c800="#272724", c900="#1b1b19", c950="#131312",
)  # fmt: skip
WIRE = Color(
    name="wire",
    c50="#eef3ff", c100="#dce6ff", c200="#bccfff", c300="#93b0ff", c400="#6a8dfb", c500="#466bf0",
    c600="#3453d8", c700="#2a42ae", c800="#263a8b", c900="#23346f", c950="#161f45",
)  # fmt: skip


def theme() -> gr.themes.Base:
    """A quiet ground, so that the pictures are the brightest thing on the page.

    All fonts are local. Of the bundled IBM Plex Sans only Regular and Bold hold every letter.
    """
    return gr.themes.Base(
        primary_hue=WIRE,
        secondary_hue=INK,
        neutral_hue=INK,
        radius_size=gr.themes.sizes.radius_lg,
        font=[LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif"],
        font_mono=[LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        block_label_text_size="*text_xs",
        block_title_text_weight="400",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_300",
        block_info_text_color="*neutral_500",
        block_info_text_size="*text_xs",
        input_background_fill="*neutral_50",
        input_background_fill_dark="*neutral_950",
        input_border_color="*neutral_200",
        input_border_color_dark="*neutral_800",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_500",
        button_primary_text_color="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_large_text_weight="700",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
    )
