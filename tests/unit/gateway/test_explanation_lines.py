"""Lines of bearings and shafts: recorded damage is told by its own line, and what cannot be told is not."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from gateway.detectors.device import DeviceDetector
from gateway.explanation.bands import band_of, bands_of
from gateway.explanation.geometry import Geometry
from gateway.explanation.lines import lines_of
from shared.identity import FAST, Channel, DeviceProfile
from shared.messages.codec import Birth
from shared.signal.arrays import fast_features
from shared.signal.definition import band_edges

RATE_HZ, WINDOW, BANDS, ENVELOPE_BANDS, ENVELOPE_BINS = 48_000.0, 4096, 16, 32, 128
FIRST_BIN = round(2000 / (RATE_HZ / WINDOW))
NAMES = (
    *("level", "crest", "kurtosis"),
    *(f"band-{number}" for number in range(BANDS)),
    *(f"envelope-{number}" for number in range(ENVELOPE_BANDS)),
)
PROFILE = DeviceProfile("motor-1", "lab/motor-1", FAST, RATE_HZ, (Channel("drive-end", "g", 0.0, 1.0),))
BIRTH = Birth(PROFILE, 1, 0, NAMES, WINDOW, WINDOW)
#: The drive end's bearing, 6205-2RS, at the speed that the recordings name.
BEARING = Geometry(rpm=1797, rollers=9, roller_mm=7.94, pitch_mm=39.04, envelope_bins=ENVELOPE_BINS)
#: Recordings of CWRU at 1797 rpm, and the line of the part that was damaged.
DAMAGED = {
    "OR@6_7_DE48": "BPFO",
    "OR@6_14_DE48": "BPFO",
    "IR_7_DE48": "BPFI",
    "IR_14_DE48": "BPFI",
    "B_7_DE48": "BSF",
    "B_14_DE48": "BSF",
}
PAGE = Path(__file__).parents[3] / "docs" / "explanation.md"


def test_bands_have_their_frequencies() -> None:
    hertz = RATE_HZ / WINDOW
    low, high = band_of(BIRTH, "band-0", list(NAMES))
    assert (low, high) == (0.5 * hertz, (band_edges(WINDOW, BANDS)[1] - 0.5) * hertz)
    assert band_of(BIRTH, "kurtosis", list(NAMES)) is None
    assert band_of(BIRTH, "envelope-4", list(NAMES)) is None
    low, high = band_of(BIRTH, "envelope-4", list(NAMES), ENVELOPE_BINS)
    assert low < BEARING.bearing_lines()["BPFO"] < high


@pytest.mark.parametrize("name", ["BPFO", "BPFI", "BSF"])
def test_far_bands_at_the_harmonics_of_a_line_name_it(name: str) -> None:
    deviations = np.zeros(len(NAMES))
    hertz = BEARING.bearing_lines()[name]
    for place, (low, high) in bands_of(BIRTH, list(NAMES), "envelope-", ENVELOPE_BINS):
        if any(low < harmonic * hertz < high for harmonic in (1, 2, 3)):
            deviations[place] = 9.0
    found = lines_of(BIRTH, BEARING, deviations)
    assert (found[0].name, found[0].channel) == (name, "drive-end")
    assert found[0].hertz == pytest.approx(hertz)
    assert f"{name} is {hertz:.4g} Hz at 1797 rpm" in found[0].sentence


def test_the_shaft_is_looked_for_in_the_spectrum_and_one_far_band_is_no_line() -> None:
    window = Birth(PROFILE, 1, 0, NAMES[:19], WINDOW, WINDOW)
    slow = Geometry(rpm=60 * 1600)
    deviations = np.zeros(19)
    deviations[3 + 1 : 3 + 4] = 6.0
    assert [line.name for line in lines_of(window, slow, deviations)] == ["shaft"]
    deviations[3 + 1] = 0.0
    assert lines_of(window, slow, deviations) == ()
    deviations[:] = -6.0
    assert lines_of(window, slow, deviations) == ()
    assert slow.bearing_lines() == {}


def test_a_line_that_the_bands_are_too_wide_for_is_not_told() -> None:
    cage, bands = BEARING.bearing_lines()["FTF"], bands_of(BIRTH, list(NAMES), "envelope-", ENVELOPE_BINS)
    assert bands[5][1][1] - bands[5][1][0] > cage
    assert "FTF" not in [line.name for line in lines_of(BIRTH, BEARING, np.full(len(NAMES), 9.0))]


def test_an_envelope_without_a_window_has_no_frequencies() -> None:
    odd = Birth(PROFILE, 1, 0, NAMES, 0, 1)
    assert band_of(odd, "envelope-4", list(NAMES), ENVELOPE_BINS) is None
    assert lines_of(odd, BEARING, np.full(len(NAMES), 9.0)) == ()


@pytest.fixture(scope="module")
def recorded():
    """Features of each recording in healthy deviations of 64 units, windows of 4096 samples, half of them apart."""
    folder = os.environ.get("TOCSIN_DATASETS")
    if not folder:
        pytest.skip("TOCSIN_DATASETS is not set: point it to the folder of the real recordings")
    found = {}
    for name in ("Normal", *DAMAGED):
        signal = np.load(Path(folder) / "cwru48k" / f"1797_{name}.npz")["DE"].ravel()[: 240 * 1024]
        windows = np.lib.stride_tricks.sliding_window_view(signal, WINDOW)[:: WINDOW // 4]
        if name == "Normal":
            scale = 1024 / signal.std()
        counts = np.clip(np.rint(windows * scale), -32768, 32767).astype(np.int64)
        envelope = (FIRST_BIN, ENVELOPE_BINS, tuple(band_edges(ENVELOPE_BINS, ENVELOPE_BANDS)))
        found[name] = fast_features(counts, tuple(band_edges(WINDOW, BANDS)), envelope).astype(np.float64)
    healthy = found["Normal"]
    mean, deviation = healthy.mean(axis=0), np.maximum(healthy.std(axis=0), 1.0)
    return {name: np.rint((features - mean) / deviation * 64.0) for name, features in found.items()}


@pytest.mark.parametrize(("recording", "line"), [("OR@6_7_DE48", "BPFO"), ("IR_7_DE48", "BPFI")])
def test_a_recorded_race_is_told_by_its_line_and_never_by_another(recorded, recording: str, line: str) -> None:
    healthy, faulty = recorded["Normal"], recorded[recording]
    times = np.arange(len(healthy) + len(faulty)) * 1_000_000_000
    stretch, count = np.zeros(len(times), np.int64), len(healthy)
    detector = DeviceDetector.commission(BIRTH, times[:count], stretch[:count], healthy)
    judged = detector.process(times[count:], stretch[count:], faulty)
    assert judged.alarm.any()
    every = [detector.explain(judged, index, BEARING) for index in np.flatnonzero(judged.alarm).tolist()]
    told = Counter(found.name for why in every for found in why.lines)
    assert set(told) == {line}
    assert told[line] > 0.5 * len(every)
    assert next(found for why in every for found in why.lines).sentence.startswith("envelope-")
    assert detector.explain(judged, len(faulty) - 1).lines == ()


def test_the_page_shows_how_often_each_recorded_damage_is_told(recorded) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, features in recorded.items():
        deviations = np.clip(features / 64.0, -30.0, 30.0)
        told = Counter(next((line.name for line in lines_of(BIRTH, BEARING, row)), "") for row in deviations)
        right = told[DAMAGED[name]] if name in DAMAGED else 0
        shares = [round(100 * part / len(features)) for part in (right, len(features) - right - told[""], told[""])]
        assert f"| {name} | {len(features)} | {' | '.join(map(str, shares))} |" in page
