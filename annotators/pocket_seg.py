"""Segmentation by the built-in network, which knows the kinds of things that the drawn world has."""

import cv2
import numpy as np

from annotators import ade20k
from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.heads import AT_ONCE, HONESTLY, WEIGHT, asked, load


def run(picture: Pixels, network: Network) -> Annotation:
    """The class of each pixel of an RGB uint8 (H, W, 3) picture, in ADE20K's colours."""
    surest = asked(network, picture, "classes").argmax(axis=0).astype(np.uint8)
    height, width = picture.shape[:2]
    classes = np.asarray(cv2.resize(surest, (width, height), interpolation=cv2.INTER_NEAREST), np.int64)
    return Annotation(map=ade20k.coloured(classes), data=ade20k.found(classes))


POCKET_SEG = Annotator(
    name="pocket_seg",
    label="Segmentation, built in",
    help=AT_ONCE,
    caution=HONESTLY,
    weights=(WEIGHT,),
    load=load,
    run=run,
    resample="nearest",
)
