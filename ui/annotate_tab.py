"""The Annotate tab: any annotator, or all of them at once, on one picture, as a sheet of maps that grows.

It makes maps and nothing else, by the same desk and engine as every tab.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr
from gradio.components import Component

import annotators
from annotators import ANNOTATORS
from annotators.base import Source
from pipelines.engine import Engine
from pipelines.request.intake import TYPED, Desk
from ui import fragments
from ui.border import Told, answers, replies, shows, streams
from ui.controls import widget
from ui.making import Maker, Order, Run
from ui.methods import named, settings
from ui.sheet import POSTER, Card, packed, poster, sheet, summary
from ui.uploads import served_bytes

SCRIPT = Path(__file__).with_name("sheet.js").read_text("utf-8")

Raw: TypeAlias = Mapping[Component, Any]
Updates: TypeAlias = dict[Any, Any]


class AnnotateTab:
    """The tab's components and its handlers; made inside its `gr.Tab`."""

    def __init__(self, desk: Desk, engine: Engine) -> None:
        self._maker = Maker(desk, engine)
        self._runs: dict[str, Run] = {}
        with gr.Row(elem_id="annotate"):
            with gr.Column(elem_id="annotate-source", min_width=260):
                self._lay_out_source()
            with gr.Column(elem_id="annotate-sheet", min_width=260):
                self._lay_out_sheet()
        self._wire()

    def _lay_out_source(self) -> None:
        self.picture = gr.Image(
            label="Your picture",
            type="filepath",
            image_mode=None,
            sources=["upload", "clipboard", "webcam"],
            format="png",
            elem_id="annotate-picture",
            placeholder="Drop a picture here\nor click to choose one",
        )
        self.chosen = gr.Dropdown(
            [(named(method), method.name) for method in ANNOTATORS.values()],
            value=[],
            multiselect=True,
            label="Take the structure with",
            info="Leave it empty for all that are here.",
            elem_id="annotate-chosen",
        )
        with gr.Row():
            self.run = gr.Button("Annotate", variant="primary", size="lg", elem_id="annotate-run")
            self.stop = gr.Button("Stop", size="lg", visible=False, elem_id="annotate-stop")
        self.values, self.groups = settings(ANNOTATORS.values(), "annotate", titled=True)
        with gr.Accordion("Resolution, texts and poses", open=False, elem_id="annotate-more") as self.more:
            self.resolution = widget(self._maker.resolution, elem_id="annotate-resolution")
            self.typed: dict[Source, gr.Textbox] = {
                source: gr.Textbox(
                    label=label, lines=1 if source == "text" else 4, max_lines=8, elem_id=f"annotate-{source}"
                )
                for source, label in TYPED.items()
            }

    def _lay_out_sheet(self) -> None:
        with gr.Row(elem_id="annotate-head"):
            self.summary = gr.HTML(elem_id="annotate-summary", elem_classes="told")
            self.zip = gr.DownloadButton("All maps (ZIP)", size="sm", visible=False, elem_id="annotate-zip")
            self.poster = gr.DownloadButton(
                "Contact sheet (PNG)", size="sm", visible=False, elem_id="annotate-poster"
            )
        self.notes = gr.HTML(elem_id="annotate-notes", elem_classes="told")
        self.sheet = gr.HTML(sheet(()), html_template="<div></div>", js_on_load=SCRIPT, elem_id="sheet")
        self.running = gr.State("")

    @property
    def _outputs(self) -> list[Any]:
        return [
            *(self.sheet, self.summary, self.notes, self.running),
            *(self.run, self.stop, self.zip, self.poster),
        ]

    def _wire(self) -> None:
        private: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        inputs: set[Any] = {self.picture, self.chosen, self.resolution, *self.typed.values()}
        inputs |= {part for group in self.values.values() for part in group.values()}
        self.run.click(
            streams(self._run),
            inputs=inputs,
            outputs=self._outputs,
            preprocess=False,
            concurrency_limit=None,
            **private,
        )
        private["queue"] = False
        self.stop.click(replies(self._stop), self.running, self.stop, **private)
        self.picture.change(replies(self._changed), self.running, self._outputs, **private)
        groups = [*self.groups.values(), self.more]
        self.chosen.change(answers(self._settings), self.chosen, groups, **private)

    def _settings(self, chosen: list[str]) -> list[Any]:
        """The settings of what is chosen, and where a text or a pose goes in."""
        typed = any(annotators.find(name).source in TYPED for name in chosen)
        shown = [gr.update(visible=name in chosen) for name in self.groups]
        return [*shown, gr.update(open=True) if typed else gr.skip()]

    async def _run(self, raw: Raw) -> AsyncIterator[Updates]:
        """One stream of updates from the first card to the last, however it ends: none comes too late."""
        try:
            order = await asyncio.to_thread(answers(self._ordered), raw)
        except Told as error:
            yield {self.notes: fragments.notes([error.message], "refusal")}
            return
        name, run = secrets.token_hex(8), Run()
        self._runs[name] = run
        cards = order.cards
        try:
            yield self._begun(order) | self._drawn(cards) | {self.running: name}
            async for cards in self._maker.grown(order, run):
                yield self._drawn(cards)
            cards = tuple(card for card in cards if card.state not in ("waits", "runs"))
            ended = await asyncio.to_thread(shows(self._finished, partial(self._unpacked, cards)), cards)
        finally:
            del self._runs[name]
        yield self._cleared() if run.dropped else ended

    async def _stop(self, name: str) -> Any:
        """What is there stays, and can be had; what was to come does not."""
        if name in self._runs:
            self._runs[name].stop.set()
        return gr.update(interactive=False)

    async def _changed(self, name: str) -> Updates:
        """Another picture: the maps on the sheet are not of it, nor those that are still to come."""
        if name not in self._runs:
            return self._cleared()
        self._runs[name].dropped = True
        self._runs[name].stop.set()
        return {self.stop: gr.update(interactive=False)}

    def _cleared(self) -> Updates:
        hidden = gr.update(visible=False)
        return self._idle(()) | {self.summary: "", self.notes: "", self.zip: hidden, self.poster: hidden}

    def _ordered(self, raw: Raw) -> Order:
        return self._maker.order(
            picture=raw[self.picture],
            chosen=raw[self.chosen],
            typed={source: raw[box] for source, box in self.typed.items()},
            resolution=raw[self.resolution],
            values={
                name: {key: raw[part] for key, part in group.items()} for name, group in self.values.items()
            },
        )

    def _begun(self, order: Order) -> Updates:
        hidden = gr.update(visible=False)
        notes = fragments.notes(order.notices)
        shown = gr.update(visible=True, interactive=True)
        return {self.run: hidden, self.stop: shown, self.zip: hidden, self.poster: hidden, self.notes: notes}

    def _drawn(self, cards: Sequence[Card]) -> Updates:
        return {self.sheet: sheet(cards), self.summary: summary(cards)}

    def _idle(self, cards: Sequence[Card]) -> Updates:
        shown, hidden = gr.update(visible=True), gr.update(visible=False)
        return self._drawn(cards) | {self.run: shown, self.stop: hidden}

    def _unpacked(self, cards: Sequence[Card], words: str) -> Updates:
        """The sheet without its files."""
        return self._idle(cards) | {self.notes: fragments.notes([words], "refusal")}

    def _finished(self, cards: Sequence[Card]) -> Updates:
        """The sheet as it stays, and the files of all that is done."""
        if not any(card.state == "done" for card in cards):
            return self._idle(cards)
        drawn = poster(cards)
        return self._idle(cards) | {
            self.zip: gr.update(value=served_bytes(packed(cards, drawn), "maps.zip"), visible=True),
            self.poster: gr.update(value=served_bytes(drawn, POSTER), visible=True),
        }
