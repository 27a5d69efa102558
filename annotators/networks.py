"""How a picture goes through a network: padded to its stride, on its device, and cropped again."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotators.base import Network, Pixels
from errors import NUMERIC

ANNOTATORS_REPO = "lllyasviel/Annotators"
IMAGENET_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
IMAGENET_STD = np.array((0.229, 0.224, 0.225), np.float32)


def unit(picture: Pixels) -> NDArray[np.float32]:
    """RGB uint8 (H, W, 3) as float32 from 0 to 1."""
    return picture.astype(np.float32) / np.float32(255)


def signed(picture: Pixels) -> NDArray[np.float32]:
    """RGB uint8 (H, W, 3) as float32 from -1 to 1."""
    return picture.astype(np.float32) / np.float32(127.5) - np.float32(1)


def imagenet(picture: Pixels) -> NDArray[np.float32]:
    """RGB uint8 (H, W, 3) as float32 with the mean and spread of ImageNet's pictures taken out."""
    return np.asarray((unit(picture) - IMAGENET_MEAN) / IMAGENET_STD, np.float32)


def through(
    network: Network,
    picture: NDArray[np.float32],
    *,
    stride: int,
    forward: Callable[[Any], Any] | None = None,
) -> NDArray[np.float32]:
    """The network's answer (C, h, w) to a float32 picture (H, W, channels).

    Whatever the stride, the picture is padded with its edge below and to the right, and the answer is cropped
    as much: h and w are H and W, or the same part of them as the network makes of its input. `forward` takes
    and gives a tensor (1, C, H, W) where the network's own answer is something else. What is not finite is
    refused, since it would become a map that looks like one.
    """
    import torch

    height, width = picture.shape[:2]
    padded = np.pad(picture, ((0, -height % stride), (0, -width % stride), (0, 0)), mode="edge")
    device = next(network.parameters()).device
    with torch.no_grad():
        x = torch.from_numpy(np.ascontiguousarray(padded.transpose(2, 0, 1))[None]).to(device)
        answer: NDArray[np.float32] = (forward or network)(x)[0].float().cpu().numpy()
    if not np.isfinite(answer).all():
        raise NUMERIC(
            "The annotator's network answered with something that is no number",
            todo="Try another picture or another annotator; if it stays, fetch its weights again",
        )
    rows = -(-height * answer.shape[-2] // padded.shape[0])
    columns = -(-width * answer.shape[-1] // padded.shape[1])
    return answer[..., :rows, :columns]


def plane_through(
    network: Network,
    picture: NDArray[np.float32],
    *,
    stride: int,
    forward: Callable[[Any], Any] | None = None,
) -> NDArray[np.float32]:
    """The first channel (h, w) of what `through` answers."""
    plane: NDArray[np.float32] = through(network, picture, stride=stride, forward=forward)[0]
    return plane
