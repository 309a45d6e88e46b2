import importlib.util

import numpy as np
import pytest
import tflite_files as files
from tflite_files import FLOAT32, INT32, RELU, RELU6, SAME, UINT8, VALID, Part, Step, bias, file_of, weights

from shared.errors import TfliteError, UsageError
from shared.model_image import LAYER_CONVOLUTION, LAYER_DENSE, LAYER_DEPTHWISE, ROUNDING_ONCE, ROUNDING_TWICE
from shared.quantized import arrays
from shared.tflite import schema
from shared.tflite.quantization import quantize_multiplier
from shared.tflite.reader import parse_tflite, read_tflite

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tflite") is None, reason="tflite is not installed: pip install 'tocsin[dev]'"
)

ROWS = ((1, -2, 3), (4, 5, -127))


def rounded_away(ratio):
    """Multiplier and shift of a power of two, whose ties LiteRT rounds away from zero."""
    multiplier, shift = quantize_multiplier(ratio)
    return multiplier + 1, shift


def dense_file(*, source=None, rows=None, added=None, output=None, operator="FULLY_CONNECTED", **options):
    """One dense layer, 3 to 2, with parts of it replaced."""
    parts = [
        source or Part((1, 3), scales=(0.25,), zeros=(3,)),
        rows or weights(ROWS),
        added or bias((7, -8)),
        output or Part((1, 2), zeros=(-4,)),
    ]
    return file_of(parts, [Step(operator, (0, 1, 2), (3,), options)])


def convolution_file(
    *,
    positions=7,
    channels=2,
    filters=3,
    taps=3,
    stride=2,
    padding=None,
    places=4,
    shape=None,
    map_shape=None,
    **options,
):
    """One CONV_2D over a map of height 1, its bias left out."""
    values = np.arange(filters * taps * channels) % 100
    parts = [
        Part(map_shape or (1, 1, positions, channels), zeros=(-5,)),
        weights(values.reshape(shape or (filters, 1, taps, channels))),
        Part((1, 1, places, filters)),
    ]
    said = {"Padding": SAME if padding is None else padding, "StrideW": stride, "StrideH": 1} | options
    return file_of(parts, [Step("CONV_2D", (0, 1, -1), (2,), said)])


def depthwise_file(*, channels=2, filters=4, taps=3, positions=5, places=3, multiplier=2, **options):
    """One DEPTHWISE_CONV_2D without padding, scales per filter."""
    values = np.arange(taps * filters).reshape(1, 1, taps, filters)
    scales = [2.0**-n for n in range(1, filters + 1)]
    parts = [
        Part((1, 1, positions, channels)),
        weights(values, scales=scales, zeros=[0] * filters, axis=3),
        bias(range(filters)),
        Part((1, 1, places, filters)),
    ]
    said = {"Padding": VALID, "StrideW": 1, "StrideH": 1, "DepthMultiplier": multiplier} | options
    return file_of(parts, [Step("DEPTHWISE_CONV_2D", (0, 1, 2), (3,), said)])


def one_layer(content):
    (layer,) = parse_tflite(content, "a.tflite").layers
    return layer


def test_a_dense_layer_per_tensor():
    model = parse_tflite(dense_file(), "a.tflite")
    (layer,) = model.layers
    assert (layer.kind, layer.inputs, layer.outputs, layer.zero, layer.low) == (LAYER_DENSE, 3, 2, -4, -128)
    assert np.frombuffer(layer.weights, np.int8).tolist() == [1, -2, 3, 4, 5, -127]
    assert layer.bias == [7 - 3 * 2, -8 - 3 * -118]
    assert list(zip(layer.multipliers, layer.shifts, strict=True)) == [rounded_away(0.25)] * 2
    assert (model.input_scale, model.input_zero, model.output_scale, model.output_zero) == (0.25, 3, 0.5, -4)
    assert (model.input_shape, model.operators) == ((3,), ("FULLY_CONNECTED",))
    assert not model.float_input
    assert not model.float_output


def test_a_dense_layer_per_row_with_relu():
    layer = one_layer(dense_file(rows=weights(ROWS, scales=(0.5, 0.125), zeros=(0, 0)), FusedActivationFunction=RELU))
    assert list(zip(layer.multipliers, layer.shifts, strict=True)) == [
        rounded_away(0.25),
        rounded_away(0.0625),
    ]
    assert layer.low == -4


def test_relu6_that_cuts_nothing_is_relu():
    cut = {"FusedActivationFunction": RELU6}
    assert one_layer(dense_file(output=Part((1, 2), scales=(6 / 255,), zeros=(-128,)), **cut)).low == -128
    with pytest.raises(TfliteError, match=r"RELU6, which cuts its output at 52 of 127"):
        parse_tflite(dense_file(output=Part((1, 2), scales=(1 / 30,), zeros=(-128,)), **cut), "a.tflite")


