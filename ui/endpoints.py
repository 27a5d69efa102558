"""The public endpoints: one per condition, and `/annotate`. Names, types and bounds come from the tables.

The page's own events are private; these are what `gradio_client` and other programs call, by names.
"""

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from gradio.context import Context
from gradio.data_classes import FileData
from gradio.events import api

import annotators
import gate
from annotators import ANNOTATORS
from conditions import Condition
from errors import IMG_EMPTY, PARAM_TYPE
from params import Param
from pipelines.engine import Engine
from pipelines.request import GenerateRequest, Saved
from pipelines.request.composing import Ground, Sides, alone
from pipelines.request.controls import (
    CONTROL,
    GUIDANCE,
    RESOLUTION,
    SCHEDULER,
    START_PARAMS,
    STEPS,
    allowed_params,
)
from pipelines.request.intake import TYPED, Desk, source_of
from pipelines.request.presets import guidance_for, steps_for
from ui.border import replies
from ui.uploads import served, served_map, uploaded
from ui.visitors import visitor
from ui.watching import ended

PICTURE_SCHEMA = {"title": "Image", "description": "An uploaded picture.", "type": "object"}
INIT_SCHEMA = {
    "title": "Start picture",
    "description": "What the pictures begin with; left out, the image itself where there is a mask.",
    "type": "object",
    "default": None,
}
MASK_SCHEMA = {
    "title": "Mask",
    "description": "A picture that is white where the start picture is made new; left out, all of it is.",
    "type": "object",
    "default": None,
}
EXTEND_SCHEMA = {
    "title": "Extend",
    "description": "By how many pixels the canvas grows on each side: left, top, right and bottom.",
    "type": "object",
    "default": {},
}
TEXT_SCHEMA = {
    "title": "Text",
    "description": "What an annotator of texts or poses starts from, in place of the picture.",
    "type": "string",
    "default": "",
}
VALUES_SCHEMA = {
    "title": "Values",
    "description": "The annotator's own settings by name; left out, each has its default.",
    "type": "object",
    "default": {},
}
SUITED = {GUIDANCE.name: "the model", STEPS.name: "the scheduler"}
TYPES = {"integer": int, "number": float, "switch": bool, "choice": str, "text": str}
JSON_TYPES = {"integer": int, "number": float, "string": str, "object": dict}

Answer: TypeAlias = tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]


def add_endpoint(
    condition: Condition,
    desk: Desk,
    engine: Engine,
    refuse_missing: Callable[[str, str, object], None],
    family: str,
) -> None:
    """`/<condition>(image, prompt, ...) -> (images, map, info)`: annotate and generate in one call."""
    annotator = Param(
        name="annotator",
        label="Annotator",
        kind="choice",
        default=desk.first(condition).name,
        choices=condition.annotators,
        help="How the structure is taken out of the picture.",
    )
    model = Param(
        name="model",
        label="Model",
        kind="choice",
        default=family,
        choices=tuple(name for _, name in desk.models),
        help="The model that paints: a family, or a base of your own, such as sd15/mine.safetensors.",
    )
    typed = any(method.source in TYPED for method in condition.available_annotators)
    prompts, rest = desk.controls[:2], desk.controls[2:]

    async def call(image: Any, **given: Any) -> Answer:
        request, notices = await asyncio.to_thread(drafted, image, given)
        job_id = engine.submit("generate", request, owner=visitor())
        return _answer((await ended(engine, job_id)).outcome, notices)

    def drafted(image: Any, given: dict[str, Any]) -> tuple[GenerateRequest, tuple[str, ...]]:
        draft = desk.draft(
            condition.name,
            None if image is None else desk.picture(uploaded(image)),
            typed=given.pop("text", ""),
            annotator=given.pop("annotator"),
            values=_values(given.pop("values")),
            family=given["model"],
            size=given["size"],
        )
        refuse_missing(given["model"], condition.name, given[CONTROL.name])
        if given[GUIDANCE.name] is None:
            given[GUIDANCE.name] = guidance_for(given["model"])
        if given[STEPS.name] is None:
            given[STEPS.name] = steps_for(given[SCHEDULER.name])
        ground = _ground(desk, image, given)
        return alone(desk, draft, family=given.pop("model"), values=given, ground=ground), draft.notices

    _publish(
        call,
        condition.name,
        f"{condition.title}. {condition.help}",
        {"image": PICTURE_SCHEMA | ({"default": None} if typed else {})}
        | {param.name: param for param in (*prompts, annotator)}
        | ({"text": TEXT_SCHEMA} if typed else {})
        | {"values": VALUES_SCHEMA}
        | {param.name: param for param in rest}
        | {param.name: _suiting(param, SUITED[param.name]) for param in rest if param.name in SUITED}
        | {"init": INIT_SCHEMA, "mask": MASK_SCHEMA}
        | {param.name: param.schema() | {"default": None} for param in START_PARAMS}
        | {"extend": EXTEND_SCHEMA, "model": model},
        tuple[list[Any], dict[str, Any], dict[str, Any]],
    )


def _suiting(param: Param, whom: str) -> dict[str, Any]:
    """The schema of a setting that is what suits something else where it is left out."""
    schema = param.schema()
    words = f"{schema['description']} Left out, it is what suits {whom}."
    return schema | {"default": None, "description": words}


