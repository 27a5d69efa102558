"""Normals by the built-in network."""

import numpy as np

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.heads import AT_ONCE, HONESTLY, WEIGHT, asked, enlarged, load
from annotators.normal_from_depth import coloured


def run(picture: Pixels, network: Network) -> Annotation:
    """How the surfaces of an RGB uint8 (H, W, 3) picture face."""
    normals = enlarged(asked(network, picture, "normals"), picture)
    length = np.linalg.norm(normals, axis=2, keepdims=True)
    return Annotation(map=coloured(normals / np.maximum(length, 1e-6)))


POCKET_NORMAL = Annotator(
    name="pocket_normal",
    label="Normals, built in",
    help=AT_ONCE,
    caution=HONESTLY,
    weights=(WEIGHT,),
    load=load,
    run=run,
)
