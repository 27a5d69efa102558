"""Segmentation by UPerNet (Xiao et al. 2018) on ConvNeXt small, trained on the 150 classes of ADE20K."""

from pathlib import Path
from typing import Any

from annotators import ade20k
from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.networks import imagenet, plane_through
from models.catalogue import Weight


def load(files: tuple[Path, ...]) -> Network:
    """The network in the folder of its files; its authors offer no safetensors."""
    from models.checkpoints import building, pretrained

    with building():
        from transformers import UperNetForSemanticSegmentation

        return pretrained(UperNetForSemanticSegmentation, files[0].parent)


def run(picture: Pixels, network: Network) -> Annotation:
    """The class of each pixel of an RGB uint8 (H, W, 3) picture, in ADE20K's colours."""

    def surest(x: Any) -> Any:
        return network(x).logits.argmax(dim=1, keepdim=True)

    classes = plane_through(network, imagenet(picture), stride=32, forward=surest).astype(int)
    return Annotation(map=ade20k.coloured(classes), data=ade20k.found(classes))


SEG_UPERNET = Annotator(
    name="seg_upernet",
    label="Segmentation, UPerNet",
    help="Which of 150 kinds of things is where, from a network of middle size.",
    weights=tuple(
        Weight(repo="openmmlab/upernet-convnext-small", file=file, licence="MIT", size=size)
        for file, size in (("config.json", 0), ("pytorch_model.bin", 328_000_000))
    ),
    load=load,
    run=run,
    resample="nearest",
    mended=(
        "The original's network was given red and blue in each other's place; here it sees the colours "
        "that it learnt from."
    ),
)
