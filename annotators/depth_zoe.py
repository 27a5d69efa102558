"""Depth in metres by ZoeDepth (Bhat et al. 2023)."""

from pathlib import Path

import numpy as np

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.depth import annotation, stretched
from annotators.networks import ANNOTATORS_REPO, plane_through, unit
from models.catalogue import Weight

NEAREST, FURTHEST = 2, 85  # the percentiles that become white and black, as the original has them


def load(files: tuple[Path, ...]) -> Network:
    """ZoeDepth for indoor scenes, on BEiT large."""
    from models.checkpoints import building, filled, read

    with building():
        from controlnet_aux.zoe import ZoeDepth, get_config

        network = ZoeDepth.build_from_config(get_config("zoedepth", "infer"))
        return filled(network, read(files[0])["model"])


def run(picture: Pixels, network: Network) -> Annotation:
    """The depth of an RGB uint8 (H, W, 3) picture; the network itself works at 384 by 512 or so, twice."""
    metres = plane_through(network, unit(picture), stride=1, forward=network.infer)
    low, high = np.percentile(metres, (NEAREST, FURTHEST))
    nearness = 1 - stretched(metres, low, high) if high > low else np.zeros_like(metres)
    return annotation(nearness.clip(0, 1), metres, "metres")


DEPTH_ZOE = Annotator(
    name="depth_zoe",
    label="Depth, ZoeDepth",
    help="Depth in metres with more detail in the foreground, from a large network.",
    weights=(Weight(repo=ANNOTATORS_REPO, file="ZoeD_M12_N.pt", licence="MIT", size=1_380_000_000),),
    load=load,
    run=run,
    mended=(
        "The original divides by zero where everything is equally far; here that map is black, and a "
        "notice says so."
    ),
)
