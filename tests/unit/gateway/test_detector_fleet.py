"""A fleet judged together gives the bits of each device judged alone; a stored state stays small."""

import dataclasses
import itertools

import numpy as np
import pytest

from gateway.detectors import fleet
from gateway.detectors.device import DeviceDetector
from gateway.detectors.fleet import judge_fleet
from gateway.detectors.judgement import Judgement
from gateway.detectors.readings import Readings
from shared.identity import FAST, SLOW, Channel, DeviceProfile
from shared.messages.codec import Birth

SECOND = 1_000_000_000
#: A state of a slow device with 8 channels, as the gateway stores it.
STATE_LIMIT_BYTES = 20_000


def birth_of(channels, kind=SLOW):
    named = tuple(Channel(f"channel-{index}", "degC", 20.0, 0.001) for index in range(channels))
    profile = DeviceProfile("pump-1-process", "plant/pump-1", kind, 1.0 if kind == SLOW else 3200.0, named)
    names = ("value",) if kind == SLOW else ("level", "crest", "kurtosis", "band-0")
    return Birth(profile, 1, 1, names, 16, 1)


def plant(seed, rows, columns, *, period=0, drift=0.0, gaps=False, fault=0.0):
    """Correlated columns; from the middle on those of a fault, with values that are missing."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, columns)) @ random.normal(size=(columns, columns))
    for index in range(1, rows):
        values[index] += 0.6 * values[index - 1]
    if period:
        values += 3.0 * np.sin(2 * np.pi * np.arange(rows) / period)[:, None]
    values[:, 0] += drift * np.cumsum(random.normal(size=rows))
    values[rows // 2 :, -1] += fault * np.minimum(np.arange(rows - rows // 2) / 40.0, 1.0)
    if gaps:
        values[random.random(values.shape) < 0.05] = np.nan
        values[rows // 2 + 70 : rows // 2 + 75] = np.nan
    return 20.0 + values


def commissioned(healthy, columns, kind=SLOW, **kwargs):
    rows = max(2 * healthy, 600)
    values = plant(rows=rows, columns=columns * (4 if kind == FAST else 1), **kwargs)
    times, stretches = np.arange(rows) * SECOND, np.zeros(rows, np.int64)
    stretches[healthy + 100 :] = 1
    detector = DeviceDetector.commission(
        birth_of(columns, kind), times[:healthy], stretches[:healthy], values[:healthy]
    )
    sensor = np.abs(np.random.default_rng(9).normal(0.5, 0.3, rows))
    return detector.state(), Readings(times[healthy:], stretches[healthy:], values[healthy:], sensor[healthy:])


DEVICES = [
    commissioned(1200, 8, seed=1),
    commissioned(400, 8, seed=2, fault=30.0),
    commissioned(403, 8, seed=3, period=60),
    commissioned(400, 8, seed=4, drift=3.0, fault=90.0),
    commissioned(400, 8, seed=5, gaps=True),
    commissioned(70, 8, seed=6, fault=9.0),
    commissioned(120, 8, seed=13),
    commissioned(400, 3, seed=7, fault=30.0),
    commissioned(400, 1, seed=8, fault=30.0),
    commissioned(300, 2, kind=FAST, seed=9, fault=900.0),
    commissioned(300, 2, kind=FAST, seed=10),
]

DRIFTING = 3


def without_learning(number):
    state, own = DEVICES[number]
    detector = DeviceDetector.from_state(state)
    return detector.process(own.times_ns, own.stretches, own.values, own.sensor_scores, learn_allowed=False)


def same(judgement, parts):
    return all(
        np.array_equal(
            getattr(judgement, field.name),
            np.concatenate([getattr(part, field.name) for part in parts]),
            equal_nan=getattr(judgement, field.name).dtype == np.float64,
        )
        for field in dataclasses.fields(Judgement)
    )


@pytest.mark.parametrize("group", [16, 48, 512])
def test_many_devices_together_give_the_bits_of_each_alone(group, monkeypatch):
    monkeypatch.setattr(fleet, "GROUP_READINGS", group)
    alone = [DeviceDetector.from_state(state) for state, _ in DEVICES]
    expected = [
        detector.process(own.times_ns, own.stretches, own.values, own.sensor_scores)
        for detector, (_, own) in zip(alone, DEVICES, strict=True)
    ]
    assert any(judgement.alarm.any() for judgement in expected)
    before = [DeviceDetector.from_state(state).threshold for state, _ in DEVICES]
    assert any(detector.threshold < height for detector, height in zip(alone, before, strict=True))
    assert not same(expected[DRIFTING], [without_learning(DRIFTING)])
    together = [DeviceDetector.from_state(state) for state, _ in DEVICES]
    parts = [[] for _ in DEVICES]
    random = np.random.default_rng(group)
    places = [0] * len(DEVICES)
    while any(place < len(own) for place, (_, own) in zip(places, DEVICES, strict=True)):
        work, numbers = [], []
        # Several messages of some devices, of sizes of their own, and none of others.
        for number in random.integers(0, len(DEVICES), 12).tolist():
            readings = DEVICES[number][1]
            end = min(len(readings), places[number] + int(random.choice([1, 5, 16, 60])))
            work.append((together[number], readings.part(slice(places[number], end))))
            numbers.append(number)
            places[number] = end
        for number, judgement in zip(numbers, judge_fleet(work), strict=True):
            parts[number].append(judgement)
    assert all(itertools.starmap(same, zip(expected, parts, strict=True)))
    assert [detector.state() for detector in together] == [detector.state() for detector in alone]


def test_learning_can_be_forbidden_to_one_of_a_fleet():
    allowed, forbidden = (DeviceDetector.from_state(DEVICES[DRIFTING][0]) for _ in range(2))
    readings = DEVICES[DRIFTING][1]
    judged = judge_fleet([(allowed, readings), (forbidden, dataclasses.replace(readings, learn_allowed=False))])
    expected = without_learning(DRIFTING)
    assert same(judged[1], [expected])
    assert not same(judged[0], [expected])


def test_a_detector_goes_on_as_its_restored_state_does():
    """What a state holds in fewer digits is used in these digits from the beginning."""
    values, times = plant(11, 1600, 8, period=60), np.arange(1600) * SECOND
    stretches = np.zeros(1600, np.int64)
    running = DeviceDetector.commission(birth_of(8), times[:800], stretches[:800], values[:800])
    restored = DeviceDetector.from_state(running.state())
    first, second = (d.process(times[800:], stretches[800:], values[800:]) for d in (running, restored))
    assert same(first, [second])
    assert running.state() == restored.state()


def test_a_state_of_8_channels_takes_20_kilobytes_at_most():
    """With all parts: a season, kept rows, drifting channels, a full sample of healthy levels, a long memory."""
    rows = 6000
    values, times = plant(12, rows, 8, period=300, drift=0.02), np.arange(rows) * SECOND
    stretches = np.zeros(rows, np.int64)
    detector = DeviceDetector.commission(birth_of(8), times[:2000], stretches[:2000], values[:2000])
    sizes = []
    for begin in range(2000, rows, 1000):
        part = slice(begin, begin + 1000)
        detector.process(times[part], stretches[part], values[part])
        sizes.append(len(detector.state()))
    assert max(sizes) <= STATE_LIMIT_BYTES, sizes
