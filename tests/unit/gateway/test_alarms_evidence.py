"""Evidence: persistence, hysteresis, gaps, the budget, restarts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.alarms.evidence import FORGET_SPANS, HOLD_SPANS, Evidence

SECOND = 1_000_000_000


def healthy(count: int = 2000, seed: int = 1) -> NDArray[np.float64]:
    return np.exp(np.random.default_rng(seed).normal(-0.7, 0.3, count))


def times(count: int, interval_s: float = 1.0) -> NDArray[np.int64]:
    return (np.arange(count) * interval_s * SECOND).astype(np.int64)


def calibrated(budget: float = 1.0, interval_s: float = 1.0) -> Evidence:
    return Evidence.calibrate(times(2000, interval_s), healthy(), budget)


def follow(evidence: Evidence, scores: list[float], begin: int = 2000) -> list[bool]:
    return [evidence.step((begin + index) * SECOND, score) for index, score in enumerate(scores)]


def test_one_absurd_reading_is_no_alarm_and_a_lasting_one_is() -> None:
    evidence = calibrated()
    assert not any(follow(evidence, [1e9, *[0.5] * 50]))
    assert not any(follow(evidence, [1e9, 1e9, *[0.5] * 50], 3000))
    alarms = follow(evidence, [2.0] * 60, 4000)
    assert 3 <= alarms.index(True) <= 30
    assert alarms[-1]


def test_an_alarm_ends_only_after_a_lasting_return() -> None:
    evidence = calibrated()
    follow(evidence, [4.0] * 60)
    assert all(follow(evidence, [0.3] * 15 + [4.0] * 15, 2100))
    ended = follow(evidence, [0.3] * 200, 2200)
    assert ended[0]
    assert not ended[-1]
    assert ended.index(False) >= HOLD_SPANS * evidence.span_readings


@pytest.mark.parametrize(("interval_s", "span"), [(0.1, 30), (0.5, 20), (1.0, 10), (2.0, 5), (180.0, 5)])
def test_persistence_follows_the_pace_of_the_device(interval_s: float, span: int) -> None:
    assert calibrated(interval_s=interval_s).span_readings == span


@given(st.floats(-3.0, 1.0), st.floats(0.2, 3.0), st.integers(5, 30), st.lists(st.floats(0, 1e12), max_size=2))
def test_two_readings_are_no_alarm_of_a_device_at_its_usual_level(
    usual: float, distance: float, span: int, scores: list[float]
) -> None:
    assert not any(follow(Evidence(usual + distance, usual, span, SECOND), scores))


@given(st.lists(st.floats(1e-4, 1e4), min_size=2, max_size=2, unique=True))
def test_a_larger_budget_never_raises_the_limit(budgets: list[float]) -> None:
    low, high = sorted(budgets)
    assert calibrated(low).limit >= calibrated(high).limit


def test_the_budget_is_kept_where_healthy_readings_are_many_and_alike() -> None:
    """1 Hz, ten days like the healthy part, some 50 alarms a day accepted: as many within a factor of four."""
    days, budget = 10, 50.0
    evidence = Evidence.calibrate(times(20_000), healthy(20_000), budget)
    scores = healthy(days * 8640, seed=2)  # a tenth of the readings of those days
    alarms = np.array(follow(evidence, scores.tolist(), 20_000))
    begins = np.count_nonzero(np.diff(alarms.astype(int)) == 1)
    assert budget * days / 10 / 4 <= begins <= budget * days / 10 * 4


def test_what_was_gathered_before_a_long_gap_counts_no_longer() -> None:
    evidence, other = calibrated(), calibrated()
    before = [2.0] * (follow(calibrated(), [2.0] * 60).index(True) - 1)
    follow(evidence, before)
    follow(other, before)
    soon = 2000 + len(before)
    late = soon + FORGET_SPANS * evidence.span_readings + 1
    assert follow(other, [2.0, 2.0], soon)[-1]
    assert not follow(evidence, [2.0, 2.0], late)[-1]


def test_a_reading_without_a_score_changes_nothing() -> None:
    evidence = calibrated()
    follow(evidence, [0.6] * 5)
    before = evidence.fields()
    assert evidence.step(9000 * SECOND, float("nan")) is False
    assert evidence.fields() == before


@settings(max_examples=50)
@given(st.lists(st.one_of(st.floats(0, 20), st.just(float("nan"))), max_size=80), st.integers(0, 80))
def test_a_restart_changes_nothing(scores: list[float], cut: int) -> None:
    whole, first = calibrated(), calibrated()
    alarms = follow(whole, scores)
    before = follow(first, scores[:cut])
    after = follow(Evidence.from_fields(first.fields()), scores[cut:], 2000 + min(cut, len(scores)))
    assert before + after == alarms


def test_healthy_readings_without_any_score_still_give_an_evidence() -> None:
    evidence = Evidence.calibrate(times(50), np.full(50, np.nan), 1.0)
    assert not any(follow(evidence, [0.9] * 100))
    assert follow(evidence, [3.0] * 100)[-1]


def test_what_a_device_gathers_outlasts_its_sleep() -> None:
    snapshots = np.repeat(np.arange(60) * 600 * SECOND, 2) + np.tile([0, SECOND // 20], 60)
    evidence = Evidence.calibrate(snapshots, healthy(120), 1.0 / 7.0)
    assert evidence.interval_ns > 200 * SECOND
    begin = 60 * 600 * SECOND
    alarms = [evidence.step(begin + int(time), 3.0) for time in snapshots]
    assert alarms.index(True) < 12


def test_a_single_great_excursion_does_not_make_alarms_impossible() -> None:
    calm = healthy(120)
    shaken = calm.copy()
    shaken[20:34] = 1.0
    evidence = Evidence.calibrate(times(120, 30.0), shaken, 1.0 / 7.0)
    assert Evidence.calibrate(times(120, 30.0), calm, 1.0 / 7.0).limit < evidence.limit < 1.0
    assert any(evidence.step((4000 + 30 * index) * SECOND, 4.0) for index in range(30))
