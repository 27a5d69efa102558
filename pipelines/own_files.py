"""The artist's own files that a request names: what does not fit is refused before it waits. No torch."""

from models import extras
from models.store import Store
from pipelines.request import GenerateRequest


def require(store: Store, request: GenerateRequest) -> None:
    """Refuse a request for files that are not there, are something else, or were made for another base."""
    for name, _ in request.loras:
        extras.require(store, extras.LORA, name, request.model)
