"""Writes .tflite files part by part with the package `tflite`, so that a test decides every number in them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FLOAT32, INT32, UINT8, INT8 = 0, 2, 3, 9
SAME, VALID = 0, 1
NO_ACTIVATION, RELU, RELU_N1_TO_1, RELU6, TANH = 0, 1, 2, 3, 4
_OPTIONS = {
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
}


@dataclass
class Part:
    """One tensor: `content` is what its buffer holds, None for one that is computed."""

    shape: Sequence[int]
    kind: int = INT8
    scales: Sequence[float] = (0.5,)
    zeros: Sequence[int] = (0,)
    axis: int = 0
    content: bytes | None = None
    name: str = "tensor"


@dataclass
class Step:
    """One operator: `options` are fields of its options table, by their names in the schema."""

    operator: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: dict[str, int] = field(default_factory=dict)


def weights(values: Any, **changes: Any) -> Part:
    """A constant int8 tensor."""
    array = np.asarray(values, np.int8)
    return Part(array.shape, content=array.tobytes(), **changes)


def bias(values: Any, **changes: Any) -> Part:
    """A constant int32 tensor."""
    array = np.asarray(values, "<i4")
    return Part(array.shape, kind=INT32, content=array.tobytes(), **changes)


def file_of(
    parts: Sequence[Part], steps: Sequence[Step], inputs: Sequence[int] = (0,), outputs: Sequence[int] | None = None
) -> bytes:
    """A file with these tensors and operators; its outputs are those of the last operator unless told otherwise."""
    import flatbuffers
    import tflite

    builder = flatbuffers.Builder(1024)
    buffers = [_buffer(builder, None)]
    tensors = []
    for part in parts:
        if part.content is not None:
            buffers.append(_buffer(builder, part.content))
        tensors.append(_tensor(builder, part, 0 if part.content is None else len(buffers) - 1))
    names = sorted({step.operator for step in steps})
    operators = [_operator(builder, step, names.index(step.operator)) for step in steps]
    tensor_list = _tables(builder, tflite.SubGraphStartTensorsVector, tensors)
    operator_list = _tables(builder, tflite.SubGraphStartOperatorsVector, operators)
    graph_inputs = _numbers(builder, inputs, np.int32)
    graph_outputs = _numbers(builder, steps[-1].outputs if outputs is None else outputs, np.int32)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensor_list)
    tflite.SubGraphAddInputs(builder, graph_inputs)
    tflite.SubGraphAddOutputs(builder, graph_outputs)
    tflite.SubGraphAddOperators(builder, operator_list)
    graphs = [tflite.SubGraphEnd(builder)]
    codes = []
    for name in names:
        number = getattr(tflite.BuiltinOperator, name)
        tflite.OperatorCodeStart(builder)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(number, 127))
        tflite.OperatorCodeAddBuiltinCode(builder, number)
        codes.append(tflite.OperatorCodeEnd(builder))
    graph_list = _tables(builder, tflite.ModelStartSubgraphsVector, graphs)
    code_list = _tables(builder, tflite.ModelStartOperatorCodesVector, codes)
    buffer_list = _tables(builder, tflite.ModelStartBuffersVector, buffers)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, code_list)
    tflite.ModelAddSubgraphs(builder, graph_list)
    tflite.ModelAddBuffers(builder, buffer_list)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def _numbers(builder: Any, values: Sequence[float], dtype: Any) -> int:
    return int(builder.CreateNumpyVector(np.asarray(values, dtype)))


def _tables(builder: Any, start: Any, items: Sequence[int]) -> int:
    start(builder, len(items))
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return int(builder.EndVector())


def _buffer(builder: Any, content: bytes | None) -> int:
    import tflite

    data = None if content is None else builder.CreateNumpyVector(np.frombuffer(content, np.uint8))
    tflite.BufferStart(builder)
    if data is not None:
        tflite.BufferAddData(builder, data)
    return int(tflite.BufferEnd(builder))


def _tensor(builder: Any, part: Part, buffer: int) -> int:
    import tflite

    name = builder.CreateString(part.name)
    shape = _numbers(builder, part.shape, np.int32)
    scales = _numbers(builder, part.scales, np.float32)
    zeros = _numbers(builder, part.zeros, np.int64)
    tflite.QuantizationParametersStart(builder)
    tflite.QuantizationParametersAddScale(builder, scales)
    tflite.QuantizationParametersAddZeroPoint(builder, zeros)
    tflite.QuantizationParametersAddQuantizedDimension(builder, part.axis)
    quantization = tflite.QuantizationParametersEnd(builder)
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, part.kind)
    tflite.TensorAddBuffer(builder, buffer)
    tflite.TensorAddName(builder, name)
    if part.scales:
        tflite.TensorAddQuantization(builder, quantization)
    return int(tflite.TensorEnd(builder))


def _operator(builder: Any, step: Step, code: int) -> int:
    import tflite

    options, name = None, _OPTIONS.get(step.operator)
    if name is not None:
        getattr(tflite, f"{name}Start")(builder)
        for field_name, value in step.options.items():
            getattr(tflite, f"{name}Add{field_name}")(builder, value)
        options = getattr(tflite, f"{name}End")(builder)
    inputs = _numbers(builder, step.inputs, np.int32)
    outputs = _numbers(builder, step.outputs, np.int32)
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, code)
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(builder, getattr(tflite.BuiltinOptions, name))
        tflite.OperatorAddBuiltinOptions(builder, options)
    return int(tflite.OperatorEnd(builder))
