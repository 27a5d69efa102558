"""What a condition begins with: the first annotator whose files are here, on every way in."""

import shutil
from functools import partial
from pathlib import Path

import pytest

from conditions import CONDITIONS, Condition
from gate import LIMITS
from models.store import Store
from pipelines import home
from pipelines.pictures import PictureStore
from pipelines.request.intake import Desk
from tests.annotators import random_weights

SHIPPED = Path(__file__).parents[1] / "weights"
WITHOUT_DOWNLOAD = {
    "canny": "canny",
    "softedge": "softedge_gradient",
    "mlsd": "hough",
    "scribble": "scribble_synthetic",
    "lineart": "lineart_standard",
    "lineart_anime": "lineart_standard",
    "openpose": "pocket_pose",
    "depth": "pocket_depth",
    "normal": "pocket_normal",
    "seg": "pocket_seg",
    "shuffle": "shuffle",
    "ip2p": "none",
    "inpaint": "none",
    "tile": "tile",
    "qr": "qr",
}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """What comes with the program, and nothing else."""
    heads = Path("pocket", "annotators", "heads.safetensors")
    (tmp_path / heads).parent.mkdir(parents=True)
    shutil.copy(SHIPPED / heads, tmp_path / heads)
    return tmp_path


def desk(weights: Path) -> Desk:
    lack = partial(home.annotator_lack, Store(weights))
    return Desk(PictureStore(weights / "pictures"), LIMITS["local"], lack=lack)


def test_without_a_download_every_condition_begins_with_what_is_here(weights: Path) -> None:
    begun = {name: desk(weights).first(condition).name for name, condition in CONDITIONS.items()}
    assert begun == WITHOUT_DOWNLOAD


def test_what_has_come_is_begun_with(weights: Path) -> None:
    ours, depth = desk(weights), CONDITIONS["depth"]
    random_weights.write(Store(weights), "depth_midas")
    assert ours.first(depth).name == "depth_midas"
    random_weights.write(Store(weights), "depth_anything")
    assert ours.first(depth).name == "depth_anything"
    assert ours.method(depth, "pocket_depth") == "pocket_depth", "what was chosen stays"


def test_where_nothing_is_here_the_best_says_what_it_lacks(tmp_path: Path) -> None:
    assert desk(tmp_path).first(CONDITIONS["depth"]).name == "depth_anything"
    assert desk(tmp_path).first(CONDITIONS["canny"]).name == "canny"


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=lambda c: c.name)
def test_no_picture_is_taken_for_a_map_unasked(condition: Condition) -> None:
    for here in (True, False):
        first = condition.first(lambda _, here=here: here)  # type: ignore[misc]
        assert not first.of_maps or not condition.making
