"""A fault that develops over days is not learned away; changes of speed of a healthy machine are no faults."""

import numpy as np
import pytest
from drifting_plants import SECOND_NS, birth, correlated

from gateway.detectors.device import DeviceDetector
from gateway.drift.watch import DriftWatch

DAY = 1440
HEALTHY, DAYS = 2000, 12
MINUTE_NS = 60 * SECOND_NS


def slow_plant(seed, ramp_days, size, *, drifting):
    """Four channels a minute for `DAYS` days after the healthy part; channel 1 ramps by `size` healthy deviations.

    With `drifting` it also moves with the day, which a healthy part of a day and a half cannot show to be a season.
    """
    generator = np.random.default_rng(seed)
    rows = HEALTHY + DAYS * DAY
    minutes = np.arange(rows)
    load = correlated(generator, rows, 1.0 - 1.0 / 30.0)
    values = load[:, None] * np.linspace(0.5, 1.5, 4) + 0.6 * correlated(generator, (rows, 4), 0.7)
    values[:, 1] += 3.0 * drifting * np.sin(2.0 * np.pi * minutes / DAY)
    ramp = np.clip((minutes - HEALTHY - DAY) / (ramp_days * DAY), 0.0, 1.0)
    values[:, 1] += size * values[:HEALTHY, 1].std() * ramp
    return minutes * MINUTE_NS, values


def judged(times_ns, values, healthy=HEALTHY):
    zeros = np.zeros(len(values), np.int64)
    detector = DeviceDetector.commission(birth(4), times_ns[:healthy], zeros[:healthy], values[:healthy])
    return detector, detector.process(times_ns[healthy:], zeros[healthy:], values[healthy:])


@pytest.mark.parametrize(("drifting", "ramp_days", "size"), [(False, 8, 8.0), (True, 8, 10.0)])
def test_a_fault_that_grows_for_days_is_alarmed_and_stays_so(drifting, ramp_days, size):
    times_ns, values = slow_plant(1, ramp_days, size, drifting=drifting)
    detector, judgement = judged(times_ns, values)
    assert bool(detector._features._drifting.any()) == drifting
    begun = np.flatnonzero(judgement.alarm[DAY:])
    assert begun[0] < ramp_days * DAY
    assert judgement.alarm[(1 + ramp_days) * DAY :].all()
    watch = DriftWatch.fit(times_ns[:HEALTHY], values[:HEALTHY])
    drifts = watch.take(birth(4), times_ns[HEALTHY:], values[HEALTHY:])
    assert drifts[-1].channels[0].channel == "channel-1"
    assert drifts[-1].pattern == "against the others"


def two_speeds(seed, rows, stalled_at=None):
    """A machine that changes between two speeds every 180 s; its flow may stall for 40 s during a change of speed."""
    generator = np.random.default_rng(seed)
    speed, path, inrush = 900.0, np.empty(rows), np.empty(rows)
    for second in range(rows):
        change = ((1500.0 if second // 180 % 2 else 900.0) - speed) / 6.0
        speed += change
        path[second], inrush[second] = speed, 0.02 * change
    exact = np.stack((path, 2.0 + 6.0 * (path / 1500.0) ** 2 + inrush, path / 100.0, 40.0 + path / 150.0), axis=1)
    values = exact + generator.normal(size=exact.shape) * (5.0, 0.1, 0.1, 0.2)
    if stalled_at is not None:
        values[stalled_at : stalled_at + 40, 2] = 9.0
    return np.arange(rows) * SECOND_NS, values


@pytest.mark.parametrize("seed", range(3))
def test_changes_of_speed_are_no_alarm_unless_something_is_wrong_with_them(seed):
    healthy, speeding_up = 2400, 2400 + 1020
    times_ns, values = two_speeds(seed, 4800)
    detector, judgement = judged(times_ns, values, healthy)
    assert not judgement.alarm.any()
    assert np.nanmean(judgement.scores >= 1.0) < 0.005
    assert not detector._frozen
    watch = DriftWatch.fit(times_ns[:healthy], values[:healthy])
    assert watch.take(birth(4), times_ns[healthy:], values[healthy:]) == []
    assert " of 2 (" in watch.told(birth(4)).operating_point
    assert values[speeding_up - 1, 0] < 950.0 < 1400.0 < values[speeding_up + 30, 0]
    _, faulty = judged(*two_speeds(seed, 4800, stalled_at=speeding_up), healthy)
    begun = np.flatnonzero(faulty.alarm)
    assert len(begun) > 0
    assert 0 <= begun[0] + healthy - speeding_up < 60
