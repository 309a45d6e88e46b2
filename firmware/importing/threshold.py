"""The threshold of an imported model: a mean squared error that somebody names, or the level that healthy windows pass.

The score's sum is ``weight * sum(e*e) >> 6`` with `e` in units of the scaled samples; all weights are equal, so that it
is the mean squared error in other units.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.errors import FirmwareError
from firmware.importing.units import Units
from shared.model_image import SUM_LIMIT

Integers = NDArray[np.int64]

#: Part of the healthy windows whose score passes the threshold.
FLAGGED_RATE = 1e-3
#: The tail begins where this part of the windows lies below.
_TAIL_FROM = 0.9
#: With fewer healthy windows the threshold is a guess at a tail that was hardly seen.
WINDOWS_WANTED = 2000
#: Thresholds of the sum stay below: room for a score of 45, and fine steps of weak models all the same.
_THRESHOLD_MAX = 1 << 28
_WEIGHT_MAX = 1 << 15
_SUM_SHIFT = 6


@dataclass(frozen=True, slots=True)
class Level:
    """A threshold.

    `weight` of every input and `threshold` of the score's sum stand in the image; `mean_squared_error` says the same in
    units of the model's float input; `windows` healthy ones it rests on, None when somebody named it.
    """

    weight: int
    threshold: int
    mean_squared_error: float
    windows: int | None

    @property
    def provisional(self) -> bool:
        """Whether it rests on fewer healthy windows than are wanted."""
        return self.windows is not None and self.windows < WINDOWS_WANTED


def level_of(mean_squared_error: float, inputs: int, units: Units, windows: int | None = None) -> Level:
    """The integers that put the threshold at a mean squared error; FirmwareError where none do.

    The weight is the largest power of two up to 2**15 that leaves the threshold below 2**28.
    """
    if not 0 < mean_squared_error < math.inf:
        raise FirmwareError(f"a threshold of {mean_squared_error:g} cannot be; give a mean squared error above 0")
    total = mean_squared_error * inputs * units.per_value**2 / (1 << _SUM_SHIFT)
    if not 1 <= total * _WEIGHT_MAX < SUM_LIMIT * _WEIGHT_MAX:
        raise FirmwareError(
            f"a threshold of {mean_squared_error:g} cannot be told: with int8 steps of "
            f"{units.per_step / units.per_value:g} the mean squared error must be from "
            f"{mean_squared_error / total / _WEIGHT_MAX:.3g} to {mean_squared_error / total * SUM_LIMIT:.3g}"
        )
    weight = _WEIGHT_MAX
    while weight > 1 and total * weight >= _THRESHOLD_MAX:
        weight //= 2
    return Level(weight, max(1, round(total * weight)), mean_squared_error, windows)


def healthy_level(errors: Integers, units: Units) -> Level:
    """The level that one in a thousand healthy windows passes, from errors (windows, inputs) in scaled units.

    The root of the mean square is looked at, as the score is a root. Its excess over the 90 % quantile is taken as
    exponential; the level is at least what 999 of 1,000 of these windows stay below.
    """
    means = (errors.astype(np.float64) ** 2).mean(axis=1) / units.per_value**2
    roots = np.sqrt(means)
    begin = float(np.quantile(roots, _TAIL_FROM))
    above = roots[roots > begin]
    excess = float(above.mean()) - begin if len(above) else 0.0
    tail = begin + excess * math.log((1 - _TAIL_FROM) / FLAGGED_RATE)
    seen = float(np.quantile(roots, 1 - FLAGGED_RATE)) if len(roots) * FLAGGED_RATE >= 1 else 0.0
    # a model that gives back its healthy windows to the bit still needs a level: one unit of the scaled samples
    level = max(tail, seen, 1.0 / units.per_value)
    return level_of(level * level, errors.shape[1], units, len(errors))
