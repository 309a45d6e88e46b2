"""The recipe on recordings that it was not made up for: a water rig, a chemical plant, the simulated pump."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.detectors.device import DeviceDetector
from gateway.detectors.judgement import Judgement
from shared.identity import FAST, SLOW, Channel, DeviceProfile
from shared.messages.codec import Birth
from shared.recordings.reader import read_recording
from shared.recordings.simulator import HEALTHY, rms_alarm, simulate_windows
from shared.signal import arrays
from shared.signal.definition import FAST_FEATURES, SLOW_FEATURES, band_edges

SECOND = 1_000_000_000
BANDS = 16


def recording(name: str) -> Path:
    folder = os.environ.get("TOCSIN_DATASETS")
    if not folder:
        pytest.skip("TOCSIN_DATASETS is not set: point it to the folder of the real recordings")
    return Path(folder) / name


def judged(
    kind: str, times_ns: NDArray[np.int64], values: NDArray[np.float64], channels: int, healthy: int
) -> tuple[DeviceDetector, Judgement]:
    names = SLOW_FEATURES if kind == SLOW else (*FAST_FEATURES, *(f"band-{band}" for band in range(BANDS)))
    profile = DeviceProfile(
        "device", "asset", kind, 1.0, tuple(Channel(f"c{i}", "", 0.0, 1.0) for i in range(channels))
    )
    stretches = np.zeros(len(values), np.int64)
    detector = DeviceDetector.commission(
        Birth(profile, 1, 1, names, 16, 1), times_ns[:healthy], stretches[:healthy], values[:healthy]
    )
    return detector, detector.process(times_ns[healthy:], stretches[healthy:], values[healthy:])


def begins(judgement: Judgement) -> list[int]:
    changes = np.diff(np.concatenate(([0], judgement.alarm.astype(np.int64))))
    return [int(index) for index in np.flatnonzero(changes == 1)]


def area_under_curve(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    sick, well = scores[labels], scores[~labels]
    wins = (sick[:, None] > well[None, :]).sum() + 0.5 * (sick[:, None] == well[None, :]).sum()
    return float(wins / (len(sick) * len(well)))


def test_a_closing_valve_is_alarmed_and_not_before() -> None:
    read = read_recording(recording("skab/data/valve1/0.csv"), healthy_rows=400, ignore=("anomaly", "changepoint"))
    _, found = judged(SLOW, read.times_ns, read.values, 8, 400)
    rows = [400 + begin for begin in begins(found)]
    assert not [row for row in rows if row <= 572]
    assert [row for row in rows if 573 <= row <= 973]
    assert area_under_curve(found.scores, read.labels["anomaly"][400:] > 0) >= 0.85


@pytest.mark.parametrize("fault", [0, 1, 5, 10])
def test_faults_of_a_chemical_plant_are_alarmed_and_its_normal_run_is_not(fault: int) -> None:
    healthy = np.loadtxt(recording("tep/d00.dat")).T
    values = np.concatenate((healthy, np.loadtxt(recording(f"tep/d{fault:02d}_te.dat"))))
    times = np.arange(len(values), dtype=np.int64) * 180 * SECOND
    _, found = judged(SLOW, times, values, 52, len(healthy))
    first = begins(found)[:1]
    assert first == [] if fault == 0 else first and 160 <= first[0] < 320


@cache
def pump(fault: str) -> tuple[NDArray[np.int64], NDArray[np.float64], int | None, int | None]:
    """Times, features (64 units per healthy deviation), time of onset, window of the RMS alarm."""
    windows = simulate_windows(11, fault)
    counts = windows.counts.astype(np.int64)
    scaled = arrays.clamp16(counts * 1024 // max(1, round(float(counts[:300].std()))))
    edges = tuple(band_edges(counts.shape[1], BANDS))
    raw = np.concatenate([arrays.fast_features(scaled[:, :, axis], edges) for axis in range(3)], axis=1)
    deviation = np.maximum(raw[:300].std(axis=0), 16.0)
    features = np.rint((raw - raw[:300].mean(axis=0)) / deviation * 64).clip(-32768, 32767)
    return windows.times_ns, features, windows.onset_ns, rms_alarm(windows.counts, 300).first_window


@pytest.mark.parametrize("fault", ["inner_race", "imbalance", "sensor_detached"])
def test_a_fault_of_the_pump_is_alarmed_before_its_rms_is(fault: str) -> None:
    times, features, onset_ns, rms_window = pump(fault)
    assert onset_ns is not None
    _, found = judged(FAST, times, features, 3, 300)
    first = 300 + begins(found)[0]
    assert times[first] > onset_ns
    assert rms_window is None or first < rms_window


def test_a_healthy_pump_is_silent() -> None:
    times, features, _, _ = pump(HEALTHY)
    detector, found = judged(FAST, times, features, 3, 300)
    assert begins(found) == []
    assert detector.provisional
    assert (found.scores >= 1).mean() < 0.02
