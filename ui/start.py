"""What a picture begins with, on every tab: nothing, the tab's own picture or another; and a mask over it.

A tab whose control needs a mask has a brush of its own, over its own picture, and begins with that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from errors import IMG_EMPTY, ArmatureError
from params import Param
from pipelines.request.composing import Ground, Sides
from pipelines.request.controls import DENOISE, SIDE_PARAMS, START_PARAMS
from pipelines.request.intake import Desk
from ui.border import answers, shows
from ui.brush import mask_brush, painted, painted_on
from ui.controls import widget
from ui.uploads import uploaded

Raw: TypeAlias = Mapping[Component, Any]
Updates: TypeAlias = dict[Any, Any]

BEGIN = Param(
    name="begin",
    label="Begin with",
    kind="choice",
    default="nothing",
    choices=("nothing", "tab", "other"),
    labels=("Nothing", "The tab's picture", "Another picture"),
    help="What is there before anything is painted.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A tab as the start sees it: its own picture, out of the values of `inputs`, and what changes it."""

    tab: gr.Tab
    inputs: set[Block]
    changes: Sequence[Any]
    picture: Callable[[Raw], Path | None]
    brush: gr.HTML | None = None


class Start:
    """The components of the section, and its handlers; made inside the panel that all tabs share."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._places: Sequence[Place] = ()
        with gr.Accordion("Start from a picture", open=False, elem_id="start"):
            with gr.Column(elem_id="start-what"):
                self.begin = gr.Radio(
                    list(zip(BEGIN.labels, BEGIN.choices, strict=True)),
                    value=BEGIN.default,
                    show_label=False,
                    container=False,
                    elem_id="begin",
                )
                self.picture = gr.Image(
                    label="The picture to begin with",
                    type="filepath",
                    image_mode=None,
                    sources=["upload", "clipboard", "webcam"],
                    format="png",
                    elem_id="start-picture",
                    placeholder="Drop a picture here\nor click to choose one",
                )
                self.brush = mask_brush("start-mask", empty="There is no picture in this tab yet.")
            with gr.Column(elem_id="start-how"):
                self.values = {param.name: widget(param) for param in START_PARAMS}
                with gr.Row(elem_id="sides"):
                    self.sides = {
                        param.name: widget(param, info=None, min_width=140, elem_id=f"extend-{param.name}")
                        for param in SIDE_PARAMS
                    }
        self.opened = gr.State(0)

    @property
    def ordered(self) -> list[Component]:
        """All that a generation reads, always in one order."""
        return [self.begin, self.picture, self.brush, *self.values.values(), *self.sides.values()]

    def ground(self, raw: Raw, own: Path | None, painting: object = None) -> Ground | None:
        """What the pictures of a tab begin with; None where that is noise alone.

        `own` is the picture of the tab. One with a `painting` over it begins with that, whatever was chosen.
        """
        if painting is None and raw[self.begin] == BEGIN.default:
            return None
        picture = self._chosen(raw, own) if painting is None else own
        if picture is None:
            raise IMG_EMPTY("There is no picture to begin with", todo="Drop one in, or begin with nothing")
        return Ground(
            init=self._desk.picture(picture).pixels,
            mask=painted(raw[self.brush] if painting is None else painting, picture, self._desk.limits),
            values={name: raw[part] for name, part in self.values.items()},
            sides=Sides.of({name: raw[part] for name, part in self.sides.items()}),
        )

    def wire(self, places: Sequence[Place]) -> None:
        """Let each brush show the picture that is begun with, whichever tab is open."""
        self._places = places
        quiet: dict[str, Any] = {
            "preprocess": False,
            "queue": False,
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        inputs: set[Block] = {self.begin, self.picture, self.opened}.union(
            *(place.inputs for place in places)
        )
        for index, place in enumerate(places):
            opened = answers(partial(self._opened, index))
            place.tab.select(opened, inputs, [self.opened, self.brush], **quiet)
            if place.brush is not None:
                own = shows(partial(self._own, place), partial(_none, place.brush))
                gr.on([*place.changes], own, place.inputs, place.brush, **quiet)
        moved = [self.begin.change, self.picture.change]
        moved += [change for place in places for change in place.changes]
        shown = shows(self._shown, partial(_none, self.brush))
        gr.on(moved, shown, inputs, self.brush, trigger_mode="always_last", **quiet)
        change = self.values[DENOISE.name]
        sides: Any = [part.input for part in self.sides.values()]  # type: ignore[attr-defined]
        gr.on(sides, answers(self._extended), {change, *self.sides.values()}, change, **quiet)

    def _chosen(self, raw: Raw, own: Path | None) -> Path | None:
        """The tab's own picture, or the other one."""
        if BEGIN.check(raw[self.begin]) == "tab":
            return own
        return None if raw[self.picture] is None else uploaded(raw[self.picture])

    def _shown(self, raw: Raw) -> Updates:
        """The picture that is begun with in the open tab."""
        if raw[self.begin] == BEGIN.default:
            return {self.brush: {}}
        own = self._places[raw[self.opened]].picture(raw)
        return {self.brush: painted_on(self._desk, self._chosen(raw, own))}

    def _opened(self, index: int, raw: Raw) -> Updates:
        """The same for the tab that has just been opened."""
        try:
            shown = self._shown({**raw, self.opened: index})
        except ArmatureError:
            shown = {self.brush: {}}
        return {self.opened: index} | shown

    def _own(self, place: Place, raw: Raw) -> Updates:
        return {place.brush: painted_on(self._desk, place.picture(raw))}

    def _extended(self, raw: Raw) -> Updates:
        """Of what is not there nothing can be kept: a canvas that grows is painted from nothing, at first."""
        change = self.values[DENOISE.name]
        usual, all_of_it = DENOISE.default, 1.0
        if any(raw[part] for part in self.sides.values()):
            return {change: all_of_it if raw[change] == usual else gr.skip()}
        return {change: usual if raw[change] == all_of_it else gr.skip()}


def _none(brush: gr.HTML, _: str) -> Updates:
    """What can't be read is told where it was brought, and can't be painted on."""
    return {brush: {}}
