"""The fast features of the reference against floating point."""

import math

import numpy as np
import pytest
from feature_windows import plain_windows
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.signal.definition import band_edges
from shared.signal.envelope import EnvelopePlan
from shared.signal.fast import fast_features
from shared.signal.spectrum import SpectrumPlan


@pytest.mark.parametrize("name", ["noise", "tone", "rails", "step"])
def test_fast_features_are_the_ones_of_floating_point(name):
    values = plain_windows(1024)[name].astype(np.int64)
    level, crest, kurtosis, *bands = fast_features(SpectrumPlan(1024), values.tolist(), band_edges(1024, 8))
    x = values - values.mean()
    assert level / 256 == pytest.approx(math.log2((x**2).sum()), abs=0.02)
    assert (crest + level) / 256 == pytest.approx(math.log2((x**2).max()), abs=0.02)
    assert (kurtosis + 2 * level) / 256 == pytest.approx(math.log2(((x / 16) ** 4).sum()), abs=0.02)
    assert len(bands) == 8


@settings(max_examples=40, deadline=None)
@given(offset=st.integers(-20_000, 20_000))
def test_a_constant_offset_does_not_change_fast_features(offset):
    plan = SpectrumPlan(64)
    envelope = EnvelopePlan(plan, 8, 16, [1, 4, 9])
    values = [int(v) for v in np.random.default_rng(1).integers(-10_000, 10_000, 64)]
    moved = [value + offset for value in values]
    edges = [1, 9, 33]
    assert fast_features(plan, values, edges, envelope) == fast_features(plan, moved, edges, envelope)


@pytest.mark.parametrize("value", [-32768, 0, 5, 32767])
def test_silence_has_no_energy(value):
    plan = SpectrumPlan(128)
    envelope = EnvelopePlan(plan, 5, 32, [1, 4, 17])
    assert fast_features(plan, [value] * 128, [0, 3, 65], envelope) == [0] * 7


@pytest.mark.parametrize("window", [32, 256, 4096])
@pytest.mark.parametrize("bands", [1, 2, 7, 8])
def test_band_edges_cover_every_bin_but_the_mean(window, bands):
    edges = band_edges(window, bands)
    assert (edges[0], edges[-1], len(edges)) == (1, window // 2 + 1, bands + 1)
    assert edges == sorted(set(edges))
