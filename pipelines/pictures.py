"""Pictures by the SHA-256 of their pixels: what a request refers to, kept as PNG files."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

import gate
from annotators.base import Pixels
from errors import INPUT_GONE, PARAM_TYPE
from pipelines import durable

PICTURES = "pictures"  # their folder in the outputs


def content_hash(pixels: Pixels) -> str:
    """The SHA-256 of an RGB uint8 (H, W, 3) picture: of its size and its pixels."""
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(f"{width}x{height}:".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


class PictureStore:
    """A folder of PNG files named by the hash of what they show. Equal pictures are one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, pixels: Pixels) -> str:
        """The hash of an RGB uint8 (H, W, 3) picture, which is on disk from now on."""
        digest = content_hash(pixels)
        path = self.path(digest)
        if not path.exists():
            picture = Image.fromarray(pixels)
            durable.write(path, lambda file: picture.save(file, format="PNG", compress_level=1))
        return digest

    def get(self, digest: str) -> Pixels:
        """The RGB uint8 (H, W, 3) picture of that hash."""
        path = self.path(digest)
        if not path.is_file():
            raise INPUT_GONE("A picture of this request is not here any more", todo="Bring the picture again")
        return gate.open_picture(path, gate.OWN_FILES).pixels

    def path(self, digest: str) -> Path:
        """Where the picture of that hash is, or would be."""
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise PARAM_TYPE("A picture is named by its SHA-256", found=repr(digest)[:40])
        return self._folder / digest[:2] / f"{digest}.png"
