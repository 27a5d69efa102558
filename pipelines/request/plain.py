"""From plain data of any shape to one of our frozen entries, field by field, by the types declared there."""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from errors import META_INVALID, ArmatureError

T = TypeVar("T")


def entry_of(kind: type[T], data: object) -> T:
    """The entry that `data`, as JSON has it, describes; what is left out has its default.

    A field that is not known, is missing, or has another type is refused by its place.
    """
    entry: T = _fitted(kind, data, "")
    return entry


def _fitted(hint: Any, value: object, place: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        return _entry(hint, value, place)
    if origin in (Union, types.UnionType):
        return _either(args, value, place)
    if origin is tuple:
        return _tuple(args, value, place)
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise _refusal(place, value, "an object")
        return {name: _fitted(args[1], inner, f"{place}.{name}") for name, inner in value.items()}
    if origin is Literal:
        if value not in args:
            raise _refusal(place, value, "one of " + ", ".join(map(str, args)))
        return value
    return _scalar(hint, value, place)


def _scalar(hint: Any, value: object, place: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return float(value)
    if type(value) is not hint:
        raise _refusal(place, value, "nothing" if hint is type(None) else hint.__name__)
    return value


def _entry(kind: Any, value: object, place: str) -> Any:
    known = {field.name: field for field in fields(kind)}
    if not isinstance(value, Mapping):
        raise _refusal(place, value, "an object")
    lacking = [
        name
        for name, field in known.items()
        if name not in value and field.default is MISSING and field.default_factory is MISSING
    ]
    unknown = [name for name in value if name not in known]
    if lacking or unknown:
        raise META_INVALID(
            "The settings in this picture can't be read",
            found=f"no {lacking[0]}"
            if lacking
            else f"{unknown[0]!r:.40} in {place.lstrip('.')[:80] or 'them'}",
            allowed=", ".join(known),
            todo="Choose another picture",
        )
    hints = get_type_hints(kind)
    return kind(**{name: _fitted(hints[name], inner, f"{place}.{name}") for name, inner in value.items()})


def _either(hints: tuple[Any, ...], value: object, place: str) -> Any:
    """By the one of several types that the value has itself, else by the first that takes it."""
    for hint in sorted(hints, key=lambda hint: type(value) is not hint):
        try:
            return _fitted(hint, value, place)
        except ArmatureError as error:
            refusal = error
    raise refusal


def _tuple(hints: tuple[Any, ...], value: object, place: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _refusal(place, value, "a list")
    if len(hints) == 2 and hints[1] is Ellipsis:
        hints = (hints[0],) * len(value)
    if len(hints) != len(value):
        raise _refusal(place, value, f"a list of {len(hints)}")
    pairs = zip(hints, value, strict=True)
    return tuple(_fitted(hint, inner, f"{place}[{at}]") for at, (hint, inner) in enumerate(pairs))


def _refusal(place: str, value: object, allowed: str) -> ArmatureError:
    return META_INVALID(
        "The settings in this picture can't be read",
        found=f"{place.lstrip('.')[:80] or 'all of them'} is of type {type(value).__name__}",
        allowed=allowed,
        todo="Choose another picture",
    )
