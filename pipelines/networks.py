"""The networks of annotators, in the one cache beside all other models, and annotating with them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

import annotators
from annotators import ANNOTATORS, Annotation, Annotator
from errors import PARAM_CHOICE
from models import loading
from models.loading import ModelKey
from models.store import Store
from pipelines.lately import Lately
from pipelines.relief import relieved
from pipelines.request import Progress
from pipelines.request.annotating import Annotated, AnnotateRequest

if TYPE_CHECKING:
    from pipelines.cache import ModelCache

KEPT_ANSWERS = 256


def key_of(annotator: Annotator) -> ModelKey:
    """The key of an annotator's network. Annotators that load the same from the same files share one."""
    sharing = (
        other.name
        for other in ANNOTATORS.values()
        if (other.load, other.weights) == (annotator.load, annotator.weights)
    )
    return ModelKey(part="annotator", name=next(sharing))


def load(store: Store, key: ModelKey, dtype: torch.dtype) -> nn.Module:
    """The module of any key on the CPU; annotators' networks stay in float32, for the originals' numbers."""
    if key.part != "annotator":
        return loading.load(store, key, dtype)
    annotator = annotators.find(key.name)
    files = store.require_annotator(annotator.label, annotator.weights, annotator.name)
    with loading.refusing(key):
        network: nn.Module = annotator.load(files)
    return network


def annotate(cache: "ModelCache", name: str, source: Any, *, resolution: int, **values: Any) -> Annotation:
    """`annotators.annotate` with the network lent by the cache for as long as it takes.

    Where the device has no memory for it, once more with everything off it that can leave.
    """
    annotator = annotators.find(name)
    keys = [key_of(annotator)] if annotator.weights else []

    def act() -> Annotation:
        with cache.use(keys) as models:
            return annotators.annotate(
                name, source, resolution=resolution, networks=lambda _: models[keys[0]], **values
            )

    return relieved(cache, act, f"this map by {annotator.label}", todo="Choose a smaller resolution")


@dataclass(slots=True)
class AnnotateJobs:
    """The handler of annotate jobs; what was answered lately is not computed again."""

    cache: "ModelCache"
    answers: Lately[Annotated] = field(default_factory=lambda: Lately(KEPT_ANSWERS))

    def __call__(self, job_id: str, request: AnnotateRequest) -> Iterator[Progress | Annotated]:
        yield Progress(stage="annotating", step=0, total=1)
        yield self.answers.get(
            request.to_json(),
            lambda: self._annotated(request),
            holds=lambda known: self.cache.pictures.path(known.map).is_file(),
        )

    def _annotated(self, request: AnnotateRequest) -> Annotated:
        annotator = annotators.find(request.annotator)
        if annotator.source != "picture":
            raise PARAM_CHOICE(
                f"{annotator.label} takes no picture",
                found=request.annotator,
                allowed="an annotator of pictures",
                todo="Choose another annotator",
            )
        found = annotate(
            self.cache,
            request.annotator,
            self.cache.pictures.get(request.picture),
            resolution=request.resolution,
            **request.values,
        )
        return Annotated(map=self.cache.pictures.put(found.map), data=found.data, notices=found.notices)
