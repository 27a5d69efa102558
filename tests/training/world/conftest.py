"""Small worlds, made once for all tests that only look."""

import pytest

from training.world.recipe import Scene
from training.world.render import World, render
from training.world.scene import scene

SMALL = range(500, 596)
LARGE = range(700, 712)
MANY = range(2000)


@pytest.fixture(scope="session")
def scenes() -> list[Scene]:
    """Very many scenes that nobody has drawn."""
    return [scene(seed) for seed in MANY]


@pytest.fixture(scope="session")
def small() -> World:
    """Many scenes at 64 pixels."""
    return render(SMALL, 64)


@pytest.fixture(scope="session")
def large() -> World:
    """A few scenes at 256 pixels."""
    return render(LARGE, 256)
