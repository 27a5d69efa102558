"""Soft edges by HED (Xie and Tu 2015) in lllyasviel's own retrained network, which takes RGB, 0 to 255."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.lines import rgb, safe_steps
from annotators.networks import ANNOTATORS_REPO, plane_through
from models.catalogue import Weight
from params import Param

STRIDE = 16  # halved four times
WEIGHTS = (Weight(repo=ANNOTATORS_REPO, file="ControlNetHED.pth", licence="Apache-2.0", size=58_900_000),)
SAFE = Param(
    name="safe",
    label="Safe",
    kind="switch",
    default=False,
    help="Three levels of grey only, so that no detail of the picture hides in faint lines.",
)


def load(files: tuple[Path, ...]) -> Network:
    """The network, filled from ControlNetHED.pth."""
    from models.checkpoints import building, filled, read

    with building():
        from controlnet_aux.hed import ControlNetHED_Apache2

        return filled(ControlNetHED_Apache2(), read(files[0]))


def edges(picture: Pixels, network: Network) -> NDArray[np.float32]:
    """Soft edges (H, W) from 0 to 1 of an RGB uint8 (H, W, 3) picture: the mean of five scales."""
    from torch import stack
    from torch.nn.functional import interpolate

    def fused(x: Any) -> Any:
        scales = [interpolate(scale, size=x.shape[-2:], mode="bilinear") for scale in network(x)]
        return stack(scales).mean(dim=0).sigmoid()

    return plane_through(network, picture.astype(np.float32), stride=STRIDE, forward=fused)


def run(picture: Pixels, network: Network, *, safe: bool) -> Annotation:
    """Soft edges of an RGB uint8 (H, W, 3) picture."""
    soft = edges(picture, network)
    return Annotation(map=rgb((safe_steps(soft) if safe else soft) * 255))


SOFTEDGE_HED = Annotator(
    name="softedge_hed",
    label="Soft edges, HED",
    help="Smooth outlines from coarse to fine; keeps more of the shading than PiDiNet.",
    params=(SAFE,),
    weights=WEIGHTS,
    load=load,
    run=run,
)
