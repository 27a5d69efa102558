"""The table of annotators, in the order of the screen, and the one way to run one.

Importing this loads no network, imports no torch and touches no disk.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from annotators.base import BLACK, Annotation, Annotator, Network, Pixels, Source
from annotators.canny import CANNY
from annotators.depth_anything import DEPTH_ANYTHING
from annotators.depth_midas import DEPTH_MIDAS
from annotators.depth_zoe import DEPTH_ZOE
from annotators.hough import HOUGH
from annotators.invert import INVERT
from annotators.lineart import LINEART
from annotators.lineart_anime import LINEART_ANIME
from annotators.lineart_standard import LINEART_STANDARD
from annotators.mlsd import MLSD
from annotators.none import NONE
from annotators.normal_bae import NORMAL_BAE
from annotators.normal_from_depth import NORMAL_FROM_DEPTH
from annotators.normal_midas import NORMAL_MIDAS
from annotators.openpose import OPENPOSE
from annotators.pocket_depth import POCKET_DEPTH
from annotators.pocket_normal import POCKET_NORMAL
from annotators.pocket_pose import POCKET_POSE
from annotators.pocket_seg import POCKET_SEG
from annotators.pose_json import POSE_JSON
from annotators.qr import QR
from annotators.scribble_hed import SCRIBBLE_HED
from annotators.scribble_pidi import SCRIBBLE_PIDI
from annotators.scribble_synthetic import SCRIBBLE_SYNTHETIC
from annotators.scribble_xdog import SCRIBBLE_XDOG
from annotators.seg_oneformer import SEG_ONEFORMER
from annotators.seg_upernet import SEG_UPERNET
from annotators.shuffle import SHUFFLE
from annotators.softedge_gradient import SOFTEDGE_GRADIENT
from annotators.softedge_hed import SOFTEDGE_HED
from annotators.softedge_pidi import SOFTEDGE_PIDI
from annotators.tile import TILE
from errors import MODEL_MISSING, PARAM_CHOICE, PARAM_RANGE, PARAM_TYPE
from params import Value

__all__ = ["ANNOTATORS", "Annotation", "Annotator", "annotate", "find"]

ANNOTATORS: dict[str, Annotator] = {
    annotator.name: annotator
    for annotator in (
        CANNY,
        SOFTEDGE_GRADIENT,
        SOFTEDGE_PIDI,
        SOFTEDGE_HED,
        HOUGH,
        MLSD,
        SCRIBBLE_SYNTHETIC,
        SCRIBBLE_XDOG,
        SCRIBBLE_HED,
        SCRIBBLE_PIDI,
        LINEART_STANDARD,
        LINEART,
        LINEART_ANIME,
        POSE_JSON,
        OPENPOSE,
        POCKET_POSE,
        DEPTH_ANYTHING,
        DEPTH_MIDAS,
        DEPTH_ZOE,
        POCKET_DEPTH,
        NORMAL_FROM_DEPTH,
        NORMAL_BAE,
        NORMAL_MIDAS,
        POCKET_NORMAL,
        SEG_UPERNET,
        SEG_ONEFORMER,
        POCKET_SEG,
        SHUFFLE,
        TILE,
        QR,
        INVERT,
        NONE,
    )
}

SOURCES: dict[Source, type] = {"picture": np.ndarray, "pose": object, "text": str}  # a pose is checked by run
SMALLEST_WORK, LARGEST_WORK = 64, 4096
MOST_WORK_PIXELS = 2**24  # a 1:16 panorama at 1024 still fits; one at 4096 is capped, not exploded


def find(name: str) -> Annotator:
    """The annotator of that name, or a refusal that lists the names."""
    if name not in ANNOTATORS:
        raise PARAM_CHOICE(
            "There is no such annotator",
            found=repr(name),
            allowed="one of " + ", ".join(ANNOTATORS),
            todo="Change the annotator",
        )
    return ANNOTATORS[name]


def checked_values(annotator: Annotator, values: dict[str, Any]) -> dict[str, Value]:
    """Every declared control with the given value or its default; unknown names are refused."""
    names = [param.name for param in annotator.params]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise PARAM_TYPE(
            f"{annotator.label} has no such setting",
            found=", ".join(unknown),
            allowed=", ".join(names) or "no settings",
            todo="Remove it",
        )
    return {param.name: param.check(values.get(param.name, param.default)) for param in annotator.params}


def annotate(
    name: str,
    source: Any,
    *,
    resolution: int = 512,
    networks: Callable[[Annotator], Network] | None = None,
    **values: Any,
) -> Annotation:
    """The annotation of a source: RGB uint8 (H, W, 3) for a picture, parsed JSON for a pose, str for a text.

    `resolution` is the short side of the working picture; the map always comes back in the picture's own
    height and width. `networks` lends the network of an annotator that has weights.
    """
    annotator = find(name)
    checked = checked_values(annotator, values)
    fits = isinstance(source, SOURCES[annotator.source])
    if not fits:
        raise PARAM_TYPE(
            f"{annotator.label} starts from something else",
            found=type(source).__name__,
            allowed=f"a {annotator.source}",
            todo=f"Give a {annotator.source}, or choose another annotator",
        )
    if not SMALLEST_WORK <= resolution <= LARGEST_WORK:
        raise PARAM_RANGE(
            "The working resolution can't be taken",
            found=str(resolution),
            allowed=f"{SMALLEST_WORK} to {LARGEST_WORK}",
            todo="Change resolution",
        )
    network = None
    if annotator.weights:
        if networks is None:
            raise MODEL_MISSING(f"{annotator.label} needs its weights", todo="Run it through the engine")
        network = networks(annotator)
    if annotator.source != "picture":
        return _noticed(annotator, annotator.run(source, network, **checked))
    height, width = source.shape[:2]
    annotation = annotator.run(_working_picture(annotator, source, resolution), network, **checked)
    map = _resized(annotation.map, width, height, annotator.resample)
    return _noticed(annotator, replace(annotation, map=map))


def _noticed(annotator: Annotator, annotation: Annotation) -> Annotation:
    """The annotation, which says so when there is nothing in it, or when its annotator is a weak one."""
    notices = annotation.notices
    if not notices and annotation.map.max(initial=0) < BLACK:
        notices = ("The map is all black: there is nothing to follow.",)
    if annotator.caution:
        notices += (annotator.caution,)
    return replace(annotation, notices=notices)


def _working_picture(annotator: Annotator, picture: Pixels, resolution: int) -> Pixels:
    """The picture with its short side at `resolution`, capped in pixels."""
    if not annotator.rescales:
        return picture
    height, width = picture.shape[:2]
    scale = resolution / min(height, width)
    scale = min(scale, (MOST_WORK_PIXELS / (height * width)) ** 0.5)
    if not annotator.weights:
        scale = min(scale, 1.0)  # without a network, more pixels than the picture has tell nothing more
    return _resized(picture, max(1, round(width * scale)), max(1, round(height * scale)), "smooth")


def _resized(picture: Pixels, width: int, height: int, resample: str) -> Pixels:
    """RGB uint8 (H, W, 3) at another size; the same array where the size is right already."""
    if picture.shape[:2] == (height, width):
        return picture
    shrinks = height * width < picture.shape[0] * picture.shape[1]
    smooth = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    method = cv2.INTER_NEAREST if resample == "nearest" else smooth
    return cv2.resize(picture, (width, height), interpolation=method)  # type: ignore[return-value]
