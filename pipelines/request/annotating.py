"""What one annotation by the engine is asked for and what it answers: frozen, torch-free, plain JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from params import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotateRequest:
    """An annotator by name, its settings, a picture by content hash, and the working short side."""

    annotator: str
    picture: str
    resolution: int = 512
    values: Mapping[str, Value] = field(default_factory=dict)

    def to_json(self) -> str:
        """The request as one line of JSON, the same for the same wish."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "AnnotateRequest":
        """The request that `to_json` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Lack:
    """The files that an annotator still needs, relative to the weights, and how to get them."""

    files: tuple[str, ...]
    todo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """A map by content hash, in the picture's size, with what was found beside it."""

    map: str
    data: Mapping[str, Any] | None = None
    notices: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The answer as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Annotated":
        """The answer that `to_json` wrote."""
        entry = json.loads(text)
        return cls(**entry | {"notices": tuple(entry["notices"])})
