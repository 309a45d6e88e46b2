"""Promises of a device's detector: order, batches, restarts, missing values, learning, memory."""

import itertools
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.detectors.calibration import FLAGGED_ONE_IN, tail_quantile
from gateway.detectors.device import MINIMUM_HEALTHY_READINGS, DeviceDetector
from gateway.detectors.judgement import Judgement
from gateway.errors import GatewayError
from gateway.explanation.onset import BLOCK_READINGS, BLOCKS, SINGLE
from shared.errors import UsageError
from shared.identity import FAST, SLOW, Channel, DeviceProfile
from shared.messages.codec import Birth

HEALTHY = 240
ROWS = 400
SECOND = 1_000_000_000


def birth(channels: int, kind: str = SLOW) -> Birth:
    profile = DeviceProfile(
        "pump-1-process",
        "plant/pump-1",
        kind,
        1.0 if kind == SLOW else 3200.0,
        tuple(Channel(f"channel-{index}", "degC", 20.0, 0.001) for index in range(channels)),
    )
    names = ("value", "mean", "deviation", "slope") if kind == SLOW else ("level", "crest", "kurtosis", "band-0")
    return Birth(profile, 1, 1, names, 16, 1)


def machine(rows: int, channels: int, seed: int = 3) -> NDArray[np.float64]:
    """Correlated, autocorrelated channels around 20 degrees."""
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(rows, channels)) @ random.normal(size=(channels, channels))
    for index in range(1, rows):
        mixed[index] += 0.6 * mixed[index - 1]
    return 20.0 + mixed


VALUES = machine(ROWS, 4)
TIMES = np.arange(ROWS, dtype=np.int64) * SECOND
STRETCHES = np.zeros(ROWS, np.int64)
STRETCHES[300:] = 1
SENSOR = np.abs(np.random.default_rng(5).normal(0.4, 0.1, ROWS))
COMMISSIONED = DeviceDetector.commission(
    birth(4), TIMES[:HEALTHY], STRETCHES[:HEALTHY], VALUES[:HEALTHY], sensor_scores=SENSOR[:HEALTHY]
).state()


def judge(
    detector: DeviceDetector, values: NDArray[np.float64], begin: int, end: int, learn_allowed: bool = True
) -> Judgement:
    return detector.process(TIMES[begin:end], STRETCHES[begin:end], values[begin:end], SENSOR[begin:end], learn_allowed)


def same(first: Judgement, second: Judgement) -> bool:
    return all(
        np.array_equal(getattr(first, name), getattr(second, name), equal_nan=name not in ("alarm", "since_ns"))
        for name in ("scores", "fused", "alarm", "deviations", "weights", "usual", "novelty", "since_ns", "standings")
    ) and np.array_equal(first.top_channel, second.top_channel)


def joined(parts: list[Judgement]) -> Judgement:
    names = [field.name for field in fields(Judgement)]
    return Judgement(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


WHOLE = judge(DeviceDetector.from_state(COMMISSIONED), VALUES, HEALTHY, ROWS)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(HEALTHY + 1, ROWS - 1), max_size=12, unique=True), st.booleans())
def test_scores_do_not_depend_on_batches_nor_on_restarts_between_them(cuts: list[int], restart: bool) -> None:
    detector = DeviceDetector.from_state(COMMISSIONED)
    parts = []
    edges = [HEALTHY, *sorted(cuts), ROWS]
    for begin, end in itertools.pairwise(edges):
        parts.append(judge(detector, VALUES, begin, end))
        if restart:
            detector = DeviceDetector.from_state(detector.state())
    assert same(joined(parts), WHOLE)


@settings(max_examples=15, deadline=None)
@given(st.integers(HEALTHY + 1, ROWS - 1), st.floats(-1e6, 1e6))
def test_later_readings_never_change_earlier_scores(cut: int, change: float) -> None:
    changed = VALUES.copy()
    changed[cut:] += change
    found = judge(DeviceDetector.from_state(COMMISSIONED), changed, HEALTHY, ROWS)
    assert np.array_equal(found.fused[: cut - HEALTHY], WHOLE.fused[: cut - HEALTHY], equal_nan=True)
    if abs(change) > 1.0:
        assert not np.array_equal(found.fused, WHOLE.fused, equal_nan=True)


def test_state_is_restored_to_the_same_bytes() -> None:
    detector = DeviceDetector.from_state(COMMISSIONED)
    judge(detector, VALUES, HEALTHY, ROWS)
    assert detector.state() != COMMISSIONED
    assert DeviceDetector.from_state(detector.state()).state() == detector.state()


