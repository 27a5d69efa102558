"""Networks of annotators in a training run: for hints that are made on the fly, and for agreement."""

from functools import cached_property
from typing import Any

import annotators
from annotators import Annotation, Annotator
from models.device import choose
from models.store import Store
from pipelines import networks
from pipelines.cache import ModelCache
from pipelines.pictures import PictureStore


class Lender:
    """Annotates with networks as well as without: for hints that are made on the fly, and for agreement."""

    def __init__(self, store: Store, device: str) -> None:
        self._store = store
        self._device = device

    def __call__(self, name: str, source: Any, *, resolution: int, **values: Any) -> Annotation:
        if not annotators.find(name).weights:
            return annotators.annotate(name, source, resolution=resolution, **values)
        return networks.annotate(self._cache, name, source, resolution=resolution, **values)

    def has(self, annotator: Annotator) -> bool:
        """Whether the files of an annotator are here."""
        return not self._store.annotator_missing(annotator.weights)

    @cached_property
    def _cache(self) -> ModelCache:
        """The networks; no picture comes from its store."""
        return ModelCache(self._store, PictureStore(self._store.weights), choose(self._device))
