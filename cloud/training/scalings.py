"""Centre and multiplier of channels and features, from the healthy part alone, as integers for the image."""

import math

import numpy as np
from numpy.typing import NDArray

from cloud.training.recipe import Recipe
from shared.identity import MISSING, SLOW, DeviceProfile
from shared.model_image import SCALE_MULTIPLIER_LIMIT, SCALE_SHIFT_MAX, Scaling
from shared.signal.definition import FAST_UNITS_PER_DEVIATION, UNITS_PER_DEVIATION

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Bits of a multiplier: the ratio is then exact to one part in eight millions.
_MULTIPLIER_BITS = 24
#: Values further than this from the median, in deviations told by quantiles, count as if they stood there.
_LIMIT_DEVIATIONS = 6.0
#: Low and high quantiles, and how many deviations a normal distribution has between them. The widest counts: a channel
#: of few levels often stands still on one of them, and its rare steps are healthy all the same.
_QUANTILES = ((0.25, 0.75, 1.349), (0.05, 0.95, 3.290), (0.01, 0.99, 4.653))
#: A feature's deviation is at least this part of what white noise on its channel would give.
_FLOOR_PART = 1 / 64
#: Fast features are logarithms in 1/256 octave: the least deviation, and that of a constant one.
_LEVEL_FLOOR = 16.0
_LEVEL_CONSTANT = 64.0


def scaling_of(centre: float, deviation: float, units: int) -> Scaling:
    """The integers that map `centre` to 0 and one `deviation` to `units`.

    >>> scaling = scaling_of(10.4, 32.0, 64)
    >>> scaling.centre, scaling.multiplier / 2**scaling.shift
    (10, 2.0)
    """
    ratio = units / deviation
    shift = max(1, min(SCALE_SHIFT_MAX, _MULTIPLIER_BITS - math.ceil(math.log2(ratio))))
    multiplier = max(1, min(SCALE_MULTIPLIER_LIMIT - 1, round(math.ldexp(ratio, shift))))
    return Scaling(max(-(2**31), min(2**31 - 1, round(centre))), multiplier, shift)


def robust_spread(values: Floats) -> tuple[Floats, Floats]:
    """Centre and deviation of each column of (rows, columns), hardly moved by a few wild rows.

    The mean and deviation of the values, after each was limited to `_LIMIT_DEVIATIONS` around the median (a column
    whose quantiles coincide is not limited).

    >>> values = np.append(np.tile([0.0, 1.0, 2.0, 3.0], 50), 1e9)[:, None]
    >>> centre, deviation = robust_spread(values)
    >>> bool(centre[0] < 2), bool(deviation[0] < 2)
    (True, True)
    """
    middle = np.median(values, axis=0)
    widths = [
        (np.quantile(values, high, axis=0) - np.quantile(values, low, axis=0)) / deviations
        for low, high, deviations in _QUANTILES
    ]
    reach = _LIMIT_DEVIATIONS * np.max(widths, axis=0)
    reach = np.where(reach > 0, reach, np.inf)
    limited = np.clip(values, middle - reach, middle + reach)
    return limited.mean(axis=0), limited.std(axis=0)


def channel_scalings(profile: DeviceProfile, counts: NDArray[np.int32]) -> list[Scaling]:
    """One scaling per channel from healthy counts (rows, channels).

    A channel that is constant (or never answered) has no deviation of its own: it gets a thousandth of its physical
    mean, at least one count.
    """
    units = UNITS_PER_DEVIATION if profile.kind == SLOW else FAST_UNITS_PER_DEVIATION
    scalings = []
    for index, channel in enumerate(profile.channels):
        column = counts[:, index]
        present = column[column != MISSING].astype(np.float64)
        if not len(present):
            present = np.zeros(1)
        centre, spread = robust_spread(present[:, None])
        deviation = float(spread[0])
        if deviation < 0.5:
            deviation = max(1.0, abs(channel.offset / channel.step + float(centre[0])) * 1e-3)
        scalings.append(scaling_of(float(centre[0]), min(deviation, 2.0**31), units))
    return scalings


def feature_scalings(recipe: Recipe, raw: Integers) -> list[Scaling]:
    """One scaling per feature from healthy raw features (readings, features)."""
    if not raw.shape[1]:
        return []
    centre, deviation = robust_spread(raw.astype(np.float64))
    floor, constant = _references(recipe, raw.shape[1] // recipe.features_per_channel())
    deviation = np.where(deviation > 0, np.maximum(deviation, floor), constant)
    return [
        scaling_of(float(one), float(other), UNITS_PER_DEVIATION) for one, other in zip(centre, deviation, strict=True)
    ]


def _references(recipe: Recipe, channels: int) -> tuple[Floats, Floats]:
    """The least deviation of each feature and the deviation of one that is constant, in raw units."""
    if recipe.kind != SLOW:
        size = channels * recipe.features_per_channel()
        return np.full(size, _LEVEL_FLOOR), np.full(size, _LEVEL_CONSTANT)
    window = recipe.window
    value = float(UNITS_PER_DEVIATION << 4)
    slope = UNITS_PER_DEVIATION * math.sqrt(window * (window * window - 1) / 3)
    white = np.array([value, value / math.sqrt(window), 256 * math.sqrt(2 / (window - 1)) / math.log(2), slope])
    constant = np.array([value, value, 256.0, slope])
    return np.tile(white * _FLOOR_PART, channels), np.tile(constant, channels)


def as_arrays(scalings: list[Scaling]) -> tuple[Integers, Integers, Integers]:
    """Centres, multipliers and shifts, each int64 of shape (scalings,)."""
    return (
        np.array([one.centre for one in scalings], np.int64),
        np.array([one.multiplier for one in scalings], np.int64),
        np.array([one.shift for one in scalings], np.int64),
    )
