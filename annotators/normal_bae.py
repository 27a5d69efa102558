"""Normals by Normal BAE (Bae et al. 2021): red to the left, green up, blue to the viewer."""

from pathlib import Path
from types import SimpleNamespace

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.networks import ANNOTATORS_REPO, imagenet, through
from annotators.normal_from_depth import coloured
from models.catalogue import Weight


def load(files: tuple[Path, ...]) -> Network:
    """The network trained on ScanNet; of its options only the architecture matters after training."""
    from models.checkpoints import building, filled, read

    with building():
        from controlnet_aux.normalbae import NNET

        options = SimpleNamespace(architecture="BN", sampling_ratio=0.4, importance_ratio=0.7)
        return filled(NNET(options), read(files[0])["model"])


def run(picture: Pixels, network: Network) -> Annotation:
    """How the surfaces of an RGB uint8 (H, W, 3) picture face; of four scales the finest counts."""
    normals = through(network, imagenet(picture), stride=32, forward=lambda x: network(x)[0][-1][:, :3])
    return Annotation(map=coloured(normals.transpose(1, 2, 0)))


NORMAL_BAE = Annotator(
    name="normal_bae",
    label="Normals, BAE",
    help="How every surface faces; the normal control learnt from it.",
    weights=(Weight(repo=ANNOTATORS_REPO, file="scannet.pt", licence="MIT", size=290_000_000),),
    load=load,
    run=run,
)
