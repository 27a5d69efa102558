"""Soft edges by PiDiNet (Su et al. 2021), fed BGR from 0 to 1 as the original feeds it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.lines import rgb, safe_steps
from annotators.networks import ANNOTATORS_REPO, plane_through, unit
from annotators.softedge_hed import SAFE
from models.catalogue import Weight

PIDINET = Weight(repo=ANNOTATORS_REPO, file="table5_pidinet.pth", licence="for research only", size=2_870_000)


def load(files: tuple[Path, ...]) -> Network:
    """PiDiNet with the weights of the fifth table of its paper."""
    from models.checkpoints import building, filled, read

    with building():
        from controlnet_aux.pidi.model import pidinet

        return filled(pidinet(), read(files[0])["state_dict"])


def edges(picture: Pixels, network: Network) -> NDArray[np.float32]:
    """Soft edges (H, W) from 0 to 1 of an RGB uint8 (H, W, 3) picture; the network halves it three times."""
    bgr = unit(picture)[:, :, ::-1]
    return plane_through(network, bgr, stride=8, forward=lambda x: network(x)[-1])


def run(picture: Pixels, network: Network, *, safe: bool) -> Annotation:
    """Soft edges of an RGB uint8 (H, W, 3) picture."""
    found = edges(picture, network)
    if safe:
        found = safe_steps(found)
    return Annotation(map=rgb(found * 255))


SOFTEDGE_PIDI = Annotator(
    name="softedge_pidi",
    label="Soft edges, PiDiNet",
    help="Clear outlines with little noise, from a small and fast network.",
    params=(SAFE,),
    weights=(PIDINET,),
    load=load,
    run=run,
)
