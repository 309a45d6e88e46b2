"""Explanations: the channel that began it, since when, lost channels, earlier alarms; and how they are kept."""

from dataclasses import replace

import numpy as np
import pytest

from gateway.alarms.asset_alarm import AssetAlarms
from gateway.detectors import portable
from gateway.detectors.device import DeviceDetector
from gateway.detectors.judgement import NEVER, Judgement
from gateway.explanation.attribution import attribute, block_diagonal
from gateway.explanation.explanation import Explanation
from gateway.explanation.onset import Onset
from gateway.explanation.past import REMEMBERED, PastAlarms
from gateway.explanation.presence import Presence
from shared.identity import SLOW, Channel, DeviceProfile
from shared.messages.codec import Birth, Reason, decode_alarm, encode_alarm

SECOND = 1_000_000_000
HEALTHY, ROWS = 600, 1100
NAMES = ("flow", "pressure", "temperature", "current")


def plant() -> np.ndarray:
    """Four channels that follow one load, the first two closely."""
    random = np.random.default_rng(3)
    load = np.zeros(ROWS)
    for row in range(1, ROWS):
        load[row] = 0.95 * load[row - 1] + 0.1 * random.normal()
    noise = random.normal(size=(ROWS, 4)) * [0.02, 0.02, 0.3, 0.3]
    return np.outer(load, [1.0, 1.0, 0.5, -0.5]) + noise + 20.0


VALUES, TIMES, STRETCH = plant(), np.arange(1, ROWS + 1) * SECOND, np.zeros(ROWS, np.int64)
BIRTH = Birth(
    DeviceProfile("pump-1", "plant/pump-1", SLOW, 1.0, tuple(Channel(name, "bar", 0.0, 1.0) for name in NAMES)),
    1, 0, (), 1, 1,
)  # fmt: skip
STATE = DeviceDetector.commission(BIRTH, TIMES[:HEALTHY], STRETCH[:HEALTHY], VALUES[:HEALTHY]).state()


def alarms_of(values: np.ndarray, alarms: AssetAlarms | None = None) -> list:
    detector = DeviceDetector.from_state(STATE)
    part = slice(HEALTHY, ROWS)
    judged = detector.process(TIMES[part], STRETCH[part], values[part])
    return (alarms or AssetAlarms("plant/pump-1")).update(
        "pump-1", TIMES[part], judged, lambda index: detector.explain(judged, index), False
    )


@pytest.mark.parametrize("channel", range(4))
def test_a_channel_that_leaves_its_relations_is_named_and_dated(channel: int) -> None:
    values = VALUES.copy()
    values[HEALTHY + 100 :, channel] += 3.0
    first, *_, last = [*alarms_of(values), None][:-1] * 2
    assert first.reasons[0].channel == last.reasons[0].channel == NAMES[channel]
    assert abs(first.since_ns - TIMES[HEALTHY + 100]) <= 3 * SECOND
    assert "whitened distance" in first.detectors
    assert decode_alarm(encode_alarm(last)) == last


