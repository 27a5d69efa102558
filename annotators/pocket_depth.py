"""Depth by the built-in network."""

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.depth import annotation, stretched
from annotators.heads import AT_ONCE, HONESTLY, WEIGHT, asked, enlarged, load


def run(picture: Pixels, network: Network) -> Annotation:
    """The depth of an RGB uint8 (H, W, 3) picture; the network answers from 0, far, to 1, near."""
    found = enlarged(asked(network, picture, "depth"), picture)
    return annotation(stretched(found, found.min(), found.max()), found, "inverse, relative")


POCKET_DEPTH = Annotator(
    name="pocket_depth",
    label="Depth, built in",
    help=AT_ONCE,
    caution=HONESTLY,
    weights=(WEIGHT,),
    load=load,
    run=run,
)
