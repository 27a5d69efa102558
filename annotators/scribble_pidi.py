"""A scribble from a picture by way of PiDiNet's soft edges."""

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.lines import rgb
from annotators.scribble_hed import STROKE_WIDTH, scribble
from annotators.softedge_pidi import PIDINET, edges, load


def run(picture: Pixels, network: Network, *, stroke_width: int) -> Annotation:
    """A sketch of an RGB uint8 (H, W, 3) picture, thinned and thickened from its soft edges in 256 levels."""
    return scribble(rgb(edges(picture, network) * 255), stroke_width)


SCRIBBLE_PIDI = Annotator(
    name="scribble_pidi",
    label="Scribble, PiDiNet",
    help="A sketch with fewer and cleaner strokes, from a small and fast network.",
    params=(STROKE_WIDTH,),
    weights=(PIDINET,),
    load=load,
    run=run,
    resample="nearest",
)
