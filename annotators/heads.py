"""The built-in annotators' network: four methods ask it, each for what one of its heads answers."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from annotators.base import Network, Pixels
from annotators.networks import through, unit
from models.catalogue import Weight

WEIGHT = Weight(subfolder="pocket/annotators", file="heads.safetensors", licence="Apache-2.0")
AT_ONCE = "Works at once, with nothing to download."
HONESTLY = "Small built-in model; trained on drawn scenes, rough on photographs."
STRIDE = 16


def load(files: tuple[Path, ...]) -> Network:
    """The network in its file."""
    from models.heads import read

    return read(files[0])


def asked(network: Network, picture: Pixels, *names: str) -> NDArray[np.float32]:
    """What the heads of these names answer (C, h, w), one after the other, for RGB uint8 (H, W, 3).

    The network looks at pictures of the size that it learnt from, and answers at half of that.
    """
    scale = int(network.side) / min(picture.shape[:2])
    width, height = (max(STRIDE, round(side * scale)) for side in picture.shape[1::-1])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return through(
        network,
        unit(np.asarray(small, np.uint8)),
        stride=STRIDE,
        forward=lambda x: network.answers(x, names),
    )


def enlarged(values: NDArray[np.float32], picture: Pixels) -> NDArray[np.float32]:
    """Answers (C, h, w) at the size (H, W, C) of the picture; one channel is (H, W)."""
    height, width = picture.shape[:2]
    planes = np.ascontiguousarray(values.transpose(1, 2, 0))
    return np.asarray(cv2.resize(planes, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
