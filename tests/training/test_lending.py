"""Networks of annotators are lent to a run, where their files are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import annotators
from annotators import ANNOTATORS
from errors import MODEL_MISSING, ArmatureError
from models.store import Store
from tests.annotators import random_weights
from training.lending import Lender

NAME = "softedge_pidi"


def test_an_annotator_with_a_network_makes_hints_where_its_files_are(tmp_path: Path) -> None:
    store = Store(tmp_path / "weights")
    lender = Lender(store, "cpu")
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert not lender.has(ANNOTATORS[NAME])
    with pytest.raises(ArmatureError) as refusal:
        lender(NAME, picture, resolution=64)
    assert refusal.value.code is MODEL_MISSING
    random_weights.write(store, NAME)
    assert lender.has(ANNOTATORS[NAME])
    values: dict[str, Any] = {param.name: param.default for param in ANNOTATORS[NAME].params}
    found = lender(NAME, picture, resolution=64, **values)
    assert found.map.shape == (64, 64, 3)
    canny: dict[str, Any] = {param.name: param.default for param in ANNOTATORS["canny"].params}
    plain = annotators.annotate("canny", picture, resolution=64, **canny)
    assert (lender("canny", picture, resolution=64, **canny).map == plain.map).all()
