"""When a control began to follow its hints: the paper's "sudden convergence", in a curve of agreement.

The paper (https://arxiv.org/abs/2302.05543, section 3.3) saw that a control does not learn gradually: for a
long time it ignores its hints, and within a few steps it follows them. So what is looked for is flat, then
steep, and stays. Of all spans of the curve that are at most a tenth of the run long (or one measurement,
where those are rare), the one that rises most, if

- it rises by 0.1 of agreement or more, and by six times what single measurements scatter;
- three and a half times as fast as the run as a whole, or faster: a straight rise, however high, is none;
- before it there are three measurements or more, whose trend rises by no more than a third of that;
- and after it there are two or more, of which none falls back by half of it.

Measurements are smoothed first, each to the median of itself and its neighbours, so that one of them alone is
nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_RISE = 0.1
LEAST_CLEARNESS = 6.0
LEAST_SPEED = 3.5
SPAN = 0.1  # of the run
BEFORE, AFTER = 3, 2  # measurements at least
LEVEL = 5  # measurements of which the level afterwards is the median


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """The control converged after the step `after`, and by the step `by`; from a level to a level."""

    after: int
    by: int
    level_before: float
    level_after: float


def find(curve: Sequence[tuple[int, float]]) -> Convergence | None:
    """The sudden convergence in a curve of (step, agreement), or None where there is none."""
    if len(curve) < BEFORE + AFTER:
        return None
    steps = np.array([step for step, _ in curve])
    values = np.array([value for _, value in curve])
    smooth = smoothed(values)
    begin, end = steepest(steps, smooth)
    rise = smooth[end] - smooth[begin]
    scatter = float(np.std(values - smooth))
    average = (smooth[-AFTER:].mean() - smooth[:BEFORE].mean()) / (steps[-1] - steps[0])
    if rise < max(LEAST_RISE, LEAST_CLEARNESS * scatter):
        return None
    if rise < LEAST_SPEED * average * (steps[end] - steps[begin]):
        return None
    inside = range(begin, end + 1)
    first = max(i for i in inside if smooth[i] <= smooth[begin] + rise / 4)
    last = min(i for i in inside if i > first and smooth[i] >= smooth[end] - rise / 4)
    before, after = smooth[: first + 1], smooth[last:]
    if len(before) < BEFORE or len(after) < AFTER:
        return None
    trend = np.polyfit(steps[: first + 1], before, 1)[0] * (steps[first] - steps[0])
    if trend > rise / 3 or after.min() < smooth[begin] + rise / 2:
        return None
    return Convergence(
        after=int(steps[first]),
        by=int(steps[last]),
        level_before=float(np.median(values[: first + 1])),
        level_after=float(np.median(values[last : last + LEVEL])),
    )


def steepest(steps: NDArray[np.int64], smooth: NDArray[np.float64]) -> tuple[int, int]:
    """The first and the last measurement of the short span that rises most."""
    longest = SPAN * (steps[-1] - steps[0])
    spans = [
        (begin, end)
        for begin in range(len(steps))
        for end in range(begin + 1, len(steps))
        if end == begin + 1 or steps[end] - steps[begin] <= longest
    ]
    return max(spans, key=lambda span: float(smooth[span[1]] - smooth[span[0]]))


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value as the median of itself and its two neighbours; at the ends one counts twice."""
    padded = np.concatenate((values[:1], values, values[-1:]))
    medians: NDArray[np.float64] = np.median(np.stack((padded[:-2], padded[1:-1], padded[2:])), axis=0)
    return medians
