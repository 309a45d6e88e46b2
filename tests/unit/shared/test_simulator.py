"""The simulated pump: repeatable, physical, and faulty only from the onset on."""

import json
from pathlib import Path

import numpy as np
import pytest

from shared.errors import UsageError
from shared.recordings.simulator import FAULTS, HEALTHY, rms_alarm, simulate, simulate_windows, write_simulation
from shared.recordings.simulator.machine import SAMPLE_RATE_HZ, SCALE_G, draw_machine
from shared.recordings.simulator.schedule import BLOCK, BLOCK_S, draw_operation

SHORT = {"duration_s": 120.0, "onset_s": 60.3}
ONSET_SAMPLE = round(60.3 * SAMPLE_RATE_HZ)
GROWING = FAULTS[:4]


@pytest.mark.parametrize("fault", [*FAULTS, HEALTHY])
def test_before_the_onset_every_fault_is_the_healthy_machine(fault: str) -> None:
    healthy = simulate(11, HEALTHY, **SHORT)
    faulty = simulate(11, fault, **SHORT)
    assert faulty.vibration_counts[:ONSET_SAMPLE].tobytes() == healthy.vibration_counts[:ONSET_SAMPLE].tobytes()
    assert faulty.process.values[:60].tobytes() == healthy.process.values[:60].tobytes()
    differs = (faulty.vibration_counts[ONSET_SAMPLE:] != healthy.vibration_counts[ONSET_SAMPLE:]).mean()
    assert (differs == 0) if fault == HEALTHY else (differs > 0.05)


def test_same_seed_same_bytes_other_seed_other_machine() -> None:
    first, again, other = (simulate(seed, "looseness", **SHORT) for seed in (4, 4, 5))
    assert first.vibration_counts.tobytes() == again.vibration_counts.tobytes()
    assert first.process.values.tobytes() == again.process.values.tobytes()
    assert first.truth == again.truth
    assert first.truth["rated_speed_hz"] != other.truth["rated_speed_hz"]


def test_a_longer_simulation_continues_a_shorter_one() -> None:
    short = simulate(6, HEALTHY, duration_s=50)
    long = simulate(6, HEALTHY, duration_s=75)
    assert long.vibration_counts[: short.vibration.rows].tobytes() == short.vibration_counts.tobytes()


@pytest.mark.parametrize("fault", [*FAULTS, HEALTHY])
@pytest.mark.parametrize(("window", "hop", "first"), [(1024, 6400, 0), (1024, 6400, 5376), (3000, 1111, 7), (1, 99, 0)])
def test_single_windows_are_those_of_the_whole(fault: str, window: int, hop: int, first: int) -> None:
    options = {"duration_s": 16.0, "onset_s": 12.345}
    whole = simulate(8, fault, **options)
    windows = simulate_windows(8, fault, window=window, hop=hop, first=first, **options)
    starts = range(first, whole.vibration.rows - window + 1, hop)
    assert len(windows.counts) == len(starts)
    for place, start in enumerate(starts):
        assert windows.counts[place].tobytes() == whole.vibration_counts[start : start + window].tobytes()
        assert windows.times_ns[place] == whole.vibration.times_ns[start + window - 1]


def test_every_speed_and_load_is_visited_several_times_before_the_default_onset() -> None:
    for seed in range(10):
        machine = draw_machine(seed)
        operation = draw_operation(seed, machine, 2250)
        speed, load = operation.speed_hz, operation.load
        for wanted_speed in machine.speeds_hz:
            for wanted_load in machine.loads:
                there = (np.abs(speed / wanted_speed - 1) < 0.01) & (np.abs(load / wanted_load - 1) < 0.15)
                assert there.sum() * BLOCK_S > 60
                # Visits are runs that are more than 30 s apart.
                assert (np.diff(np.flatnonzero(there)) * BLOCK_S > 30).sum() >= 3
        assert (speed == 0).any()


def test_the_shaft_angle_is_the_integral_of_the_speed() -> None:
    operation = draw_operation(1, draw_machine(1), 100)
    samples = np.arange(BLOCK, dtype=np.float64)
    angle = operation.angle(np.arange(100), samples).ravel()
    speed, _ = operation.at(np.arange(100 * BLOCK) / SAMPLE_RATE_HZ)
    assert np.abs(np.diff(angle) * SAMPLE_RATE_HZ - (speed[1:] + speed[:-1]) / 2).max() < 1e-6


