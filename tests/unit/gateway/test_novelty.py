"""Promises of a channel's novelty: causality, batches, restarts, missing values, odd stamps, memory, single events."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.detectors import portable
from gateway.detectors.novelty import RECENT_READINGS, Novelty

HEALTHY, ROWS = 400, 900
MINUTE = 60 * 10**9
HOLD = 5

RANDOM = np.random.default_rng(11)
VALUES = RANDOM.normal(size=ROWS)
for _row in range(1, ROWS):
    VALUES[_row] += 0.7 * VALUES[_row - 1]
VALUES[::97] = np.nan
TIMES = np.arange(ROWS, dtype=np.int64) * 7 * MINUTE
#: Duplicates, and a clock that is set back.
TIMES[500:520] = TIMES[500]
TIMES[600:] -= 400 * MINUTE


def fitted(budget: float = 5.0, times: NDArray[np.int64] = TIMES, values: NDArray[np.float64] = VALUES) -> Novelty:
    return Novelty.fit(
        times[:HEALTHY],
        values[:HEALTHY],
        false_alarms_per_day=budget,
        interval_ns=7 * MINUTE,
        hold_readings=HOLD,
    )


def stored(novelty: Novelty) -> bytes:
    return portable.pack("novelty", novelty.fields())


def restored(content: bytes) -> Novelty:
    return Novelty.from_fields(portable.unpack(content, "novelty"))


FITTED = stored(fitted())
WHOLE = restored(FITTED).run(TIMES[HEALTHY:], VALUES[HEALTHY:])


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(HEALTHY + 1, ROWS - 1), max_size=8, unique=True))
def test_novelty_has_the_same_bits_in_any_batches_and_after_restarts(cuts: list[int]) -> None:
    novelty, parts, alarms = restored(FITTED), [], []
    for begin, end in itertools.pairwise([HEALTHY, *sorted(cuts), ROWS]):
        part, alarm = novelty.run(TIMES[begin:end], VALUES[begin:end])
        parts.append(part)
        alarms.append(alarm)
        novelty = restored(stored(novelty))
    assert np.concatenate(parts).tobytes() == WHOLE[0].tobytes()
    assert np.array_equal(np.concatenate(alarms), WHOLE[1])


def test_stored_novelty_is_restored_to_the_same_bytes() -> None:
    novelty = restored(FITTED)
    novelty.run(TIMES[HEALTHY:], VALUES[HEALTHY:])
    assert stored(novelty) != FITTED
    assert stored(restored(stored(novelty))) == stored(novelty)


def test_later_values_never_change_earlier_novelties() -> None:
    changed = VALUES[HEALTHY:].copy()
    changed[200:] += 5.0
    found = restored(FITTED).run(TIMES[HEALTHY:], changed)[0]
    assert found[:200].tobytes() == WHOLE[0][:200].tobytes()
    assert not np.array_equal(found, WHOLE[0], equal_nan=True)


def test_a_missing_value_has_no_novelty_and_changes_none() -> None:
    missing = np.isnan(VALUES[HEALTHY:])
    assert np.array_equal(np.isnan(WHOLE[0]), missing)
    without = restored(FITTED).run(TIMES[HEALTHY:][~missing], VALUES[HEALTHY:][~missing])[0]
    assert without.tobytes() == WHOLE[0][~missing].tobytes()


def test_a_spike_is_one_event_whose_alarm_ends_after_the_persistence() -> None:
    values = np.nan_to_num(VALUES)
    values[HEALTHY + 150] += 40.0
    novelty, alarm = restored(FITTED).run(TIMES[HEALTHY:], values[HEALTHY:])
    assert novelty[150] > 1.0
    assert alarm[150 : 150 + HOLD].all()
    assert not alarm[150 + HOLD : 150 + RECENT_READINGS].any()
    assert novelty[150] > 2.0 * np.delete(novelty, 150).max()


def test_one_absurd_value_does_not_blind_the_channel_to_the_next_event() -> None:
    values = np.nan_to_num(VALUES)
    values[HEALTHY + 20] = 1e30
    values[HEALTHY + 300 :] += 40.0
    alarm = restored(FITTED).run(TIMES[HEALTHY:], values[HEALTHY:])[1]
    assert alarm[20]
    assert alarm[300:310].any()


def test_the_load_of_every_day_is_no_event_and_at_night_it_is() -> None:
    quarter = np.arange(96 * 12)
    times = quarter.astype(np.int64) * 15 * MINUTE
    values = np.random.default_rng(2).normal(0.0, 0.2, len(quarter)) + 5.0 * (quarter % 96 > 40)
    night = 96 * 11 + 10
    values[night : night + 8] += 5.0
    first = 96 * 4
    novelty = Novelty.fit(
        times[:first], values[:first], false_alarms_per_day=0.5, interval_ns=15 * MINUTE, hold_readings=HOLD
    )
    alarm = novelty.run(times[first:], values[first:])[1]
    assert not alarm[: night - first].any()
    assert alarm[night - first : night - first + 3].any()


@pytest.mark.parametrize("level", [0.0, 3.5])
def test_a_channel_at_rest_is_not_new_and_its_first_move_is(level: float) -> None:
    values = np.full(ROWS, level)
    values[700] += 3.0
    found, alarm = fitted(values=values).run(TIMES[HEALTHY:], values[HEALTHY:])
    assert not alarm[: 700 - HEALTHY].any()
    assert alarm[700 - HEALTHY]
    assert found[700 - HEALTHY] == found.max()


def test_memory_is_bounded() -> None:
    values = np.cumsum(np.random.default_rng(4).normal(size=6000))
    novelty = fitted()
    times = np.arange(len(values), dtype=np.int64) * MINUTE
    novelty.run(times, values)
    assert len(stored(novelty)) < 12_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("novelty recent", np.zeros(3)),
        ("novelty level states kept", np.zeros((5, 500))),
        ("novelty level running", np.zeros((2, 3))),
        ("novelty level day profile", np.zeros(7)),
        ("novelty level distance 1 covariances", np.zeros(9)),
        ("novelty counts", [RECENT_READINGS, 0, HOLD]),
    ],
)
def test_fields_that_do_not_fit_together_are_refused(name: str, value: object) -> None:
    fields = portable.unpack(FITTED, "novelty")
    assert name in fields
    with pytest.raises(ValueError):
        Novelty.from_fields(fields | {name: value})
