import numpy as np
import pytest

from cloud.training.features import raw_features, scaled_counts, scaled_features, stretch_starts
from cloud.training.recipe import Recipe
from cloud.training.scalings import scaling_of
from shared.identity import MISSING
from shared.signal.fast import fast_features
from shared.signal.integer import SlowWindow, clamp16, hold_missing, scale
from shared.signal.spectrum import SpectrumPlan

SCALINGS = [scaling_of(100.0, 900.0, 64), scaling_of(-50.0, 3.0, 64)]


@pytest.fixture
def counts():
    draw = np.random.default_rng(3)
    values = np.rint(draw.normal(0, [1000, 40], (300, 2))).astype(np.int32)
    values[[0, 40, 41, 160], [0, 1, 1, 0]] = MISSING
    return values


def one_by_one(counts, starts):
    """Scaled values as the device makes them."""
    rows, last = [], [0, 0]
    for row, start in zip(counts.tolist(), starts, strict=True):
        if start:
            last = [0, 0]
        last = [
            clamp16(hold_missing(count, one.centre, one.multiplier, one.shift, before))
            for count, one, before in zip(row, SCALINGS, last, strict=True)
        ]
        rows.append(last)
    return rows


def test_slow_features_are_those_of_the_reference(counts):
    recipe = Recipe("slow", 8, 1, 0, 10, 1000)
    times = np.arange(300, dtype=np.int64)
    times[160:] += 100
    starts = stretch_starts(times, np.zeros(300, np.bool_), recipe.gap_ns)
    found = raw_features(recipe, scaled_counts(counts, SCALINGS, starts), starts)
    windows, expected = [], []
    for row, start in zip(one_by_one(counts, starts), starts, strict=True):
        if start:
            windows = [SlowWindow(8), SlowWindow(8)]
        for window, value in zip(windows, row, strict=True):
            window.push(value)
        if windows[0].filled == 8:
            expected.append([feature for window in windows for feature in window.features()])
    assert found.features.tolist() == expected
    assert found.rows.tolist() == [*range(7, 160), *range(167, 300)]
    assert np.flatnonzero(found.starts).tolist() == [0, 153]


def test_fast_features_are_those_of_the_reference(counts):
    recipe = Recipe("fast", 32, 48, 4, 10, 1000)
    starts = np.zeros(300, np.bool_)
    starts[[0, 100]] = True
    found = raw_features(recipe, scaled_counts(counts, SCALINGS, starts), starts)
    values = one_by_one(counts, starts)
    plan = SpectrumPlan(32)
    expected = []
    for begin in (0, 48, 100, 148, 196, 244):
        part = values[begin : begin + 32]
        expected.append(
            [f for channel in (0, 1) for f in fast_features(plan, [row[channel] for row in part], recipe.edges())]
        )
    assert found.features.tolist() == expected
    assert found.rows.tolist() == [31, 79, 131, 179, 227, 275]
    assert np.flatnonzero(found.starts).tolist() == [0, 2]


def test_scaled_features_are_limited_like_the_device_limits_them(counts):
    scalings = SCALINGS * 2
    raw = counts[:50].astype(np.int64).repeat(2, axis=1) * 1000
    expected = [
        [clamp16(scale(value, one.centre, one.multiplier, one.shift)) for value, one in zip(row, scalings, strict=True)]
        for row in raw.tolist()
    ]
    assert scaled_features(raw, scalings).tolist() == expected
