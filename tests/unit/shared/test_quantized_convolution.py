"""Convolutions: plain integers, NumPy and the formula written out as loops give the same bytes for any layer."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.image_content import LAYER_CONVOLUTION, LAYER_DENSE, LAYER_DEPTHWISE, Layer
from shared.quantized import arrays
from shared.quantized.convolution import runnable
from shared.quantized.integer import Dense, rounding_half


def rounded_twice(product: int, shift: int) -> int:
    """Half up to a multiple of 2**31, then half away from zero: the two steps that TensorFlow Lite's kernels take."""
    if shift <= 31:
        return math.floor(Fraction(product, 2**shift) + Fraction(1, 2))
    first = math.floor(Fraction(product, 2**31) + Fraction(1, 2))
    second = math.floor(Fraction(abs(first), 2 ** (shift - 31)) + Fraction(1, 2))
    return second if first >= 0 else -second


def rounded_once(product: int, shift: int) -> int:
    return math.floor(Fraction(product, 2**shift) + Fraction(1, 2))


def written_out(layer: Layer, x: list[int]) -> list[int]:
    """The layer by its definition: nothing is shared with the product but the names of the fields."""
    signed = [value - 256 if value > 127 else value for value in layer.weights]
    positions = layer.inputs // layer.channels
    each = layer.filters // layer.channels
    result = []
    for place, row in itertools.product(range(layer.outputs // layer.filters), range(layer.filters)):
        total = layer.bias[row]
        for tap in range(layer.taps):
            position = place * layer.stride - layer.pad + tap
            inside = 0 <= position < positions
            for channel in range(layer.channels):
                value = x[position * layer.channels + channel] if inside else layer.padding
                if layer.kind == LAYER_CONVOLUTION:
                    total += value * signed[(row * layer.taps + tap) * layer.channels + channel]
                elif channel == row // each:
                    total += value * signed[row * layer.taps + tap]
        assert -(2**31) <= total < 2**31
        scaled = (rounded_twice if layer.rounding else rounded_once)(total * layer.multipliers[row], layer.shifts[row])
        result.append(min(127, max(layer.low, scaled + layer.zero)))
    return result


@st.composite
def places(draw):
    """Channels, positions, taps, stride, pad and the number of places: any that an image may hold, small."""
    channels, positions = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    taps, stride = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    pad = draw(st.integers(0, taps - 1))
    most = (positions - 1 + pad) // stride + 1
    return channels, positions, taps, stride, pad, draw(st.integers(1, most))


def drawn_layer(kind, shape, each, seed, *, extreme, rounding):
    channels, positions, taps, stride, pad, count = shape
    filters = channels * each if kind == LAYER_DEPTHWISE else each
    columns = taps * (channels if kind == LAYER_CONVOLUTION else 1)
    rng = np.random.default_rng(seed)
    bound = 128 * 128 * columns
    if extreme:
        weights = rng.choice([-128, -127, 127], filters * columns)
        bias = rng.choice([-(2**31) + bound, 2**31 - 1 - bound, 0, -1], filters)
        multipliers = rng.choice([1, 2**30, 2**31 - 1], filters)
        shifts = rng.integers(1, 63, filters)
    else:
        weights = rng.integers(-128, 128, filters * columns)
        bias = rng.integers(-3000, 3000, filters)
        multipliers = rng.integers(1, 2**31, filters)
        shifts = rng.integers(36, 43, filters)
    return Layer(
        channels * positions,
        filters * count,
        weights.astype(np.int8).tobytes(),
        bias.tolist(),
        multipliers.tolist(),
        shifts.tolist(),
        int(rng.integers(-128, 128)),
        int(rng.choice([-128, 0, 5])),
        kind,
        int(rng.integers(-128, 128)),
        channels,
        filters,
        taps,
        stride,
        pad,
        rounding=rounding,
    )


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from([LAYER_CONVOLUTION, LAYER_DEPTHWISE]),
    shape=places(),
    each=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
    extreme=st.booleans(),
    rounding=st.integers(0, 1),
)
def test_a_convolution_is_its_loops(kind, shape, each, seed, extreme, rounding):
    layer = drawn_layer(kind, shape, each, seed, extreme=extreme, rounding=rounding)
    rng = np.random.default_rng(seed + 1)
    x = rng.choice([-128, 127], (3, layer.inputs)) if extreme else rng.integers(-128, 128, (3, layer.inputs))
    expected = [written_out(layer, row) for row in x.tolist()]
    layers = runnable(layer)
    assert [layers.forward(row) for row in x.tolist()] == expected
    assert arrays.forward(layer, x.astype(np.int64)).tolist() == expected


@pytest.mark.parametrize("shift", range(1, 63))
@pytest.mark.parametrize("rounding", [0, 1])
def test_every_shift_at_the_borders_of_its_rounding(shift, rounding):
    """Products around every half: one dense row of one weight, the bias is the sum."""
    totals = [2**31 - 16385, -(2**31) + 16384, 0, 1, -1, *(sign * 2**power for sign in (1, -1) for power in range(31))]
    multipliers = [1, 3, 2**30, 2**30 + 1, 2**31 - 1]
    for multiplier in multipliers:
        # sums whose product lies next to a half of the shift, if any does
        near = [(2 * odd + 1) * 2 ** (shift - 1) // multiplier + step for odd in (-2, -1, 0, 1) for step in (-1, 0, 1)]
        biases = [bias for bias in totals + near if -(2**31) + 16384 <= bias < 2**31 - 16384]
        layer = Layer(
            1, len(biases), bytes(len(biases)), biases, [multiplier] * len(biases), [shift] * len(biases), 0, -128,
            LAYER_CONVOLUTION, 0, 1, len(biases), 1, 1, 0, rounding=rounding,
        )  # fmt: skip
        expected = written_out(layer, [5])
        assert runnable(layer).forward([5]) == expected
        assert arrays.forward(layer, np.array([[5]])).tolist() == [expected]


@given(total=st.integers(-(2**31), 2**31 - 1), multiplier=st.integers(1, 2**31 - 1), shift=st.integers(1, 62))
def test_rounding_twice_stays_within_64_bits(total, multiplier, shift):
    summed = total * multiplier + rounding_half(total, shift, 1)
    assert -(2**63) <= summed < 2**63
    assert summed >> shift == rounded_twice(total * multiplier, shift)


def test_one_tap_over_one_position_is_a_dense_layer():
    rng = np.random.default_rng(3)
    layer = drawn_layer(LAYER_CONVOLUTION, (9, 1, 1, 1, 0, 1), 7, 3, extreme=False, rounding=0)
    dense = Layer(9, 7, layer.weights, layer.bias, layer.multipliers, layer.shifts, layer.zero, layer.low)
    x = rng.integers(-128, 128, (20, 9))
    assert dense.kind == LAYER_DENSE
    assert isinstance(runnable(dense), Dense)
    assert arrays.forward(layer, x).tolist() == arrays.forward(dense, x).tolist()


def test_what_lies_outside_has_the_padding_value():
    """Five taps on two positions: three of them lie outside at the first place, all but one at the last."""
    layer = Layer(
        2, 3, bytes((1, 2, 3, 4, 5)), [0], [1 << 30], [30], 0, -128, LAYER_CONVOLUTION, -7, 1, 1, 5, 2, 3
    )  # fmt: skip
    assert written_out(layer, [10, 20]) == [-7 * 6 + 40 + 100, -7 - 7 * 9 + 20 + 60, 20 - 7 * 14]
    assert runnable(layer).forward([10, 20]) == [98, 10, -78]


def test_many_rows_are_gathered_in_parts():
    layer = drawn_layer(LAYER_CONVOLUTION, (4, 64, 7, 1, 3, 64), 3, 5, extreme=False, rounding=1)
    x = np.random.default_rng(5).integers(-128, 128, (3 * (1 << 22) // (64 * 28) // 2, layer.inputs))
    whole = arrays.forward(layer, x)
    assert whole[-3:].tolist() == [runnable(layer).forward(row) for row in x[-3:].tolist()]
    assert whole[:3].tolist() == [runnable(layer).forward(row) for row in x[:3].tolist()]


def test_the_widest_sums_are_exact():
    """4,096 columns at the ends of int8, and a bias at the end of its room."""
    channels, taps = 64, 64
    columns = channels * taps
    room = 2**31 - 16384 * columns
    layer = Layer(
        columns, 2, bytes([0x80]) * columns + bytes([0x7F]) * columns, [room - 1, -room], [2**31 - 1] * 2, [55] * 2,
        0, -128, LAYER_CONVOLUTION, -128, channels, 2, taps, 1, 0,
    )  # fmt: skip
    for value in (-128, 127):
        x = [value] * (channels * taps)
        assert runnable(layer).forward(x) == written_out(layer, x) == arrays.forward(layer, np.array([x])).tolist()[0]
