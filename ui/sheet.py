"""The contact sheet of the Annotate tab: a card for each annotator, as HTML that grows, as PNG and ZIP."""

import io
import json
import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import gate
from annotators.base import Annotation, Pixels
from gate import OWN_FILES
from pipelines.request.intake import fit
from ui.uploads import address, served_bytes

CardState: TypeAlias = Literal["waits", "runs", "done", "lacks", "failed", "left"]

THUMB = 480  # the long side of what the sheet shows of a map, in pixels
WIDEST = 1.8  # a frame is at most so many times as wide as high, or as high as wide
POSTER = "contact-sheet.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One annotator on the sheet. `map` and `thumb` are PNG files that may be served.

    `words` say what it lacks, why it failed, or why it was left out; `todo` how to get what it lacks.
    """

    name: str
    label: str
    state: CardState = "waits"
    seconds: float = 0.0
    map: str = ""
    thumb: str = ""
    size: tuple[int, int] = (1, 1)
    data: Mapping[str, Any] | None = None
    notices: tuple[str, ...] = ()
    words: str = ""
    todo: str = ""


def filed(name: str, found: Annotation) -> dict[str, Any]:
    """The fields of a card that show an annotation: its map and a smaller one are on the disk now."""
    height, width = found.map.shape[:2]
    scale = min(1.0, THUMB / max(height, width))
    small = fit(found.map, max(1, round(width * scale)), max(1, round(height * scale)), "area")
    file = served_bytes(_png(found.map), f"{name}.png")
    return {
        "map": file,
        "thumb": file if scale == 1 else served_bytes(_png(small), f"{name}-small.png"),
        "size": (width, height),
        "data": found.data,
        "notices": found.notices,
    }


def _png(pixels: Pixels) -> bytes:
    """An RGB uint8 (H, W, 3) picture, packed quickly: somebody waits, and it is kept for a day."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def took(seconds: float) -> str:
    """A time as a label has it."""
    if seconds < 0.0005:
        return "< 1 ms"
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


# As HTML


def sheet(cards: Sequence[Card]) -> str:
    """All cards: maps as they arrive, what failed, and at the end what needs a download.

    Whatever has a `data-annotator` is drawn anew only when it has changed (`sheet.js`).
    """
    if not cards:
        return '<p class="empty">The maps of your picture appear here, side by side.</p>'
    width, height = cards[0].size
    shape = min(WIDEST, max(1 / WIDEST, width / height))
    shown = "".join(_tile(card) for card in cards if card.state in ("waits", "runs", "done", "failed"))
    beside = "".join(_row(card) for card in cards if card.state in ("lacks", "left"))
    return f'<div class="tiles" style="--shape: {shape:.3f}">{shown}</div><ul class="lacking">{beside}</ul>'


def summary(cards: Sequence[Card]) -> str:
    """One line over the sheet: how many maps, how long they took, and what goes on."""
    number = {state: sum(card.state == state for card in cards) for state in ("done", "failed", "lacks")}
    facts = [f"{number['done']} {'map' if number['done'] == 1 else 'maps'}"]
    facts += [took(sum(card.seconds for card in cards))] if number["done"] else []
    facts += [f"{number['failed']} failed"] if number["failed"] else []
    facts += [f"{number['lacks']} need a download"] if number["lacks"] else []
    facts += [f"{card.label} …" for card in cards if card.state == "runs"]
    return f'<p class="facts" role="status">{"".join(f"<span>{escape(fact)}</span>" for fact in facts)}</p>'


def _tile(card: Card) -> str:
    return (
        f'<figure class="tile {card.state}" data-annotator="{card.name}">{_picture(card)}'
        f"<figcaption><b>{escape(card.label)}</b><span>{_aside(card)}</span></figcaption></figure>"
    )


def _picture(card: Card) -> str:
    if card.state == "done":
        notices = escape(" ".join(card.notices))
        return (
            f'<a class="frame" href="{address(card.map)}" target="_blank" title="{notices}">'
            f'<img src="{address(card.thumb)}" alt="{escape(card.label)}" loading="lazy"></a>'
        )
    return f'<div class="frame">{escape(card.words)}</div>'


def _aside(card: Card) -> str:
    return took(card.seconds) if card.state == "done" else {"failed": "failed"}.get(card.state, "")


def _row(card: Card) -> str:
    more = f"<p>{escape(card.todo)}.</p>" if card.todo else ""
    return (
        f'<li data-annotator="{card.name}"><details{"" if more else " class=plain"}>'
        f"<summary><b>{escape(card.label)}</b><span>{escape(card.words)}</span></summary>{more}</details></li>"
    )


# As files

PAPER, INK, FAINT = (247, 247, 245), (39, 39, 36), (116, 116, 109)
CELL, GAP, MARGIN, LABEL = 360, 20, 32, 34  # pixels


def poster(cards: Iterable[Card]) -> bytes:
    """The finished maps side by side with their names and times, as a PNG."""
    done = [card for card in cards if card.state == "done"]
    shapes = [height / width for width, height in (card.size for card in done)]
    cell = round(CELL * min(WIDEST, max(1 / WIDEST, float(np.median(shapes)))))
    columns = _columns(len(done), (cell + LABEL) / CELL)
    rows = math.ceil(len(done) / columns)
    size = (
        2 * MARGIN + columns * CELL + (columns - 1) * GAP,
        2 * MARGIN + rows * (cell + LABEL) + (rows - 1) * GAP,
    )
    paper = Image.new("RGB", size, PAPER)
    for number, card in enumerate(done):
        row, column = divmod(number, columns)
        _place(paper, card, MARGIN + column * (CELL + GAP), MARGIN + row * (cell + LABEL + GAP), cell)
    return _png(np.asarray(paper))


def _columns(count: int, tall: float) -> int:
    """About as many as make a sheet of 4:3 of cells that are `tall` times as high as wide; few left empty."""
    ideal = round(math.sqrt(count * tall * 4 / 3))
    near = [columns for columns in (ideal, ideal - 1, ideal + 1) if 1 <= columns <= count]
    return min(near or [1], key=lambda columns: -count % columns)


def _place(paper: Image.Image, card: Card, left: int, top: int, cell: int) -> None:
    map = Image.fromarray(gate.open_picture(Path(card.thumb), OWN_FILES).pixels)
    scale = min(CELL / map.width, cell / map.height)
    map = map.resize((max(1, round(map.width * scale)), max(1, round(map.height * scale))))
    paper.paste(map, (left + (CELL - map.width) // 2, top + (cell - map.height) // 2))
    draw = ImageDraw.Draw(paper)
    font, small = ImageFont.load_default(17), ImageFont.load_default(14)
    draw.text((left, top + cell + 8), card.label, INK, font)
    draw.text((left + CELL, top + cell + 10), took(card.seconds), FAINT, small, anchor="ra")


def packed(cards: Iterable[Card], sheet: bytes) -> bytes:
    """A ZIP of all maps by the names of their annotators, what was found beside them, and the sheet's PNG."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for card in cards:
            if card.state == "done":
                archive.write(card.map, f"{card.name}.png")
                if card.data is not None:
                    text = json.dumps(card.data, ensure_ascii=False, indent=1)
                    archive.writestr(f"{card.name}.json", text, zipfile.ZIP_DEFLATED)
        archive.writestr(POSTER, sheet)
    return buffer.getvalue()
