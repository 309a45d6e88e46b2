"""From a float autoencoder to int8 layers, through TensorFlow Lite, in the terms of a model image.

The converter chooses the scales (per output channel for weights, one per tensor for activations, from healthy rows);
`shared.tflite` reads them with TensorFlow Lite's own rounding, so that the integers of `shared.quantized` give every
byte that LiteRT's reference kernels give.
"""

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloud.training.autoencoder import Autoencoder, Floats, Reconstructor
from cloud.training.copies import with_copies
from cloud.training.ranges import equalized, extremes, representative
from cloud.training.rounding import rounded
from cloud.training.trainer import load_tensorflow
from shared.model_image import Layer
from shared.signal.definition import UNITS_PER_DEVIATION
from shared.tflite.quantization import quantize_multiplier
from shared.tflite.reader import parse_tflite


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


def quantize(autoencoder: Reconstructor, healthy: Floats, limit: float, units: int = UNITS_PER_DEVIATION) -> Quantized:
    """Convert to int8; `healthy` inputs (rows, inputs), deviations within +-`limit`, give the ranges.

    `units` of the model's inputs are one deviation. Dense autoencoders are equalized, get copies of
    units, and are rounded as a whole.
    """
    chosen = representative(autoencoder, healthy, limit)
    if isinstance(autoencoder, Autoencoder):
        prepared = rounded(with_copies(equalized(autoencoder, chosen.rows), chosen.rows), chosen)
        return read_back(_convert(prepared, extremes(prepared, chosen.rows)), units)
    return read_back(_convert(autoencoder, chosen.rows), units)


def interpreter_of(tflite: bytes) -> Any:
    """LiteRT's interpreter with its reference kernels, ready to run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ai_edge_litert.interpreter import Interpreter, OpResolverType  # type: ignore[import-untyped, unused-ignore]

    interpreter = Interpreter(model_content=tflite, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    return interpreter


def read_back(tflite: bytes, units: int = UNITS_PER_DEVIATION) -> Quantized:
    """The layers of a fully quantized model file, and its ends in units of the image's inputs, so many a deviation.

    Raises
    ------
    TfliteError
        It holds anything but a chain of int8 layers.
    """
    model = parse_tflite(tflite, "the converted model")
    input_multiplier, input_shift = quantize_multiplier(1 / (model.input_scale * units))
    output_multiplier, output_shift = quantize_multiplier(model.output_scale * units)
    return Quantized(
        model.layers,
        input_multiplier,
        input_shift,
        model.input_zero,
        output_multiplier,
        output_shift,
        model.output_zero,
        tflite,
    )


def _convert(autoencoder: Reconstructor, rows: Floats) -> bytes:
    tf = load_tensorflow()
    call = autoencoder.graph(tf)

    def calibrating() -> Iterator[list[Floats]]:
        for row in rows:
            yield [row[None]]

    specification = tf.TensorSpec((1, rows.shape[1]), tf.float32)
    function = tf.function(call, autograph=False).get_concrete_function(specification)
    with warnings.catch_warnings(), _silence():
        logging.getLogger("absl").setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = calibrating
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
