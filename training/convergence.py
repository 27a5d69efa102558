"""When a control began to follow its hints: the paper's "sudden convergence", in a curve of agreement.

The paper (https://arxiv.org/abs/2302.05543, section 3.3) saw that a control does not learn gradually: within
a few steps it goes from ignoring the hint to following it. So what is looked for is one step between two
levels:

- of all ways to cut the curve in two, with two measurements on each side at least, the one that leaves the
  least squared distance to the mean of each side, and with two neighbours on each side of the middle;
- the later side is higher by at least 0.1 of agreement;
- by at least four times the deviation within the sides: for a straight rise that is 3.5, so none is found;
- and the middle half of the rise takes at most a tenth of the run, or one measurement where those are rare.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_RISE = 0.1
LEAST_CLEARNESS = 4.0
LONGEST = 0.1  # of the run
NEAR = 2  # measurements on each side


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """The control converged after the step `after`, and by the step `by`; from a level to a level."""

    after: int
    by: int
    level_before: float
    level_after: float


def find(curve: Sequence[tuple[int, float]]) -> Convergence | None:
    """The sudden convergence in a curve of (step, agreement), or None where there is none."""
    steps, values = [step for step, _ in curve], np.array([value for _, value in curve])
    if len(values) < 2 * NEAR:
        return None
    cuts = range(NEAR, len(values) - NEAR + 1)
    cut = min(cuts, key=lambda cut: values[:cut].var() * cut + values[cut:].var() * (len(values) - cut))
    before, after = values[:cut], values[cut:]
    low, high = float(before.mean()), float(after.mean())
    deviation = np.sqrt((before.var() * len(before) + after.var() * len(after)) / len(values))
    is_clear = high - low >= max(LEAST_RISE, LEAST_CLEARNESS * deviation)
    if not is_clear or not before[-NEAR:].max() < (low + high) / 2 < after[:NEAR].min():
        return None
    quarter = (high - low) / 4
    begin = max(i for i in range(cut) if values[i] < low + quarter)
    end = min(i for i in range(cut, len(values)) if values[i] > high - quarter)
    if end > begin + 1 and steps[end] - steps[begin] > LONGEST * (steps[-1] - steps[0]):
        return None
    return Convergence(after=steps[begin], by=steps[end], level_before=low, level_after=high)
