"""Features of many readings at once, by the integers of `shared.signal.arrays`: what a device would compute."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud.training.recipe import Recipe
from cloud.training.scalings import as_arrays
from shared.identity import SLOW
from shared.model_image import Scaling
from shared.quantized.sample_arrays import sample_inputs
from shared.signal import arrays
from shared.signal.definition import KIND_FAST, KIND_SLOW

Integers = NDArray[np.int64]

#: Windows whose spectra are computed together: bounds the memory.
_CHUNK = 256


@dataclass(frozen=True, eq=False)
class Readings:
    """Features of the readings of a device.

    `features` int64 of shape (readings, features); `rows`: the row of the samples that closed each reading;
    `starts`: whether it is the first reading of its stretch.
    """

    features: Integers
    rows: Integers
    starts: NDArray[np.bool_]


def stretch_starts(times_ns: NDArray[np.int64], declared: NDArray[np.bool_], gap_ns: int) -> NDArray[np.bool_]:
    """Where stretches begin: row 0, declared starts, steps backwards and steps above `gap_ns`.

    >>> stretch_starts(np.array([0, 1, 9, 10]), np.zeros(4, bool), 5).tolist()
    [True, False, True, False]
    """
    starts = declared.astype(np.bool_, copy=True)
    steps = np.diff(times_ns)
    starts[1:] |= (steps < 0) | (steps > gap_ns)
    starts[:1] = True
    return starts


def scaled_counts(counts: NDArray[np.int32], scalings: list[Scaling], starts: NDArray[np.bool_]) -> Integers:
    """Counts (rows, channels) in the units of the window, limited to int16, missing ones held."""
    return arrays.hold_missing(counts, arrays.clamp16(arrays.scale(counts, *as_arrays(scalings))), starts)


def reading_rows(recipe: Recipe, starts: NDArray[np.bool_]) -> Integers:
    """The row that closes each reading whose window is full; `starts` (rows,): where stretches begin."""
    first = np.flatnonzero(starts)
    if recipe.kind == SLOW:
        since = np.arange(len(starts)) - np.repeat(first, np.diff(np.append(first, len(starts))))
        return np.flatnonzero(since >= recipe.window - 1)
    last = np.append(first[1:], len(starts))
    ends = [np.arange(begin + recipe.window - 1, end, recipe.hop) for begin, end in zip(first, last, strict=True)]
    return np.concatenate(ends) if ends else np.zeros(0, np.int64)


def raw_features(recipe: Recipe, scaled: Integers, starts: NDArray[np.bool_]) -> Readings:
    """Features before scaling of every reading whose window is full."""
    rows = reading_rows(recipe, starts)
    channels = scaled.shape[1]
    width = recipe.features_per_channel()
    features = np.zeros((len(rows), channels * width), np.int64)
    if not width:
        return Readings(features, rows, _first_of_stretch(rows, starts))
    if recipe.kind == SLOW:
        every, _ = arrays.slow_features(scaled, starts, recipe.window)
        return Readings(every[rows], rows, _first_of_stretch(rows, starts))
    edges = tuple(recipe.edges())
    envelope = None
    if recipe.envelope_bands:
        envelope = recipe.envelope_first, recipe.envelope_bins, tuple(recipe.envelope_edges())
    within = np.arange(1 - recipe.window, 1)
    for low in range(0, len(rows), _CHUNK):
        index = rows[low : low + _CHUNK, None] + within
        for channel in range(channels):
            part = arrays.fast_features(scaled[:, channel][index], edges, envelope)
            features[low : low + _CHUNK, channel * width : (channel + 1) * width] = part
    return Readings(features, rows, _first_of_stretch(rows, starts))


def model_inputs(recipe: Recipe, scaled: Integers, readings: Readings, scalings: list[Scaling]) -> Integers:
    """What the model reads for each reading: its scaled features, or the samples of its window (see `Recipe.samples`).

    `scalings` are those of the features.
    """
    if recipe.samples:
        return sample_inputs(KIND_SLOW if recipe.kind == SLOW else KIND_FAST, scaled, readings.rows, recipe.window)
    return scaled_features(readings.features, scalings)


def scaled_features(raw: Integers, scalings: list[Scaling]) -> Integers:
    """Raw features (readings, features) in 64 units per healthy deviation, limited to int16."""
    return arrays.clamp16(arrays.scale(raw, *as_arrays(scalings)))


def _first_of_stretch(rows: Integers, starts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    stretch = np.cumsum(starts)[rows]
    first = np.ones(len(rows), np.bool_)
    first[1:] = stretch[1:] != stretch[:-1]
    return first
