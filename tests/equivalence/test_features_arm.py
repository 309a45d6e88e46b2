"""The features on emulated Cortex-M cores, with and without the DSP extension: every bit is that of the reference."""

import functools

import numpy as np
import pytest

pytest.importorskip("unicorn", reason="unicorn is not installed: pip install 'tocsin[firmware]'")
pytest.importorskip("capstone", reason="capstone is not installed: pip install 'tocsin[firmware]'")
pytest.importorskip("ziglang", reason="ziglang is not installed: pip install 'tocsin[firmware]'")
pytest.importorskip("elftools", reason="pyelftools is not installed: pip install 'tocsin[firmware]'")


from feature_windows import knocks, odd_edges, strained_envelopes, strained_windows

from firmware.bench.features import EmulatedFeatures
from firmware.kernels.cores import core_named
from shared.recordings.profile import profile_of
from shared.recordings.reader import read_recording
from shared.signal import arrays
from shared.signal.definition import band_edges
from shared.signal.envelope import EnvelopePlan
from shared.signal.fast import fast_features
from shared.signal.spectrum import SpectrumPlan

SIZES = [32, 64, 128, 256, 512, 1024, 2048, 4096]
CORES = [("m4", False), ("m7", False), ("m4", True), ("m33", False), ("m33", True), ("m3", False), ("m0", False)]


@pytest.fixture(scope="module", params=CORES, ids=lambda core: f"{core[0]}{'-portable' if core[1] else ''}")
def core(request):
    name, portable = request.param
    return EmulatedFeatures(core_named(name), portable=portable)


@pytest.mark.parametrize("samples", SIZES)
def test_strained_windows_give_the_same_features(core, samples):
    windows = strained_windows(samples)[: 120_000 // samples]
    for edges in (band_edges(samples, 8), odd_edges(samples)):
        expected = arrays.fast_features(windows, tuple(edges))
        np.testing.assert_array_equal(core.features(windows, edges).features, expected)
    plan = SpectrumPlan(samples)
    for window, row in zip(windows[8:40:7].tolist(), expected[8:40:7].tolist(), strict=True):
        assert fast_features(plan, window, edges) == row


@pytest.mark.parametrize("samples", SIZES[1:])
def test_strained_windows_give_the_same_envelope_bands(core, samples):
    windows = np.concatenate([strained_windows(samples)[::-3], knocks(samples)])[: 60_000 // samples]
    edges = [1, samples // 2 + 1]
    plan = SpectrumPlan(samples)
    for envelope in strained_envelopes(samples):
        expected = arrays.fast_features(windows, tuple(edges), envelope)
        found = core.features(windows, edges, samples // 3, envelope=envelope).features
        np.testing.assert_array_equal(found, expected)
        reference = EnvelopePlan(plan, *envelope[:2], list(envelope[2]))
        for window, row in zip(windows[::9].tolist(), expected[::9].tolist(), strict=True):
            assert fast_features(plan, window, edges, reference) == row


@pytest.mark.parametrize("samples", [64, 128, 1024])
def test_a_ring_may_begin_anywhere_and_lie_beside_a_word(core, samples):
    windows = np.random.default_rng(samples).integers(-32768, 32768, (4, samples))
    edges = band_edges(samples, 8)
    expected = arrays.fast_features(windows, tuple(edges))
    places = {1, 2, 3, samples // 2 - 1, samples // 2, samples // 2 + 1, samples - 2, samples - 1}
    for oldest in places:
        for offset in (0, 2):
            np.testing.assert_array_equal(core.features(windows, edges, oldest, offset).features, expected)


#: Path, healthy rows, samples per second, columns.
RECORDINGS = {
    "cwru": ("cwru48k/1797_IR_7_DE48.npz", 20_000, 48_000.0, ()),
    "fan": ("fan_esp32/fan_0_low_0_weight", 10_000, 200.0, ()),
    "femto": ("femto/Learning_set/Bearing1_2", 25_600, 25_600.0, ("column_5", "column_6")),
}


@functools.cache
def counts_of(path, healthy_rows, rate, columns):
    recording = read_recording(path, healthy_rows=healthy_rows, sample_rate_hz=rate, channels=columns or None)
    return profile_of(recording, healthy_rows, "press-7", "acme/press-7")[1]


@pytest.fixture(scope="module", params=RECORDINGS)
def recorded(request, datasets):
    """Counts of a real recording, (rows, channels)."""
    path, *rest = RECORDINGS[request.param]
    return counts_of(datasets / path, *rest)


def test_recorded_windows_give_the_same_features(core, recorded):
    count, samples = min(30, len(recorded) // 1024), 1024
    edges = band_edges(samples, 16)
    for column in recorded.T:
        windows = np.clip(column[: count * samples], -32768, 32767).astype(np.int64).reshape(count, samples)
        envelope = (128, 256, tuple(band_edges(256, 8)))
        found = core.features(windows, edges, envelope=envelope).features
        np.testing.assert_array_equal(found, arrays.fast_features(windows, tuple(edges), envelope))
        assert len(np.unique(found, axis=0)) > count // 2


def test_no_more_instructions_than_a_cortex_m4_is_promised():
    core = EmulatedFeatures(core_named("m4"), count=True)
    windows = np.random.default_rng(3).normal(0, 1024, (3, 1024)).round().astype(np.int64)
    found = [core.features(windows, band_edges(1024, 16), oldest).instructions for oldest in (0, 511, 1023)]
    assert max(found) <= 140_000
    # times that depend on the samples only through the logarithm and the fourth moment
    strained = strained_windows(1024)
    counts = [core.features(strained[i : i + 3], band_edges(1024, 16), 511).instructions for i in range(0, 45, 3)]
    assert max(counts) <= 140_000
    assert core.features(windows, band_edges(1024, 16)).stack_bytes <= 320


def test_an_envelope_costs_no_more_than_the_other_features():
    core = EmulatedFeatures(core_named("m4"), count=True)
    windows = np.random.default_rng(3).normal(0, 1024, (3, 1024)).round().astype(np.int64)
    envelope = (128, 256, tuple(band_edges(256, 8)))
    strained = [strained_windows(1024)[i : i + 3] for i in range(0, 45, 3)]
    counts = [core.features(some, band_edges(1024, 16), 511, envelope=envelope) for some in (windows, *strained)]
    assert max(counted.instructions for counted in counts) <= 260_000
    assert max(counted.stack_bytes for counted in counts) <= 360
