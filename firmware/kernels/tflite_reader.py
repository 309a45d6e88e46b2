"""Int8 dense layers out of a .tflite file, as the layers of a model image.

The file's flatbuffer is read with the package `tflite`; nothing of TensorFlow is needed. Every operator but
FULLY_CONNECTED, and every form of it that a model image cannot say, is refused by name.
"""

import importlib
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware.errors import FirmwareError
from shared.errors import UsageError
from shared.model_image import LAYER_SHIFT_MAX, LAYERS_MAX, WIDTH_MAX, Layer

_FULLY_CONNECTED = 9
_INT32 = 2
_INT8 = 9
_NO_ACTIVATION = 0
_RELU = 1
_FILE_IDENTIFIER = b"TFL3"


class TfliteError(FirmwareError):
    """A file that does not hold a chain of int8 dense layers; the sentence names what it holds instead."""


@dataclass(frozen=True, eq=False)
class TfliteModel:
    """A chain of layers and what its int8 inputs and outputs mean: ``(value - zero) * scale``."""

    layers: list[Layer]
    input_scale: float
    input_zero: int
    output_scale: float
    output_zero: int


def read_tflite(path: Path) -> TfliteModel:
    """The layers of a file.

    Raises
    ------
    UsageError
        There is no such file, or the package `tflite` is not installed.
    TfliteError
        It is not a .tflite file, or holds anything but int8 dense layers in a chain.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return parse_tflite(content, str(path))


def parse_tflite(content: bytes, name: str) -> TfliteModel:
    """`read_tflite` of bytes; `name` stands in messages."""
    try:
        tflite: Any = importlib.import_module("tflite")
    except ImportError as error:
        raise UsageError("reading a .tflite file needs the package tflite: pip install 'tocsin[firmware]'") from error
    if content[4:8] != _FILE_IDENTIFIER:
        raise TfliteError(f"{name} is not a .tflite file: {_FILE_IDENTIFIER.decode()} is missing at offset 4")
    try:
        return _Reader(tflite, tflite.Model.GetRootAs(content, 0), name).chain()
    except (AttributeError, IndexError, TypeError, ValueError, OverflowError, struct.error) as error:
        raise TfliteError(f"{name} is damaged: its flatbuffer points outside the file") from error


class _Reader:
    """One pass over a flatbuffer model."""

    def __init__(self, tflite: Any, model: Any, name: str) -> None:
        self.tflite = tflite
        self.model = model
        self.name = name
        if model.SubgraphsLength() != 1:
            raise TfliteError(f"{name} has {model.SubgraphsLength()} subgraphs; one is expected")
        self.graph = model.Subgraphs(0)

    def chain(self) -> TfliteModel:
        graph = self.graph
        if graph.InputsLength() != 1 or graph.OutputsLength() != 1:
            raise TfliteError(
                f"{self.name} has {graph.InputsLength()} inputs and {graph.OutputsLength()} outputs; "
                "one of each is expected"
            )
        count = graph.OperatorsLength()
        if not 1 <= count <= LAYERS_MAX:
            raise TfliteError(f"{self.name} has {count} operators; a model image holds 1 to {LAYERS_MAX} layers")
        current = int(graph.Inputs(0))
        layers = []
        for number in range(count):
            layer, current = self._layer(number, graph.Operators(number), current)
            layers.append(layer)
        if current != int(graph.Outputs(0)):
            raise TfliteError(f"{self.name}: its last layer is not its output")
        input_scales, input_zero = self._quantization(int(graph.Inputs(0)), "the input")
        output_scales, output_zero = self._quantization(current, "the output")
        return TfliteModel(layers, float(input_scales[0]), input_zero, float(output_scales[0]), output_zero)

    def _layer(self, number: int, operator: Any, current: int) -> tuple[Layer, int]:
        where = f"layer {number}"
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        kind = max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))
        if kind != _FULLY_CONNECTED:
            raise TfliteError(
                f"{self.name}: operator {number} is {self._operator_name(kind)}; "
                "only FULLY_CONNECTED in int8 is known here"
            )
        activation = self._activation(operator)
        if activation not in (_NO_ACTIVATION, _RELU):
            raise TfliteError(f"{self.name}: {where} has a fused activation of kind {activation}; only RELU is known")
        inputs = [int(operator.Inputs(i)) for i in range(operator.InputsLength())]
        if len(inputs) < 2 or inputs[0] != current or operator.OutputsLength() != 1:
            raise TfliteError(f"{self.name}: {where} does not read what the layer before it gives")
        output = int(operator.Outputs(0))
        weights = self._constant(inputs[1], _INT8, np.dtype(np.int8), f"the weights of {where}")
        if weights.ndim != 2 or not all(1 <= size <= WIDTH_MAX for size in weights.shape):
            raise TfliteError(f"{self.name}: the weights of {where} have the shape {weights.shape}")
        rows, columns = weights.shape
        if self._elements(current) != columns or self._elements(output) != rows:
            raise TfliteError(f"{self.name}: the sizes of {where} do not fit its tensors")
        bias = np.zeros(rows, np.int64)
        if len(inputs) > 2 and inputs[2] >= 0:
            values = self._constant(inputs[2], _INT32, np.dtype("<i4"), f"the bias of {where}")
            if values.size != rows:
                raise TfliteError(f"{self.name}: the bias of {where} has {values.size} values for {rows} rows")
            bias += values.reshape(rows)
        input_scales, input_zero = self._quantization(current, f"the input of {where}")
        weight_scales, weight_zero = self._quantization(inputs[1], f"the weights of {where}")
        output_scales, output_zero = self._quantization(output, f"the output of {where}")
        if weight_zero != 0 or weight_scales.size not in (1, rows):
            raise TfliteError(f"{self.name}: the weights of {where} are not quantized symmetrically per tensor or row")
        bias -= weights.astype(np.int64).sum(axis=1) * input_zero
        reach = 128 * 128 * columns
        if bias.min() < -(1 << 31) + reach or bias.max() >= (1 << 31) - reach:
            raise TfliteError(f"{self.name}: {where} could overflow its accumulator")
        pairs = [
            quantize_multiplier(float(ratio))
            for ratio in _ratios(input_scales[0], weight_scales, output_scales[0], rows)
        ]
        layer = Layer(
            columns,
            rows,
            weights.tobytes(),
            bias.tolist(),
            [multiplier for multiplier, _ in pairs],
            [shift for _, shift in pairs],
            output_zero,
            max(-128, output_zero) if activation == _RELU else -128,
        )
        if min(layer.shifts) < 1:
            raise TfliteError(f"{self.name}: {where} scales its sums up; a model image cannot say that")
        return layer, output

    def _operator_name(self, kind: int) -> str:
        names: dict[int, str] = {
            value: name for name, value in vars(self.tflite.BuiltinOperator).items() if isinstance(value, int)
        }
        return names.get(kind, f"operator {kind}")

    def _activation(self, operator: Any) -> int:
        table = operator.BuiltinOptions()
        if table is None:
            return _NO_ACTIVATION
        options = self.tflite.FullyConnectedOptions()
        options.Init(table.Bytes, table.Pos)
        return int(options.FusedActivationFunction())

    def _elements(self, index: int) -> int:
        return math.prod(int(size) for size in self.graph.Tensors(index).ShapeAsNumpy())

    def _constant(self, index: int, kind: int, dtype: np.dtype[Any], what: str) -> NDArray[Any]:
        tensor = self.graph.Tensors(index)
        if int(tensor.Type()) != kind:
            raise TfliteError(f"{self.name}: {what} are not {dtype.name}; quantize the model to full int8 first")
        content = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        shape = tuple(int(size) for size in tensor.ShapeAsNumpy())
        if isinstance(content, int) or content.nbytes != math.prod(shape) * dtype.itemsize:
            raise TfliteError(f"{self.name}: {what} are not constants of the file")
        return np.frombuffer(content.tobytes(), dtype).reshape(shape)

    def _quantization(self, index: int, what: str) -> tuple[NDArray[np.float32], int]:
        tensor = self.graph.Tensors(index)
        parameters = tensor.Quantization()
        if int(tensor.Type()) != _INT8 or parameters is None or parameters.ScaleLength() < 1:
            raise TfliteError(f"{self.name}: {what} is not int8; quantize the model to full int8 first")
        scales = np.asarray(parameters.ScaleAsNumpy(), np.float32)
        if not np.all(np.isfinite(scales)) or not np.all(scales > 0):
            raise TfliteError(f"{self.name}: {what} has an impossible scale")
        zeros = np.asarray(parameters.ZeroPointAsNumpy(), np.int64).ravel() if parameters.ZeroPointLength() else [0]
        if len(set(zeros)) != 1 or not -128 <= int(zeros[0]) <= 127:
            raise TfliteError(f"{self.name}: {what} has an impossible zero point")
        return scales, int(zeros[0])


def _ratios(
    input_scale: np.float32, weight_scales: NDArray[np.float32], output_scale: np.float32, rows: int
) -> NDArray[np.float64]:
    """Units of the sum in units of the output, rounded as LiteRT's kernels do.

    Per row all in float64; per tensor the product of both scales is a float32.
    """
    if weight_scales.size == 1 and rows > 1:
        product = np.array([np.float64(input_scale * weight_scales[0])])
    else:
        product = np.float64(input_scale) * weight_scales.astype(np.float64)
    return np.broadcast_to(product / np.float64(output_scale), (rows,))


def quantize_multiplier(ratio: float) -> tuple[int, int]:
    """``(multiplier, shift)`` with ``ratio`` about ``multiplier / 2**shift``, as LiteRT rounds it.

    A ratio too small for a shift of 62 gives the pair that maps every sum to 0.

    >>> quantize_multiplier(0.5), quantize_multiplier(3.0), quantize_multiplier(1e-30)
    ((1073741824, 31), (1610612736, 29), (1, 62))
    """
    fraction, exponent = math.frexp(ratio)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier //= 2
        exponent += 1
    if exponent < -31 or multiplier < 1:
        return 1, LAYER_SHIFT_MAX
    return multiplier, 31 - exponent
