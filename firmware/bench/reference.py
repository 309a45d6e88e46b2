"""Models that the figures are measured with."""

import copy
import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.model_image import LAYER_CONVOLUTION, Layer
from shared.tflite.reader import TfliteModel, read_tflite

#: A sensor with 16 slow channels: 64 features.
SENSOR_WIDTHS = (64, 32, 8, 32, 64)
#: Frames of the recorded clip that make one input of the MLPerf Tiny model, and mel bands per frame.
_FRAMES = 5
_BANDS = 128


#: A convolutional model of one channel: samples, then filters of each convolution, then widths of the dense layers.
CONVOLUTION_SAMPLES = 256
CONVOLUTION_FILTERS = (8, 8)
CONVOLUTION_DENSE = (16, 256)
_TAPS, _STRIDE, _PAD = 5, 2, 1


def random_layers(rng: np.random.Generator, widths: tuple[int, ...]) -> list[Layer]:
    """Layers as a trained model has them: scales per row, ReLU between, outputs that spread over int8."""
    layers = []
    for number, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        layers.append(
            drawn_layer(rng, inputs, outputs, outputs, inputs, hidden=number + 2 < len(widths), first=not number)
        )
    return layers


def drawn_layer(
    rng: np.random.Generator, inputs: int, outputs: int, rows: int, columns: int, *, hidden: bool, first: bool
) -> Layer:
    """A layer with drawn weights; `hidden`: behind it a ReLU, `first`: its inputs have a zero point near 0."""
    weights = np.clip(np.rint(rng.normal(0, 40, (rows, columns))), -127, 127).astype(np.int8)
    zero = -128 if hidden else int(rng.integers(-20, 21))
    least = int(rng.integers(-20, 21)) if first else -128
    sums = weights.astype(np.int64).sum(1)
    # deviation of the sums of about 60 per value, brought to 45
    ratios = 45 / (40 * 60 * np.sqrt(columns)) * rng.uniform(0.5, 1.0, rows)
    fractions, exponents = np.frexp(ratios)
    return Layer(
        inputs,
        outputs,
        weights.tobytes(),
        (rng.integers(-3000, 3000, rows) - least * sums).tolist(),
        [min(int(fraction * (1 << 31)), (1 << 31) - 1) for fraction in fractions],
        (31 - exponents).tolist(),
        zero,
        -128,
    )


def convolutional_layers(rng: np.random.Generator) -> list[Layer]:
    """Two convolutions of five taps at every second position, then dense layers."""
    layers: list[Layer] = []
    positions, channels = CONVOLUTION_SAMPLES, 1
    for filters in CONVOLUTION_FILTERS:
        places = positions // _STRIDE
        layer = drawn_layer(
            rng,
            positions * channels,
            places * filters,
            filters,
            _TAPS * channels,
            hidden=True,
            first=not layers,
        )
        layer.kind, layer.channels, layer.filters = LAYER_CONVOLUTION, channels, filters
        layer.taps, layer.stride, layer.pad = _TAPS, _STRIDE, _PAD
        layer.padding = layers[-1].zero if layers else 0
        layers.append(layer)
        positions, channels = places, filters
    widths = (positions * channels, *CONVOLUTION_DENSE)
    for number, (inputs, outputs) in enumerate(itertools.pairwise(widths), start=1):
        layers.append(drawn_layer(rng, inputs, outputs, outputs, inputs, hidden=number + 1 < len(widths), first=False))
    return layers


def anomaly_model(folder: Path) -> tuple[TfliteModel, NDArray[np.int8]]:
    """The int8 anomaly model of MLPerf Tiny and the windows of its recorded clip, (windows, 640) int8."""
    model = read_tflite(folder / "ad01_int8.tflite")
    frames = np.fromfile(folder / "normal_id_01_00000000_hist_librosa.bin", "<f4").reshape(-1, _BANDS)
    windows = np.lib.stride_tricks.sliding_window_view(frames, _FRAMES, axis=0).transpose(0, 2, 1)
    values = np.rint(windows.reshape(len(windows), -1) / np.float32(model.input_scale)) + model.input_zero
    return model, np.clip(values, -128, 127).astype(np.int8)


def saturated(layers: list[Layer]) -> list[Layer]:
    """The same sizes with every output at 127: the most work for a kernel that leaves out values equal to low."""
    result = []
    for layer in layers:
        full = copy.copy(layer)
        full.weights = bytes(len(layer.weights))
        full.bias = [1 << 20] * layer.rows
        full.multipliers = [(1 << 31) - 1] * layer.rows
        full.shifts = [33] * layer.rows
        result.append(full)
    return result
