import importlib.util

import numpy as np
import pytest
from tflite_files import FLOAT32, INT32, UINT8, Part, Step, file_of, weights

from shared.errors import TfliteError
from shared.tflite.reader import parse_tflite

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tflite") is None, reason="tflite is not installed: pip install 'tocsin[dev]'"
)

ONES = np.ones((2, 2))


def dense(source, rows, output):
    return Step("FULLY_CONNECTED", (source, rows), (output,))


def read(parts, steps, **ends):
    return parse_tflite(file_of(parts, steps, **ends), "a.tflite")


def test_layers_follow_each_other():
    parts = [Part((1, 2)), weights(ONES), Part((1, 2), zeros=(5,)), weights(2 * ONES), Part((1, 2), scales=(2.0,))]
    model = read(parts, [dense(0, 1, 2), dense(2, 3, 4)])
    assert [layer.bias for layer in model.layers] == [[0, 0], [-20, -20]]
    assert (model.output_scale, model.input_scale) == (2.0, 0.5)


def test_shapes_may_change_before_between_and_behind():
    parts = [
        Part((1, 2)),
        Part((1, 1, 2)),
        weights(ONES),
        Part((1, 2)),
        Part((1, 2, 1)),
        Part((2,)),
        weights(ONES),
        Part((1, 2)),
        Part((2, 1)),
    ]
    steps = [
        Step("EXPAND_DIMS", (0,), (1,)),
        dense(1, 2, 3),
        Step("RESHAPE", (3,), (4,)),
        Step("SQUEEZE", (4,), (5,)),
        dense(5, 6, 7),
        Step("RESHAPE", (7,), (8,)),
    ]
    model = read(parts, steps)
    assert len(model.layers) == 2
    assert model.operators == ("FULLY_CONNECTED", "FULLY_CONNECTED")


def test_a_flattened_model_as_keras_converts_it():
    """The batch's size is computed beside the chain; RESHAPE reads the tensor before the last reshaped one."""
    parts = [
        Part((1, 2)),
        Part((1, 2, 1)),
        Part((3,), kind=INT32, scales=()),
        Part((), kind=INT32, scales=()),
        Part((2,), kind=INT32, scales=()),
        Part((1, 2)),
        weights(ONES),
        Part((1, 2)),
    ]
    steps = [
        Step("RESHAPE", (0,), (1,)),
        Step("SHAPE", (1,), (2,)),
        Step("STRIDED_SLICE", (2,), (3,)),
        Step("PACK", (3,), (4,)),
        Step("RESHAPE", (0, 4), (5,)),
        dense(5, 6, 7),
    ]
    assert len(read(parts, steps).layers) == 1


def test_a_file_that_quantizes_by_itself():
    parts = [
        Part((1, 2), kind=FLOAT32, scales=()),
        Part((1, 2), scales=(0.25,), zeros=(7,)),
        weights(ONES),
        Part((1, 2), zeros=(-3,)),
        Part((1, 2), kind=FLOAT32, scales=()),
    ]
    model = read(parts, [Step("QUANTIZE", (0,), (1,)), dense(1, 2, 3), Step("DEQUANTIZE", (3,), (4,))])
    assert (model.input_scale, model.input_zero, model.output_zero) == (0.25, 7, -3)
    assert model.float_input
    assert model.float_output


def test_a_shape_that_is_only_known_when_the_file_runs():
    parts = [Part((1, 2)), Part((2,), kind=INT32, scales=(), name="sizes"), Part((1, 1)), weights(ONES), Part((1, 2))]
    with pytest.raises(TfliteError, match=r"a shape \(tensor 1 'sizes'\) that is only computed .*batch_size=1"):
        read(parts, [Step("RESHAPE", (0, 1), (2,)), dense(2, 3, 4)])


@pytest.mark.parametrize(
    ("between", "said"),
    [
        (Step("SOFTMAX", (2,), (3,)), r"operator 1 \(SOFTMAX\) reads tensor 2 'tensor'; a model image holds only"),
        (Step("STABLEHLO_ADD", (2,), (3,)), r"operator 1 \(STABLEHLO_ADD\) reads tensor 2"),
        (Step("CUSTOM", (2,), (3,)), r"CUSTOM ''"),
        (Step("PACK", (2,), (3,)), r"\(PACK\) reads tensor 2"),
        (Step("RESHAPE", (2,), (6,)), "changes the type or scale of its values"),
        (Step("RESHAPE", (2,), (7,)), "makes 3 of 2 values"),
        (Step("QUANTIZE", (2,), (6,)), r"makes int8 of int8 with another scale"),
        (Step("QUANTIZE", (2,), (8,)), r"makes uint8 of int8"),
        (Step("DEQUANTIZE", (2,), (7,)), "makes 3 of 2 values"),
        (Step("FULLY_CONNECTED", (0, 1), (3,)), r"does not make one tensor of tensor 2 'tensor'; only a chain"),
        (Step("FULLY_CONNECTED", (2, 1), (3, 6)), "does not make one tensor"),
        (Step("FULLY_CONNECTED", (2,), (3,)), "has 1 inputs"),
        (Step("FULLY_CONNECTED", (2, 77), (3,)), "tensor has no number 77"),
        (Step("FULLY_CONNECTED", (), (3,)), "does not make one tensor"),
    ],
)
def test_what_stands_between_two_layers(between, said):
    parts = [
        Part((1, 2)),
        weights(ONES),
        Part((1, 2)),
        Part((1, 2)),
        weights(ONES),
        Part((1, 2)),
        Part((1, 2), scales=(0.25,)),
        Part((1, 3)),
        Part((1, 2), kind=UINT8),
    ]
    with pytest.raises(TfliteError, match=said):
        read(parts, [dense(0, 1, 2), between, dense(3, 4, 5)])


def test_a_graph_that_is_no_chain():
    parts = [Part((1, 2)), weights(ONES), Part((1, 2)), Part((1, 2))]
    with pytest.raises(TfliteError, match="2 inputs and 1 outputs"):
        read(parts, [dense(0, 1, 2)], inputs=(0, 3))
    with pytest.raises(
        TfliteError, match=r"the output \(tensor 3 'tensor'\) is not what the last layer gives \(tensor 2"
    ):
        read(parts, [dense(0, 1, 2)], outputs=(3,))
    with pytest.raises(TfliteError, match="holds no int8 layer"):
        read(parts, [Step("RESHAPE", (0,), (2,))])
    with pytest.raises(TfliteError, match="65 operators"):
        read(parts, [Step("RESHAPE", (0,), (0,))] * 65)
    with pytest.raises(TfliteError, match="one layer too many"):
        read(parts, [dense(0, 1, 2), *[dense(2, 1, 2)] * 12])