@pytest.mark.parametrize("content", [b"", b"\x80", COMMISSIONED[:-9], b"pickle"])
def test_damaged_state_is_refused_in_one_sentence(content: bytes) -> None:
    with pytest.raises(GatewayError, match="commission the device anew"):
        DeviceDetector.from_state(content)


def test_few_healthy_readings_are_refused_with_the_number_that_is_needed() -> None:
    few = MINIMUM_HEALTHY_READINGS - 1
    with pytest.raises(UsageError, match=f"{few} healthy readings, at least {MINIMUM_HEALTHY_READINGS}"):
        DeviceDetector.commission(birth(4), TIMES[:few], STRETCHES[:few], VALUES[:few])


def test_a_budget_must_be_positive() -> None:
    with pytest.raises(UsageError, match="budget"):
        DeviceDetector.commission(birth(4), TIMES, STRETCHES, VALUES, false_alarms_per_day=0.0)


def test_a_larger_budget_lowers_the_limit_of_the_alarm_and_nothing_else() -> None:
    found = [
        DeviceDetector.commission(birth(4), TIMES, STRETCHES, VALUES, false_alarms_per_day=budget)
        for budget in (0.01, 1.0, 100.0)
    ]
    limits = [detector.evidence.limit for detector in found]
    assert limits[0] > limits[1] > limits[2]
    assert len({detector.threshold for detector in found}) == 1


def test_healthy_scores_are_out_of_block() -> None:
    """A block that differs from the others is far from them, though a model of all blocks knows it."""
    values = machine(400, 3)
    values[300:] += 8.0 * values.std(axis=0) * np.array([1.0, -1.0, 1.0])
    times, stretches = np.arange(400) * SECOND, np.zeros(400, np.int64)
    detector = DeviceDetector.commission(birth(3), times, stretches, values)
    first, last = detector.healthy_scores[20:300], detector.healthy_scores[320:]
    assert np.median(last) > 3 * np.median(first)


def test_flagged_level_follows_the_tail_of_the_healthy_scores() -> None:
    detector = DeviceDetector.commission(birth(4), TIMES, STRETCHES, VALUES)
    scores = detector.healthy_scores[np.isfinite(detector.healthy_scores)]
    assert np.mean(scores >= 1.0) <= 5 / FLAGGED_ONE_IN
    assert -1.0 < tail_quantile(np.log(scores), FLAGGED_ONE_IN) < 0.0  # a margin for how little was seen


def test_units_and_zero_of_a_channel_have_no_influence() -> None:
    factors, offsets = np.array([9 / 5, 1e3, 1e-3, 60.0]), np.array([32.0, -500.0, 0.0, 7.0])
    other = VALUES * factors + offsets
    detector = DeviceDetector.commission(
        birth(4), TIMES[:HEALTHY], STRETCHES[:HEALTHY], other[:HEALTHY], sensor_scores=SENSOR[:HEALTHY]
    )
    found = judge(detector, other, HEALTHY, ROWS)
    np.testing.assert_allclose(found.scores, WHOLE.scores, rtol=1e-6)
    assert np.array_equal(found.top_channel, WHOLE.top_channel)


def test_a_fault_is_not_learned_away() -> None:
    values = machine(6000, 3, seed=9)
    values[1000:, 1] += 4.0 * values[:1000, 1].std()
    times, stretches = np.arange(6000) * SECOND, np.zeros(6000, np.int64)
    detector = DeviceDetector.commission(birth(3), times[:600], stretches[:600], values[:600])
    found = detector.process(times[600:], stretches[600:], values[600:])
    assert not found.alarm[:400].any()
    assert found.alarm[500:].all()
    assert np.median(found.scores[-500:]) > 0.95 * np.median(found.scores[500:1000])
    assert (found.top_channel[500:] == 1).mean() > 0.5


def test_nothing_is_learned_where_learning_is_not_allowed() -> None:
    allowed, forbidden = DeviceDetector.from_state(COMMISSIONED), DeviceDetector.from_state(COMMISSIONED)
    before = forbidden._threshold.readings
    judge(allowed, VALUES, HEALTHY, ROWS)
    judge(forbidden, VALUES, HEALTHY, ROWS, learn_allowed=False)
    assert allowed._threshold.readings > before
    assert forbidden._threshold.readings == before


def test_a_missing_value_contributes_nothing_and_a_missing_reading_has_no_score() -> None:
    values = VALUES.copy()
    values[HEALTHY + 20 : HEALTHY + 40, 2] = np.nan
    values[HEALTHY + 50] = np.nan
    values[HEALTHY + 51, 0] = np.inf
    found = judge(DeviceDetector.from_state(COMMISSIONED), values, HEALTHY, ROWS)
    scored = np.isfinite(found.scores)
    assert not scored[50]
    assert scored[20:40].all()
    assert scored[51]
    assert np.nanmax(found.scores) < 2 * np.nanmax(WHOLE.scores)


