"""A text or an address as a QR code, from segno."""

import numpy as np
import segno

from annotators.base import Annotation, Annotator, Network
from annotators.lines import rgb
from errors import PARAM_RANGE
from params import Param

GROUNDS = {"white": 255, "grey": 128}
MOST_BYTES = {"L": 2953, "M": 2331, "Q": 1663, "H": 1273}  # by level of error correction


def run(
    text: str, network: Network, *, error_correction: str, border: int, module_size: int, ground: str
) -> Annotation:
    """A code of dark and light modules, as readers expect it, with a border of one grey around it."""
    try:
        if not text:
            raise ValueError
        code = segno.make_qr(text, error=error_correction, encoding="utf-8", boost_error=False)
    except ValueError:  # too long for the largest code, or half a character
        raise PARAM_RANGE(
            "The text can't become a QR code",
            found=f"{len(text.encode('utf-8', 'replace'))} bytes",
            allowed=f"1 to {MOST_BYTES[error_correction]} bytes at error correction {error_correction}",
            todo="Shorten the text" if text else "Write what the code should say",
        ) from None
    light = np.where(np.array(code.matrix, bool), 0, 255)
    modules = np.pad(light, border, constant_values=GROUNDS[ground])
    map = modules.repeat(module_size, axis=0).repeat(module_size, axis=1)
    return Annotation(map=rgb(map), data={"text": text, "version": code.version, "modules": len(modules)})


QR = Annotator(
    name="qr",
    label="QR code of a text",
    help="A QR code that says your text or opens your address.",
    source="text",
    params=(
        Param(
            name="error_correction",
            label="Error correction",
            kind="choice",
            default="H",
            choices=tuple(MOST_BYTES),
            labels=("L: 7 %", "M: 15 %", "Q: 25 %", "H: 30 %"),
            help="How much of the code may be painted over and still be read.",
        ),
        Param(
            name="border",
            label="Border",
            kind="integer",
            default=4,
            minimum=0,
            maximum=16,
            step=1,
            help="The quiet space around the code, in modules; readers want 4.",
        ),
        Param(
            name="module_size",
            label="Module size",
            kind="integer",
            default=16,
            minimum=2,
            maximum=20,
            step=1,
            help="The side of one small square of the code, in pixels.",
        ),
        Param(
            name="ground",
            label="Around the code",
            kind="choice",
            default="white",
            choices=tuple(GROUNDS),
            labels=("White", "Grey"),
            help="Readers want white; grey leaves the model more freedom there, and is harder to read.",
        ),
    ),
    run=run,
    resample="nearest",
)
