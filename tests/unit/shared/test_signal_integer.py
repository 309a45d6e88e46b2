"""The reference arithmetic against independent truth: exact formulas, floating point, and its own bounds."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.signal import integer
from shared.signal.definition import MISSING
from shared.signal.integer import SlowWindow
from shared.signal.tables import QUARTER, QUARTER_SINE

int16s = st.integers(-32768, 32767)
int32s = st.integers(-(2**31), 2**31 - 1)


@given(value=int32s, centre=int32s, multiplier=st.integers(1, 2**30 - 1), shift=st.integers(1, 46))
def test_scale_rounds_half_up_and_stays_within_63_bits(value, centre, multiplier, shift):
    exact = Fraction((value - centre) * multiplier, 2**shift)
    assert integer.scale(value, centre, multiplier, shift) == math.floor(exact + Fraction(1, 2))
    assert abs((value - centre) * multiplier) + (1 << (shift - 1)) < 2**63


@given(value=st.integers(2, 2**63 - 1))
def test_the_logarithm_is_at_most_one_step_below_the_true_one(value):
    found = integer.log2_q8(value)
    # 2 ** (found / 256) <= value < 2 ** ((found + 2) / 256), told in integers
    assert 2**found <= value**256
    assert value**256 < 2 ** (found + 2)


@pytest.mark.parametrize("exponent", range(63))
def test_the_logarithm_of_a_power_of_two_is_exact(exponent):
    assert integer.log2_q8(1 << exponent) == 256 * exponent


def test_the_logarithm_never_falls():
    found = [integer.log2_q8(value) for value in range(-2, 70_000)]
    assert found == sorted(found)


@given(value=st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1).map(lambda root: root * root)))
def test_the_square_root_is_the_true_one(value):
    assert integer.isqrt(value) == math.isqrt(value)


def test_the_sine_table_is_the_sine():
    for length in (32, 4 * QUARTER):
        for index in range(-length, 2 * length):
            assert abs(integer.sine(index, length) - 2**30 * math.sin(2 * math.pi * index / length)) <= 0.501
    assert len(QUARTER_SINE) == QUARTER + 1


@settings(max_examples=60)
@given(values=st.lists(int16s, min_size=4, max_size=80), log2_rows=st.integers(2, 5))
def test_a_slow_window_keeps_the_sums_that_it_would_count_anew(values, log2_rows):
    rows = 1 << log2_rows
    window = SlowWindow(rows)
    for position, value in enumerate(values):
        window.push(value)
        last = values[max(0, position + 1 - rows) : position + 1]
        assert window.filled == len(last)
        assert window.total == sum(last)
        assert window.squares == sum(v * v for v in last)
        assert window.ramp == sum(i * v for i, v in enumerate(last))
        if window.filled == rows:
            spread = rows * sum(v * v for v in last) - sum(last) ** 2
            assert window.features() == [
                16 * value,
                16 * sum(last) // rows,
                integer.log2_q8(spread + 10 * rows * rows),
                sum((2 * i - rows + 1) * v for i, v in enumerate(last)),
            ]


def test_a_reset_window_is_as_new():
    window = SlowWindow(4)
    for value in (5, -7, 11, 13, 17):
        window.push(value)
    window.reset()
    assert (window.filled, window.total, window.squares, window.ramp, window.last()) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "values", [[32767] * 256, [-32768] * 256, [-32768, 32767] * 128, [-32768] * 128 + [32767] * 128]
)
def test_the_documented_bounds_of_slow_windows_hold(values):
    window = SlowWindow(256)
    for value in values * 2:
        window.push(value)
        assert abs(window.total) <= 2**23
        assert window.squares <= 2**38
        assert abs(window.ramp) < 2**31
    assert abs(window.features()[3]) <= 2**30


@given(previous=st.integers(-(2**63), 2**63 - 1), now=st.integers(-(2**63), 2**63 - 1), gap=st.integers(1, 2**63 - 1))
def test_a_gap_is_a_step_back_or_too_far(previous, now, gap):
    assert integer.gap_between(previous, now, gap) == (not previous <= now <= previous + gap)


@given(last=int16s)
def test_a_missing_count_gives_the_last_value(last):
    assert integer.hold_missing(MISSING, 5, 1 << 20, 4, last) == last
    assert integer.hold_missing(MISSING + 2, 0, 1, 1, last) == -(2**30) + 1