def _ground(desk: Desk, image: Any, given: dict[str, Any]) -> Ground | None:
    """What a call begins with, taken out of its values; what was left out has the default of the start."""
    init, mask = given.pop("init"), given.pop("mask")
    values = {param.name: given.pop(param.name) for param in START_PARAMS}
    values = {name: value for name, value in values.items() if value is not None}
    sides = Sides.of(_values(given.pop("extend")))
    if init is None and mask is None and not sides:
        if values:
            raise IMG_EMPTY(
                "There is no start picture to change",
                found=", ".join(values),
                allowed="only with init, mask or a larger canvas",
                todo="Give one, or leave them out",
            )
        return None
    return Ground(
        init=desk.picture(uploaded(image if init is None else init)).pixels,
        mask=None if mask is None else desk.picture(uploaded(mask)).pixels,
        values=values,
        sides=sides,
    )


def add_annotate(desk: Desk) -> None:
    """`/annotate(image, annotator, resolution, values) -> (map, data)`: the structure alone."""
    methods = Param(
        name="annotator",
        label="Annotator",
        kind="choice",
        default=next(iter(ANNOTATORS)),
        choices=tuple(ANNOTATORS),
        help="How the structure is taken out of the picture.",
    )
    (size,) = allowed_params((RESOLUTION,), desk.limits)

    async def call(**given: Any) -> tuple[dict[str, Any], Mapping[str, Any]]:
        return await asyncio.to_thread(annotated, **given)

    def annotated(
        image: Any, annotator: Any, resolution: Any, values: Any, text: Any
    ) -> tuple[dict[str, Any], Mapping[str, Any]]:
        method = annotators.find(str(methods.check(annotator)))
        known: dict[str, Any] = dict(gate.check_values(method.params, _values(values)))
        if method.source == "picture":
            picture = desk.picture(uploaded(image))
            found = desk.annotation(method.name, picture.pixels, int(size.check(resolution)), known)
            notices = [*picture.notices, *found.notices]
        else:
            found = annotators.annotate(method.name, source_of(method, text), **known)
            notices = [*found.notices]
        return _file(served_map(found.map)), {"data": found.data, "notices": notices}

    _publish(
        call,
        "annotate",
        "The structure of a picture, as a map of the picture's own size.",
        {
            "image": PICTURE_SCHEMA | {"default": None},
            "annotator": methods,
            "resolution": size,
            "values": VALUES_SCHEMA,
            "text": TEXT_SCHEMA,
        },
        tuple[dict[str, Any], dict[str, Any]],
    )


def _publish(
    call: Callable[..., Awaitable[Any]],
    name: str,
    description: str,
    inputs: Mapping[str, Param | Mapping[str, Any]],
    returns: Any,
) -> None:
    """Register a function of named inputs; each is a declared control or a JSON schema of its own."""

    async def endpoint(*values: Any) -> Any:
        return await call(**dict(zip(inputs, values, strict=True)))

    kinds = {key: _type(entry) for key, entry in inputs.items()}
    parameters = [
        inspect.Parameter(
            key,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=_default(entry),
            annotation=kinds[key],
        )
        for key, entry in inputs.items()
    ]
    guarded = replies(endpoint)
    guarded.__signature__ = inspect.Signature(parameters, return_annotation=returns)  # type: ignore[attr-defined]
    guarded.__annotations__ = kinds | {"return": returns}
    dependency = api(guarded, api_name=name, api_description=description, concurrency_limit=None)
    _describe(dependency, list(inputs.values()))


def _type(entry: Param | Mapping[str, Any]) -> type:
    return TYPES[entry.kind] if isinstance(entry, Param) else JSON_TYPES[entry["type"]]


def _default(entry: Param | Mapping[str, Any]) -> Any:
    if isinstance(entry, Param):
        return entry.default
    return entry.get("default", inspect.Parameter.empty)


def _describe(dependency: Any, inputs: list[Param | Mapping[str, Any]]) -> None:
    """Give the endpoint's inputs their own schemas, with the bounds that type hints can't carry."""
    page = Context.root_block
    assert page is not None, "endpoints are made inside the page"
    for component, entry in zip(page.fns[dependency["id"]].inputs, inputs, strict=True):
        schema = entry.schema() if isinstance(entry, Param) else dict(entry)
        component.label = str(schema["title"])  # type: ignore[union-attr]
        component._api_info = schema  # type: ignore[union-attr]


def _values(values: Any) -> Mapping[str, Any]:
    if not isinstance(values, dict):
        raise PARAM_TYPE("Settings can't be taken", found=type(values).__name__, allowed="an object")
    return values


def _answer(saved: Saved, notices: tuple[str, ...]) -> Answer:
    """Pictures, map, and how they were made; `notices` are about the map."""
    info = {
        "seeds": [image.seed for image in saved.images],
        "agreement": [image.kept for image in saved.images],
        "agreements": [[asdict(kept) for kept in image.agreement] for image in saved.images],
        "seconds": round(saved.seconds, 3),
        "notices": [*notices, *saved.notices],
        "request": json.loads(saved.request.to_json()),
    }
    images = [_file(served(image.path)) for image in saved.images]
    return images, _file(served(saved.maps[0][1])), info


def _file(path: str) -> dict[str, Any]:
    return FileData(path=path, orig_name=Path(path).name, mime_type="image/png").model_dump()
