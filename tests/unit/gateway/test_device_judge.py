"""One device's judgement: the same bits however its readings are grouped, and wherever it is stopped and restored."""

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.judgement import DeviceJudge, values_of
from shared.errors import UsageError
from shared.identity import MISSING, Channel, DeviceProfile
from shared.messages.codec import Birth, Data
from shared.messages.compact import NO_FEATURE, NO_SCORE

READINGS, HEALTHY = 200, 90
PROFILE = DeviceProfile(
    "pump-1", "a/b/c/d/pump", "slow", 1.0, (Channel("flow", "", 5.0, 0.5), Channel("heat", "", 0.0, 0.25))
)
NAMES = tuple(f"{channel} {name}" for channel in ("flow", "heat") for name in ("value", "mean", "deviation", "slope"))
BIRTH = Birth(PROFILE, 1, 1, NAMES, 8, 1)


@functools.cache
def recorded():
    """times, counts, sensor scores, tops of READINGS readings; something happens in the last 50."""
    random = np.random.default_rng(3)
    counts = random.normal(size=(READINGS, 2)) * 100
    counts[-50:] += 700
    counts[120, 1] = np.nan
    filled = np.where(np.isnan(counts), MISSING, counts).astype(np.int32)
    scores = random.integers(1000, 5000, READINGS).astype(np.uint32)
    scores[:8] = NO_SCORE
    tops = random.integers(0, 8, READINGS).astype(np.uint16)
    tops[:8] = NO_FEATURE
    return np.arange(READINGS) * 10**9, filled, scores, tops


def message(begin, end, stretch=0, boot=1, sequence=None):
    times, counts, scores, tops = (array[begin:end] for array in recorded())
    first = begin if sequence is None else sequence
    return Data("pump-1", boot, first, 0, stretch, 1, 0, times, scores, tops, counts, None)


def judge(healthy=HEALTHY):
    return DeviceJudge(BIRTH, healthy, false_alarms_per_day=1.0)


def verdict_bytes(verdicts):
    names = ("gateway_scores", "fused_scores", "flags", "top_channels")
    return [np.concatenate([getattr(verdict, name) for verdict in verdicts]).tobytes() for name in names]


def rescore_bytes(verdicts):
    rescores = [rescore for verdict in verdicts for rescore in verdict.rescores]
    return [
        (r.boot, r.sequence, r.gateway_scores.tobytes(), r.fused_scores.tobytes(), r.flags.tobytes()) for r in rescores
    ]


@functools.cache
def whole():
    verdict = judge().take(message(0, READINGS))
    return verdict_bytes([verdict]), rescore_bytes([verdict])


def cut(borders):
    edges = sorted({0, READINGS, *borders})
    return list(itertools.pairwise(edges))


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, READINGS - 1), max_size=20))
def test_grouping_changes_no_bit(borders):
    one = judge()
    verdicts = [one.take(message(begin, end)) for begin, end in cut(borders)]
    assert verdict_bytes(verdicts) == whole()[0]
    assert rescore_bytes(verdicts) == whole()[1]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(HEALTHY, READINGS - 1), min_size=1, max_size=5))
def test_a_restored_checkpoint_continues_to_the_bit(borders):
    one, verdicts = judge(), []
    for begin, end in cut(borders):
        verdicts.append(one.take(message(begin, end)))
        other = judge()
        other.restore(one.state())
        one = other
    assert verdict_bytes(verdicts) == whole()[0]


@pytest.mark.parametrize("readings_at_once", [1, 5, 7, 40])
def test_grouping_changes_no_bit_while_healthy_readings_lower_the_threshold(readings_at_once):
    """Long enough for the healthy readings to double three times."""
    count = 9 * HEALTHY
    counts = (np.random.default_rng(3).normal(size=(count, 2)) * 100).astype(np.int32)
    times, none, tops = np.arange(count) * 10**9, np.full(count, NO_SCORE, np.uint32), np.zeros(count, np.uint16)

    def verdicts(size):
        one, thresholds = judge(), set()
        for begin in range(0, count, size):
            part = slice(begin, begin + size)
            data = Data("pump-1", 1, begin, 0, 0, 1, 0, times[part], none[part], tops[part], counts[part], None)
            yield one.take(data)
            if one.detector is not None:
                thresholds.add(one.detector.threshold)
                other = judge()
                other.restore(one.state())
                one = other
        assert len(thresholds) > 2

    assert verdict_bytes(list(verdicts(readings_at_once))) == verdict_bytes(list(verdicts(16)))


