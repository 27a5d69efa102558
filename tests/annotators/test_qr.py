"""QR codes: what is written is read again, by OpenCV's own reader."""

import cv2
import numpy as np
import pytest

from annotators import annotate
from annotators.base import Pixels
from errors import ArmatureError

TEXTS = [
    "https://example.org/a?b=c&d=e",
    "x",
    "Grüße, 日本 €",
    "0123456789",
    "UPPER CASE",
    "https://example.org/" + "0a1B2c" * 40,
]


def read(map: Pixels) -> str:
    return cv2.QRCodeDetector().detectAndDecode(map)[0]


@pytest.mark.parametrize("text", TEXTS, ids=[text[:8] for text in TEXTS])
@pytest.mark.parametrize("level", ["L", "M", "Q", "H"])
def test_a_code_says_its_text(text: str, level: str) -> None:
    assert read(annotate("qr", text, error_correction=level).map) == text


@pytest.mark.parametrize("module_size", [2, 5, 20])
@pytest.mark.parametrize("border", [2, 4, 16])
def test_a_code_has_the_size_that_was_asked_for(module_size: int, border: int) -> None:
    found = annotate("qr", "https://example.org", border=border, module_size=module_size)
    assert found.data is not None
    modules = 17 + 4 * found.data["version"] + 2 * border
    assert found.data["modules"] == modules
    assert found.map.shape == (modules * module_size, modules * module_size, 3)
    edge = border * module_size
    assert (found.map[:edge] == 255).all()
    assert (found.map[edge, edge : edge + 7 * module_size] == 0).all(), "the finder's corner is dark"
    assert set(np.unique(found.map)) == {0, 255}
    grid = found.map[::module_size, ::module_size]
    assert np.array_equal(grid.repeat(module_size, 0).repeat(module_size, 1), found.map)
    free = annotate("qr", "https://example.org", border=border, module_size=module_size, ground="grey")
    assert np.array_equal(free.map[edge:-edge, edge:-edge], found.map[edge:-edge, edge:-edge])
    free.map[edge:-edge, edge:-edge] = 128
    assert (free.map == 128).all(), "around the code, and only there"


def test_more_correction_survives_more_paint() -> None:
    text = "https://example.org/armature"
    map = annotate("qr", text, error_correction="H", module_size=10).map.copy()
    middle = len(map) // 2
    map[middle - 40 : middle + 40, middle - 40 : middle + 40] = (200, 30, 30)
    assert read(map) == text


@pytest.mark.parametrize(
    ("text", "level"), [("", "H"), ("a" * 1274, "H"), ("a" * 2954, "L"), ("é" * 1500, "L"), ("\ud800", "M")]
)
def test_what_is_refused(text: str, level: str) -> None:
    with pytest.raises(ArmatureError, match="PARAM_RANGE: The text can't become a QR code") as refusal:
        annotate("qr", text, error_correction=level)
    assert f"bytes at error correction {level}" in refusal.value.allowed


@pytest.mark.parametrize(("level", "most"), [("L", 2953), ("M", 2331), ("Q", 1663), ("H", 1273)])
def test_the_most_is_taken(level: str, most: int) -> None:
    found = annotate("qr", "a" * most, error_correction=level, module_size=2)
    assert found.data is not None
    assert found.data["version"] == 40
