"""How far apart two ways to the same result were: `pytest -p tests.tolerances FILES` shows it as a table.

`docs/engine.md` has the figures; this is what they come from.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

HEAD = ("test", "comparisons", "largest difference", "allowed there")


@dataclass(slots=True)
class Notes:
    """Of each test by name the difference of each of its comparisons, and what was allowed."""

    test: str = ""
    seen: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def note(self, apart: float, allowed: float) -> None:
        """One comparison of the test that runs, where anybody asked."""
        if self.test:
            self.seen[self.test].append((apart, allowed))

    def rows(self) -> Iterator[tuple[str, ...]]:
        """For each test its worst comparison, against what was allowed in it."""
        for test, found in self.seen.items():
            apart, allowed = max(found, key=lambda pair: pair[0] / pair[1])
            yield test, str(len(found)), f"{apart:.1e}", f"{allowed:.1e}"


NOTES = Notes()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Know which test it is."""
    NOTES.test = getattr(item, "originalname", item.name)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table, in Markdown."""
    for row in (HEAD, ("---",) * len(HEAD), *NOTES.rows()):
        terminalreporter.write_line(f"| {' | '.join(row)} |")
