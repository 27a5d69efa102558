"""The pictures of docs/annotators.md: of our own scene, one for each map that can be made, as it is made."""

import numpy as np
import pytest
from PIL import Image

from annotators import ANNOTATORS
from annotators.base import Pixels
from scripts import docs, maps, scene


@pytest.fixture(scope="module")
def made() -> dict[str, Pixels]:
    return maps.made()


def test_every_map_in_the_docs_is_as_the_annotator_makes_it_today(made: dict[str, Pixels]) -> None:
    assert set(made) == {maps.SCENE, *(a.name for a in ANNOTATORS.values() if not a.weights)}
    assert {path.stem for path in maps.FOLDER.iterdir()} == set(made), "run python -m scripts.maps"
    for name, pixels in made.items():
        with Image.open(maps.picture_of(name)) as kept:
            now = np.asarray(maps.small(pixels)).astype(int)
            difference = np.abs(now - np.asarray(kept.convert("RGB"))).mean()
        assert difference < 1 + 0.02 * now.mean(), f"{name}: run python -m scripts.maps"


def test_the_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in maps.FOLDER.iterdir()) < 400_000


def test_the_scene_has_structure_of_every_kind(made: dict[str, Pixels]) -> None:
    shape = (scene.HEIGHT, scene.WIDTH, 3)
    assert made[maps.SCENE].shape == scene.depth().shape == made["pose_json"].shape == shape
    for name, pixels in made.items():
        assert pixels.std() > 5, name


def test_the_person_stands_where_the_key_points_are() -> None:
    """At both wrists there is skin, and at the ankles there are trousers or shoes."""
    picture = scene.picture().astype(int)
    for x, y in (scene.PERSON[4], scene.PERSON[7]):
        red, green, blue = picture[round(y), round(x)]
        assert red > green > blue > 120
    for x, y in (scene.PERSON[10], scene.PERSON[13]):
        assert picture[round(y), round(x)].sum() < 360


def test_the_page_shows_what_can_be_shown_and_says_where_nothing_can() -> None:
    page = docs.annotators_page()
    for annotator in ANNOTATORS.values():
        section = page.partition(f"\n## {annotator.label}\n")[2].partition("\n## ")[0]
        assert annotator.help in section
        assert annotator.mended in section
        assert (f"images/annotators/{annotator.name}.webp" in section) is not bool(annotator.weights)
        assert ("Needs its weights" in section) is bool(annotator.weights)
        for weight in annotator.weights:
            place = f"`{weight.repo}`, file `{weight.file}`"
            if not weight.repo:
                place = f"`{weight.subfolder}/{weight.file}`, which comes with the program"
            assert f"{place}, licence {weight.licence}." in section
        assert all(f"`{param.name}`" in section for param in annotator.params)