def test_a_dense_layer_at_every_position_is_a_convolution_of_one_tap():
    parts = [Part((1, 5, 3), zeros=(9,)), weights(ROWS), Part((1, 5, 2))]
    layer = one_layer(file_of(parts, [Step("FULLY_CONNECTED", (0, 1), (2,))]))
    assert (layer.kind, layer.inputs, layer.outputs, layer.padding) == (LAYER_CONVOLUTION, 15, 10, 9)
    assert (layer.channels, layer.filters, layer.taps, layer.stride, layer.pad) == (3, 2, 1, 1, 0)
    assert layer.rounding == ROUNDING_ONCE


@pytest.mark.parametrize(
    ("padding", "positions", "taps", "stride", "places", "pad"),
    [
        ("SAME", 7, 3, 2, 4, 1),
        ("SAME", 8, 3, 2, 4, 0),
        ("SAME", 8, 5, 1, 8, 2),
        ("SAME", 3, 5, 3, 1, 1),
        ("SAME", 8, 1, 3, 3, 0),
        ("VALID", 8, 3, 2, 3, 0),
        ("VALID", 8, 8, 1, 1, 0),
    ],
)
def test_where_a_convolution_begins(padding, positions, taps, stride, places, pad):
    layer = one_layer(
        convolution_file(
            positions=positions,
            taps=taps,
            stride=stride,
            places=places,
            padding={"SAME": SAME, "VALID": VALID}[padding],
        )
    )
    assert (layer.kind, layer.rounding) == (LAYER_CONVOLUTION, ROUNDING_TWICE)
    assert (layer.inputs, layer.outputs) == (2 * positions, 3 * places)
    assert (layer.channels, layer.filters, layer.taps) == (2, 3, taps)
    assert (layer.stride, layer.pad, layer.padding) == (stride, pad, -5)


def test_what_a_convolution_computes():
    """Against the sums written out: taps of one filter side by side, channels within a tap."""
    content = convolution_file(positions=4, channels=2, filters=2, taps=3, stride=1, places=4)
    layer = one_layer(content)
    x = np.array([[3, -1, 4, 1, -5, 9, 2, -6]])
    kernel = (np.arange(12) % 100).reshape(2, 3, 2)
    real = np.zeros((6, 2))
    real[1:5] = x.reshape(4, 2) + 5
    sums = [[(real[place : place + 3] * kernel[row]).sum() for row in range(2)] for place in range(4)]
    expected = np.clip(np.floor(np.array(sums) * 0.5 + 0.5), -128, 127).ravel()
    assert arrays.forward(layer, x)[0].tolist() == expected.tolist()


def test_a_map_may_lie_on_either_side():
    lying, standing = (
        one_layer(
            convolution_file(
                map_shape=shape, shape=kernel, StrideH=height, StrideW=width, places=4, FusedActivationFunction=RELU
            )
        )
        for shape, kernel, height, width in [
            ((1, 1, 7, 2), (3, 1, 3, 2), 1, 2),
            ((1, 7, 1, 2), (3, 3, 1, 2), 2, 1),
        ]
    )
    assert vars(lying) == vars(standing)


