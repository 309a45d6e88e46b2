"""Windows of real recordings as the inputs of models: bearings, a fan, and MLPerf Tiny's clip."""

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.bench.measure import expected
from firmware.bench.reference import (
    CONVOLUTION_SAMPLES,
    SENSOR_WIDTHS,
    anomaly_model,
    convolutional_layers,
    random_layers,
)
from shared.model_image import Layer
from shared.recordings.profile import profile_of
from shared.recordings.reader import read_recording
from shared.signal import arrays
from shared.signal.definition import band_edges

#: Layers, inputs (windows, width) int8, outputs (windows, width) by NumPy.
Recorded = tuple[list[Layer], NDArray[np.int8], NDArray[np.int64]]

WINDOW, BANDS = 1024, SENSOR_WIDTHS[0] - 3
#: Path, healthy rows, samples per second.
RECORDINGS = {
    "healthy bearing": ("cwru48k/1797_Normal.npz", 20_000, 48_000.0),
    "damaged bearing": ("cwru48k/1797_IR_7_DE48.npz", 20_000, 48_000.0),
    "fan": ("fan_esp32/fan_0_low_0_weight", 10_000, 200.0),
}


def windows_of(path: Path, healthy_rows: int, rate: float, length: int) -> NDArray[np.int64]:
    """(windows, length) of the first channel, 1024 counts to a healthy deviation."""
    recording = read_recording(path, healthy_rows=healthy_rows, sample_rate_hz=rate)
    counts = np.clip(profile_of(recording, healthy_rows, "press-7", "acme/press-7")[1][:, 0], -32768, 32767)
    return counts[: len(counts) // length * length].astype(np.int64).reshape(-1, length)


@functools.cache
def recorded(folder: Path) -> dict[str, Recorded]:
    """Name -> model and windows: features of recordings, their samples, and MLPerf's clip."""
    rng = np.random.default_rng(3)
    sensor, convolutional = random_layers(rng, SENSOR_WIDTHS), convolutional_layers(rng)
    made = {}
    for name, (path, healthy_rows, rate) in RECORDINGS.items():
        windows = windows_of(folder / path, healthy_rows, rate, WINDOW)[:400]
        features = arrays.fast_features(windows, tuple(band_edges(WINDOW, BANDS)))
        scaled = (features - features.mean(axis=0)) * 32 / np.maximum(features.std(axis=0), 1.0)
        made[f"features of the {name}"] = sensor, np.clip(np.rint(scaled), -128, 127).astype(np.int8)
        samples = windows.reshape(-1, CONVOLUTION_SAMPLES)[:100]
        made[f"samples of the {name}"] = convolutional, np.clip(samples >> 5, -128, 127).astype(np.int8)
    model, clip = anomaly_model(folder / "mlperf_tiny_ad")
    made["MLPerf Tiny"] = model.layers, clip
    return {name: (layers, inputs, expected(layers, inputs)) for name, (layers, inputs) in made.items()}
