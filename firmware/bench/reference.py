"""Models that the figures are measured with."""

import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.model_image import Layer
from shared.tflite.reader import TfliteModel, read_tflite

#: A sensor with 16 slow channels: 64 features.
SENSOR_WIDTHS = (64, 32, 8, 32, 64)
#: Frames of the recorded clip that make one input of the MLPerf Tiny model, and mel bands per frame.
_FRAMES = 5
_BANDS = 128


def random_layers(rng: np.random.Generator, widths: tuple[int, ...]) -> list[Layer]:
    """Layers as a trained model has them: scales per row, ReLU between, outputs that spread over int8."""
    layers = []
    for number, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        weights = np.clip(np.rint(rng.normal(0, 40, (outputs, inputs))), -127, 127).astype(np.int8)
        hidden = number + 2 < len(widths)
        zero = -128 if hidden else int(rng.integers(-20, 21))
        least = -128 if number else int(rng.integers(-20, 21))
        sums = weights.astype(np.int64).sum(1)
        # deviation of the sums of about 60 per value, brought to 45
        ratios = 45 / (40 * 60 * np.sqrt(inputs)) * rng.uniform(0.5, 1.0, outputs)
        fractions, exponents = np.frexp(ratios)
        layers.append(
            Layer(
                inputs,
                outputs,
                weights.tobytes(),
                (rng.integers(-3000, 3000, outputs) - least * sums).tolist(),
                [min(int(fraction * (1 << 31)), (1 << 31) - 1) for fraction in fractions],
                (31 - exponents).tolist(),
                zero,
                -128,
            )
        )
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
    return [
        Layer(
            layer.inputs,
            layer.outputs,
            bytes(len(layer.weights)),
            [1 << 20] * layer.outputs,
            [(1 << 31) - 1] * layer.outputs,
            [33] * layer.outputs,
            layer.zero,
            layer.low,
        )
        for layer in layers
    ]
