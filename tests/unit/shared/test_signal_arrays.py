"""NumPy's functions give the integers of the reference, element by element."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from shared.signal import arrays, integer, spectrum, spectrum_arrays
from shared.signal.definition import MISSING
from shared.signal.envelope import EnvelopePlan
from shared.signal.fast import fast_features
from shared.signal.integer import SlowWindow
from shared.signal.spectrum import SpectrumPlan


@given(values=arrays_of.arrays(np.int64, 20, elements=st.integers(-(2**63) + 1, 2**63 - 1)))
def test_logarithms(values):
    assert arrays.log2_q8(values).tolist() == [integer.log2_q8(value) for value in values.tolist()]


@pytest.mark.parametrize("exponent", [0, 1, 29, 30, 31, 32, 52, 53, 62])
def test_logarithms_around_powers_of_two(exponent):
    values = [(1 << exponent) + step for step in (-2, -1, 0, 1, 2)]
    assert arrays.log2_q8(np.array(values, np.int64)).tolist() == [integer.log2_q8(value) for value in values]


@given(roots=st.lists(st.integers(1, 3_037_000_498), min_size=1, max_size=20))
def test_square_roots_beside_squares(roots):
    values = [root * root + step for root in roots for step in (-1, 0, 1)]
    assert arrays.isqrt(np.array(values, np.uint64)).tolist() == [integer.isqrt(value) for value in values]


@given(
    values=arrays_of.arrays(np.int32, (5, 2)),
    centre=arrays_of.arrays(np.int32, 2),
    multiplier=arrays_of.arrays(np.int64, 2, elements=st.integers(1, 2**30 - 1)),
    shift=arrays_of.arrays(np.int64, 2, elements=st.integers(1, 46)),
)
def test_scaling(values, centre, multiplier, shift):
    wide = arrays.scale(values, centre, multiplier, shift)
    limited = arrays.clamp16(wide)
    for row in range(5):
        for channel in range(2):
            one = integer.scale(
                int(values[row, channel]), int(centre[channel]), int(multiplier[channel]), int(shift[channel])
            )
            assert (wide[row, channel], limited[row, channel]) == (one, integer.clamp16(one))


@given(
    missing=arrays_of.arrays(np.bool_, (30, 2)),
    starts=arrays_of.arrays(np.bool_, 30),
)
def test_missing_values_repeat_within_a_stretch(missing, starts):
    scaled = np.arange(1, 61).reshape(30, 2)
    counts = np.where(missing, MISSING, 7).astype(np.int32)
    held = arrays.hold_missing(counts, scaled, starts)
    last = [0, 0]
    for row in range(30):
        if starts[row]:
            last = [0, 0]
        for channel in range(2):
            if not missing[row, channel]:
                last[channel] = int(scaled[row, channel])
            assert held[row, channel] == last[channel]


@settings(max_examples=40)
@given(
    scaled=arrays_of.arrays(np.int64, (70, 2), elements=st.integers(-32768, 32767)),
    starts=arrays_of.arrays(np.bool_, 70, elements=st.sampled_from([False] * 15 + [True])),
    rows=st.sampled_from([4, 16]),
)
def test_slow_features(scaled, starts, rows):
    features, full = arrays.slow_features(scaled, starts, rows)
    windows = [SlowWindow(rows), SlowWindow(rows)]
    for row in range(len(scaled)):
        for channel, window in enumerate(windows):
            if starts[row]:
                window.reset()
            window.push(int(scaled[row, channel]))
        assert full[row] == (windows[0].filled == rows)
        expected = windows[0].features() + windows[1].features() if full[row] else [0] * 8
        assert features[row].tolist() == expected


@settings(max_examples=40, deadline=None)
@given(
    log2_samples=st.integers(5, 10),
    limit=st.sampled_from([1, 3, 100, 32767]),
    seed=st.integers(0, 2**32 - 1),
    log2_less=st.integers(2, 5),
    place=st.floats(0, 1),
)
def test_fast_features_and_the_envelope_of_every_band(log2_samples, limit, seed, log2_less, place):
    samples = 1 << log2_samples
    windows = np.random.default_rng(seed).integers(-limit - 1, limit + 1, (3, samples))
    windows[2] //= limit
    plan = SpectrumPlan(samples)
    edges = (0, 3, samples // 4, samples // 2 + 1)
    envelope, envelope_plan = None, None
    bins = max(16, samples >> log2_less)
    if samples >= 64:
        first = 1 + round(place * (samples // 2 - bins - 1))
        envelope = (first, bins, (0, 1, 5, bins // 2, bins // 2 + 1))
        envelope_plan = EnvelopePlan(plan, first, bins, list(envelope[2]))
    assert arrays.fast_features(windows, edges, envelope).tolist() == [
        fast_features(plan, window, list(edges), envelope_plan) for window in windows.tolist()
    ]


@settings(max_examples=20, deadline=None)
@given(log2_samples=st.integers(4, 9), seed=st.integers(0, 2**32 - 1))
def test_every_bin(log2_samples, seed):
    samples = 1 << log2_samples
    windows = np.random.default_rng(seed).integers(-40, 40, (3, samples))
    shifts = np.array([0, 12, 22])
    plan = SpectrumPlan(samples)
    found = spectrum_arrays.windowed_energies(*spectrum_arrays.half_spectrum(windows.T, shifts))
    for window, shift, column in zip(windows.tolist(), shifts.tolist(), found.T.tolist(), strict=True):
        assert column == spectrum.windowed_energies(*plan.of_samples(window, shift))


@given(values=arrays_of.arrays(np.int64, 10, elements=st.integers(0, 2**63 - 1)))
def test_how_many_bits_values_have(values):
    assert spectrum_arrays.bits_of(values).tolist() == [spectrum.bits_of(value) for value in values.tolist()]
