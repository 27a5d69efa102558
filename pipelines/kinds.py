"""The kinds of jobs, and how their payloads and outcomes are written into the job book."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from pipelines.jobs import DEVICE, Kind
from pipelines.request import GenerateRequest, Saved, SavedImage
from pipelines.request.annotating import Annotated, AnnotateRequest
from pipelines.request.fetching import Fetched, FetchRequest
from pipelines.request.keeping import Kept
from pipelines.request.unloading import Unloaded, UnloadRequest

FETCH = "fetch"  # the lane beside the device on which files are fetched


@dataclass(frozen=True, slots=True)
class Generate:
    """A request becomes saved pictures. Their paths are kept relative to the outputs, which may move."""

    outputs: Path
    urgent: ClassVar[bool] = False
    lane: ClassVar[str] = DEVICE
    shared: ClassVar[bool] = False

    def payload_text(self, payload: GenerateRequest) -> str:
        return payload.to_json()

    def payload(self, text: str) -> GenerateRequest:
        return GenerateRequest.from_json(text)

    def outcome_text(self, outcome: Saved) -> str:
        return json.dumps(
            {
                "images": [self._image_entry(image) for image in outcome.images],
                "maps": [[condition, self._relative(path)] for condition, path in outcome.maps],
                "request": outcome.request.to_json(),
                "notices": list(outcome.notices),
                "seconds": outcome.seconds,
            }
        )

    def outcome(self, text: str) -> Saved:
        entry = json.loads(text)
        return Saved(
            images=tuple(self._image(*image) for image in entry["images"]),
            maps=tuple((condition, self.outputs / path) for condition, path in entry["maps"]),
            request=GenerateRequest.from_json(entry["request"]),
            notices=tuple(entry["notices"]),
            seconds=entry["seconds"],
        )

    def _image_entry(self, image: SavedImage) -> list[Any]:
        return [self._relative(image.path), image.seed, [asdict(kept) for kept in image.agreement]]

    def _image(self, path: str, seed: int, agreement: Sequence[Mapping[str, Any]] = ()) -> SavedImage:
        """Rows of earlier versions have no agreement."""
        kept = tuple(Kept(**control) for control in agreement)
        return SavedImage(path=self.outputs / path, seed=seed, agreement=kept)

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self.outputs) if path.is_relative_to(self.outputs) else path)


@dataclass(frozen=True, slots=True)
class Annotate:
    """A picture becomes a map, at the next step of whatever runs: somebody waits to see it."""

    urgent: ClassVar[bool] = True
    lane: ClassVar[str] = DEVICE
    shared: ClassVar[bool] = False

    def payload_text(self, payload: AnnotateRequest) -> str:
        return payload.to_json()

    def payload(self, text: str) -> AnnotateRequest:
        return AnnotateRequest.from_json(text)

    def outcome_text(self, outcome: Annotated) -> str:
        return outcome.to_json()

    def outcome(self, text: str) -> Annotated:
        return Annotated.from_json(text)


@dataclass(frozen=True, slots=True)
class Unload:
    """Models leave the memory, at the next step of whatever runs: what that needs stays."""

    urgent: ClassVar[bool] = True
    lane: ClassVar[str] = DEVICE
    shared: ClassVar[bool] = False

    def payload_text(self, payload: UnloadRequest) -> str:
        return payload.to_json()

    def payload(self, text: str) -> UnloadRequest:
        return UnloadRequest.from_json(text)

    def outcome_text(self, outcome: Unloaded) -> str:
        return outcome.to_json()

    def outcome(self, text: str) -> Unloaded:
        return Unloaded.from_json(text)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Files come from the Hub, beside all that the device does, and once for all who want them."""

    urgent: ClassVar[bool] = False
    lane: ClassVar[str] = FETCH
    shared: ClassVar[bool] = True

    def payload_text(self, payload: FetchRequest) -> str:
        return payload.to_json()

    def payload(self, text: str) -> FetchRequest:
        return FetchRequest.from_json(text)

    def outcome_text(self, outcome: Fetched) -> str:
        return outcome.to_json()

    def outcome(self, text: str) -> Fetched:
        return Fetched.from_json(text)


def kinds(outputs: Path) -> Mapping[str, Kind]:
    """All kinds by name."""
    return {"generate": Generate(outputs), "annotate": Annotate(), "unload": Unload(), "fetch": Fetch()}
