"""What the envelope's bands are for: a damaged bearing stands out at its own line, simulated and recorded."""

import os
from pathlib import Path

import numpy as np
import pytest

from shared.recordings.simulator import HEALTHY, simulate_windows
from shared.recordings.simulator.bearing import Bearing
from shared.recordings.simulator.machine import SAMPLE_RATE_HZ, draw_machine
from shared.recordings.simulator.schedule import draw_operation
from shared.signal import arrays

#: Decibels of one step of a feature.
STEP = 10 * np.log10(2) / 256
#: One band per bin.
EDGES = tuple(range(1, 66))
HOP = 3200


def features(windows, first, bins):
    """In decibels: level, all bins' band, then bins 1 to 64 of the envelope."""
    samples = windows.shape[1]
    found = arrays.fast_features(windows, (1, samples // 2 + 1), (first, bins, EDGES)) * STEP
    return found[:, 0], found[:, 4:]


def line(envelope, bins):
    """Mean level of the three bins around the line, which stands at bin `bins` of each window."""
    nearest = np.rint(bins).astype(int)
    rows = np.arange(len(envelope))
    energy = sum(10 ** (envelope[rows, nearest - 1 + step] / 10) for step in (-1, 0, 1))
    return float(10 * np.log10(energy).mean())


@pytest.fixture(scope="module")
def rated():
    """Which windows of machine 2 begin at rated speed, that speed, and the bearing's lines a turn."""
    machine = draw_machine(2)
    begins = np.arange(0, 240 * SAMPLE_RATE_HZ - 1023, HOP)
    speed, _ = draw_operation(2, machine, 600).at((begins + 512) / SAMPLE_RATE_HZ)
    chosen = np.flatnonzero((np.abs(speed / machine.speeds_hz[-1] - 1) < 0.02) & (begins > 40 * SAMPLE_RATE_HZ))
    bearing = machine.bearing
    assert len(chosen) > 30
    return chosen, speed[chosen], {"outer_race": bearing.outer_race, "inner_race": bearing.inner_race}, machine.ring_hz


@pytest.mark.parametrize(("fault", "other"), [("outer_race", "inner_race"), ("inner_race", "outer_race")])
def test_a_beginning_fault_raises_its_own_line_before_the_level(rated, fault, other):
    chosen, speed, ratios, ring_hz = rated
    hertz = SAMPLE_RATE_HZ / 1024
    first = round(ring_hz / hertz) - 64
    level, envelope = {}, {}
    for name in (HEALTHY, fault):
        made = simulate_windows(2, name, hop=HOP, duration_s=240.0, onset_s=10.0, growth_s=2000.0)
        windows = made.counts[chosen, :, 0].astype(np.int64) * 4
        level[name], envelope[name] = features(windows, first, 128)
    risen = {name: line(envelope[fault], ratios[name] * speed / hertz) for name in (fault, other)}
    assert abs(level[fault] - level[HEALTHY]).mean() < 0.5
    assert risen[fault] - line(envelope[HEALTHY], ratios[fault] * speed / hertz) > 10
    assert risen[fault] - risen[other] > 6


@pytest.fixture(scope="module")
def recorded():
    """Features of recorded windows of 4096 samples at 48 kHz, the healthy ones with a deviation of 1024 units."""
    folder = os.environ.get("TOCSIN_DATASETS")
    if not folder:
        pytest.skip("TOCSIN_DATASETS is not set: point it to the folder of the real recordings")
    signals = {
        name: np.load(Path(folder) / "cwru48k" / f"1797_{name}.npz")["DE"].ravel()[: 50 * 4096]
        for name in ("Normal", "IR_7_DE48", "OR@6_7_DE48")
    }
    scale = 1024 / signals["Normal"].std()
    windows = {
        name: np.clip(np.rint(values * scale), -32768, 32767).astype(np.int64).reshape(-1, 4096)
        for name, values in signals.items()
    }
    # from 2 to 5 kHz
    return {name: features(part, 171, 256)[1] for name, part in windows.items()}


#: The drive end's bearing; passes of the balls over the damage a turn; turns a second.
DRIVE_END = Bearing(balls=9, ball_diameter_mm=7.94, pitch_diameter_mm=39.04, contact_angle_rad=0.0)
PASSES = {"IR_7_DE48": DRIVE_END.inner_race, "OR@6_7_DE48": DRIVE_END.outer_race}
TURNS_HZ = 1797 / 60


@pytest.mark.parametrize(("fault", "other"), [("IR_7_DE48", "OR@6_7_DE48"), ("OR@6_7_DE48", "IR_7_DE48")])
def test_a_recorded_fault_stands_out_at_its_own_line(recorded, fault, other):
    bins = np.full(len(recorded[fault]), PASSES[fault] * TURNS_HZ / (48_000 / 4096))
    floor = {name: np.median(recorded[name][:, 3:32], axis=1).mean() + 10 * np.log10(3) for name in (fault, other)}
    assert line(recorded[fault], bins) - line(recorded["Normal"], bins) > 40
    # above its own surroundings too, and more so than where the other race is damaged
    above = {name: line(recorded[name], bins) - floor[name] for name in (fault, other)}
    assert above[fault] > 7
    assert above[fault] - above[other] > 5
