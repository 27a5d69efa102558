"""`Param`: one control, declared once.

From the same entry come the widget (`ui/controls.py`), the validation (`Param.check`), the API schema
(`Param.schema`), the command line option (`Param.parse`) and the row in the generated docs.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from errors import PARAM_CHOICE, PARAM_RANGE, PARAM_TYPE, ArmatureError, Code

Value: TypeAlias = int | float | bool | str
Kind: TypeAlias = Literal["integer", "number", "switch", "choice", "text"]

PYTHON_TYPES: dict[Kind, type] = {
    "integer": int,
    "number": float,
    "switch": bool,
    "choice": str,
    "text": str,
}
JSON_TYPES: dict[Kind, str] = {
    "integer": "integer",
    "number": "number",
    "switch": "boolean",
    "choice": "string",
    "text": "string",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One declared control.

    `minimum`, `maximum` and `step` belong to numbers. `choices` are what a choice may be, and what a text
    suggests; `labels` are their names on the screen, in the same order. `length` is the most characters of
    a text.
    """

    name: str
    label: str
    kind: Kind
    default: Value
    help: str
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    length: int | None = None
    lines: int = 1

    def __post_init__(self) -> None:
        assert self.name.isidentifier(), f"{self.name!r} is not an identifier"
        bounded = self.minimum is not None and self.maximum is not None
        assert bounded or self.kind not in ("integer", "number"), f"{self.name}: a number has bounds"
        assert self.check(self.default) == self.default, f"{self.name}: default out of bounds"

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        match self.kind:
            case "integer" | "number":
                noun = "a whole number" if self.kind == "integer" else "a number"
                return f"{noun} from {self.minimum:.10g} to {self.maximum:.10g}"
            case "switch":
                return "true or false"
            case "choice":
                return "one of " + ", ".join(self.choices)
            case "text":
                return "text" if self.length is None else f"text of at most {self.length} characters"

    def check(self, value: object) -> Value:
        """The value in the declared type, or a refusal that says what is allowed."""
        match self.kind:
            case "integer" | "number":
                return self._check_number(value)
            case "switch":
                if not isinstance(value, bool):
                    raise self._refusal(PARAM_TYPE, value)
                return value
            case "choice":
                if not isinstance(value, str) or value not in self.choices:
                    raise self._refusal(PARAM_CHOICE, value)
                return value
            case "text":
                if not isinstance(value, str):
                    raise self._refusal(PARAM_TYPE, value)
                if self.length is not None and len(value) > self.length:
                    raise self._refusal(PARAM_RANGE, value)
                return value

    def _check_number(self, value: object) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._refusal(PARAM_TYPE, value)
        if isinstance(value, float) and not math.isfinite(value):
            raise self._refusal(PARAM_RANGE, value)
        low, high = self.minimum, self.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            raise self._refusal(PARAM_RANGE, value)
        if self.kind == "number":
            return float(value)
        if value != int(value):
            raise self._refusal(PARAM_TYPE, value)
        return int(value)

    def parse(self, text: str) -> Value:
        """The value that a command line means by `text`."""
        match self.kind:
            case "integer" | "number":
                try:
                    return self.check(int(text) if self.kind == "integer" else float(text))
                except ValueError:
                    raise self._refusal(PARAM_TYPE, text) from None
            case "switch":
                words = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
                return self.check(words.get(text.lower(), text))
            case "choice" | "text":
                return self.check(text)

    def schema(self) -> dict[str, object]:
        """The control as a JSON schema property."""
        entry: dict[str, object] = {
            "type": JSON_TYPES[self.kind],
            "title": self.label,
            "description": self.help,
            "default": self.default,
        }
        bounds = {
            "minimum": self.minimum,
            "maximum": self.maximum,
            "multipleOf": self.step if self.kind == "integer" else None,
            "enum": list(self.choices) if self.kind == "choice" else None,
            "examples": list(self.choices) if self.kind == "text" and self.choices else None,
            "maxLength": self.length,
        }
        return entry | {key: bound for key, bound in bounds.items() if bound is not None}

    def _refusal(self, code: Code, value: object) -> ArmatureError:
        return code(
            f"{self.label} can't be taken",
            found=_brief(value),
            allowed=self.allowed,
            todo=f"Change {self.name}",
        )


def _brief(value: object) -> str:
    """What was given, in at most 60 characters; what could be huge or deep is not written out."""
    match value:
        case str():
            return repr(value) if len(value) <= 50 else f"{len(value)} characters, {value[:20]!r}..."
        case int() if abs(value) >= 10**40:
            return "a number of more than 40 digits"
        case None | bool() | int() | float():
            return repr(value)
        case _:
            return f"a value of type {type(value).__name__}"
