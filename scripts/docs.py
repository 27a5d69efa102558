"""Writes the docs that are made from the tables: `python -m scripts.docs`; `--check` only compares."""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from annotators import ANNOTATORS
from annotators.base import Annotator, Source
from conditions import CONDITIONS, Agreement, Condition, MapResize, Need, Polarity
from models.catalogue import FAMILIES, Control, Weight
from params import Param
from scripts import models_page

ROOT = Path(__file__).parents[1]

POLARITIES: dict[Polarity, str] = {
    "white_on_black": "white on black",
    "black_on_white": "black on white",
    "near_is_white": "grey, near is white and far is black",
    "colour": "in colour",
}
RESIZES: dict[MapResize, str] = {
    "nearest": "to the nearest pixel, so that no new colours arise",
    "area": "smoothly, by area",
}
NEEDS: dict[Need, str] = {
    "none": "",
    "canvas": "a canvas to draw on",
    "mask": "a brush for the mask",
    "pose_editor": "an editor for poses",
}
AGREEMENTS: dict[Agreement, str] = {
    "edge_f1": "how many edges of the map the result has, and how few it adds (F1)",
    "depth_correlation": "how well the depths of map and result go together (correlation)",
    "normal_angle": "the angle between the surfaces of map and result",
    "miou": "how much the areas of each kind overlap (mean intersection over union)",
    "pck": "how many joints are where the pose has them (correct key points)",
    "qr_decodes": "whether a reader finds the text of the code",
    "colour": "how close the colours of map and result are",
    "none": "",
}

SOURCES: dict[Source, str] = {
    "picture": "a picture",
    "pose": "key points in OpenPose's JSON",
    "text": "a text or an address",
}
RESAMPLES = {
    "nearest": "to the nearest pixel, so that it keeps its values",
    "smooth": "smoothly",
}

ANNOTATORS_HEAD = """\
<!-- Made from the tables in the code by `make docs`: change those, not this page. -->

# Annotators

An annotator takes the structure out of a picture, as a map that a [condition](conditions.md) follows. Each
has a tab or several; the tab **Annotate** runs any of them, or all that are here, on one picture. Without a
browser:

```sh
.venv/bin/python cli.py annotate canny photo.jpg edges.png --set low_threshold=60
.venv/bin/python cli.py annotate canny photos edges    # every picture of a folder; what is done is kept
```

Of a picture, the map has the picture's size and shape: to fit the stride of a network the picture is
padded, not stretched. Lines are white on black, and near is white.

Where you name none, the tab, the API and `cli.py generate` begin with the same one: of those that find the
structure in any picture, in the order of the condition, the first whose files are here. Without a download
that is a small built-in one for poses, depth, normals and classes. Once the files of a better one have come,
the program begins with it from its next start on; the one that you chose stays. A map of your own is taken as
it is by the annotator `none`, which has to be named. Every picture remembers which one made its map.

The maps below are of this scene, which `scripts/scene.py` draws, with every setting at its default; the
normals are of its depth, the pose is of the person in it, and the code of an address. They are made by
`python -m scripts.maps`.

![A person waves in a garden, between a house, two trees and a table](images/annotators/scene.webp)

Annotators that need files of their own have no picture here. The files are no part of this project, and the
licences of some allow research only, so a map that was made with them is not shipped either.
"""

HEAD = """\
<!-- Made from the tables in the code by `make docs`: change those, not this page. -->

# Conditions

A condition is one kind of structure that a picture can be made to keep. Each has its own tab, its own
endpoint in the API (`/canny`, `/depth`, and so on), and the same name on the command line. Each also says how
its agreement is to be measured: how well a result kept the structure.

On the page, the switch **My picture is already a map** is set when a picture comes that looks like one of the
tab's maps; it says why, and stays as you move it until another picture comes. Dark lines on a light ground
are shown inverted. The API and the command line guess nothing: there you choose the annotator `none` or
`invert`, and are told when the picture looks like something else.
"""


def conditions_page() -> str:
    """The whole of docs/conditions.md."""
    sections = "\n".join(_section(condition) for condition in CONDITIONS.values())
    return f"{HEAD}\n{_overview()}\n{sections}"


def annotators_page() -> str:
    """The whole of docs/annotators.md."""
    sections = "\n".join(_annotator_section(annotator) for annotator in ANNOTATORS.values())
    return f"{ANNOTATORS_HEAD}\n{_annotators_overview()}\n{sections}"


def _annotators_overview() -> str:
    head = ("Annotator", "Name", "Starts from", "Needs", "Tabs")
    rows = [
        (
            f"[{annotator.label}](#{_anchor(annotator.label)})",
            f"`{annotator.name}`",
            SOURCES[annotator.source],
            _files(annotator),
            ", ".join(tab.title for tab in tabs) if len(tabs) < len(CONDITIONS) else "all",
        )
        for annotator in ANNOTATORS.values()
        for tabs in [_tabs(annotator)]
    ]
    return _table(head, rows)


def _files(annotator: Annotator) -> str:
    count = len(annotator.weights)
    return f"{count} {'file' if count == 1 else 'files'}" if count else "nothing"


def _tabs(annotator: Annotator) -> list[Condition]:
    """The tabs in which it can be chosen."""
    return [condition for condition in CONDITIONS.values() if annotator.name in condition.annotators]


