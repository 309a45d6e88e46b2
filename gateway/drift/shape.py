"""The shape of a change in time: a step or a ramp, and since when."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: A ramp is told where it leaves less than this share of what a step leaves.
RAMP_BELOW = 0.8
#: Variance of a single block that is reckoned with at least.
_LEAST_VARIANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Shape:
    """`kind` is "sudden" or "gradual"; `since` the number of the bucket that it began with."""

    kind: str
    since: int


def shape_of(path: Floats, counts: Floats) -> Shape:
    """The better of a step and a ramp that begins somewhere and lasts, for bucket means (m,) of so many blocks (m,).

    Both are least squares with the counts as weights; before the beginning both are at the healthy level, 0.

    >>> shape_of(np.array([0.0, 0.1, 0.0, 3.0, 3.1, 2.9]), np.ones(6))
    Shape(kind='sudden', since=3)
    >>> shape_of(np.array([0.0, 0.1, 0.0, 1.0, 2.1, 2.9, 4.0]), np.ones(7)).kind
    'gradual'
    """
    place = np.cumsum(counts) - 0.5 * counts
    step_left, step_since = _best(path, counts, [np.ones(len(path) - begin) for begin in range(len(path))])
    begins = np.cumsum(counts) - counts
    ramps = [place[begin:] - begins[begin] for begin in range(max(len(path) - 2, 0))]
    ramp_left, ramp_since = _best(path, counts, ramps)
    least = _LEAST_VARIANCE * float(counts.sum())
    if ramp_left + least < RAMP_BELOW * (step_left + least):
        return Shape("gradual", ramp_since)
    return Shape("sudden", step_since)


def _best(path: Floats, counts: Floats, shapes: list[Floats]) -> tuple[float, int]:
    """What is left by the best of `shapes`, each of which ends with the path and has a free height; its beginning."""
    total = float((path * path * counts).sum())
    best, since = np.inf, 0
    for begin, shape in enumerate(shapes):
        weighted = shape * counts[begin:]
        explained = float(weighted @ path[begin:]) ** 2 / max(float(weighted @ shape), 1e-12)
        if total - explained < best:
            best, since = total - explained, begin
    return best, since
