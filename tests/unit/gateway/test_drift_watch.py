"""Drift is found, dated and told apart, on plants that change in known ways; the state continues to the bit."""

import numpy as np
import pytest
from drifting_plants import AFTER, CHANGE_AT, HEALTHY, SECOND_NS, TIMES, birth, correlated, plant

from gateway.drift.reference import Reference
from gateway.drift.watch import DriftWatch
from gateway.errors import GatewayError

CHANGE_NS = (HEALTHY + CHANGE_AT) * SECOND_NS
SEEDS = range(4)


def told(kind, size, seed):
    values = plant(kind, size, seed)
    watch = DriftWatch.fit(TIMES[:HEALTHY], values[:HEALTHY])
    return watch, watch.take(birth(), TIMES[HEALTHY:], values[HEALTHY:])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plant_that_stays_what_it_was_is_told_nothing(seed):
    watch, drifts = told("none", 0.0, seed)
    assert drifts == []
    assert watch.since_ns is None
    assert watch.told(birth()).sentence == (
        "plant-1 shows no lasting change; operating point: the only one seen while healthy."
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_load_that_all_channels_follow_looks_like_a_new_operating_point(seed):
    _, drifts = told("load step", 4.0, seed)
    first, last = drifts[0], drifts[-1]
    assert (last.kind, last.pattern) == ("sudden", "operating point")
    assert abs(last.since_ns - CHANGE_NS) < 100 * SECOND_NS
    assert first.time_ns - CHANGE_NS < 200 * SECOND_NS
    assert "confirm it as normal" in last.sentence
    assert {moved.unit for moved in last.channels} == {"bar"}


@pytest.mark.parametrize("seed", SEEDS)
def test_one_channel_against_the_others_is_named_with_its_size_in_units(seed):
    _, drifts = told("one channel step", 4.0, seed)
    last = drifts[-1]
    assert (last.kind, last.pattern) == ("sudden", "against the others")
    assert last.channels[0].channel == "channel-1"
    assert "inspect" in last.sentence
    values = plant("one channel step", 4.0, seed)
    change = values[HEALTHY + CHANGE_AT :, 1].mean() - values[:HEALTHY, 1].mean()
    assert last.channels[0].change == pytest.approx(change, rel=0.35)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_change_bit_by_bit_is_told_as_such(seed):
    _, drifts = told("load ramp", 5.0, seed)
    assert "gradual" in {drift.kind for drift in drifts}
    assert drifts[-1].pattern == "operating point"


@pytest.mark.parametrize("seed", SEEDS)
def test_what_comes_and_goes_is_told_as_recurring(seed):
    _, drifts = told("night and day", 5.0, seed)
    kinds = [drift.kind for drift in drifts]
    assert kinds[0] in ("sudden", "gradual")
    assert "none" in kinds
    assert "recurring" in kinds


def test_operating_points_are_found_and_told_and_a_new_one_is_unknown():
    generator = np.random.default_rng(3)
    rows = HEALTHY + AFTER
    speed = np.select([TIMES // SECOND_NS // 150 % 3 == 0, TIMES // SECOND_NS // 150 % 3 == 1], [900.0, 1500.0], 1200.0)
    speed[HEALTHY + 1500 :] = 2100.0
    values = np.stack((speed + 5.0 * generator.normal(size=rows), speed / 100.0 + 0.1 * generator.normal(size=rows)), 1)
    watch = DriftWatch.fit(TIMES[:HEALTHY], values[:HEALTHY])
    quiet = watch.take(birth(2), TIMES[HEALTHY : HEALTHY + 1500], values[HEALTHY : HEALTHY + 1500])
    assert quiet == []
    assert " of 3 (channel-0 about " in watch.told(birth(2)).operating_point
    [drift, *_] = watch.take(birth(2), TIMES[HEALTHY + 1500 :], values[HEALTHY + 1500 :])
    assert drift.operating_point.startswith("not seen while healthy, nearest to number ")


def test_one_even_cloud_is_one_operating_point():
    generator = np.random.default_rng(5)
    for rows in (
        generator.normal(size=(2000, 3)),
        generator.uniform(size=(2000, 3)),
        np.cumsum(generator.normal(size=(2000, 2)), axis=0) * 0.01 + generator.normal(size=(2000, 2)),
        generator.integers(0, 2, size=(2000, 1)).astype(float),
    ):
        assert len(Reference.fit(rows).points) == 1


def test_grouping_and_restarts_change_no_bit():
    values = plant("night and day", 5.0, 0)
    whole = DriftWatch.fit(TIMES[:HEALTHY], values[:HEALTHY])
    expected = whole.take(birth(), TIMES[HEALTHY:], values[HEALTHY:])
    for readings in (1, 7, 16, 100):
        parts = DriftWatch.fit(TIMES[:HEALTHY], values[:HEALTHY])
        found = []
        for begin in range(HEALTHY, HEALTHY + AFTER, readings):
            found += parts.take(birth(), TIMES[begin : begin + readings], values[begin : begin + readings])
            if begin % 5 == 0:
                parts = DriftWatch.from_state(parts.state())
        assert found == expected
        assert parts.state() == whole.state()


def test_memory_is_bounded_and_anything_is_survived():
    generator = np.random.default_rng(1)
    values = correlated(generator, (60_000, 8), 0.5)
    times = np.arange(60_000) * SECOND_NS
    watch = DriftWatch.fit(times[:1000], values[:1000])
    watch.take(birth(8), times[1000:30_000], values[1000:30_000])
    size = len(watch.state())
    watch.take(birth(8), times[30_000:], values[30_000:])
    assert size <= len(watch.state()) + 2000
    assert len(watch.state()) < 8000
    values[2000:4000, 2] = np.nan
    values[5000:6000] = np.nan
    values[7000:7100] = np.inf
    values[8000:9000] = 1e300
    survived = DriftWatch.fit(times[:1000], values[:1000])
    survived.take(birth(8), times[1000:], values[1000:])
    nothing = DriftWatch.fit(times[:64], np.full((64, 2), np.nan))
    assert nothing.take(birth(2), times[64:128], np.full((64, 2), np.nan)) == []
    constant = DriftWatch.fit(times[:64], np.ones((64, 1)))
    assert constant.take(birth(1), times[64:256], np.ones((192, 1))) == []
    assert constant.take(birth(1), times[256:512], np.full((256, 1), 2.0))[0].kind == "sudden"


def test_a_damaged_state_is_refused():
    values = plant("none", 0.0, 0)
    state = DriftWatch.fit(TIMES[:HEALTHY], values[:HEALTHY]).state()
    for damaged in (b"", b"\x00", state[:-3], state.replace(b"sums", b"sum5")):
        with pytest.raises(GatewayError):
            DriftWatch.from_state(damaged)
