"""Between the browser's files and ours: the path of an upload, and a copy that may be served."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from gradio.processing_utils import save_bytes_to_cache, save_file_to_cache, save_img_array_to_cache
from gradio.utils import get_upload_folder

import gate
from annotators.base import Pixels
from errors import IMG_EMPTY, INPUT_SOURCE


def uploaded(payload: Any) -> Path:
    """The file of a raw picture value. Events run with `preprocess=False`: the gate sees its bytes first."""
    if payload is None:
        raise IMG_EMPTY("There is no picture yet", todo="Drop one in, paste one, or use the camera")
    if not isinstance(payload, dict) or not isinstance(payload.get("path"), str):
        raise INPUT_SOURCE("This is not an uploaded picture", allowed="a file", todo="Upload the picture")
    return gate.resolve_upload(payload["path"], Path(get_upload_folder()))


def served(path: Path) -> str:
    """A copy of one of our files under a name made of its content, from where Gradio may serve it."""
    return str(save_file_to_cache(path, cache_dir=get_upload_folder()))


def served_map(pixels: Pixels) -> str:
    """An RGB uint8 (H, W, 3) map as a PNG that may be served."""
    return str(save_img_array_to_cache(pixels, cache_dir=get_upload_folder(), format="png"))


def served_bytes(data: bytes, name: str) -> str:
    """A file of our own making under a name for whoever downloads it."""
    return str(save_bytes_to_cache(data, name, cache_dir=get_upload_folder()))


def address(file: str) -> str:
    """Where the page finds a file; relative, since the page may stand behind a name and a path of others."""
    return f"gradio_api/file={quote(file)}"
