"""Standard line art, against its definition written out, and on nothing at all."""

import cv2
import numpy as np
import pytest

from annotators import annotate
from annotators.base import Pixels


def drawing() -> Pixels:
    """Dark strokes of several strengths on light paper."""
    paper = np.full((128, 160, 3), 240, np.uint8)
    for place, dark in enumerate((20, 90, 160, 200)):
        cv2.line(paper, (10, 20 + 25 * place), (150, 30 + 25 * place), (dark, dark, dark + 10), 2)
    return paper


@pytest.mark.parametrize(("sigma", "threshold"), [(6.0, 8.0), (3.0, 2.0), (10.0, 30.0)])
def test_it_is_what_its_definition_says(sigma: float, threshold: float) -> None:
    picture = drawing()
    colours = picture.astype(np.float64)
    channels = [
        cv2.GaussianBlur(colours[..., index], (0, 0), sigma) - colours[..., index] for index in range(3)
    ]
    darker = np.clip(np.min(channels, axis=0), 0, 255)
    ordinary = max(16, float(np.median([value for value in darker.ravel() if value > threshold])))
    expected = np.clip(darker / ordinary * 127, 0, 255)
    found = annotate("lineart_standard", picture, sigma=sigma, threshold=threshold).map[..., 0]
    assert np.abs(found - np.floor(expected)).max() <= 1


def test_a_line_of_ordinary_darkness_is_middle_grey() -> None:
    found = annotate("lineart_standard", drawing()).map[..., 0]
    assert 100 < np.median(found[found > 30]) < 160
    assert (found[:10] < 10).all()


def test_no_line_is_no_division() -> None:
    """The original takes the median of nothing here, which is not a number."""
    found = annotate("lineart_standard", np.full((64, 64, 3), 77, np.uint8))
    assert not found.map.any()
    assert "No lines" in found.notices[0]