@pytest.mark.parametrize("fault", ["outer_race", "inner_race"])
def test_the_envelope_of_a_race_fault_shows_its_frequency(fault: str) -> None:
    simulation = simulate(2, fault, duration_s=240, onset_s=10, growth_s=20)
    truth = simulation.truth
    machine = draw_machine(2)
    operation = draw_operation(2, machine, 600)
    steady = [b for b in range(150, 590) if np.ptp(operation.speed_hz[b : b + 6]) < 0.3 and operation.speed_hz[b] > 20]
    begin = steady[0] * BLOCK
    signal = simulation.vibration.values[begin : begin + 5 * BLOCK, 0]
    spectrum = np.fft.fft(signal - signal.mean())
    frequency = np.fft.fftfreq(len(signal), 1 / SAMPLE_RATE_HZ)
    band = np.abs(frequency - float(str(truth["resonance_hz"]))) < 200
    envelope = np.abs(np.fft.ifft(np.where(band, spectrum, 0)))
    power = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope)))) ** 2
    axis = np.fft.rfftfreq(len(envelope), 1 / SAMPLE_RATE_HZ)
    speed = operation.speed_hz[steady[0] : steady[0] + 6].mean()
    wanted = float(str(truth["fault_frequency_per_shaft_turn"])) * speed
    near = power[np.abs(axis - wanted) < 1.5].max()
    floor = np.median(power[(axis > 30) & (axis < 300)])
    assert near > 50 * floor
    assert truth["fault_frequency_per_shaft_turn"] == pytest.approx(truth["bearing_ratios"][fault])  # type: ignore[index]


def test_levels_are_physical_and_never_clip() -> None:
    simulation = simulate(9, HEALTHY, duration_s=200)
    values = simulation.vibration.values
    assert np.abs(values).max() < 2.0
    assert abs(values[:, 2].mean() - 1.0) < 0.01
    rest = values[: 5 * SAMPLE_RATE_HZ]  # it begins at rest for 9 s at least
    assert (rest.std(axis=0) < 0.004).all()
    assert (values[:, :2].std(axis=0) > 0.02).all()
    temperature, current = simulation.process.values.T
    assert 15 < temperature.min() < temperature.max() < 80
    assert current[:5].max() < 0.1
    assert 3 < current.max() < 30
    assert np.array_equal(values, simulation.vibration_counts * SCALE_G)


def test_a_stuck_axis_repeats_and_a_stuck_thermometer_holds() -> None:
    axis = simulate(3, "sensor_stuck", channel="acceleration_y", **SHORT)
    assert axis.fault_channel == "acceleration_y"
    assert len(np.unique(axis.vibration_counts[ONSET_SAMPLE - 1 :, 1])) == 1
    assert len(np.unique(axis.vibration_counts[ONSET_SAMPLE:, 0])) > 10
    thermometer = simulate(3, "sensor_stuck", channel="bearing_temperature", **SHORT)
    held = thermometer.process.values[:, 0]
    after = thermometer.process.times_ns >= thermometer.onset_ns
    assert len(np.unique(held[after])) == 1
    assert len(np.unique(held[~after])) > 10


@pytest.mark.parametrize("fault", FAULTS)
def test_a_plain_rms_alarm_does_not_see_the_beginning(fault: str) -> None:
    for seed in range(3):
        windows = simulate_windows(seed, fault)
        alarm = rms_alarm(windows.counts, 450)
        assert alarm.first_window is None or (alarm.first_window - 450) * 2 > 300
        if fault in GROWING:  # and yet it is there: the level at the end is well above that at the beginning
            running = (alarm.rms_g > 0.01).any(axis=1)
            before, end = (alarm.rms_g[part][running[part]].mean(axis=0) for part in (slice(0, 450), slice(800, 900)))
            assert (end / before).max() > 1.25


def test_a_plain_rms_alarm_sees_a_large_fault_and_no_healthy_machine() -> None:
    assert rms_alarm(simulate_windows(0, HEALTHY).counts, 450).first_window is None
    counts = simulate_windows(0, HEALTHY).counts.copy()
    mean = counts[700].mean(axis=0)
    counts[700] = ((counts[700] - mean) * 20 + mean).astype(np.int16)
    assert rms_alarm(counts, 450).first_window == 700


def test_truth_is_written_beside_the_recording(tmp_path: Path) -> None:
    simulation = simulate(1, "sensor_detached", asset="pump-7", **SHORT)
    paths = write_simulation(simulation, tmp_path / "new")
    truth = json.loads(paths[2].read_text())
    assert (truth["asset"], truth["fault"], truth["onset_ns"]) == ("pump-7", "sensor_detached", simulation.onset_ns)
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_simulation(simulation, tmp_path / "new")] == first


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fault": "rust"}, "there is no fault 'rust'; choose one of healthy, inner_race"),
        ({"fault": "imbalance", "onset_s": 1800.0}, "onset must lie within"),
        ({"duration_s": 0.0}, "lasts 1 to"),
        ({"fault": "imbalance", "growth_s": 0.0}, "more than 0 seconds"),
        ({"fault": "sensor_stuck", "channel": "z"}, "no channel 'z'"),
        ({"seed": -1}, "must not be negative"),
    ],
)
def test_wrong_use_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        simulate(**{"seed": 1, **options})  # type: ignore[arg-type]
