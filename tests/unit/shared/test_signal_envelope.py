"""The envelope's bands of the reference: their unit, their bounds for every input, what they do not see."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.signal.envelope import EnvelopePlan
from shared.signal.fast import fast_features
from shared.signal.spectrum import SpectrumPlan, windowed_energies


class WatchedPlan(SpectrumPlan):
    """A plan that holds every transform to the bounds that the reference documents."""

    def transform(self, re, im):
        magnitude = max(math.hypot(a, b) for a, b in zip(re, im, strict=True))
        assert magnitude <= 2**29 + 2**9
        super().transform(re, im)
        assert max(map(abs, re + im)) < 2**30 + 2**11
        assert max(a * a + b * b for a, b in zip(re, im, strict=True)) < 2**61

    def of_samples(self, x, shift):
        assert max(map(abs, x)) << shift < 2**28
        real, imag = super().of_samples(x, shift)
        assert sum(windowed_energies(real, imag)) < 2**61
        return real, imag


def watched(plan, first, bins, edges):
    envelope = EnvelopePlan(plan, first, bins, edges)
    envelope.points, envelope.values = WatchedPlan(2 * bins, plan), WatchedPlan(bins, plan)
    return envelope


@pytest.mark.parametrize(("samples", "bins"), [(64, 16), (256, 64), (512, 32), (1024, 256), (2048, 512), (4096, 1024)])
@pytest.mark.parametrize("amplitude", [20_000, 1500])
def test_the_line_of_a_modulated_tone_is_told_in_a_unit_that_no_size_changes(samples, bins, amplitude):
    time = 2 * np.pi * np.arange(samples) / samples
    first, line = samples // 8, bins // 4
    carrier = np.cos((first + bins // 2) * time + 0.3)
    values = np.rint(amplitude * (1 + 0.5 * np.cos(line * time)) * carrier).astype(np.int64)
    plan = SpectrumPlan(samples)
    envelope = EnvelopePlan(plan, first, bins, [line - 1, line + 2])
    found = fast_features(plan, values.tolist(), [1, 2], envelope)[-1]
    # e = amplitude**2 * (1 + cos(line * t) + ...): half of L, half of that under the window, told in three bins
    energy = 1.5 * (amplitude**2 * bins / 4) ** 2
    assert found / 256 == pytest.approx(16 + math.log2(energy), abs=0.006)


@settings(max_examples=60, deadline=None)
@given(
    log2_samples=st.integers(6, 11),
    log2_less=st.integers(2, 7),
    place=st.floats(0, 1),
    bin_part=st.floats(0, 1),
    phase=st.floats(0, 2 * math.pi),
    turned_at=st.lists(st.floats(0, 1), max_size=6),
    ends=st.sampled_from([(-32768, 32767), (32767, -32768), (-1, 0), (0, 1), (-32768, -32767), (-200, 300)]),
)
@example(11, 2, 0.0, 0.25, 0.0, [], (-32768, 32767))
@example(10, 2, 1.0, 0.49, 0.0, [], (-32768, 32767))
@example(10, 2, 0.5, 0.0, 0.0, [0.5, 0.501], (-32768, 32767))
def test_the_documented_bounds_of_the_envelope_hold(log2_samples, log2_less, place, bin_part, phase, turned_at, ends):
    # two values with the signs of a bin's own cosine drive that bin as far as it goes; turns make steps and impulses
    samples, bins = 1 << log2_samples, 1 << max(4, log2_samples - log2_less)
    first = 1 + round(place * (samples // 2 - bins - 1))
    bin_number = first + round(bin_part * bins)
    time = np.arange(samples)
    up = np.cos(2 * np.pi * bin_number * time / samples + phase) >= 0
    for part in turned_at:
        up[int(part * samples) :] ^= True
    values = np.where(up, ends[1], ends[0]).tolist()
    plan = SpectrumPlan(samples)
    edges = [0, 1, 2, bins // 2, bins // 2 + 1]
    features = fast_features(plan, values, [1, 2], watched(plan, first, bins, edges))[4:]
    assert all(0 <= feature < 2**15 for feature in features)
    if up.all() or not up.any():
        assert features == [0] * 4


@pytest.mark.parametrize("at", [0, 1, 100, 255])
@pytest.mark.parametrize("height", [1, 40, 32767])
def test_one_impulse_has_the_same_lines_wherever_it_stands(at, height):
    # under the Hann window an impulse counts for as much as the window lets it; in the middle for all
    plan = SpectrumPlan(256)
    values = [0] * 256
    values[at] = height
    envelope = watched(plan, 40, 64, [1, 33])
    (found,) = fast_features(plan, values, [1, 2], envelope)[4:]
    middle = [0] * 256
    middle[128] = height
    (whole,) = fast_features(plan, middle, [1, 2], envelope)[4:]
    assert found <= whole + 1
    assert (whole - found > 256) == (at in (0, 1, 255))


def test_neither_phase_nor_place_of_a_band_that_holds_the_tones_matters():
    time = 2 * np.pi * np.arange(512) / 512
    found = []
    for first in (60, 77, 90):
        for phase in (0.0, 1.0, 2.0):
            x = 8000 * (1 + 0.6 * np.cos(9 * time + 2 * phase)) * np.cos(105 * time + phase)
            plan = SpectrumPlan(512)
            envelope = EnvelopePlan(plan, first, 64, [8, 11])
            found.append(fast_features(plan, np.rint(x).astype(int).tolist(), [1, 2], envelope)[-1])
    assert max(found) - min(found) <= 2


def test_a_loud_tone_elsewhere_does_not_hide_a_line():
    # 40 dB louder and between two bins, so that it leaks as much as any tone does
    samples, time = 1024, 2 * np.pi * np.arange(1024) / 1024
    quiet = 300 * (1 + 0.5 * np.cos(20 * time)) * np.cos(300.3 * time)
    plan = SpectrumPlan(samples)
    envelope = EnvelopePlan(plan, 150, 256, [18, 23, 25, 36])
    alone, beside = (
        fast_features(plan, np.rint(x).astype(int).tolist(), [1, 2], envelope)[4::2]
        for x in (quiet, quiet + 30000 * np.cos(10.5 * time))
    )
    assert abs(beside[0] - alone[0]) * 10 * math.log10(2) / 256 < 0.1
    assert (beside[0] - beside[1]) * 10 * math.log10(2) / 256 > 50
