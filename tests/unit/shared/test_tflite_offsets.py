"""A refusal says at which byte of the file the fault stands: where another reader of the format finds it."""

import importlib.util
import re

import numpy as np
import pytest
from tflite_files import RELU_N1_TO_1, TANH, VALID, Part, Step, bias, file_of, weights

from shared.errors import TfliteError
from shared.tflite.reader import parse_tflite

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tflite") is None, reason="tflite is not installed: pip install 'tocsin[dev]'"
)

ROWS = ((1, -2, 3), (4, 5, -127))
#: Numbers of fields as a vtable counts them.
SHAPE, SCALE, ZERO = 4, 8, 10
DENSE_ACTIVATION, CONVOLUTION_PADDING, CONVOLUTION_STRIDE_W, CONVOLUTION_DILATION_W = 4, 4, 6, 12


def dense(number=0, part=None, **options):
    """One dense layer, 3 to 2, with tensor `number` replaced."""
    parts = [Part((1, 3)), weights(ROWS), bias((7, -8)), Part((1, 2))]
    parts[number] = part or parts[number]
    return file_of(parts, [Step("FULLY_CONNECTED", (0, 1, 2), (3,), options)])


def convolution(*, positions=7, taps=3, places=5, shape=None, **options):
    parts = [Part((1, 1, positions, 2)), weights(np.ones(shape or (3, 1, taps, 2))), Part((1, 1, places, 3))]
    said = {"Padding": VALID, "StrideW": 1, "StrideH": 1} | options
    return file_of(parts, [Step("CONV_2D", (0, 1, -1), (2,), said)])


def graph_of(content):
    import tflite

    return tflite.Model.GetRootAs(content, 0).Subgraphs(0)


def tensor(number):
    return lambda content: graph_of(content).Tensors(number)._tab.Pos


def size(number, item=0):
    def find(content):
        table = graph_of(content).Tensors(number)._tab
        return table.Vector(table.Offset(SHAPE)) + 4 * item

    return find


def quantized(number, field, item=0):
    def find(content):
        table = graph_of(content).Tensors(number).Quantization()._tab
        return table.Vector(table.Offset(field)) + 4 * item

    return find


def operator(content):
    return graph_of(content).Operators(0)._tab.Pos


def option(field):
    def find(content):
        table = graph_of(content).Operators(0).BuiltinOptions()
        return table.Pos + table.Offset(field)

    return find


def named_output(content):
    table = graph_of(content)._tab
    return table.Vector(table.Offset(8))


FAULTS = {
    "scale nan": (lambda: dense(0, Part((1, 3), scales=(float("nan"),))), "impossible scale", quantized(0, SCALE)),
    "scale 0": (lambda: dense(3, Part((1, 2), scales=(0.0,))), "impossible scale", quantized(3, SCALE)),
    "second scale": (
        lambda: dense(1, weights(ROWS, scales=(0.5, -1.0), zeros=(0, 0))),
        r"tensor 1 .* scale \(-1\)",
        quantized(1, SCALE, 1),
    ),
    "two scales": (lambda: dense(3, Part((1, 2), scales=(0.5, 0.5), zeros=(0, 0))), "2 scales", quantized(3, SCALE)),
    "no scale": (lambda: dense(3, Part((1, 2), scales=())), "without a scale", tensor(3)),
    "zero point": (lambda: dense(0, Part((1, 3), zeros=(200,))), "impossible zero points", quantized(0, ZERO)),
    "weights' zero point": (lambda: dense(1, weights(ROWS, zeros=(1,))), "symmetrically", quantized(1, ZERO)),
    "size 0": (lambda: dense(0, Part((1, 0))), "impossible shape", size(0, 1)),
    "size below 0": (lambda: dense(3, Part((-2, 1))), "impossible shape", size(3)),
    "too large": (lambda: dense(0, Part((1 << 20, 1 << 20))), "impossible shape", size(0)),
    "batch": (lambda: dense(0, Part((4, 3))), "batch size 1", size(0)),
    "rank": (lambda: dense(1, weights((1, 2, 3))), "rows and columns are expected", size(1)),
    "other width": (lambda: dense(0, Part((1, 4))), "makes 2 of 4 values", size(3)),
    "type": (lambda: dense(1, Part((2, 3), kind=3, content=b"123456")), "in uint8", tensor(1)),
    "no constant": (lambda: dense(1, Part((2, 3))), "only constants", tensor(1)),
    "bias": (lambda: dense(2, bias((1, 2, 3))), "3 values of bias", size(2)),
    "overflow": (lambda: dense(2, bias((2**31 - 1, 0))), "overflow its 32-bit sums", operator),
    "scaled up": (lambda: dense(0, Part((1, 3), scales=(2.0**40,))), "scales its sums up", quantized(3, SCALE)),
    "activation": (lambda: dense(FusedActivationFunction=TANH), "ends in TANH", option(DENSE_ACTIVATION)),
    "lesser activation": (
        lambda: dense(FusedActivationFunction=RELU_N1_TO_1),
        "ends in RELU_N1_TO_1",
        option(DENSE_ACTIVATION),
    ),
    "padding": (lambda: convolution(Padding=2), "padding of kind 2", option(CONVOLUTION_PADDING)),
    "stride": (lambda: convolution(StrideW=300), "stride of 300", option(CONVOLUTION_STRIDE_W)),
    "dilation": (lambda: convolution(DilationWFactor=2), "dilation of 2", option(CONVOLUTION_DILATION_W)),
    "taps": (lambda: convolution(taps=9), "9 taps, more than", size(1)),
    "filters": (lambda: convolution(shape=(3, 3, 1, 2)), "filters of 3 x 1", size(1)),
    "map": (lambda: convolution(places=4), "makes 5 x 3 values", size(2)),
    "operator": (lambda: file_of([Part((1, 2)), Part((1, 2))], [Step("SOFTMAX", (0,), (1,))]), "SOFTMAX", operator),
    "output": (
        lambda: file_of(
            [Part((1, 2)), weights(np.ones((2, 2))), Part((1, 2))], [Step("FULLY_CONNECTED", (0, 1), (2,))], (0,), (1,)
        ),
        "is not what the last layer gives",
        named_output,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_offset_of_a_fault(name):
    make, said, find = FAULTS[name]
    content = make()
    with pytest.raises(TfliteError, match=said) as refused:
        parse_tflite(content, "a.tflite")
    found = re.match(r"a\.tflite at offset (\d+): ", str(refused.value))
    assert found, str(refused.value)
    assert int(found[1]) == find(content)
