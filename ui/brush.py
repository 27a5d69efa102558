"""Painting on a picture: what is white in the mask that comes of it. The painting is done in `brush.js`."""

import io
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

import gate
from annotators.base import Pixels
from gate import Limits
from pipelines.request.intake import Desk, fit
from ui.uploads import address, served_bytes

BRUSH, MASK = (Path(__file__).with_name(name).read_text("utf-8") for name in ("brush.js", "mask.js"))
SHOWN_SIDE = 1024  # the long side, in pixels, of the picture that is painted on


def mask_brush(elem_id: str, *, empty: str = "") -> gr.HTML:
    """A picture to mark on what is to be made new; without a picture it shows what `empty` says.

    Its value is what `painted_on` answers, and beside that the `mask` that was painted, or None.
    """
    return gr.HTML(
        {},
        html_template="<div></div>",
        js_on_load=BRUSH + MASK,
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes="painting",
        empty=empty,
    )


def painted_on(desk: Desk, picture: Path | None) -> dict[str, str]:
    """The value of a brush that shows a picture, as the gate has read it; its mask is put in on the page."""
    if picture is None:
        return {}
    return {"picture": address(_shown(desk.picture(picture).pixels)), "of": str(picture)}


def painted(value: Any, picture: Path, limits: Limits) -> Pixels | None:
    """The mask, RGB uint8 (H, W, 3), that was painted on this picture, if any was."""
    if not isinstance(value, dict) or value.get("of") != str(picture) or value.get("mask") is None:
        return None
    return gate.open_picture(gate.painted_bytes(value["mask"], limits), limits).pixels


def _shown(pixels: Pixels) -> str:
    """An RGB uint8 (H, W, 3) picture as a file that may be served, not larger than it need be."""
    height, width = pixels.shape[:2]
    scale = min(1.0, SHOWN_SIDE / max(height, width))
    smaller = fit(pixels, max(1, round(width * scale)), max(1, round(height * scale)), "area")
    buffer = io.BytesIO()
    Image.fromarray(smaller).save(buffer, format="JPEG", quality=90)
    return served_bytes(buffer.getvalue(), "picture.jpg")
