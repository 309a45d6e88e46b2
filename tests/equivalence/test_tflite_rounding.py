"""Sums at the borders of rounding, where another rule or another product of scales would give another byte."""

import importlib.util

import numpy as np
import pytest
from tflite_files import VALID, Part, Step, bias, file_of, weights

from cloud.training.convert import interpreter_of
from shared.quantized import arrays
from shared.tflite.quantization import quantize_multiplier
from shared.tflite.reader import parse_tflite

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("tflite", "ai_edge_litert")),
    reason="tflite or LiteRT is not installed: pip install 'tocsin[dev,train]'",
)

ROWS = 256
MODELS = 24
FIELDS = {"Padding": VALID, "StrideW": 1, "StrideH": 1}


def one_operator(operator, scales, sums, per_row):
    """A file whose row j has the sum ``sums[j]`` for the input 0: all of it is bias."""
    first, second, output = scales
    of_weights = [float(second)] * (ROWS if per_row else 1)
    kernel = {"FULLY_CONNECTED": (ROWS, 1), "CONV_2D": (ROWS, 1, 1, 1), "DEPTHWISE_CONV_2D": (1, 1, 1, ROWS)}[operator]
    shape = (1,) * (len(kernel) - 1)
    said = {"quantized": {"scales": of_weights, "zeros": [0] * len(of_weights)}, "options": {}}
    if operator != "FULLY_CONNECTED":
        said["options"] = FIELDS | ({"DepthMultiplier": ROWS} if operator == "DEPTHWISE_CONV_2D" else {})
    parts = [
        Part((*shape, 1), scales=(float(first),)),
        weights(np.ones(kernel), axis=kernel.index(ROWS), **said["quantized"]),
        bias(sums, scales=[float(first * second)] * len(of_weights), zeros=[0] * len(of_weights)),
        Part((*shape, ROWS), scales=(float(output),)),
    ]
    return file_of(parts, [Step(operator, (0, 1, 2), (3,), said["options"])])


def drawn_scales(rng):
    """Scales of input, weights and output, float32, and the ratio that they make."""
    first, second = np.float32(rng.uniform(0.001, 0.1, 2))
    output = np.float32(float(first) * float(second) * 2.0 ** rng.uniform(0, 24) / 100)
    return (first, second, output), float(first) * float(second) / float(output)


def at_borders(rng, ratio):
    """Sums next to those that lie half way between two bytes, on both sides of zero, and the smallest ones."""
    halves = (rng.integers(-127, 127, ROWS - 8) + 0.5) / ratio
    sums = np.rint(halves).astype(np.int64) + rng.integers(-1, 2, ROWS - 8)
    return np.concatenate([sums, np.arange(-4, 4)]).clip(-(2**30), 2**30)


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("operator", ["FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"])
def test_bytes_at_the_borders(operator, per_row):
    rng = np.random.default_rng(7)
    other_rule = 0
    for _ in range(MODELS):
        scales, ratio = drawn_scales(rng)
        sums = at_borders(rng, ratio)
        content = one_operator(operator, scales, sums, per_row)
        interpreter = interpreter_of(content)
        interpreter.set_tensor(0, np.zeros(interpreter.get_input_details()[0]["shape"], np.int8))
        interpreter.invoke()
        reference = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).ravel()
        (layer,) = parse_tflite(content, "drawn").layers
        given = arrays.forward(layer, np.zeros((1, 1), np.int64))[0]
        np.testing.assert_array_equal(given, reference)
        multiplier, shift = quantize_multiplier(ratio)
        other = arrays.requantize(sums, multiplier, shift, 1 - layer.rounding).clip(-128, 127)
        other_rule += int((other != reference).sum())
    assert other_rule > 100  # the sums tell the two rules apart
