"""A recording becomes the counts of a device, whatever the order of its columns and, by powers of two, their unit."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from shared.errors import UsageError
from shared.identity import COUNT_LIMIT, MISSING
from shared.recordings import Recording, profile_of
from shared.recordings.timing import evenly

values_strategy = stn.arrays(
    np.float64,
    st.tuples(st.integers(4, 30), st.integers(1, 5)),
    elements=st.one_of(st.floats(-1e6, 1e6).map(lambda x: round(x, 4)), st.just(float("nan"))),
).filter(lambda a: bool(np.isfinite(a[: len(a) // 2 + 1]).any(axis=0).all()))


def recording(values: np.ndarray, rate_hz: float = 1.0) -> Recording:
    names = tuple(f"channel {i}" for i in range(values.shape[1]))
    first = np.zeros(1, np.int64)
    return Recording(evenly(len(values), rate_hz, 0), values, names, ("",) * len(names), rate_hz, first)


@settings(max_examples=100, deadline=None)
@given(values=values_strategy, data=st.data(), rate_hz=st.sampled_from([1.0, 3200.0]))
def test_order_of_columns_has_no_influence(values: np.ndarray, data: st.DataObject, rate_hz: float) -> None:
    order = data.draw(st.permutations(range(values.shape[1])))
    straight = recording(values, rate_hz)
    turned = replace(straight, values=values[:, order], names=tuple(straight.names[i] for i in order))
    healthy = len(values) // 2 + 1
    assert profile_of(straight, healthy, "device", "pump")[0] == profile_of(turned, healthy, "device", "pump")[0]
    first, second = (profile_of(r, healthy, "device", "pump")[1] for r in (straight, turned))
    assert first.tobytes() == second.tobytes()


@settings(max_examples=100, deadline=None)
@given(values=values_strategy, power=st.integers(-20, 20))
def test_a_power_of_two_as_unit_has_no_influence(values: np.ndarray, power: int) -> None:
    healthy = values[: len(values) // 2 + 1]
    if any(np.nanmin(column) == np.nanmax(column) for column in healthy.T):
        return  # a constant channel takes a floor in physical units
    first = profile_of(recording(values), len(healthy), "device", "pump")[1]
    second = profile_of(recording(np.ldexp(values, power)), len(healthy), "device", "pump")[1]
    assert first.tobytes() == second.tobytes()


@settings(max_examples=100, deadline=None)
@given(values=values_strategy, data=st.data())
def test_counts_follow_the_definition_and_later_rows_have_no_influence(values: np.ndarray, data: st.DataObject) -> None:
    healthy = len(values) // 2 + 1
    profile, counts = profile_of(recording(values), healthy, "device", "pump")
    assert counts.dtype == np.int32
    for index, channel in enumerate(profile.channels):
        own = values[:, int(channel.name.split()[1])]
        for x, count in zip(own.tolist(), counts[:, index].tolist(), strict=True):
            if x != x:
                assert count == MISSING
            else:
                scaled = math.floor((x - channel.offset) / channel.step + 0.5)
                assert count == max(-COUNT_LIMIT, min(COUNT_LIMIT, scaled))
    cut = data.draw(st.integers(healthy, len(values)))
    part_profile, part = profile_of(recording(values[:cut]), healthy, "device", "pump")
    assert part_profile == profile
    assert part.tobytes() == counts[:cut].tobytes()


def test_resolution_is_two_to_the_sixteenth_of_a_deviation_for_slow_and_the_tenth_for_fast() -> None:
    values = np.array([[1.0], [3.0], [1.0], [3.0]])
    slow, counts = profile_of(recording(values), 4, "device", "pump")
    assert (slow.kind, slow.channels[0].offset, slow.channels[0].step) == ("slow", 2.0, 2.0**-16)
    assert counts.ravel().tolist() == [-65536, 65536, -65536, 65536]
    fast, _ = profile_of(recording(values, 50.0), 4, "device", "pump")
    assert (fast.kind, fast.channels[0].step) == ("fast", 2.0**-10)


def test_a_constant_channel_takes_a_thousandth_of_its_mean_as_deviation() -> None:
    values = np.array([[5.0, 0.0], [5.0, 0.0], [6.0, 1.0], [1e300, -1e300]])
    profile, counts = profile_of(recording(values), 2, "device", "pump")
    by_name = {channel.name: channel for channel in profile.channels}
    assert by_name["channel 0"].step == 5e-3 / 2**16
    assert by_name["channel 1"].step == 1e-9 / 2**16
    assert sorted(counts[3].tolist()) == [-COUNT_LIMIT, COUNT_LIMIT]


def test_channels_with_the_same_counts_are_ordered_by_name() -> None:
    values = np.array([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]])
    profile, _ = profile_of(replace(recording(values), names=("b", "a")), 3, "device", "pump")
    assert [channel.name for channel in profile.channels] == ["a", "b"]


@pytest.mark.parametrize("healthy", [0, 5])
def test_healthy_rows_must_lie_within_the_recording(healthy: int) -> None:
    with pytest.raises(UsageError, match="must be 1 to 4"):
        profile_of(recording(np.ones((4, 1))), healthy, "device", "pump")


def test_a_channel_without_a_healthy_value_is_refused() -> None:
    with pytest.raises(UsageError, match="channel 0"):
        profile_of(recording(np.array([[np.nan], [1.0]])), 1, "device", "pump")
