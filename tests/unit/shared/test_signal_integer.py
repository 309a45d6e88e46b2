"""The reference arithmetic against independent truth: exact formulas, floating point, and its own bounds."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.signal import integer
from shared.signal.definition import MISSING, band_edges
from shared.signal.integer import SlowWindow, SpectrumPlan, fast_features
from shared.signal.tables import QUARTER, QUARTER_SINE

int16s = st.integers(-32768, 32767)
int32s = st.integers(-(2**31), 2**31 - 1)


@given(value=int32s, centre=int32s, multiplier=st.integers(1, 2**30 - 1), shift=st.integers(1, 46))
def test_scale_rounds_half_up_and_stays_within_63_bits(value, centre, multiplier, shift):
    exact = Fraction((value - centre) * multiplier, 2**shift)
    assert integer.scale(value, centre, multiplier, shift) == math.floor(exact + Fraction(1, 2))
    assert abs((value - centre) * multiplier) + (1 << (shift - 1)) < 2**63


@given(value=st.integers(2, 2**63 - 1))
def test_the_logarithm_is_at_most_one_step_below_the_true_one(value):
    found = integer.log2_q8(value)
    # 2 ** (found / 256) <= value < 2 ** ((found + 2) / 256), told in integers
    assert 2**found <= value**256
    assert value**256 < 2 ** (found + 2)


@pytest.mark.parametrize("exponent", range(63))
def test_the_logarithm_of_a_power_of_two_is_exact(exponent):
    assert integer.log2_q8(1 << exponent) == 256 * exponent


def test_the_logarithm_never_falls():
    found = [integer.log2_q8(value) for value in range(-2, 70_000)]
    assert found == sorted(found)


@given(value=st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1).map(lambda root: root * root)))
def test_the_square_root_is_the_true_one(value):
    assert integer.isqrt(value) == math.isqrt(value)


def test_the_sine_table_is_the_sine():
    for length in (32, 4 * QUARTER):
        for index in range(-length, 2 * length):
            assert abs(integer.sine(index, length) - 2**30 * math.sin(2 * math.pi * index / length)) <= 0.501
    assert len(QUARTER_SINE) == QUARTER + 1


@settings(max_examples=60)
@given(values=st.lists(int16s, min_size=4, max_size=80), log2_rows=st.integers(2, 5))
def test_a_slow_window_keeps_the_sums_that_it_would_count_anew(values, log2_rows):
    rows = 1 << log2_rows
    window = SlowWindow(rows)
    for position, value in enumerate(values):
        window.push(value)
        last = values[max(0, position + 1 - rows) : position + 1]
        assert window.filled == len(last)
        assert window.total == sum(last)
        assert window.squares == sum(v * v for v in last)
        assert window.ramp == sum(i * v for i, v in enumerate(last))
        if window.filled == rows:
            spread = rows * sum(v * v for v in last) - sum(last) ** 2
            assert window.features() == [
                16 * value,
                16 * sum(last) // rows,
                integer.log2_q8(spread + 10 * rows * rows),
                sum((2 * i - rows + 1) * v for i, v in enumerate(last)),
            ]


def test_a_reset_window_is_as_new():
    window = SlowWindow(4)
    for value in (5, -7, 11, 13, 17):
        window.push(value)
    window.reset()
    assert (window.filled, window.total, window.squares, window.ramp, window.last()) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "values", [[32767] * 256, [-32768] * 256, [-32768, 32767] * 128, [-32768] * 128 + [32767] * 128]
)
def test_the_documented_bounds_of_slow_windows_hold(values):
    window = SlowWindow(256)
    for value in values * 2:
        window.push(value)
        assert abs(window.total) <= 2**23
        assert window.squares <= 2**38
        assert abs(window.ramp) < 2**31
    assert abs(window.features()[3]) <= 2**30


def windows_of(samples):
    rng = np.random.default_rng(samples)
    time = np.arange(samples)
    return {
        "noise": np.clip(rng.normal(0, 3000, samples), -32768, 32767),
        "tone": 20000 * np.sin(2 * np.pi * time * (samples // 8 + 0.3) / samples),
        "rails": np.where(time % 2, 32767, -32768),
        "step": np.where(time < samples // 2, 32767, -32768),
        "quiet": rng.integers(-3, 4, samples),
    }


@pytest.mark.parametrize("samples", [32, 64, 512, 4096])
@pytest.mark.parametrize("name", ["noise", "tone", "rails", "step", "quiet"])
def test_the_spectrum_is_that_of_floating_point(samples, name):
    x = windows_of(samples)[name].astype(np.int64)
    x -= round(x.mean())
    plan = SpectrumPlan(samples)
    energies = plan.bin_energies(x.tolist())
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)
    amplitudes = np.abs(np.fft.rfft((x - x.mean()) * hann))
    # in units of the result each stage rounds a part down by at most 7, and four bins meet under the window
    unit = 2.0 ** (plan.energy_shift / 2)
    allowed = (plan.stages * 7 * math.sqrt(2) + 4) * 4 / unit + amplitudes.max() * 1e-7
    assert np.abs(np.sqrt(np.array(energies, np.float64)) / unit - amplitudes).max() < allowed
    assert max(energies) < 2**61
    assert sum(energies) < 2**62


@settings(max_examples=25, deadline=None)
@given(
    log2_samples=st.integers(5, 12),
    bin_part=st.floats(0, 1),
    phase=st.floats(0, 2 * math.pi),
    turned_at=st.lists(st.floats(0, 1), max_size=4),
)
def test_the_documented_bounds_of_the_spectrum_hold(log2_samples, bin_part, phase, turned_at):
    # samples at the rails with the signs of a bin's own cosine drive that bin as far as it goes
    samples = 1 << log2_samples
    time = np.arange(samples)
    signs = np.where(np.cos(2 * np.pi * round(bin_part * samples / 2) * time / samples + phase) < 0, -1, 1)
    for part in turned_at:
        signs[int(part * samples) :] *= -1
    x = (65535 * signs).tolist()
    plan = SpectrumPlan(samples)
    re, im = [value << 12 for value in x[0::2]], [value << 12 for value in x[1::2]]
    plan.transform(re, im)
    assert max(map(abs, re + im)) < 2**29.5 + 2**6
    real, imag = plan.split(re, im)
    assert max(map(abs, real + imag)) < 2**29 + 2**9
    energies = plan.bin_energies(x)
    assert max(energies) < 2**61
    assert sum(energies) < 2**61


@pytest.mark.parametrize("name", ["noise", "tone", "rails", "step"])
def test_fast_features_are_the_ones_of_floating_point(name):
    values = windows_of(1024)[name].astype(np.int64)
    level, crest, kurtosis, *bands = fast_features(SpectrumPlan(1024), values.tolist(), band_edges(1024, 8))
    x = values - values.mean()
    assert level / 256 == pytest.approx(math.log2((x**2).sum()), abs=0.02)
    assert (crest + level) / 256 == pytest.approx(math.log2((x**2).max()), abs=0.02)
    assert (kurtosis + 2 * level) / 256 == pytest.approx(math.log2(((x / 16) ** 4).sum()), abs=0.02)
    assert len(bands) == 8


@settings(max_examples=40)
@given(offset=st.integers(-20_000, 20_000))
def test_a_constant_offset_does_not_change_fast_features(offset):
    plan = SpectrumPlan(64)
    values = [int(v) for v in np.random.default_rng(1).integers(-10_000, 10_000, 64)]
    moved = [value + offset for value in values]
    assert fast_features(plan, values, [1, 9, 33]) == fast_features(plan, moved, [1, 9, 33])


@given(previous=st.integers(-(2**63), 2**63 - 1), now=st.integers(-(2**63), 2**63 - 1), gap=st.integers(1, 2**63 - 1))
def test_a_gap_is_a_step_back_or_too_far(previous, now, gap):
    assert integer.gap_between(previous, now, gap) == (not previous <= now <= previous + gap)


@given(last=int16s)
def test_a_missing_count_gives_the_last_value(last):
    assert integer.hold_missing(MISSING, 5, 1 << 20, 4, last) == last
    assert integer.hold_missing(MISSING + 2, 0, 1, 1, last) == -(2**30) + 1


@pytest.mark.parametrize("window", [32, 256, 4096])
@pytest.mark.parametrize("bands", [1, 2, 7, 8])
def test_band_edges_cover_every_bin_but_the_mean(window, bands):
    edges = band_edges(window, bands)
    assert (edges[0], edges[-1], len(edges)) == (1, window // 2 + 1, bands + 1)
    assert edges == sorted(set(edges))
