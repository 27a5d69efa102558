"""How well a result kept its structure: the condition's annotator is run on it, and the two maps compared."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import annotators
from annotators import Annotation, Annotator
from annotators.base import Pixels
from annotators.none import NONE
from conditions import Agreement, Condition
from params import Value
from pipelines import measures

Compare: TypeAlias = Callable[[Pixels, Pixels], float | None]

MEASURES: Mapping[Agreement, Compare] = MappingProxyType(
    {
        "edge_f1": measures.edge_f1,
        "depth_correlation": measures.depth_correlation,
        "normal_angle": measures.normal_angle,
        "miou": measures.mean_iou,
        "pck": measures.pck,
        "qr_decodes": measures.qr_decodes,
        "colour": measures.colour,
    }
)
NOTHING: Mapping[str, Value] = MappingProxyType({})


def agreement(
    condition: Condition,
    hint_map: Pixels,
    result: Pixels,
    *,
    annotator: str = "",
    values: Mapping[str, Value] = NOTHING,
    known: NDArray[np.bool_] | None = None,
    annotate: Callable[..., Annotation] = annotators.annotate,
) -> float | None:
    """How well `result` keeps what `hint_map` shows, both RGB uint8 (H, W, 3) of one size: 1 is best.

    `annotator` and `values` are those that the map came from, if they are known. `known` (H, W) leaves out
    what the hint says nothing about. `annotate` lends networks where the judge has one. None where the
    condition has no measure, or the map shows nothing that could be kept.
    """
    compare = MEASURES.get(condition.agreement)
    if compare is None:
        return None
    assert hint_map.shape == result.shape, "a map has the size of its picture"
    method = judge(condition, annotator)
    settings: dict[str, Any] = dict(values if method.name == annotator else condition.judge_values)
    found = annotate(method.name, result, resolution=min(result.shape[:2]), **settings).map
    if known is not None:
        return compare(hint_map[known][None], found[known][None])
    return compare(hint_map, found)


def judge(condition: Condition, annotator: str = "") -> Annotator:
    """The annotator that is run on a result: the map's own where it can, else the condition's.

    A result that is compared as it is has the one that leaves a picture alone.
    """
    if annotator:
        own = annotators.find(annotator)
        if own.source == "picture" and not own.of_maps:
            return own
    return condition.finder or NONE