def test_commissioning_ends_exactly_with_the_healthy_readings():
    verdict = judge().take(message(0, READINGS))
    assert np.isnan(verdict.gateway_scores[:HEALTHY]).all()
    assert np.isfinite(verdict.gateway_scores[HEALTHY:]).all()
    sensor = message(0, READINGS).scores()
    assert np.array_equal(verdict.fused_scores[:HEALTHY], sensor[:HEALTHY], equal_nan=True)
    assert verdict.top_channels[:8].tolist() == [NO_FEATURE] * 8
    assert set(verdict.top_channels[8:HEALTHY].tolist()) == {0, 1}
    [rescore] = verdict.rescores
    assert (rescore.boot, rescore.sequence, len(rescore.gateway_scores)) == (1, 0, HEALTHY)
    assert verdict.flags[-1] & 2


def test_later_readings_do_not_alter_earlier_scores_and_earlier_ones_alter_later_scores():
    part = judge().take(message(0, 150))
    full = np.frombuffer(whole()[0][0])
    assert part.gateway_scores.tobytes() == full[:150].tobytes()
    other = message(0, READINGS)
    other.counts.flags.writeable = True
    changed = Data(
        *(getattr(other, name) for name in Data.__slots__[:10]),
        other.counts + np.eye(READINGS, 2, -20, np.int32) * 90,
        None,
    )
    assert judge().take(changed).gateway_scores[150:].tobytes() != full[150:].tobytes()


def test_a_rescore_breaks_where_readings_are_missing_or_a_boot_ends():
    one = judge()
    verdicts = [
        one.take(message(0, 40)),
        one.take(message(40, 60, sequence=50)),
        one.take(message(60, READINGS, boot=2, sequence=0)),
    ]
    [last] = [verdict for verdict in verdicts if verdict.commissioned]
    assert [(r.boot, r.sequence, len(r.gateway_scores)) for r in last.rescores] == [(1, 0, 40), (1, 50, 20), (2, 0, 30)]


def test_without_a_declaration_it_waits_and_remembers_nothing():
    waiting = judge(0)
    verdict = waiting.take(message(0, READINGS))
    assert np.isnan(verdict.gateway_scores).all()
    assert (waiting.remembers, waiting.state()) == (False, None)


def test_healthy_readings_without_values_ask_for_more():
    one = judge()
    empty = message(0, HEALTHY)
    silent = Data(
        "pump-1",
        1,
        0,
        0,
        0,
        1,
        0,
        empty.times_ns,
        empty.scores_q12,
        empty.tops,
        np.full((HEALTHY, 2), MISSING, np.int32),
        None,
    )
    assert not one.take(silent).commissioned
    assert "declare a longer healthy part" in one.complaint
    assert one.take(message(0, READINGS, sequence=HEALTHY)).commissioned


def test_too_few_declared_readings_are_refused():
    with pytest.raises(UsageError, match="too few"):
        judge(7)


def test_a_new_profile_does_not_fit_and_a_new_name_does():
    def birth(channels, version=1):
        return Birth(DeviceProfile("pump-1", "a/b/c/d/pump", "slow", 1.0, channels), 2, version, NAMES, 16, 1)

    assert judge().fits(birth((Channel("inflow", "l/s", 5.0, 0.5), Channel("heat", "K", 0.0, 0.25)), 7))
    assert not judge().fits(birth((Channel("flow", "", 5.0, 0.25), Channel("heat", "", 0.0, 0.25))))
    assert not judge().fits(birth((Channel("flow", "", 5.0, 0.5),)))


def test_values_are_physical_and_missing_counts_are_nan():
    data = message(119, 122)
    values = values_of(PROFILE, data)
    assert values[0].tolist() == [5.0 + 0.5 * data.counts[0, 0], 0.25 * data.counts[0, 1]]
    assert np.isnan(values[1, 1])
