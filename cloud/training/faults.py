"""Seeded faults for the gate: what a candidate must still see, put into healthy data at a fixed seed.

Slow devices get theirs in the samples, one channel at a time: offset, drift, stuck, noise. Fast devices get theirs in
the features, since the cloud has no samples of them: more energy in a band, impulses, a change of level.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from shared.identity import COUNT_LIMIT, MISSING
from shared.signal.definition import UNITS_PER_DEVIATION

Integers = NDArray[np.int64]

#: Sizes in healthy deviations: from hardly visible to plain, so that a rate says where sight begins.
STRENGTHS = (2.0, 4.0, 8.0, 16.0)
#: Channels (or features) that get a fault each; more are drawn from at the seed.
PLACES_MAX = 8


def slow_faults(counts: NDArray[np.int32], seed: int) -> Iterator[tuple[str, NDArray[np.int32]]]:
    """Pairs of (kind, counts with that fault in one channel) from healthy counts (rows, channels).

    A drift reaches its strength at the last row; a stuck channel repeats the row of the first quarter that is furthest
    from the mean (one case, it has no strength).
    """
    draw = np.random.default_rng(seed)
    rows, channels = counts.shape
    for channel in _places(draw, channels):
        column = counts[:, channel].astype(np.float64)
        present = counts[:, channel] != MISSING
        if not present.any():
            continue
        deviation = max(float(column[present].std()), 1.0)
        sign = float(draw.choice([-1.0, 1.0]))
        noise = draw.standard_normal(rows)
        for strength in STRENGTHS:
            size = strength * deviation
            yield "offset", _with(counts, channel, column + sign * size, present)
            yield "drift", _with(counts, channel, column + sign * size * np.linspace(0, 1, rows), present)
            yield "noise", _with(counts, channel, column + size * noise, present)
        quarter = np.where(present, np.abs(column - column[present].mean()), -1.0)[: max(1, rows // 4)]
        yield "stuck", _with(counts, channel, np.full(rows, column[int(np.argmax(quarter))]), present)


def fast_faults(features: Integers, per_channel: int, seed: int) -> Iterator[tuple[str, Integers]]:
    """Pairs of (kind, features with that fault) from healthy scaled features (readings, features).

    A band's energy rises with a part of the level; impulses raise crest, kurtosis and the upper half of the bands; a
    change of level moves level and bands of one channel together. Sizes count the features' own healthy deviations.
    """
    draw = np.random.default_rng(seed)
    channels = features.shape[1] // per_channel
    deviations = np.maximum(features.std(axis=0), UNITS_PER_DEVIATION / 4)
    for channel in _places(draw, channels):
        first = channel * per_channel
        bands = np.arange(first + 3, first + per_channel)
        band = int(draw.choice(bands))
        sign = float(draw.choice([-1.0, 1.0]))
        for strength in STRENGTHS:
            yield "band", _raised(features, deviations, {band: strength, first: strength / 4})
            upper = dict.fromkeys(bands[len(bands) // 2 :].tolist(), strength / 2)
            yield "impulses", _raised(features, deviations, {first + 1: strength, first + 2: strength, **upper})
            together = dict.fromkeys([first, *bands.tolist()], sign * strength / 2)
            yield "level", _raised(features, deviations, together)


def _places(draw: np.random.Generator, count: int) -> list[int]:
    if count <= PLACES_MAX:
        return list(range(count))
    return sorted(draw.choice(count, PLACES_MAX, replace=False).tolist())


def _with(
    counts: NDArray[np.int32], channel: int, column: NDArray[np.float64], present: NDArray[np.bool_]
) -> NDArray[np.int32]:
    limited = np.clip(np.rint(column), -COUNT_LIMIT, COUNT_LIMIT).astype(np.int32)
    changed = counts.copy()
    changed[present, channel] = limited[present]
    return changed


def _raised(features: Integers, deviations: NDArray[np.float64], by: dict[int, float]) -> Integers:
    changed = features.copy()
    for feature, strength in by.items():
        changed[:, feature] += int(np.rint(strength * deviations[feature]))
    return np.clip(changed, -32768, 32767)
