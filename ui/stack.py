"""A stack of controls: what was sent to it, kept here, and what became of it on the page (`stack.js`)."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr

import gate
from conditions import Condition
from errors import INPUT_GONE, PARAM_RANGE, PARAM_TYPE
from params import Value
from pipelines.request.composing import Layer
from pipelines.request.controls import CONTROL, MOST_CONTROLS, UNIT_PARAMS
from pipelines.request.intake import Desk, Draft
from ui.brush import BRUSH
from ui.uploads import address, served_map

STACK = Path(__file__).with_name("stack.js").read_text("utf-8")
SHOWN_PARAMS = tuple(param for param in UNIT_PARAMS if param.kind != "text")
ODD = "Choose one size in the settings, and send them again."

Entry: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One control as it was sent: its map is kept by its hash, and is not made again.

    `picture` is what the map was taken out of, `painting` the raw value of a brush over it, and `card` what
    the page is told of all this.
    """

    condition: Condition
    annotator: str
    values: Mapping[str, Value]
    map: str
    control: str
    picture: Path | None
    painting: object
    card: Entry


@dataclass(slots=True)
class Stack:
    """All controls that were sent on one open page and are still there, by their ids."""

    sent: dict[str, Sent] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A control in its place, with its raw settings as they stand on the page."""

    sent: Sent
    muted: bool
    values: Mapping[str, object]
    region: object


def stack_of_cards(elem_id: str) -> gr.HTML:
    """The cards. Their value is what `told` answers, and beside that how they stand on the page."""
    shown = json.dumps([asdict(param) for param in SHOWN_PARAMS])
    return gr.HTML(
        {},
        html_template="<div></div>",
        js_on_load=f"{BRUSH}\nconst PARAMS = {shown};\nconst ODD = {json.dumps(ODD)};\n{STACK}",
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes="painting",
    )


def told(stack: Stack) -> dict[str, Any]:
    """The value of the cards after something was sent: how they stand, the page knows better."""
    return {"sent": [sent.card for sent in stack.sent.values()]}


def send(
    desk: Desk,
    stack: Stack,
    value: Any,
    draft: Draft,
    picture: Path | None,
    unit: Mapping[str, object],
    painting: object = None,
) -> Sent:
    """Put a control on the stack, with its raw settings. What was removed on the page is forgotten here."""
    here = {placed.sent.card["id"] for placed in all_placed(stack, value)}
    if len(here) >= MOST_CONTROLS:
        raise PARAM_RANGE(
            "Compose is full",
            found=f"{len(here)} controls",
            allowed=f"at most {MOST_CONTROLS}",
            todo="Remove one there",
        )
    known = gate.check_values(UNIT_PARAMS, unit)
    control = str(known[CONTROL.name])
    sent = Sent(
        condition=draft.condition,
        annotator=draft.annotator,
        values=dict(draft.values),
        map=desk.keep(draft.map),
        control=control,
        picture=picture,
        painting=painting,
        card={
            "id": secrets.token_hex(8),
            "title": " · ".join(filter(None, (draft.condition.title, control))),
            "map": address(served_map(draft.map)),
            "size": draft.size,
            "values": {param.name: known[param.name] for param in SHOWN_PARAMS},
        },
    )
    stack.sent = {key: old for key, old in stack.sent.items() if key in here} | {sent.card["id"]: sent}
    return sent


def all_placed(stack: Stack, value: Any) -> list[Placed]:
    """Every control in its place, the first one on top; what the page has not seen yet stands last."""
    seen, entries = _lists(value)
    ids = [entry.get("id") for entry in entries]
    if lost := [key for key in ids if key not in stack.sent]:
        raise INPUT_GONE(
            "A control of this stack is not here any more",
            found=f"{len(lost)} of {len(ids)}",
            todo="Reload the page and send it again",
        )
    unseen = [sent for key, sent in stack.sent.items() if key not in seen and key not in ids]
    return [
        *(_placed(stack.sent[entry["id"]], entry) for entry in entries),
        *(_placed(sent, {"values": sent.card["values"]}) for sent in unseen),
    ]


def _lists(value: Any) -> tuple[list[Any], list[Entry]]:
    """The ids of what the page has seen, and the entries of what stands there."""
    told = value if isinstance(value, dict) else {}
    seen, entries = told.get("sent", []), told.get("controls")
    if entries is None:  # the tab was never open
        return [], []
    if not (_are_entries(seen) and _are_entries(entries)):
        raise PARAM_TYPE("The stack can't be read", allowed="a list of controls", todo="Reload the page")
    return [entry.get("id") for entry in seen], entries


def _are_entries(value: Any) -> bool:
    """Whether this is a list of objects, each with the name of a control where it has one."""
    return isinstance(value, list) and all(
        isinstance(entry, dict) and isinstance(entry.get("id"), str) for entry in value
    )


def _placed(sent: Sent, entry: Entry) -> Placed:
    values = entry.get("values")
    if not isinstance(values, dict):
        raise PARAM_TYPE("A control has no settings", found=type(values).__name__, todo="Reload the page")
    return Placed(
        sent=sent,
        muted=entry.get("muted") is True,
        values=values | {CONTROL.name: sent.control},
        region=entry.get("region"),
    )


def layer(desk: Desk, placed: Placed) -> Layer:
    """The control as a request takes it, with the map that was sent."""
    sent, region = placed.sent, None
    if placed.region is not None:
        region = gate.open_picture(gate.painted_bytes(placed.region, desk.limits), desk.limits).pixels
    draft = Draft(
        condition=sent.condition,
        annotator=sent.annotator,
        values=sent.values,
        map=desk.kept(sent.map),
        data=None,
        notices=(),
    )
    return Layer(draft=draft, values=placed.values, region=region)
