"""A slow device with one channel: events raise alarms of their own, and leave the scores as they are."""

import itertools

import numpy as np
from numpy.typing import NDArray

from gateway.alarms.asset_alarm import AssetAlarms
from gateway.detectors.device import DeviceDetector
from gateway.detectors.judgement import Judgement
from gateway.detectors.novelty import Novelty
from shared.identity import SLOW, Channel, DeviceProfile
from shared.messages.codec import Birth

HEALTHY, ROWS, EVENT = 600, 1000, 800
MINUTE = 60 * 10**9
TIMES = np.arange(ROWS, dtype=np.int64) * 5 * MINUTE
STRETCHES = np.zeros(ROWS, np.int64)


def values(channels: int) -> NDArray[np.float64]:
    found = 20.0 + np.random.default_rng(9).normal(size=(ROWS, channels))
    found[EVENT] += 9.0
    found[EVENT + 5] = np.nan
    return found


def commissioned(channels: int) -> DeviceDetector:
    names = tuple(Channel(f"channel-{index}", "degC", 20.0, 0.001) for index in range(channels))
    profile = DeviceProfile("tank", "plant/tank", SLOW, 1.0 / 300.0, names)
    birth = Birth(profile, 1, 1, ("value", "mean", "deviation", "slope"), 16, 1)
    return DeviceDetector.commission(birth, TIMES[:HEALTHY], STRETCHES[:HEALTHY], values(channels)[:HEALTHY])


def judge(detector: DeviceDetector, begin: int, end: int) -> Judgement:
    rows = values(1)[begin:end]
    return detector.process(TIMES[begin:end], STRETCHES[begin:end], rows)


STATE = commissioned(1).state()


def without_novelty() -> DeviceDetector:
    detector = DeviceDetector.from_state(STATE)
    detector._novelty = None
    return detector


def test_a_spike_alarms_at_once_and_for_the_persistence() -> None:
    detector, plain = DeviceDetector.from_state(STATE), judge(without_novelty(), HEALTHY, ROWS)
    judgement = judge(detector, HEALTHY, ROWS)
    at = EVENT - HEALTHY
    held = slice(at, at + detector.evidence.span_readings)
    assert judgement.alarm[held].all()
    assert not plain.alarm[: at + 1].any()
    after = slice(held.stop + 1, at + 100)
    assert np.array_equal(judgement.alarm[after], plain.alarm[after])
    assert np.isnan(judgement.novelty[at + 5])
    assert np.nanargmax(judgement.novelty) == at


def test_the_alarm_of_an_event_is_as_loud_as_it_and_says_why() -> None:
    detector = DeviceDetector.from_state(STATE)
    judgement = judge(detector, HEALTHY, ROWS)
    alarms = AssetAlarms("plant/tank")
    told = alarms.update("tank", TIMES[HEALTHY:], judgement, lambda at: detector.explain(judgement, at), False)
    event = next(alarm for alarm in told if alarm.begin_ns == TIMES[EVENT])
    assert event.peak_score >= judgement.novelty[EVENT - HEALTHY] > 1.0
    assert "novelty" in [reason.feature for reason in event.reasons]
    assert any(reason.sentence.startswith("channel-0 is unlike its past") for reason in event.reasons)


def test_scores_are_those_of_a_device_without_novelty() -> None:
    with_events, without = (
        judge(DeviceDetector.from_state(STATE), HEALTHY, ROWS),
        judge(without_novelty(), HEALTHY, ROWS),
    )
    assert np.array_equal(with_events.scores, without.scores, equal_nan=True)
    assert np.array_equal(with_events.fused, without.fused, equal_nan=True)
    assert np.isnan(without.novelty).all()


def test_one_channel_has_the_same_bits_in_batches_and_after_restarts() -> None:
    whole = judge(DeviceDetector.from_state(STATE), HEALTHY, ROWS)
    detector, novelty, alarm = DeviceDetector.from_state(STATE), [], []
    for begin, end in itertools.pairwise([HEALTHY, 601, 650, 799, 801, 804, 900, ROWS]):
        part = judge(detector, begin, end)
        novelty.append(part.novelty)
        alarm.append(part.alarm)
        detector = DeviceDetector.from_state(detector.state())
    assert np.concatenate(novelty).tobytes() == whole.novelty.tobytes()
    assert np.array_equal(np.concatenate(alarm), whole.alarm)
    assert isinstance(detector._novelty, Novelty)


def test_many_channels_have_no_novelty() -> None:
    detector = commissioned(2)
    judgement = detector.process(TIMES[HEALTHY:], STRETCHES[HEALTHY:], values(2)[HEALTHY:])
    assert np.isnan(judgement.novelty).all()
    assert b"novelty" not in detector.state()
