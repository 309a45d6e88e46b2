import math
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from stored_blocks import make_birth, make_block

from cloud.storage.influxdb.layout import (
    GRID_NS,
    alarm_line,
    place_of,
    point_times,
    reading_lines,
    rescore_lines,
    value_lines,
)
from cloud.storage.influxdb.lines import parse
from shared.identity import MISSING
from shared.messages.codec import Alarm, Reason, Rescore


def test_a_reading_becomes_a_point_with_every_number_as_it_is():
    block = make_block(sequence=3, count=2, scores=np.array([0.1, math.nan]))
    first, second = (parse(text) for text in reading_lines(block, 0, place_of("pump-1", make_birth())))
    assert first.tags == {"asset": "acme/north/pump-1", "device": "pump-1"}
    assert first.fields == {
        "boot": 1, "sequence": 3, "time_ns": int(block.data.times_ns[0]), "stretch": 0, "model_version": 2,
        "sensor_score": 3 / 4096, "gateway_score": 0.1 * 0.9, "score": 0.1, "present": 7, "flagged": False,
        "alarm": False, "top_channel": 0, "count_0": 3000, "count_1": 3001, "count_2": 3002,
    }  # fmt: skip
    assert second.fields["present"] == 1
    assert not {"score", "gateway_score"} & set(second.fields)
    assert first.time_ns // GRID_NS == block.data.times_ns[0] // GRID_NS


def test_values_are_physical_and_missing_ones_left_out():
    block = make_block(count=2)
    block.data.counts[0, 1] = MISSING
    points = [parse(text) for text in value_lines(block, 0, place_of("pump-1", make_birth()))]
    assert [(point.tags["channel"], point.fields["value"]) for point in points] == [
        ("temperature", 20.0 + 0.01 * 0), ("temperature", 20.0 + 0.01 * 1000),
        ("current", 20.0 + 0.02 * 1001), ("pressure", 20.0 + 0.03 * 2), ("pressure", 20.0 + 0.03 * 1002),
    ]  # fmt: skip
    assert {point.tags["unit"] for point in points} == {"°C"}


def test_features_are_healthy_deviations():
    block = make_block("fan-7", kind="fast", count=1, sequence=2)
    points = [parse(text) for text in value_lines(block, 0, place_of("fan-7", make_birth("fan-7", kind="fast")))]
    assert [point.fields["value"] for point in points] == [2000 / 64, 2001 / 64, 2002 / 64]
    assert points[0].tags["unit"] == "healthy deviations"


def test_a_device_without_a_birth_is_its_own_asset_and_has_no_values():
    place = place_of("pump-1", None)
    assert place.asset == "pump-1"
    assert not list(value_lines(make_block(), 0, place))


def test_channels_of_one_name_are_numbered_and_empty_units_left_out():
    place = place_of("pump-1", make_birth(names=("x\n", "x ", "")))
    assert [name for name, *_ in place.values] == ["x ", "x  2", "3"]


@given(st.integers(-(2**62), 2**62), st.integers(0, 2**40), st.integers(0, 2**62), st.integers(1, 300), st.booleans())
def test_the_times_of_a_boots_points_differ_and_stay_in_their_cell(time, boot, sequence, count, stuck):
    times = np.full(count, time) if stuck else time + np.arange(count) * 1000
    found = point_times(times.astype(np.int64), boot, sequence)
    assert len(set(found.tolist())) == count
    assert np.array_equal(found // GRID_NS, times // GRID_NS)
    assert np.array_equal(found[1:], point_times(times[1:].astype(np.int64), boot, sequence + 1))


def test_a_rescore_keeps_the_bit_of_the_sensors_score():
    rescore = Rescore(
        "pump-1", 1, 4, np.array([0.5, math.nan]), np.array([1.5, math.nan]), np.array([1, 0], np.uint8),
        np.array([2, 0xFFFF], np.uint16),
    )  # fmt: skip
    lines = rescore_lines(rescore, place_of("pump-1", None), np.array([4, 5]), np.array([10, 11]), np.array([1, 7]))
    first, second = (parse(text) for text in lines)
    assert first.fields == {
        "gateway_score": 0.5, "score": 1.5, "present": 7, "flagged": True, "alarm": False, "top_channel": 2,
    }  # fmt: skip
    assert second.fields == {"present": 1, "flagged": False, "alarm": False, "top_channel": -1}
    assert (first.time_ns, second.time_ns) == (10, 11)


def test_an_update_of_an_alarm_meets_the_same_point():
    def alarm(end, peak):
        reasons = (Reason("current", "mean", 4.0, "Current is high."), Reason("x", "y", 1.0, 'It is "odd".'))
        return Alarm("a-1", "acme/pump", "pump-1", 10**18, end, peak, False, reasons)

    begun, ended = parse(alarm_line(alarm(None, 2.0))), parse(alarm_line(alarm(10**18 + 5, 3.0)))
    assert (begun.tags, begun.time_ns) == (ended.tags, ended.time_ns)
    assert begun.fields == {
        "id": "a-1", "reason": 'Current is high. It is "odd".', "score": 2.0, "active": True, "provisional": False,
        "begin_ns": 10**18,
    }  # fmt: skip
    explained = parse(alarm_line(replace(alarm(None, 2.0), since_ns=10**18 - 7, detectors=("kept rows", "events"))))
    assert (explained.tags, explained.time_ns) == (begun.tags, begun.time_ns)
    assert explained.fields == begun.fields | {"since_ns": 10**18 - 7, "detectors": "kept rows, events"}
    assert ended.fields["end_ns"] == 10**18 + 5
    assert ended.fields["active"] is False
