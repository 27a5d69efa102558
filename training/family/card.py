"""The card of a family: what it is, what it learnt from and for how long, how good it is, and its limits.

Every figure comes from the files of its making; what was not measured is not there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from training.family.measured import Figure
from training.family.obeyed import Obeyed

DECODER = "its decoder alone"
NOT_NOTED = {DECODER: "in the row above"}  # one stage makes both
LICENCE = "Apache-2.0, as the program that made them: no picture and no weight is anybody else's."


def card(note: Mapping[str, Any], figures: Sequence[Figure], obeyed: Obeyed | None) -> str:
    """The card, in Markdown. The note is the recipe as plain values, with the `seconds` that each part took
    and the `hardware`; and under `onwards` the same of each time that base and controls learnt on."""
    return "\n\n".join(
        (
            "# Pocket",
            "Stable Diffusion's architecture with its ControlNets, only small, in diffusers' layout. Made by "
            "`python -m training.pocket`; see [docs/pocket.md](../../docs/pocket.md).",
            "## Data\n\n" + _data(note),
            "## Training\n\n" + _training(note),
            "## How good it is\n\n" + _figures(figures) + _colours(obeyed),
            "## Limits\n\n" + _limits(note["scenes"]),
            f"## Licence\n\n{LICENCE}\n",
        )
    )


def _data(note: Mapping[str, Any]) -> str:
    scenes, further = note["scenes"], ""
    if others := [f"{time['scenes']['count']:,}" for time in note.get("onwards", ())]:
        further = f" Base and controls learnt on from {' and then '.join(others)} others."
    return (
        f"{scenes['count']:,} scenes of the [drawn world](../../docs/world.md) at {scenes['size']} pixels, "
        f"from their seeds. Kinds: {', '.join(scenes['kinds'])}. Styles: {', '.join(scenes['styles'])}. "
        f"Weathers: {', '.join(scenes['weathers'])}.{further}"
    )


def _training(note: Mapping[str, Any]) -> str:
    learnt = {
        "autoencoder": note["autoencoder"]["learning"],
        DECODER: note["autoencoder"]["decoder"],
        "base": note["base"]["learning"],
        **note["controls"],
        "heads": note["heads"],
    }
    rows = [("part", "steps", "batch", "seconds"), ("---",) * 4, *_rows(learnt, note["seconds"])]
    words = f"On {note['hardware']}"
    for further in note.get("onwards", ()):
        onwards = {"base": further["base"]["learning"], **further["controls"]}
        rows += [(f"{name}, onwards", *row) for name, *row in _rows(onwards, further["seconds"])]
        words += f"; then on {further['hardware']}"
    return f"{_table(rows)}\n\n{words}."


def _rows(learnt: Mapping[str, Any], seconds: Mapping[str, float]) -> Iterator[tuple[str, ...]]:
    for name, learning in learnt.items():
        took = f"{seconds[name]:,.0f}" if name in seconds else NOT_NOTED.get(name, "not noted")
        yield name, f"{learning['steps']:,}", str(learning["batch"]), took


def _figures(figures: Sequence[Figure]) -> str:
    if not figures:
        return "Not measured."
    rows: list[Sequence[str]] = [
        ("control", "measure", "with it", "without", "true picture through the autoencoder", "way", "scenes"),
        ("---",) * 7,
    ]
    for figure in figures:
        means = (f"{fmean(part):.3f}" for part in (figure.with_control, figure.without, figure.through))
        share = f"{100 * figure.share:.0f} %"
        rows.append((figure.control, figure.measure, *means, share, str(len(figure.with_control))))
    return _table(rows) + (
        "\n\nOn scenes that were never learnt, all looked at by the same annotator. The way is how far the "
        "control comes from what there is without it to what the autoencoder lets through."
    )


def _colours(obeyed: Obeyed | None) -> str:
    if obeyed is None:
        return ""
    return (
        f"\n\nOf {obeyed.named:,} things that a caption names with a colour, {100 * obeyed.share:.0f} % have "
        "it where they stand, under the control of lines."
    )


def _limits(scenes: Mapping[str, Any]) -> str:
    return (
        f"It knows nothing but these scenes and the words of their captions, at {scenes['size']} pixels; "
        "other sizes work, and are worse. Small figures blur in the autoencoder. It is there to be at hand, "
        "to show what each control does, and for tests; for pictures that matter choose a larger family."
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def as_plain(figures: Sequence[Figure], obeyed: Obeyed | None) -> dict[str, Any]:
    """The figures as plain values, for a file."""
    return {
        "figures": [asdict(figure) for figure in figures],
        "obeyed": None if obeyed is None else asdict(obeyed),
    }


def from_plain(found: Mapping[str, Any]) -> tuple[list[Figure], Obeyed | None]:
    """The figures of a file again."""
    figures = []
    for value in found["figures"]:
        plain: dict[str, Any] = {
            name: tuple(part) if isinstance(part, list) else part for name, part in value.items()
        }
        figures.append(Figure(**plain))
    return figures, None if found["obeyed"] is None else Obeyed(**found["obeyed"])
