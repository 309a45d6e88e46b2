"""How far a figure would move with other recordings of the same kind: bootstrap over whole recordings.

Efron, 1979. Rows of a recording resemble their neighbours, so rows are never drawn one by one.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95
Part = TypeVar("Part")


def bootstrap(
    parts: Sequence[Part], statistic: Callable[[list[Part]], float], *, seed: int, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """The middle 95 % of `statistic` over parts drawn anew with replacement; NaN twice with fewer than two parts.

    Resamples in which the statistic has no meaning (NaN) are left out.

    >>> bootstrap([1.0, 1.0, 1.0], lambda parts: sum(parts) / len(parts), seed=1)
    (1.0, 1.0)
    """
    if len(parts) < 2:
        return float("nan"), float("nan")
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, len(parts), (resamples, len(parts)))
    found = np.array([statistic([parts[index] for index in row]) for row in drawn.tolist()])
    found = found[np.isfinite(found)]
    if not len(found):
        return float("nan"), float("nan")
    low, high = np.quantile(found, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return float(low), float(high)


def mean(values: Sequence[float]) -> float:
    """Mean of those that are numbers; NaN without one.

    >>> mean([1.0, float("nan"), 3.0])
    2.0
    """
    known = [value for value in values if value == value]
    return sum(known) / len(known) if known else float("nan")
