"""From a float autoencoder to int8 layers, through TensorFlow Lite, in the terms of a model image.

The converter chooses the scales (per output channel for weights, one per tensor for activations, from healthy rows);
multipliers follow TensorFlow Lite's own rule (``QuantizeMultiplier``: 31 bits of the double's fraction, a power of
two), so that the integers of `shared.quantized` give every byte that LiteRT's reference kernels give.
"""

import contextlib
import io
import logging
import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud.errors import CloudError
from cloud.training.autoencoder import Autoencoder, Floats, load_tensorflow
from shared.model_image import LAYER_SHIFT_MAX, Layer
from shared.signal.definition import UNITS_PER_DEVIATION

#: Healthy rows that the converter sees for its scales, as they are and stretched by this much: activations of faulty
#: rows are larger than healthy ones, and limiting them costs up to 0.03 of the area under the curve (on SKAB).
REPRESENTATIVE_ROWS = 300
STRETCH = 3.0


@dataclass(frozen=True, eq=False)
class Quantized:
    """What the converter made of an autoencoder.

    `layers` and the six numbers stand in the image; `tflite` is the model file that LiteRT runs.
    """

    layers: list[Layer]
    input_multiplier: int
    input_shift: int
    input_zero: int
    output_multiplier: int
    output_shift: int
    output_zero: int
    tflite: bytes


def quantize_multiplier(ratio: float) -> tuple[int, int]:
    """``(multiplier, shift)`` with ``ratio`` about ``multiplier / 2**shift``, as TensorFlow Lite rounds it.

    A ratio too small for a shift of 62 gives the pair that maps every accumulator to 0.

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


def quantize(autoencoder: Autoencoder, healthy: Floats, limit: float) -> Quantized:
    """Convert to int8; `healthy` inputs (rows, features), deviations within +-`limit`, give the ranges."""
    return read_back(_convert(autoencoder, representative_rows(healthy, limit)))


def representative_rows(healthy: Floats, limit: float) -> Floats:
    """What the converter sees: evenly spaced healthy rows, and the same stretched away from their median."""
    rows = healthy[np.linspace(0, len(healthy) - 1, min(len(healthy), REPRESENTATIVE_ROWS)).astype(np.int64)]
    middle = np.median(rows, axis=0)
    stretched = np.clip(middle + STRETCH * (rows - middle), -limit, limit)
    return np.concatenate([rows, stretched]).astype(np.float32)


def interpreter_of(tflite: bytes) -> Any:
    """LiteRT's interpreter with its reference kernels, ready to run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ai_edge_litert.interpreter import Interpreter, OpResolverType  # type: ignore[import-untyped, unused-ignore]

    interpreter = Interpreter(model_content=tflite, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    return interpreter


def read_back(tflite: bytes) -> Quantized:
    """The layers of a fully quantized model file.

    Raises
    ------
    CloudError
        It holds anything but a chain of int8 dense layers.
    """
    interpreter = interpreter_of(tflite)
    tensors = {int(entry["index"]): entry for entry in interpreter.get_tensor_details()}
    layers: list[Layer] = []
    first = int(interpreter.get_input_details()[0]["index"])
    current = first
    for operation in interpreter._get_ops_details():
        inputs = [int(index) for index in operation["inputs"]]
        if operation["op_name"] != "FULLY_CONNECTED" or inputs[0] != current:
            raise CloudError(f"The converter made a {operation['op_name']} where a dense layer was expected.")
        current = int(operation["outputs"][0])
        # get_tensor_details() says nothing of a fused ReLU: every layer but the last has one
        layers.append(_layer(interpreter, tensors, inputs, current))
    if current != int(interpreter.get_output_details()[0]["index"]) or not layers:
        raise CloudError("The converter made layers that do not follow each other.")
    for layer in layers[:-1]:
        layer.low = max(-128, layer.zero)
    input_scale, input_zero = _quantization(tensors[first])
    output_scale, output_zero = _quantization(tensors[current])
    input_multiplier, input_shift = quantize_multiplier(1 / (float(input_scale[0]) * UNITS_PER_DEVIATION))
    output_multiplier, output_shift = quantize_multiplier(float(output_scale[0]) * UNITS_PER_DEVIATION)
    return Quantized(
        layers, input_multiplier, input_shift, input_zero, output_multiplier, output_shift, output_zero, tflite
    )


def _layer(interpreter: Any, tensors: dict[int, Any], inputs: list[int], output: int) -> Layer:
    input_scale, input_zero = _quantization(tensors[inputs[0]])
    weight_scales, _ = _quantization(tensors[inputs[1]])
    output_scale, output_zero = _quantization(tensors[output])
    weights = np.asarray(interpreter.get_tensor(inputs[1]), np.int8)
    outputs, width = weights.shape
    bias = np.zeros(outputs, np.int64)
    if len(inputs) > 2 and inputs[2] >= 0:
        bias += np.asarray(interpreter.get_tensor(inputs[2]), np.int64)
    bias -= weights.astype(np.int64).sum(axis=1) * input_zero
    ratios = np.broadcast_to(input_scale[0] * weight_scales / output_scale[0], (outputs,))
    pairs = [quantize_multiplier(float(ratio)) for ratio in ratios]
    return Layer(
        width,
        outputs,
        weights.tobytes(),
        bias.tolist(),
        [multiplier for multiplier, _ in pairs],
        [shift for _, shift in pairs],
        output_zero,
        -128,
    )


def _quantization(tensor: Any) -> tuple[NDArray[np.float64], int]:
    """Scales, float32 widened to float64 as the kernels do, and the zero point of a tensor."""
    parameters = tensor["quantization_parameters"]
    return parameters["scales"].astype(np.float64), int(parameters["zero_points"][0])


def _convert(autoencoder: Autoencoder, rows: Floats) -> bytes:
    tf = load_tensorflow()
    constants = [
        (tf.constant(kernel), tf.constant(bias))
        for kernel, bias in zip(autoencoder.kernels, autoencoder.biases, strict=True)
    ]

    def call(x: Any) -> Any:
        for kernel, bias in constants[:-1]:
            x = tf.nn.relu(tf.matmul(x, kernel) + bias)
        kernel, bias = constants[-1]
        return tf.matmul(x, kernel) + bias

    def representative() -> Iterator[list[Floats]]:
        for row in rows:
            yield [row[None]]

    specification = tf.TensorSpec((1, rows.shape[1]), tf.float32)
    function = tf.function(call).get_concrete_function(specification)
    with warnings.catch_warnings(), _silence():
        logging.getLogger("absl").setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
        converted: bytes = converter.convert()
    return converted


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The converter writes notes of its own to standard error, from C++ too: let them go nowhere."""
    sink = os.open(os.devnull, os.O_WRONLY)
    kept = os.dup(2)
    try:
        os.dup2(sink, 2)
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)
