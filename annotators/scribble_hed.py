"""A scribble from a picture: the soft edges of HED, thinned to their ridges and drawn with a thick pen."""

from annotators import softedge_hed
from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.lines import rgb, scribbled
from annotators.softedge_hed import WEIGHTS, load
from params import Param

STROKE_WIDTH = Param(
    name="stroke_width",
    label="Stroke width",
    kind="integer",
    default=12,
    minimum=2,
    maximum=32,
    step=1,
    help="About how many pixels wide the strokes are at the working resolution; 12 is the original's.",
)
SIGMAS = 4  # a stroke is about so many times as wide as the blur that thickens it


def scribble(edges: Pixels, stroke_width: int) -> Annotation:
    """Strokes from soft edges, RGB uint8 (H, W, 3) with three equal channels."""
    return Annotation(map=rgb(scribbled(edges[:, :, 0], sigma=stroke_width / SIGMAS)))


def run(picture: Pixels, network: Network, *, stroke_width: int) -> Annotation:
    """Strokes over the outlines of an RGB uint8 (H, W, 3) picture."""
    return scribble(rgb(softedge_hed.edges(picture, network) * 255), stroke_width)


SCRIBBLE_HED = Annotator(
    name="scribble_hed",
    label="Scribble, HED",
    help="A rough sketch of the main outlines, as if drawn with a felt pen.",
    params=(STROKE_WIDTH,),
    weights=WEIGHTS,
    load=load,
    run=run,
    resample="nearest",
)
