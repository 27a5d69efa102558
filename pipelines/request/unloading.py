"""What letting go of models is asked for and answers: frozen, torch-free, plain JSON."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class UnloadRequest:
    """The networks that are to leave the memory, as `EngineState.held` names them; without names all."""

    names: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The request as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "UnloadRequest":
        """The request that `to_json` wrote."""
        return cls(names=tuple(json.loads(text)["names"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unloaded:
    """The networks that have gone with their bytes together, and those that a running job holds."""

    gone: tuple[str, ...]
    size: int
    kept: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The answer as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Unloaded":
        """The answer that `to_json` wrote."""
        entry = json.loads(text)
        return cls(gone=tuple(entry["gone"]), size=entry["size"], kept=tuple(entry["kept"]))
