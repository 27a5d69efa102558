"""Depth by MiDaS (Ranftl et al. 2021), the hybrid of a ResNet and a transformer that the original takes."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.depth import annotation, stretched
from annotators.networks import ANNOTATORS_REPO, plane_through, signed
from models.catalogue import Weight

DPT_HYBRID = Weight(
    repo=ANNOTATORS_REPO, file="dpt_hybrid-midas-501f0c75.pt", licence="MIT", size=493_000_000
)


def load(files: tuple[Path, ...]) -> Network:
    """The dense prediction transformer; a file of its training has the tensors under `model`."""
    from models.checkpoints import building, filled, read

    with building():
        from controlnet_aux.midas.midas.dpt_depth import DPTDepthModel

        state = read(files[0])
        if "optimizer" in state:
            state = state["model"]
        return filled(DPTDepthModel(path=None, backbone="vitb_rn50_384", non_negative=True), state)


def inverse_depth(picture: Pixels, network: Network) -> NDArray[np.float32]:
    """One over the distance (H, W), up to a scale and an offset, of an RGB uint8 (H, W, 3) picture."""

    def forward(x: Any) -> Any:
        answer = network(x)[:, None]
        network.pretrained.activations.clear()  # else they hold the device's memory until the next picture
        return answer

    return plane_through(network, signed(picture), stride=32, forward=forward)


def run(picture: Pixels, network: Network) -> Annotation:
    """The depth of an RGB uint8 (H, W, 3) picture, from the furthest, black, to the nearest, white."""
    near = inverse_depth(picture, network)
    return annotation(stretched(near, near.min(), near.max()), near, "inverse, relative")


DEPTH_MIDAS = Annotator(
    name="depth_midas",
    label="Depth, MiDaS",
    help="Smooth depth that holds for any scene; the depth control learnt from it.",
    weights=(DPT_HYBRID,),
    load=load,
    run=run,
    mended=(
        "The original divides by zero where everything is equally far; here that map is black, and a "
        "notice says so."
    ),
)
