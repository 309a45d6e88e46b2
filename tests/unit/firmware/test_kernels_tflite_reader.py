import importlib.util

import numpy as np
import pytest

from firmware.kernels.tflite_reader import TfliteError, parse_tflite, quantize_multiplier, read_tflite
from shared.errors import UsageError

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tflite") is None, reason="tflite is not installed: pip install 'tocsin[firmware]'"
)

FLOAT32, INT32, INT8 = 0, 2, 9
FULLY_CONNECTED, CONV_2D, SOFTMAX = 9, 3, 25
NO_ACTIVATION, RELU, RELU6 = 0, 1, 3


def vector(builder, start, items, add):
    start(builder, len(items))
    for item in reversed(items):
        add(item)
    return builder.EndVector()


def numbers(builder, values, dtype):
    return builder.CreateNumpyVector(np.asarray(values, dtype))


def file_of(
    *,
    weights=((1, -2, 3), (4, 5, -127)),
    weight_scales=(0.5,),
    weight_zero=0,
    weight_type=INT8,
    bias=(7, -8),
    input_scale=0.25,
    input_zero=3,
    output_scale=0.5,
    output_zero=-4,
    input_type=INT8,
    operator=FULLY_CONNECTED,
    activation=NO_ACTIVATION,
    weights_in_file=True,
):
    """A .tflite file of one operator, as the converter lays it out."""
    import flatbuffers
    import tflite

    weights = np.asarray(weights, np.int8)
    builder = flatbuffers.Builder(1024)

    def buffer(content):
        data = None if content is None else builder.CreateNumpyVector(np.frombuffer(content, np.uint8))
        tflite.BufferStart(builder)
        if data is not None:
            tflite.BufferAddData(builder, data)
        return tflite.BufferEnd(builder)

    def tensor(name, shape, kind, number, scales, zero):
        said = builder.CreateString(name)
        sizes = numbers(builder, shape, np.int32)
        scale = numbers(builder, scales, np.float32)
        zeros = numbers(builder, [zero] * len(scales), np.int64)
        tflite.QuantizationParametersStart(builder)
        tflite.QuantizationParametersAddScale(builder, scale)
        tflite.QuantizationParametersAddZeroPoint(builder, zeros)
        quantization = tflite.QuantizationParametersEnd(builder)
        tflite.TensorStart(builder)
        tflite.TensorAddShape(builder, sizes)
        tflite.TensorAddType(builder, kind)
        tflite.TensorAddBuffer(builder, number)
        tflite.TensorAddName(builder, said)
        tflite.TensorAddQuantization(builder, quantization)
        return tflite.TensorEnd(builder)

    rows, columns = weights.shape
    buffers = [
        buffer(None),
        buffer(weights.tobytes() if weights_in_file else None),
        buffer(np.asarray(bias, "<i4").tobytes()),
    ]
    tensors = [
        tensor("in", (1, columns), input_type, 0, [input_scale], input_zero),
        tensor("weights", (rows, columns), weight_type, 1, weight_scales, weight_zero),
        tensor("bias", (rows,), INT32, 2, [1.0], 0),
        tensor("out", (1, rows), INT8, 0, [output_scale], output_zero),
    ]
    tflite.FullyConnectedOptionsStart(builder)
    tflite.FullyConnectedOptionsAddFusedActivationFunction(builder, activation)
    options = tflite.FullyConnectedOptionsEnd(builder)
    inputs = numbers(builder, [0, 1, 2], np.int32)
    outputs = numbers(builder, [3], np.int32)
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, 0)
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    tflite.OperatorAddBuiltinOptionsType(builder, tflite.BuiltinOptions.FullyConnectedOptions)
    tflite.OperatorAddBuiltinOptions(builder, options)
    operators = [tflite.OperatorEnd(builder)]
    tensor_list = vector(builder, tflite.SubGraphStartTensorsVector, tensors, builder.PrependUOffsetTRelative)
    operator_list = vector(builder, tflite.SubGraphStartOperatorsVector, operators, builder.PrependUOffsetTRelative)
    graph_inputs = numbers(builder, [0], np.int32)
    graph_outputs = numbers(builder, [3], np.int32)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensor_list)
    tflite.SubGraphAddInputs(builder, graph_inputs)
    tflite.SubGraphAddOutputs(builder, graph_outputs)
    tflite.SubGraphAddOperators(builder, operator_list)
    graphs = [tflite.SubGraphEnd(builder)]
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, operator)
    tflite.OperatorCodeAddBuiltinCode(builder, operator)
    codes = [tflite.OperatorCodeEnd(builder)]
    graph_list = vector(builder, tflite.ModelStartSubgraphsVector, graphs, builder.PrependUOffsetTRelative)
    code_list = vector(builder, tflite.ModelStartOperatorCodesVector, codes, builder.PrependUOffsetTRelative)
    buffer_list = vector(builder, tflite.ModelStartBuffersVector, buffers, builder.PrependUOffsetTRelative)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, code_list)
    tflite.ModelAddSubgraphs(builder, graph_list)
    tflite.ModelAddBuffers(builder, buffer_list)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def test_a_layer_per_tensor():
    model = parse_tflite(file_of(), "a.tflite")
    (layer,) = model.layers
    assert (layer.inputs, layer.outputs, layer.zero, layer.low) == (3, 2, -4, -128)
    assert np.frombuffer(layer.weights, np.int8).tolist() == [1, -2, 3, 4, 5, -127]
    assert layer.bias == [7 - 3 * 2, -8 - 3 * -118]
    assert list(zip(layer.multipliers, layer.shifts, strict=True)) == [quantize_multiplier(0.25)] * 2
    assert (model.input_scale, model.input_zero, model.output_scale, model.output_zero) == (0.25, 3, 0.5, -4)


