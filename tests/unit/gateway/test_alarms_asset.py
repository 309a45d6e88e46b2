"""The alarm of an asset: one at a time, stable identity, told when it matters, restarts."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.alarms.asset_alarm import AssetAlarms, alarm_identifier
from gateway.detectors.judgement import Judgement
from gateway.errors import GatewayError
from gateway.explanation.explanation import Explanation
from shared.messages.codec import Alarm, Reason, decode_alarm, encode_alarm

ASSET = "plant/line-1/pump-1"


def judged(alarm: list[bool], fused: list[float] | None = None) -> Judgement:
    empty = Judgement.empty(len(alarm), 1, 1, 1)
    scores = np.where(alarm, 2.0, 0.5) if fused is None else np.array(fused)
    return replace(empty, alarm=np.array(alarm, np.bool_), fused=scores)


def because(channel: str) -> Callable[[int], Explanation]:
    return lambda index: Explanation((Reason(channel, "mean", float(index), f"{channel} at {index}"),))


def take(
    alarms: AssetAlarms, device: str, alarm: list[bool], begin: int, fused: list[float] | None = None
) -> list[Alarm]:
    times = np.arange(begin, begin + len(alarm), dtype=np.int64)
    return alarms.update(device, times, judged(alarm, fused), because(device), provisional=device == "slow")


def test_an_alarm_begins_and_ends_with_its_readings() -> None:
    alarms = AssetAlarms(ASSET)
    begin, end = take(alarms, "fast", [False, True, True, False], 100)
    assert begin == Alarm(
        alarm_identifier(ASSET, "fast", 101),
        ASSET,
        "fast",
        101,
        None,
        2.0,
        False,
        (Reason("fast", "mean", 1.0, "fast at 1"),),
    )
    assert end == replace(begin, end_ns=103)
    assert alarms.open is None
    assert [decode_alarm(encode_alarm(alarm)) for alarm in (begin, end)] == [begin, end]


def test_a_growing_peak_is_told_a_few_times_with_its_reasons() -> None:
    alarms = AssetAlarms(ASSET)
    scores = [1.0 + 0.01 * index for index in range(1000)]
    told = take(alarms, "fast", [True] * 1000, 0, scores)
    assert [alarm.peak_score for alarm in told] == sorted(alarm.peak_score for alarm in told)
    assert 4 <= len(told) <= 8
    assert told[-1].reasons[0].distance > 500
    assert {alarm.identifier for alarm in told} == {told[0].identifier}
    (end,) = take(alarms, "fast", [False], 1000)
    assert end.peak_score == max(scores)


def test_devices_of_an_asset_share_one_alarm_until_the_last_is_healthy() -> None:
    alarms = AssetAlarms(ASSET)
    (begin,) = take(alarms, "slow", [True], 10)
    (joined,) = take(alarms, "fast", [True], 12)
    assert begin.provisional
    assert not joined.provisional
    assert joined.identifier == begin.identifier
    assert [reason.channel for reason in joined.reasons] == ["slow", "fast"]
    assert take(alarms, "slow", [False], 14) == []
    (end,) = take(alarms, "fast", [False], 16)
    assert (end.identifier, end.end_ns) == (begin.identifier, 16)


def test_an_end_is_never_before_its_begin() -> None:
    alarms = AssetAlarms(ASSET)
    take(alarms, "fast", [True], 1000)
    (end,) = take(alarms, "fast", [False], 10)
    assert end.end_ns == end.begin_ns == 1000


def test_a_device_that_is_commissioned_anew_ends_its_alarm() -> None:
    alarms = AssetAlarms(ASSET)
    take(alarms, "fast", [True], 0)
    assert alarms.release("slow", 5) == []
    assert [alarm.end_ns for alarm in alarms.release("fast", 5)] == [5]
    assert alarms.release("fast", 6) == []


READINGS = st.lists(st.tuples(st.booleans(), st.floats(0.5, 50.0)), min_size=1, max_size=30)


@settings(max_examples=100)
@given(READINGS, st.sets(st.integers(1, 29)), st.booleans())
def test_neither_batches_nor_restarts_change_what_is_told(
    readings: list[tuple[bool, float]], cuts: set[int], restart: bool
) -> None:
    alarm, fused = [one for one, _ in readings], [score for _, score in readings]
    whole = take(AssetAlarms(ASSET), "fast", alarm, 0, fused)
    alarms, told = AssetAlarms(ASSET), []
    edges = [0, *sorted(cut for cut in cuts if cut < len(readings)), len(readings)]
    for begin, end in itertools.pairwise(edges):
        told += take(alarms, "fast", alarm[begin:end], begin, fused[begin:end])
        if restart:
            alarms = AssetAlarms.from_state(alarms.state())

    def facts(found: list[Alarm]) -> list[tuple[object, ...]]:
        return [(a.identifier, a.begin_ns, a.end_ns, a.peak_score, len(a.reasons)) for a in found]

    assert facts(told) == facts(whole)
    assert sum(a.end_ns is None for a in whole) >= sum(a.end_ns is not None for a in whole)


def test_damaged_state_is_refused() -> None:
    with pytest.raises(GatewayError, match="stored alarms of an asset"):
        AssetAlarms.from_state(b"\xa0")