def test_a_channel_without_any_healthy_value_and_a_constant_one_are_borne() -> None:
    values = machine(ROWS, 4)
    values[:, 0] = np.nan
    values[:, 1] = 5.0
    detector = DeviceDetector.commission(birth(4), TIMES[:HEALTHY], STRETCHES[:HEALTHY], values[:HEALTHY])
    healthy = DeviceDetector.from_state(detector.state()).process(
        TIMES[HEALTHY:], STRETCHES[HEALTHY:], values[HEALTHY:]
    )
    values[HEALTHY + 20 :, 1] = 5.1
    moved = detector.process(TIMES[HEALTHY:], STRETCHES[HEALTHY:], values[HEALTHY:])
    assert np.nanmedian(moved.scores[40:60]) > 2 * np.nanmedian(healthy.scores[40:60])
    assert (moved.top_channel[40:60] == 1).all()


def test_a_stretch_begins_without_memory_of_the_one_before() -> None:
    """After a gap only the readings since it count: a fault before it leaves no trace in the features."""
    sick = VALUES.copy()
    sick[HEALTHY + 30 : 300] += 50.0
    found = judge(DeviceDetector.from_state(COMMISSIONED), sick, HEALTHY, ROWS, learn_allowed=False)
    healthy = judge(DeviceDetector.from_state(COMMISSIONED), VALUES, HEALTHY, ROWS, learn_allowed=False)
    assert np.array_equal(found.scores[300 - HEALTHY :], healthy.scores[300 - HEALTHY :], equal_nan=True)
    assert np.isnan(found.scores[300 - HEALTHY])


def test_one_channel_is_enough() -> None:
    values = np.sin(np.arange(600) / 7.0)[:, None] + np.random.default_rng(2).normal(0, 0.1, (600, 1))
    values[500:] += 6.0
    times, stretches = np.arange(600) * 300 * SECOND, np.zeros(600, np.int64)
    detector = DeviceDetector.commission(birth(1), times[:400], stretches[:400], values[:400])
    found = detector.process(times[400:], stretches[400:], values[400:])
    assert not found.alarm[:100].any()
    assert found.alarm[110:].all()


def test_features_of_a_fast_device_are_judged_by_channel() -> None:
    random = np.random.default_rng(4)
    values = np.round(random.normal(0, 64, (500, 8)))
    values[400:, 6] += 640.0
    times, stretches = np.arange(500) * 2 * SECOND, np.zeros(500, np.int64)
    detector = DeviceDetector.commission(birth(2, FAST), times[:300], stretches[:300], values[:300])
    found = detector.process(times[300:], stretches[300:], values[300:])
    assert np.isfinite(found.scores).all()
    assert not found.alarm[:100].any()
    assert found.alarm[110:].all()
    assert (found.top_channel[105:] == 1).all()
    reason = detector.explain(found, 150).reasons[0]
    assert (reason.channel, reason.feature) == ("channel-1", "kurtosis")
    assert reason.sentence.startswith("kurtosis of channel-1 is ")


def test_reasons_tell_channel_distance_and_physical_value() -> None:
    values = VALUES.copy()
    values[HEALTHY:, 3] += 30.0
    found = judge(detector := DeviceDetector.from_state(COMMISSIONED), values, HEALTHY, ROWS)
    reason = detector.explain(found, 30).reasons[0]
    assert (reason.channel, reason.feature) == ("channel-3", "mean")
    assert reason.distance > 3.0
    healthy_mean = float(VALUES[:HEALTHY, 3].mean())
    observed, expected = (float(part.split(" degC")[0]) for part in reason.sentence.split(": ")[1].split(", expected "))
    assert expected == pytest.approx(healthy_mean, abs=1.0)
    assert 20.0 < observed - expected < 45.0
    assert "above normal" in reason.sentence


def test_memory_does_not_grow() -> None:
    detector = DeviceDetector.from_state(COMMISSIONED)
    values, times, stretches = machine(3000, 4, seed=8), np.arange(3000) * SECOND, np.full(3000, 7, np.int64)
    sizes = set()
    for begin in range(0, 3000, 1000):
        detector.process(times[begin : begin + 1000], stretches[begin : begin + 1000], values[begin : begin + 1000])
        sizes.add(len(detector.state()))
    # The recent scores are whole numbers of one to three bytes each.
    assert max(sizes) - min(sizes) <= 3 * (SINGLE + BLOCK_READINGS + BLOCKS)