def test_a_layer_per_row_with_relu():
    (layer,) = parse_tflite(file_of(weight_scales=(0.5, 0.125), activation=RELU), "a.tflite").layers
    assert list(zip(layer.multipliers, layer.shifts, strict=True)) == [
        quantize_multiplier(0.25),
        quantize_multiplier(0.0625),
    ]
    assert layer.low == -4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"operator": CONV_2D}, "operator 0 is CONV_2D"),
        ({"operator": SOFTMAX}, "operator 0 is SOFTMAX"),
        ({"activation": RELU6}, "activation of kind 3"),
        ({"input_type": FLOAT32}, "not int8"),
        ({"weight_type": FLOAT32}, "the weights of layer 0 are not int8"),
        ({"weight_zero": 1}, "not quantized symmetrically"),
        ({"weight_scales": (0.5, 0.5, 0.5)}, "not quantized symmetrically"),
        ({"weights_in_file": False}, "not constants"),
        ({"bias": (1, 2, 3)}, "not constants"),
        ({"bias": (2**31 - 1, 0)}, "overflow"),
        ({"input_scale": float("nan")}, "impossible scale"),
        ({"input_scale": 2.0**40}, "scales its sums up"),
        ({"input_zero": 200}, "impossible zero"),
    ],
)
def test_what_an_image_cannot_say_is_refused(changes, said):
    with pytest.raises(TfliteError, match=said):
        parse_tflite(file_of(**changes), "a.tflite")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(TfliteError, match=r"not a \.tflite file"):
        parse_tflite(b"PK\x03\x04" * 40, "a.zip")
    with pytest.raises(UsageError, match="cannot be read"):
        read_tflite(tmp_path / "missing.tflite")


def test_damage_gives_one_sentence():
    whole = file_of()
    rng = np.random.default_rng(1)
    for _ in range(300):
        content = bytearray(whole)
        for place in rng.integers(8, len(content), 3):
            content[place] = int(rng.integers(256))
        try:
            model = parse_tflite(bytes(content[: rng.integers(8, len(content) + 1)]), "a.tflite")
        except TfliteError:
            continue
        assert len(model.layers) == 1
