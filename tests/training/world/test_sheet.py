"""The sheets of the docs: their layout, and that they are there and not too large."""

from pathlib import Path

import numpy as np
import pytest

from training.world import __main__ as command
from training.world import sheet

IMAGES = Path(__file__).parents[3] / "docs" / "images"


def test_pictures_stand_in_rows() -> None:
    pictures = [np.full((8, 10, 3), number, np.uint8) for number in (10, 20, 30)]
    made = sheet.sheet(pictures, 2)
    gap = sheet.GAP
    assert made.shape == (2 * 8 + 3 * gap, 2 * 10 + 3 * gap, 3)
    assert (made[gap : gap + 8, gap : gap + 10] == 10).all()
    assert (made[gap : gap + 8, 2 * gap + 10 : 2 * gap + 20] == 20).all()
    assert (made[2 * gap + 8 : 2 * gap + 16, gap : gap + 10] == 30).all()
    assert (made[0] == 255).all()


def test_a_row_of_layers_for_each_seed() -> None:
    made = sheet.layered([3, 4], 16)
    assert made.shape == (2 * 16 + 3 * sheet.GAP, 6 * 16 + 7 * sheet.GAP, 3)


def test_the_command_writes_both_sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "FIRST", range(2))
    monkeypatch.setattr(command, "SHOWN", (0,))
    monkeypatch.setattr("sys.argv", ["world", "sheet", str(tmp_path)])
    command.main()
    assert {path.name for path in tmp_path.iterdir()} == {"world-64.webp", "world-layers.webp"}


@pytest.mark.parametrize("name", ["world-64.webp", "world-layers.webp"])
def test_the_sheets_of_the_docs_are_small(name: str) -> None:
    assert 50_000 < (IMAGES / name).stat().st_size < 1_500_000
