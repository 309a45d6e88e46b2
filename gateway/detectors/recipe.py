"""How the readings of a kind of device are scaled, and which of them are too early to judge."""

import numpy as np
from numpy.typing import NDArray

from shared.identity import FAST

#: Readings at the start of a stretch that get no score: their running means are still those of single values.
WARM_UP_READINGS = 8
#: Least deviation of a feature of a fast device: a quarter of the deviation that its sensor scaled it by.
FAST_FLOOR = 16.0


def warm_up(kind: str, stretches: NDArray[np.int64]) -> int:
    """Readings without a score at the start of each stretch, from the stretches of the healthy readings.

    None for a fast device, whose features already come from a whole window; none to speak of where the stretches are
    short (clips), since those would get no score at all.
    """
    if kind == FAST:
        return 0
    starts = np.flatnonzero(np.diff(stretches)) + 1
    lengths = np.diff(np.concatenate(([0], starts, [len(stretches)])))
    return int(min(WARM_UP_READINGS, np.median(lengths) // 4))


def healthy_scale(kind: str, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of each column of healthy values, float64 (n, k), missing ones left out.

    A constant column takes ``max(|mean| * 1e-3, 1e-9)`` as deviation (docs/architecture.md, *Device profile*), a
    feature of a fast device at least `FAST_FLOOR`, and a column without any value 0 and 1.
    """
    present = np.isfinite(values)
    known = np.where(present, values, 0.0)
    mean = known.sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    squares = np.where(present, values - mean, 0.0) ** 2
    deviation = np.sqrt(squares.sum(axis=0) / np.maximum(present.sum(axis=0), 1))
    constant = deviation <= np.abs(mean) * 1e-12
    deviation = np.where(constant, np.maximum(np.abs(mean) * 1e-3, 1e-9), deviation)
    if kind == FAST:
        deviation = np.maximum(deviation, FAST_FLOOR)
    return mean, np.where(present.any(axis=0), deviation, 1.0)
