"""Depth by Depth Anything V2 (Yang et al. 2024), the small network: the only one that is free for any use."""

from pathlib import Path

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.depth import annotation, stretched
from annotators.networks import imagenet, plane_through
from models.catalogue import Weight

REPO = "depth-anything/Depth-Anything-V2-Small-hf"
PATCH = 14


def load(files: tuple[Path, ...]) -> Network:
    """The network in the folder of its files."""
    from models.checkpoints import building, pretrained

    with building():
        from transformers import DepthAnythingForDepthEstimation

        return pretrained(DepthAnythingForDepthEstimation, files[0].parent)


def run(picture: Pixels, network: Network) -> Annotation:
    """The depth of an RGB uint8 (H, W, 3) picture; the network answers one over the distance, relative."""
    found = plane_through(
        network, imagenet(picture), stride=PATCH, forward=lambda x: network(x).predicted_depth[:, None]
    )
    return annotation(stretched(found, found.min(), found.max()), found, "inverse, relative")


DEPTH_ANYTHING = Annotator(
    name="depth_anything",
    label="Depth, Depth Anything V2",
    help="Sharp depth with fine edges, from a small and fast network.",
    weights=tuple(
        Weight(repo=REPO, file=file, licence="Apache-2.0", size=size)
        for file, size in (("config.json", 0), ("model.safetensors", 99_100_000))
    ),
    load=load,
    run=run,
)
