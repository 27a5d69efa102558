"""How the hints of a data set come about: they come with it, or an annotator makes them as it is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import annotators
import gate
from annotators import Annotation, Annotator
from annotators.base import Pixels
from annotators.none import NONE
from conditions import Condition
from errors import DATASET_INVALID, MODEL_MISSING, PARAM_CHOICE
from params import Value
from training.holes import hole

Hint: TypeAlias = NDArray[np.float32]
Annotate: TypeAlias = Callable[..., Annotation]  # called as annotators.annotate is

HOLE = -1.0  # where a hint says nothing
SEED = "seed"  # the setting of annotators that draw at random


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Makes the hints of one set: from its own where they are `given`, else from its targets.

    An annotator that draws at random draws anew for each pair, unless its seed is among the `values`.
    """

    condition: Condition
    annotator: Annotator
    given: bool
    values: Mapping[str, Value]
    annotate: Annotate

    @property
    def needs_target(self) -> bool:
        """Whether a hint shows something of the target."""
        return self.masks or not self.given

    @property
    def masks(self) -> bool:
        """Whether a hint is the target with a hole; then the set's own hints are masks, white on black."""
        return self.condition.needs == "mask"

    def make(self, target: Pixels | None, given: Pixels | None, seed: int) -> Hint:
        """The hint (H, W, 3), 0 to 1 with holes of -1, from RGB uint8 (H, W, 3) pictures of that size."""
        if self.masks:
            assert target is not None
            return masked(target, _hole(target, given, seed))
        source = given if self.given else target
        assert source is not None
        return np.asarray(self.found(source, seed).map.astype(np.float32) / 255)

    def found(self, source: Pixels, seed: int) -> Annotation:
        """What the annotator finds in RGB uint8 (H, W, 3)."""
        values: dict[str, Any] = {**self._seeded(seed), **self.values}
        return self.annotate(self.annotator.name, source, resolution=min(source.shape[:2]), **values)

    def _seeded(self, seed: int) -> dict[str, int]:
        return {SEED: seed} if any(param.name == SEED for param in self.annotator.params) else {}


def masked(target: Pixels, missing: NDArray[np.bool_]) -> Hint:
    """RGB uint8 (H, W, 3) as a hint for inpainting: 0 to 1, and -1 where `missing` (H, W)."""
    return np.where(missing[..., None], np.float32(HOLE), target.astype(np.float32) / 255)


def _hole(target: Pixels, given: Pixels | None, seed: int) -> NDArray[np.bool_]:
    if given is not None:
        return np.asarray(given.max(axis=2) > 127)
    return hole(np.random.default_rng(seed), *target.shape[:2])


def choose(
    condition: Condition, wanted: str, values: Mapping[str, object], *, has_hints: bool, annotate: Annotate
) -> Maker:
    """The maker for the annotator that was `wanted`; without one, for the set's own hints, if it has any.

    An annotator of maps starts from the set's hints, any other from its targets.
    """
    annotator = _wanted(condition, wanted) if wanted else _default(condition, has_hints)
    masks = condition.needs == "mask"
    given = annotator.of_maps and (has_hints or not masks)
    if given and not has_hints:
        raise DATASET_INVALID(
            f"{annotator.label} starts from hints, and the set has none",
            found="targets alone",
            allowed="a list that names a hint for each target",
            todo="Add hints, or choose an annotator that finds them in pictures",
        )
    if annotator.weights and annotate is annotators.annotate:
        raise MODEL_MISSING(
            f"{annotator.label} has a network, which is not at hand as pictures are learnt",
            todo=f"Make the hints beforehand: cli.py dataset annotate FOLDER --condition {condition.name} "
            f"--annotator {annotator.name}",
        )
    return Maker(
        condition=condition,
        annotator=annotator,
        given=given,
        values=_checked(annotator, values),
        annotate=annotate,
    )


def _checked(annotator: Annotator, values: Mapping[str, object]) -> dict[str, Value]:
    """The settings that were given, each in its bounds."""
    checked = gate.check_values(annotator.params, values)
    return {name: checked[name] for name in values}


def _wanted(condition: Condition, name: str) -> Annotator:
    annotator = annotators.find(name)
    allowed = [other.name for other in condition.available_annotators if other.source == "picture"]
    if annotator.name not in allowed:
        raise PARAM_CHOICE(
            f"{annotator.label} makes no hints for {condition.title}",
            found=repr(name),
            allowed="one of " + ", ".join(allowed),
            todo="Change the annotator",
        )
    return annotator


def _default(condition: Condition, has_hints: bool) -> Annotator:
    if has_hints or condition.needs == "mask":
        return NONE
    if condition.finder is None:
        raise DATASET_INVALID(
            f"The hints for {condition.title} can't be found in pictures",
            found="a set without hints",
            allowed="a list that names a hint for each target",
            todo="Add hints to the set, or choose another condition",
        )
    return condition.finder
