"""The Compose tab: a stack of controls that hold together, each where and as firmly as its card says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr
from gradio.components import Component

import conditions
from conditions import CONDITIONS, Condition
from errors import IMG_EMPTY
from gate import Picture
from pipelines.engine import Engine
from pipelines.request.composing import compose
from pipelines.request.controls import CONTROL, UNIT_PARAMS
from pipelines.request.intake import Desk, Draft
from ui import fragments
from ui.border import shows, streams
from ui.own_map import needs_turning
from ui.panel import Panel
from ui.stack import Placed, Stack, all_placed, layer, send, stack_of_cards, told
from ui.start import BEGIN, Place
from ui.uploads import uploaded
from ui.visitors import visitor, wish

Raw: TypeAlias = Mapping[Component, Any]
Updates: TypeAlias = dict[Any, Any]
Follow: TypeAlias = Callable[[str, Raw], AsyncIterator[Updates]]


class ComposeTab:
    """The tab's components and its handlers; made inside its `gr.Tab`."""

    def __init__(
        self, desk: Desk, engine: Engine, refuse_missing: Callable[[str, str, object], None]
    ) -> None:
        self._desk = desk
        self._engine = engine
        self._refuse_missing = refuse_missing
        with gr.Column(elem_classes="structure"):
            lead = "Several controls at once: each follows its own map, as firmly and for as long as you say."
            gr.HTML(f"<p>{lead}</p>", elem_classes="lead")
            self.cards = stack_of_cards("stack")
            with gr.Accordion("Add a control", open=False, elem_id="compose-more"), gr.Row():
                self._lay_out_adding()
        with gr.Column(elem_classes="go"):
            self.generate = gr.Button("Generate", variant="primary", size="lg", elem_id="compose-generate")
        self.stack = gr.State(Stack())

    def _lay_out_adding(self) -> None:
        self.picture = gr.Image(
            label="A picture, or a ready map",
            type="filepath",
            image_mode=None,
            sources=["upload", "clipboard"],
            format="png",
            elem_id="compose-picture",
            placeholder="Drop a picture here\nor click to choose one",
        )
        with gr.Column():
            choices = [(condition.title, condition.name) for condition in CONDITIONS.values()]
            self.condition = gr.Dropdown(
                choices, value=choices[0][1], label="What it keeps", elem_id="compose-condition"
            )
            self.add = gr.Button("Add", elem_id="compose-add")
            self.notes = gr.HTML(elem_id="compose-notes", elem_classes="told")

    @property
    def inputs(self) -> set[Any]:
        """All that sending to the stack reads."""
        return {self.cards, self.stack}

    def place(self, opener: gr.Tab) -> Place:
        """Where the start finds the picture of this tab: that of the control on top."""
        return Place(
            tab=opener,
            inputs={self.cards, self.stack},
            changes=[self.cards.select],
            picture=self.own_picture,
        )

    def own_picture(self, raw: Raw) -> Path | None:
        """The picture under a map: that of what is repainted, or of the topmost that is not muted."""
        placed = [one for one in all_placed(raw[self.stack], raw[self.cards]) if one.sent.picture]
        placed.sort(key=lambda one: (one.muted, not one.sent.condition.has_hole))
        return placed[0].sent.picture if placed else None

    def wire(self, shared: Panel, follow: Follow) -> None:
        """Connect what is inside the tab; `follow` brings a job to the panel."""
        private: dict[str, Any] = {"preprocess": False, "api_visibility": "private"}
        read = {self.picture, self.condition, shared.model, shared.values["size"]} | self.inputs
        self.add.click(
            shows(lambda raw: self._add(shared, raw), self._refused),
            read,
            [self.notes, self.cards, self.picture],
            queue=False,
            show_progress="minimal",
            **private,
        )

        async def generate(raw: Raw) -> AsyncIterator[Updates]:
            job_id = await asyncio.to_thread(self._submit, shared, raw)
            yield {shared.info: ""}
            async for updates in follow(job_id, raw):
                yield updates

        self.generate.click(
            streams(generate),
            self.inputs | shared.inputs | {shared.board},
            shared.outputs,
            show_progress="hidden",
            concurrency_limit=None,
            trigger_mode="multiple",
            **private,
        )

    def send(
        self,
        raw: Raw,
        draft: Draft,
        picture: Path | None,
        unit: Mapping[str, object],
        painting: object = None,
    ) -> Updates:
        """Put a map on the stack, as another tab shows it, with what was painted over its picture."""
        send(self._desk, raw[self.stack], raw[self.cards], draft, picture, unit, painting)
        return {self.cards: told(raw[self.stack])}

    def named(self, raw: Raw) -> str:
        """What is on the stack, in words."""
        titles = [placed.sent.card["title"] for placed in all_placed(raw[self.stack], raw[self.cards])]
        return f"In Compose now: {', '.join(titles)}."

    def _add(self, shared: Panel, raw: Raw) -> Updates:
        path = uploaded(raw[self.picture])
        picture, condition = self._desk.picture(path), conditions.find(raw[self.condition])
        above = all_placed(raw[self.stack], raw[self.cards])
        draft = self._desk.draft(
            condition.name,
            picture,
            annotator=self._fitting(condition, picture),
            family=raw[shared.model],
            size="{}x{}".format(*_size(above[0])) if above else raw[shared.values["size"]],
        )
        unit = {param.name: param.default for param in UNIT_PARAMS}
        sent = self.send(raw, draft, path, unit)
        return sent | {self.notes: fragments.notes(draft.notices), self.picture: None}

    def _fitting(self, condition: Condition, picture: Picture) -> str:
        """What takes the picture for a map where it looks like one, or else finds the map in it."""
        look = condition.kind.look(picture.pixels)
        if look.is_map or condition.finder is None:
            return condition.taking("negative" if needs_turning(condition, look) else "map")[0].name
        return self._desk.first(condition).name

    def _refused(self, words: str) -> Updates:
        return {self.notes: fragments.notes([words], "refusal")}

    def _submit(self, shared: Panel, raw: Raw) -> str:
        placed = all_placed(raw[self.stack], raw[self.cards])
        if not placed:
            raise IMG_EMPTY("There is no control yet", todo="Send one here from its tab, or add one")
        heard = [one for one in placed if not one.muted]
        begins = raw[shared.start.begin] != BEGIN.default
        family = raw[shared.model]
        for one in heard:
            self._refuse_missing(family, one.sent.condition.name, one.values[CONTROL.name])
        values = shared.run_values(raw)
        request = compose(
            self._desk,
            [layer(self._desk, one) for one in heard],
            family=family,
            values=values,
            ground=shared.start.ground(raw, self.own_picture(raw), None if begins else _painting(heard)),
            size=None if heard else _size(placed[0]),
        )
        asked = wish(family, heard, values, *(raw[part] for part in shared.start.ordered))
        return self._engine.submit("generate", request, owner=visitor(), wish=asked)


def _painting(heard: Sequence[Placed]) -> object:
    """What was painted over the picture of what is to be repainted, if anything was."""
    painted = (one.sent.painting for one in heard if one.sent.condition.has_hole)
    return next((value for value in painted if isinstance(value, dict) and value.get("mask")), None)


def _size(placed: Placed) -> tuple[int, int]:
    width, height = placed.sent.card["size"]
    return width, height