def _annotator_section(annotator: Annotator) -> str:
    parts = [f"## {annotator.label}\n\n`{annotator.name}`: {_said(annotator)}\n"]
    if annotator.weights:
        parts.append("*Needs its weights: no picture.*\n")
    else:
        parts.append(f"![{annotator.label}: the map](images/annotators/{annotator.name}.webp)\n")
    parts.append("".join(f"- {fact}\n" for fact in _annotator_facts(annotator)))
    if annotator.params:
        parts.append(_settings(annotator))
    return "\n".join(parts)


def _annotator_facts(annotator: Annotator) -> Iterator[str]:
    tabs = [f"[{tab.title}](conditions.md#{_anchor(tab.title)})" for tab in _tabs(annotator)]
    yield f"In {'the tab' if len(tabs) == 1 else 'the tabs'} {', '.join(tabs)}."
    yield f"Starts from {SOURCES[annotator.source]}."
    if annotator.source == "picture" and annotator.rescales:
        yield f"Its map is brought from the working size to the picture's {RESAMPLES[annotator.resample]}."
    for weight in annotator.weights:
        yield f"Needs {_weight(weight)}."
    if annotator.mended:
        yield f"Put right: {annotator.mended}"


def _overview() -> str:
    families = list(FAMILIES.values())
    head = ("Tab", "Name", "What it keeps", *(family.title for family in families))
    rows = [
        (
            f"[{condition.title}](#{_anchor(condition.title)})",
            f"`{condition.name}`",
            condition.help,
            *("yes" if family.name in condition.controls else "no" for family in families),
        )
        for condition in CONDITIONS.values()
    ]
    return _table(head, rows)


def _section(condition: Condition) -> str:
    facts = "".join(f"- {label} {fact}.\n" for label, fact in _facts(condition) if fact)
    annotators = "\n".join(
        _annotator(annotator, _choice(condition, annotator))
        for position, annotator in enumerate(condition.available_annotators)
    )
    return f"## {condition.title}\n\n`{condition.name}`: {condition.help}\n\n{facts}\n{annotators}"


def _facts(condition: Condition) -> Iterator[tuple[str, str]]:
    """What a reader wants to know about a condition, the label first; empty where there is nothing to say."""
    yield "The map is", POLARITIES[condition.polarity]
    yield "The page tells a map of your own by", condition.kind.signs
    yield "A map of your own is resized", RESIZES[condition.resize]
    yield "The tab carries", NEEDS[condition.needs]
    yield "Agreement measures", AGREEMENTS[condition.agreement]
    for name, family in FAMILIES.items():
        control = family.control(condition.controls.get(name, ""))
        if control is not None:
            yield f"{family.title} uses", _control(control)


def _control(control: Control) -> str:
    weight = control.weight
    if weight is None:
        return f"its built-in control `{control.name}`"
    return _weight(weight)


def _weight(weight: Weight) -> str:
    if not weight.repo:
        return f"`{weight.subfolder}/{weight.file}`, which comes with the program, licence {weight.licence}"
    parts = [f"`{weight.repo}`"]
    parts += [f"folder `{weight.subfolder}`"] if weight.subfolder else []
    parts += [f"file `{weight.file}`"] if weight.file else []
    parts += [f"licence {weight.licence}"] if weight.licence else []
    return ", ".join(parts)


def _choice(condition: Condition, annotator: Annotator) -> str:
    """Whether it is what a tab begins with: with all files here, or without a download."""
    if annotator is condition.first(lambda _: True):
        return ", the first choice"
    plain = condition.first(lambda name: not ANNOTATORS[name].is_fetched)
    return ", the first choice without a download" if annotator is plain else ""


def _said(annotator: Annotator) -> str:
    """What it does, and what has to be known of it."""
    return f"{annotator.help} {annotator.caution}".strip()


def _annotator(annotator: Annotator, choice: str) -> str:
    text = f"**{annotator.label}** (`{annotator.name}`{choice}): {_said(annotator)}\n"
    if not annotator.params:
        return text
    return f"{text}\n{_settings(annotator)}"


def _settings(annotator: Annotator) -> str:
    head = ("Setting", "Label", "What it does", "Default", "Range")
    rows = [
        (f"`{param.name}`", param.label, param.help, f"`{_default(param)}`", param.allowed)
        for param in annotator.params
    ]
    return _table(head, rows)


def _default(param: Param) -> str:
    return str(param.default).lower() if isinstance(param.default, bool) else str(param.default)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up in the source too."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "| " + " | ".join("-" * width for width in widths) + " |"
    return "\n".join((lines[0], rule, *lines[1:])) + "\n"


def _anchor(title: str) -> str:
    """The anchor that Markdown viewers give to a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


PAGES = {
    ROOT / "docs" / "conditions.md": conditions_page,
    ROOT / "docs" / "annotators.md": annotators_page,
    ROOT / "docs" / "models.md": models_page.page,
}


def main(arguments: Sequence[str]) -> int:
    """Write every page, or say which ones are not as the tables have it."""
    parser = argparse.ArgumentParser(prog="python -m scripts.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page differs")
    check = parser.parse_args(arguments).check
    stale = [path for path, page in PAGES.items() if not path.exists() or path.read_text("utf-8") != page()]
    for path in stale:
        name = path.relative_to(ROOT).as_posix()
        if check:
            print(f"{name} is not as the tables have it: run make docs", file=sys.stderr)
        else:
            path.write_text(PAGES[path](), "utf-8")
            print(f"{name} is written")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