def test_a_depthwise_layer_has_its_rows_filter_by_filter():
    layer = one_layer(depthwise_file())
    assert (layer.kind, layer.inputs, layer.outputs, layer.rounding) == (LAYER_DEPTHWISE, 10, 12, ROUNDING_TWICE)
    assert (layer.channels, layer.filters, layer.taps, layer.stride, layer.pad) == (2, 4, 3, 1, 0)
    assert np.frombuffer(layer.weights, np.int8).tolist() == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    assert layer.shifts == [quantize_multiplier(2.0**-n)[1] for n in range(1, 5)]
    assert layer.bias == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"FusedActivationFunction": 4}, "ends in TANH; only RELU"),
        ({"FusedActivationFunction": 99}, "ends in activation 99"),
        ({"WeightsFormat": 1}, "shuffled weights"),
        ({"source": ("Part", {"shape": (1, 3), "kind": 0})}, "reads tensor 0 'tensor' in float32; quantize the model"),
        ({"source": ("Part", {"shape": (4, 3)})}, r"shape \[4, 3\]; convert the model for one input at a time"),
        ({"source": ("Part", {"shape": (1, 4)})}, "makes 2 of 4 values by 2 x 3"),
        ({"source": ("Part", {"shape": (1, 0)})}, r"impossible shape \[1, 0\]"),
        ({"source": ("Part", {"shape": (1, 3), "scales": (float("nan"),)})}, r"impossible scale \(nan\)"),
        ({"source": ("Part", {"shape": (1, 3), "scales": (-1.0,)})}, r"impossible scale \(-1\)"),
        ({"source": ("Part", {"shape": (1, 3), "scales": (0.0,)})}, r"impossible scale \(0\)"),
        ({"source": ("Part", {"shape": (1, 3), "scales": (0.5, 0.5), "zeros": (0, 0)})}, "has 2 scales"),
        ({"source": ("Part", {"shape": (1, 3), "zeros": (200,)})}, r"impossible zero points \(200\)"),
        ({"source": ("Part", {"shape": (1, 3), "scales": (2.0**40,)})}, "scales its sums up"),
        ({"source": ("Part", {"shape": (1, 3), "scales": ()})}, "int8 without a scale"),
        ({"rows": ("Part", {"shape": (2, 3), "content": b"123456", "kind": 3})}, r"has weights .* in uint8, not int8"),
        ({"rows": ("weights", {"values": ROWS, "zeros": (1,)})}, "not quantized symmetrically"),
        ({"rows": ("weights", {"values": ROWS, "scales": (0.5,) * 3, "zeros": (0,) * 3})}, "symmetrically"),
        ({"rows": ("weights", {"values": ROWS, "scales": (0.5,) * 2, "zeros": (0,) * 2, "axis": 1})}, "symmetrically"),
        ({"rows": ("Part", {"shape": (2, 3)})}, "the file holds no bytes of them; only constants"),
        ({"rows": ("weights", {"values": (1, 2, 3)})}, r"weights of the shape \[3\]"),
        ({"added": ("bias", {"values": (1, 2, 3)})}, "has 3 values of bias for 2 rows"),
        ({"added": ("bias", {"values": (2**31 - 1, 0)})}, "could overflow its 32-bit sums"),
        ({"output": ("Part", {"shape": (1, 3)})}, "makes 3 of 3 values by 2 x 3"),
    ],
)
def test_a_dense_layer_that_an_image_cannot_say(changes, said):
    built = {
        name: getattr(files, value[0])(**value[1]) if isinstance(value, tuple) else value
        for name, value in changes.items()
    }
    with pytest.raises(TfliteError, match=said):
        parse_tflite(dense_file(**built), "a.tflite")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"DilationWFactor": 2}, "dilation of 2"),
        ({"stride": 0}, "stride of 0; each may be 1 to 255"),
        ({"stride": 256, "places": 1}, "stride of 256"),
        ({"positions": 300, "taps": 256, "stride": 1, "places": 300}, "256 taps"),
        ({"padding": 2}, "padding of kind 2"),
        ({"padding": 1, "positions": 2, "places": 1}, "3 taps, more than the 2 positions"),
        ({"map_shape": (1, 4, 4, 2), "positions": 16}, "map of 4 x 4"),
        ({"shape": (3, 3, 1, 2)}, "filters of 3 x 1"),
        ({"map_shape": (1, 7, 2)}, r"shape \[1, 7, 2\]"),
        ({"map_shape": (1, 1, 7, 4)}, "filters for 2 of 4 channels; groups"),
        ({"places": 3}, "makes 4 x 3 values, but tensor 2"),
        ({"positions": 2200, "stride": 1, "places": 2200}, "at most 4096"),
        ({"FusedActivationFunction": 4}, "TANH"),
    ],
)
def test_a_convolution_that_an_image_cannot_say(changes, said):
    with pytest.raises(TfliteError, match=said):
        parse_tflite(convolution_file(**changes), "a.tflite")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"filters": 3, "multiplier": 1}, "for 2 channels"),
        ({"multiplier": 3}, "3 filters a channel for 2 channels"),
        ({"DilationWFactor": 3}, "dilation of 3"),
    ],
)
def test_a_depthwise_layer_that_an_image_cannot_say(changes, said):
    with pytest.raises(TfliteError, match=said):
        parse_tflite(depthwise_file(**changes), "a.tflite")


def test_names_of_operators_and_types_are_those_of_the_schema():
    import tflite

    for name, number in vars(tflite.BuiltinOperator).items():
        if isinstance(number, int) and number < len(schema.OPERATOR_NAMES):
            assert schema.OPERATOR_NAMES[number] == name
    for name, number in vars(tflite.TensorType).items():
        if isinstance(number, int):
            assert schema.type_name(number) == name.lower()
    assert (FLOAT32, INT32, UINT8) == (schema.FLOAT32, schema.INT32, 3)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(TfliteError, match=r"not a \.tflite file"):
        parse_tflite(b"PK\x03\x04" * 40, "a.zip")
    with pytest.raises(TfliteError, match=r"not a \.tflite file"):
        parse_tflite(b"", "empty")
    with pytest.raises(TfliteError, match="more than the 16777216"):
        parse_tflite(bytes((16 << 20) + 1), "huge")
    with pytest.raises(UsageError, match="cannot be read"):
        read_tflite(tmp_path / "missing.tflite")
