"""The FFT of the reference against floating point and against its own bounds."""

import math

import numpy as np
import pytest
from feature_windows import plain_windows
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.signal.spectrum import SpectrumPlan, windowed_energies


@pytest.mark.parametrize("samples", [32, 64, 512, 4096])
@pytest.mark.parametrize("name", ["noise", "tone", "rails", "step", "quiet"])
def test_the_spectrum_is_that_of_floating_point(samples, name):
    x = plain_windows(samples)[name].astype(np.int64)
    x -= round(x.mean())
    plan = SpectrumPlan(samples)
    shift = plan.shift_for(int((x**2).max()))
    energies = windowed_energies(*plan.of_samples(x.tolist(), shift))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)
    amplitudes = np.abs(np.fft.rfft((x - x.mean()) * hann))
    # in units of the result each stage rounds a part down by at most 7, and four bins meet under the window
    unit = 2.0 ** (plan.energy_shift(shift) / 2)
    allowed = (plan.stages * 7 * math.sqrt(2) + 4) * 4 / unit + amplitudes.max() * 1e-7
    assert np.abs(np.sqrt(np.array(energies, np.float64)) / unit - amplitudes).max() < allowed


@settings(max_examples=40, deadline=None)
@given(
    log2_samples=st.integers(4, 12),
    bin_part=st.floats(0, 1),
    phase=st.floats(0, 2 * math.pi),
    turned_at=st.lists(st.floats(0, 1), max_size=4),
)
def test_the_documented_bounds_of_the_spectrum_hold(log2_samples, bin_part, phase, turned_at):
    # the largest values with the signs of a bin's own cosine drive that bin as far as it goes
    samples = 1 << log2_samples
    time = np.arange(samples)
    signs = np.where(np.cos(2 * np.pi * round(bin_part * samples / 2) * time / samples + phase) < 0, -1, 1)
    for part in turned_at:
        signs[int(part * samples) :] *= -1
    x = ((2**28 - 1) * signs).tolist()
    plan = SpectrumPlan(samples)
    re, im = x[0::2], x[1::2]
    plan.transform(re, im)
    assert max(map(abs, re + im)) < 2**29.5 + 2**6
    real, imag = plan.split(re, im)
    assert max(math.hypot(a, b) for a, b in zip(real, imag, strict=True)) < 2**29 + 2**9
    energies = windowed_energies(real, imag)
    assert sum(energies) < 2**61


@given(magnitude=st.integers(0, 65535))
def test_samples_are_moved_to_fill_their_bits(magnitude):
    shift = SpectrumPlan(32).shift_for(magnitude * magnitude)
    assert (magnitude << shift) < 2**28
    assert magnitude == 0 or (magnitude << shift) >= 2**27
    assert 12 <= shift <= 28


def test_a_longer_window_lends_its_factors():
    long = SpectrumPlan(512)
    lent = SpectrumPlan(64, long)
    assert lent.turns is long.turns
    values = [(i * 7919) % 4001 - 2000 for i in range(64)]
    assert lent.of_samples(values, 12) == SpectrumPlan(64).of_samples(values, 12)
