"""The dense layer's plain integers against the formula written out, at every border of its ranges."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model_image import Layer
from shared.quantized import arrays
from shared.quantized.integer import Dense, clamp8, requantize


@given(value=st.integers(-(2**31), 2**31 - 1), multiplier=st.integers(1, 2**31 - 1), shift=st.integers(1, 62))
def test_requantizing_rounds_half_up_once(value, multiplier, shift):
    exact = Fraction(value * multiplier, 2**shift)
    assert requantize(value, multiplier, shift) == math.floor(exact + Fraction(1, 2))
    assert abs(value * multiplier) + (1 << (shift - 1)) < 2**63
    assert int(arrays.requantize(np.array([value]), multiplier, shift)[0]) == requantize(value, multiplier, shift)


def test_limits():
    assert [clamp8(value) for value in (-(10**9), -129, -128, 127, 128, 10**9)] == [-128, -128, -128, 127, 127, 127]


def random_layer(seed, inputs, outputs, borders):
    rng = np.random.default_rng(seed)
    bound = 128 * 128 * inputs
    if borders:
        weights = rng.choice([-128, 127, 0], (outputs, inputs))
        bias = rng.choice([-(2**31) + bound, 2**31 - 1 - bound, 0, -1], outputs)
        multipliers = rng.choice([1, 2**30, 2**31 - 1], outputs)
        shifts = rng.choice([1, 31, 40, 62], outputs)
    else:
        weights = rng.integers(-128, 128, (outputs, inputs))
        bias = rng.integers(-100_000, 100_000, outputs)
        multipliers = rng.integers(1, 2**31, outputs)
        shifts = rng.integers(38, 44, outputs)
    return Layer(
        inputs,
        outputs,
        weights.astype(np.int8).tobytes(),
        bias.tolist(),
        multipliers.tolist(),
        shifts.tolist(),
        int(rng.integers(-128, 128)),
        int(rng.integers(-128, 1)),
    )


def written_out(layer, x):
    weights = np.frombuffer(layer.weights, np.int8).reshape(layer.outputs, layer.inputs).tolist()
    y = []
    for row in range(layer.outputs):
        total = layer.bias[row] + sum(w * v for w, v in zip(weights[row], x, strict=True))
        assert -(2**31) <= total < 2**31
        scaled = math.floor(Fraction(total * layer.multipliers[row], 2 ** layer.shifts[row]) + Fraction(1, 2))
        y.append(min(127, max(layer.low, scaled + layer.zero)))
    return y


@settings(max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    inputs=st.sampled_from([1, 2, 3, 17, 64]),
    outputs=st.sampled_from([1, 2, 5, 33]),
    borders=st.booleans(),
    rails=st.booleans(),
)
def test_a_layer_is_its_formula(seed, inputs, outputs, borders, rails):
    layer = random_layer(seed, inputs, outputs, borders)
    rng = np.random.default_rng(seed + 1)
    x = (rng.choice([-128, 127], (3, inputs)) if rails else rng.integers(-128, 128, (3, inputs))).astype(np.int64)
    dense = Dense(inputs, outputs, layer.weights, layer.bias, layer.multipliers, layer.shifts, layer.zero, layer.low)
    expected = [written_out(layer, row) for row in x.tolist()]
    assert [dense.forward(row) for row in x.tolist()] == expected
    assert arrays.forward(layer, x).tolist() == expected


@pytest.mark.parametrize("value", [-128, 127])
def test_the_widest_layer_that_an_image_may_hold_keeps_its_columns_apart(value):
    inputs, outputs = 4096, 3
    bound = 128 * 128 * inputs
    weights = np.array([[-128] * inputs, [127] * inputs, [-128, 127] * (inputs // 2)], np.int8)
    bias = [-(2**31) + bound, 2**31 - 1 - bound, 0]
    layer = Layer(inputs, outputs, weights.tobytes(), bias, [2**31 - 1] * 3, [55] * 3, 0, -128)
    dense = Dense(inputs, outputs, layer.weights, bias, layer.multipliers, layer.shifts, 0, -128)
    x = [value] * inputs
    assert dense.forward(x) == written_out(layer, x) == arrays.forward(layer, np.array([x])).tolist()[0]