def test_what_single_features_add_is_smeared_and_what_a_channel_explains_is_not() -> None:
    spread = np.array([[1.0, 0.98, 0.0], [0.98, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = attribute(np.linalg.inv(spread), np.array([1.0, -0.2, 0.5]), np.arange(3), 3)
    assert found.channels[0] in (0, 1)
    assert found.channels[1] == 2
    assert found.explained[0] > 0.8
    assert found.explained.sum() <= 1.0 + 1e-9
    both = attribute(np.eye(4), np.array([3.0, 0.0, 0.0, 1.0]), np.array([1, 0, 1, 0]), 2)
    assert both.channels == (1, 0)
    assert both.explained == pytest.approx([0.9, 0.1])
    assert np.array_equal(block_diagonal((np.eye(2), np.ones((1, 1)))), np.eye(3))


def test_a_channel_near_its_mean_is_told_against_the_others() -> None:
    values = VALUES.copy()
    values[HEALTHY + 100 :, 0] += 0.4
    detector, part = DeviceDetector.from_state(STATE), slice(HEALTHY, ROWS)
    judged = detector.process(TIMES[part], STRETCH[part], values[part])
    sentence = detector.explain(judged, 150).reasons[0].sentence
    # of two channels that no longer fit each other, either may be the one
    assert sentence.startswith(("flow does not fit the other channels by ", "pressure does not fit the other channels"))
    observed, expected = (float(part.split(" bar")[0]) for part in sentence.split(": ")[1].split(", expected "))
    assert abs(observed - expected) == pytest.approx(0.4, abs=0.15)


@pytest.mark.parametrize("channel", range(4))
def test_a_lost_channel_raises_an_alarm_that_says_so(channel: int) -> None:
    values = VALUES.copy()
    values[HEALTHY + 50 : HEALTHY + 120, channel] = np.nan
    told = alarms_of(values)
    begin = next(alarm for alarm in told if alarm.reasons[0].feature == "missing")
    assert begin.end_ns is None
    assert begin.reasons[0].sentence == f"{NAMES[channel]} is missing: no value since 1970-01-01 00:10:51 UTC"
    assert "missing values" in begin.detectors
    assert begin.peak_score >= 1.0
    # What the channel no longer says to the others may have raised the alarm before it counts as lost.
    assert told[0].since_ns >= TIMES[HEALTHY + 50]
    assert told[0].begin_ns <= TIMES[HEALTHY + 85]
    assert told[-1].end_ns is not None


def test_a_lost_channel_is_the_top_channel_of_its_rows() -> None:
    values = VALUES.copy()
    values[HEALTHY + 50 : HEALTHY + 120, 2] = np.nan
    detector, part = DeviceDetector.from_state(STATE), slice(HEALTHY, ROWS)
    judged = detector.process(TIMES[part], STRETCH[part], values[part])
    lost = (judged.lost_since_ns != NEVER).any(axis=1)
    assert lost.any()
    assert (judged.top_channel[lost] == 2).all()


def test_a_channel_lost_during_an_alarm_is_told_and_named_first() -> None:
    values = VALUES.copy()
    values[HEALTHY + 50 :, 0] += 30.0
    values[HEALTHY + 100 :, 2] = np.nan
    told = alarms_of(values)
    assert told[0].reasons[0].channel == "flow"
    assert [reason.channel for reason in told[-1].reasons][:2] == ["temperature", "flow"]
    assert told[-1].detectors[-1] == "missing values"


def test_a_channel_that_often_had_no_value_is_never_called_lost() -> None:
    healthy = np.ones((100, 2))
    healthy[20:80, 0] = np.nan
    presence = Presence.fit(healthy, span=5)
    presence = Presence.from_fields(presence.fields())
    since = presence.run(np.arange(200), np.full((200, 2), np.nan))
    assert (since[:, 0] == NEVER).all()
    assert np.flatnonzero(since[:, 1] != NEVER)[0] == 14


@pytest.mark.parametrize("rows", [1, 40, 700, 1088])
def test_the_onset_is_found_within_the_memory_and_after_a_restart(rows: int) -> None:
    onset, random = Onset(), np.random.default_rng(1)
    for second in range(3000):
        onset.add(second * SECOND, max(random.normal() * 0.2 + (second >= 3000 - rows), 0.0) * 3)
        if second == 1500:
            onset = Onset.from_fields(portable.unpack(portable.pack("x", onset.fields()), "x"))
    found = onset.since()
    assert found is not None
    assert abs(found // SECOND - (3000 - rows)) <= 16
    assert len(portable.pack("x", onset.fields())) < 1500


def test_nothing_rose_where_nothing_was_high() -> None:
    onset = Onset()
    assert onset.since() is None
    for second in range(200):
        onset.add(second, 0.0)
    assert onset.since() is None


def test_a_state_without_recent_scores_is_read_as_empty() -> None:
    assert Onset.from_fields({}).since() is None


def test_an_alarm_knows_the_earlier_one_that_it_is_like() -> None:
    alarms, found = AssetAlarms("plant/pump-1"), []
    for channel, sign in ((0, 1.0), (3, 1.0), (0, 1.0), (0, -1.0)):
        values = VALUES.copy()
        values[HEALTHY + 20 : HEALTHY + 60, channel] += 30.0 * sign
        found.append(alarms_of(values, alarms)[-1])
        assert found[-1].end_ns is not None
        alarms = AssetAlarms.from_state(alarms.state())
    assert [alarm.like and alarm.like.identifier for alarm in found] == [None, None, found[0].identifier, None]
    assert found[2].like.begin_ns == found[0].begin_ns
    assert 0.9 < found[2].like.likeness <= 1.0


def test_only_the_newest_alarms_are_remembered() -> None:
    past = PastAlarms()
    for number in range(REMEMBERED + 3):
        past.remember(str(number), number, {f"a/{number}/mean+": 1.0})
    assert past.nearest({"a/2/mean+": 1.0}) is None
    assert past.nearest({"a/3/mean+": 1.0}).identifier == "3"
    assert len(past.fields()) == REMEMBERED


def test_an_open_alarm_of_an_earlier_version_goes_on() -> None:
    alarms = AssetAlarms("plant/pump-1")
    reason = Reason("flow", "mean", 4.0, "flow is high")
    judged = replace(Judgement.empty(1, 1, 1, 1), alarm=np.array([True]), fused=np.array([2.0]))
    alarms.update("pump-1", TIMES[:1], judged, lambda index: Explanation((reason,)), False)
    fields = portable.unpack(alarms.state(), "alarms of an asset")
    del fields["past"]
    fields["voices"] = [["pump-1", 2.0, [["flow", "mean", 4.0, "flow is high"]]]]
    restored = AssetAlarms.from_state(portable.pack("alarms of an asset", fields))
    (end,) = restored.release("pump-1", 9 * SECOND)
    assert end.reasons == (reason,)
