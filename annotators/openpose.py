"""Poses by OpenPose (Cao et al. 2017): found here, drawn as the pose control learnt them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.networks import ANNOTATORS_REPO
from annotators.pose import Person, Points, as_json, draw
from models.catalogue import Weight
from params import Param

FACE_POINTS = 70  # the network's 71st answer is the background
FAINTEST = 0.05
LICENCE = "CMU's, for non-commercial use only"


def load(files: tuple[Path, ...]) -> Network:
    """The networks of body, hands and face, with the `detector` of controlnet_aux that asks them."""
    from torch.nn import ModuleDict

    from models.checkpoints import building, filled, read

    with building():
        from controlnet_aux.open_pose import Body, Face, Hand, OpenposeDetector
        from controlnet_aux.open_pose.face import FaceNet
        from controlnet_aux.open_pose.model import bodypose_model, handpose_model
        from controlnet_aux.open_pose.util import transfer

        body, hand, face = bodypose_model(), handpose_model(), FaceNet()
        filled(body, transfer(body, read(files[0])))
        filled(hand, transfer(hand, read(files[1])))
        filled(face, read(files[2]))
        # Their constructors would read the files in their own way, so they are made without.
        estimators = [kind.__new__(kind) for kind in (Body, Hand, Face)]
        for estimator, module in zip(estimators, (body, hand, face), strict=True):
            estimator.model = module
        estimators[2].compute_peaks_from_heatmaps = highest_points
        network: Any = ModuleDict({"body": body, "hand": hand, "face": face}).eval()
        network.detector = OpenposeDetector(*estimators)
        return network


def highest_points(heatmaps: NDArray[np.float32]) -> NDArray[np.int64]:
    """Where the heat maps (71, H, W) of a face are highest: x and y (70, 2), 0 and 0 where all is cold.

    The original leaves the cold ones out, after which nobody can tell the eyes from the mouth, and takes the
    background for one point more.
    """
    hot = heatmaps[:FACE_POINTS].reshape(FACE_POINTS, -1)
    y, x = np.unravel_index(hot.argmax(axis=1), heatmaps.shape[1:])
    return np.where(hot.max(axis=1)[:, None] > FAINTEST, np.stack((x, y), axis=1), 0)


def run(picture: Pixels, network: Network, *, body: bool, hands: bool, face: bool) -> Annotation:
    """The people in an RGB uint8 (H, W, 3) picture; the detector turns it to BGR and pads it itself."""
    height, width = picture.shape[:2]
    poses = network.detector.detect_poses(picture, include_hand=hands, include_face=face)

    def points(found: Iterable[Any] | None) -> Points:
        """In pixels; what the detector missed is None or lies beyond the upper or left border."""
        seen = [point if point and point.x >= 0 and point.y >= 0 else None for point in found or ()]
        inside = (point and (point.x * width, point.y * height, point.score) for point in seen)
        return tuple(inside) if any(seen) else ()

    people = [
        Person(
            body=points(pose.body.keypoints),
            left_hand=points(pose.left_hand),
            right_hand=points(pose.right_hand),
            face=points(pose.face),
        )
        for pose in poses
    ]
    nobody = "Nobody was found: choose a picture in which people are larger, or draw the pose."
    return Annotation(
        map=draw(people, width, height, body=body, hands=hands, face=face),
        data=as_json(people, width, height),
        notices=() if people else (nobody,),
    )


def _switch(name: str, label: str, default: bool, help: str) -> Param:
    return Param(name=name, label=label, kind="switch", default=default, help=help)


OPENPOSE = Annotator(
    name="openpose",
    label="Pose, OpenPose",
    help="Finds the people in a picture and draws how they stand and move.",
    params=(
        _switch("body", "Body", True, "Draws heads, trunks, arms and legs."),
        _switch("hands", "Hands", False, "Looks for fingers as well, which takes several times as long."),
        _switch("face", "Face", False, "Looks for dots along brows, eyes, nose, mouth and chin as well."),
    ),
    weights=tuple(
        Weight(repo=ANNOTATORS_REPO, file=file, licence=LICENCE, size=size)
        for file, size in (
            ("body_pose_model.pth", 209_000_000),
            ("hand_pose_model.pth", 147_000_000),
            ("facenet.pth", 154_000_000),
        )
    ),
    load=load,
    run=run,
    resample="nearest",
    mended=(
        "The original forgets which point of a face is which as soon as one is missing; here every point "
        "keeps its place."
    ),
)
