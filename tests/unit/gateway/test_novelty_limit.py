"""The limit of novelty: what the budget asks for, what peaks do to it, and that it never rises."""

import math

import numpy as np
import pytest

from gateway.detectors.novelty_limit import LEAST_LEVEL, NoveltyLimit


def limit_after(readings: int, every: int, height: float, rate: float = 1e-4) -> float:
    limit = NoveltyLimit(rate)
    for reading in range(readings):
        peak = reading % every == 0
        limit.take(LEAST_LEVEL + height if peak else 0.0, peak)
    limit.fix()
    return limit.limit


def test_exponential_peaks_pass_the_limit_as_often_as_the_budget_asks() -> None:
    random = np.random.default_rng(6)
    heights = np.minimum(random.exponential(0.6, 4000), 2.99)
    limit = NoveltyLimit(1e-4)
    for height in heights.tolist():
        limit.take(LEAST_LEVEL + height, True)
        for _ in range(199):
            limit.take(0.0, False)
    limit.fix()
    expected = LEAST_LEVEL + heights.mean() * math.log(1.0 / 200 / 1e-4)
    assert limit.limit == pytest.approx(expected, rel=0.02)


def test_frequent_and_high_peaks_ask_for_a_higher_limit() -> None:
    quiet, frequent, high = limit_after(600, 601, 0.0), limit_after(600, 50, 0.8), limit_after(600, 601, 3.0)
    assert frequent > quiet
    assert limit_after(600, 50, 3.0) > frequent
    assert high == quiet  # the first readings are not looked at


def test_one_spike_counts_no_more_than_a_high_peak() -> None:
    assert limit_after(600, 500, 3.0) == limit_after(600, 500, 300.0)


def test_a_larger_budget_is_a_lower_limit_down_to_the_least() -> None:
    week, day = NoveltyLimit.of_budget(1 / 7, 300 * 10**9), NoveltyLimit.of_budget(1.0, 300 * 10**9)
    many = NoveltyLimit.of_budget(1000.0, 300 * 10**9)
    for limit in (week, day, many):
        assert limit.limit == math.inf
        limit.fix()
    assert week.limit > day.limit >= many.limit == LEAST_LEVEL


def test_the_limit_falls_when_the_readings_have_doubled_and_never_rises() -> None:
    limit = NoveltyLimit(1e-4)
    seen = []
    for reading in range(20_000):
        limit.take(2.5, reading < 600 and reading % 60 == 0)
        if reading == 600:
            limit.fix()
        seen.append(limit.limit)
    assert seen[599] == math.inf
    assert seen[601] > seen[1300] > seen[-1]
    for reading in range(40_000):
        limit.take(4.9, reading % 20 == 0)
    assert limit.limit == seen[-1]
