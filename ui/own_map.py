"""The switch “My picture is already a map”: guessed when a picture comes, then the visitor's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from annotators.looking import Look
from conditions import Condition, Polarity

Raw = Mapping[Component, Any]

TURNING: Mapping[Polarity, str] = {
    "white_on_black": "Dark lines on a light ground become light lines on black.",
    "black_on_white": "Black becomes white, and white black.",
    "near_is_white": "For depth in which far is white.",
    "colour": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMap:
    """The switch of one tab, and the one beside it that turns black and white around.

    `judged` names the picture that they speak of: for another one, they are set anew.
    """

    condition: Condition
    switch: gr.Checkbox
    inverted: gr.Checkbox
    judged: gr.State

    @property
    def parts(self) -> list[Component]:
        """All that a handler reads and changes."""
        return [self.switch, self.inverted, self.judged]

    @property
    def switches(self) -> list[gr.Checkbox]:
        """What the visitor moves."""
        return [self.switch, self.inverted]

    def of(self, raw: Raw, picture: str, look: Look | None) -> dict[Component, Any]:
        """The switches as they stand for a picture of that name, which looks so; or for none.

        They are guessed for a new picture, unless the visitor moved the switch before he brought the first.
        """
        on, inverted = raw[self.switch] is True, raw[self.inverted] is True
        before = raw[self.judged] or ""
        if picture != before:
            decided = not before and on != _at_first(self.condition)
            if not decided:
                on = look.is_map if look else _at_first(self.condition)
            inverted = look is not None and needs_turning(self.condition, look)
        return {self.switch: on, self.inverted: inverted, self.judged: picture}

    def method(self, raw: Raw) -> str:
        """The annotator that takes the picture for a map, where the switch is on; else none."""
        if raw[self.switch] is not True and self.condition.making:
            return ""
        negatives = self.condition.taking("negative") if raw[self.inverted] is True else ()
        return (negatives or self.condition.taking("map"))[0].name

    def shown(self, before: Raw, now: Raw, look: Look | None) -> dict[Component, Any]:
        """What changes on the page. A switch that stands already is left alone: it may be moving."""
        told: dict[str, Any] = {"info": self._sentence(now, look)}
        turning: dict[str, Any] = {"visible": now[self.switch] and bool(self.condition.taking("negative"))}
        if now[self.judged] != (before[self.judged] or ""):
            told["value"], turning["value"] = now[self.switch], now[self.inverted]
        return {
            self.switch: gr.update(**told),
            self.inverted: gr.update(**turning),
            self.judged: now[self.judged],
        }

    def _sentence(self, now: Raw, look: Look | None) -> str:
        """Why the switch stands as it does, or what it is for."""
        kind = self.condition.kind
        if not (look and look.is_map and now[self.switch]):
            return _what_for(self.condition)
        if kind.always:
            return kind.always
        turned = look.negative and now[self.inverted]
        reverse = ". The model follows the reverse, so it is shown inverted" if turned else ""
        return f"It looks like one: {look.seen}{reverse}."


def own_map(condition: Condition) -> OwnMap:
    """Lay the switches out; where nothing can be taken out of a picture, the first is on for good."""
    turned = condition.taking("negative")
    with gr.Row(elem_classes="own"):
        switch = gr.Checkbox(
            value=_at_first(condition),
            label=condition.taking("map")[0].label,
            info=_what_for(condition),
            interactive=bool(condition.making),
            container=False,
            elem_id=f"{condition.name}-own-map",
        )
        inverted = gr.Checkbox(
            value=False,
            label=turned[0].label if turned else "",
            info=TURNING[condition.polarity],
            visible=False,
            container=False,
            elem_id=f"{condition.name}-inverted",
        )
    return OwnMap(condition=condition, switch=switch, inverted=inverted, judged=gr.State(""))


def _at_first(condition: Condition) -> bool:
    return not condition.making


def _what_for(condition: Condition) -> str:
    return condition.kind.always if _at_first(condition) else condition.taking("map")[0].help


def needs_turning(condition: Condition, look: Look) -> bool:
    """Whether the picture is a map in reverse, whose model follows light lines on black."""
    return look.negative and condition.polarity == "white_on_black"
