"""The models that are measured, and the named inputs that they are measured with."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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

SENSOR_MODEL = "-".join(map(str, SENSOR_WIDTHS))
ANOMALY_MODEL = "AD"
CONVOLUTIONAL_MODEL = "convolutional"
ANOMALY_FOLDER = "mlperf_tiny_ad"
#: The drive end of a healthy bearing at 1797 rpm.
BEARING_FILE = "cwru48k/1797_Normal.npz"
_BEARING_RATE_HZ = 48_000.0
_BEARING_CHANNEL = "DE"
#: Rows that the device profile is made of.
_PROFILE_ROWS = 20_000
_WINDOW = 1024
#: A fast device has 2**10 counts to a healthy deviation.
_COUNTS_BITS = 10
#: Inputs per healthy deviation, of features or of samples.
_UNITS_PER_DEVIATION = 32
_INPUTS = 20
_SEED = 1


@dataclass(frozen=True, eq=False)
class BenchModel:
    """Layers, inputs (rows, width) int8 and the sentence part that names them; `file` where others made it."""

    name: str
    layers: list[Layer]
    inputs: NDArray[np.int8]
    inputs_name: str
    file: Path | None = None

    @property
    def products(self) -> int:
        """Products of a weight and a value in one inference."""
        return sum(layer.outputs * layer.columns for layer in self.layers)


def bench_models(datasets: Path | None) -> tuple[list[BenchModel], list[str]]:
    """The models that can be measured, and one sentence for each thing that is missing from `datasets`."""
    notes = []
    bearing = None if datasets is None else datasets / BEARING_FILE
    if bearing is None or not bearing.is_file():
        notes.append(
            f"{BEARING_FILE} is not in the folder of datasets: {SENSOR_MODEL} and the {CONVOLUTIONAL_MODEL} model are "
            "measured on drawn inputs; "
            "set TOCSIN_DATASETS to the folder that holds it"
        )
        bearing = None
    models = [sensor_model(bearing), convolutional_model(bearing)]
    folder = None if datasets is None else datasets / ANOMALY_FOLDER
    if folder is None or not folder.is_dir():
        notes.append(
            f"{ANOMALY_FOLDER} is not in the folder of datasets: the rows of {ANOMALY_MODEL} are left out; "
            "set TOCSIN_DATASETS to the folder that holds it"
        )
    else:
        anomaly, windows = anomaly_model(folder)
        inputs = windows[::10]
        name = f"{len(inputs)} of the {len(windows)} windows of the clip recorded for MLPerf Tiny"
        models.append(BenchModel(ANOMALY_MODEL, anomaly.layers, inputs, name, folder / "ad01_int8.tflite"))
    return models, notes


def sensor_model(bearing: Path | None) -> BenchModel:
    """A model of a sensor's size with drawn weights, on windows of a recorded bearing or, without one, drawn inputs."""
    rng = np.random.default_rng(_SEED)
    layers = random_layers(rng, SENSOR_WIDTHS)
    if bearing is None:
        return _drawn_inputs(SENSOR_MODEL, layers, rng)
    features = _bearing_features(bearing)
    centred = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1.0)
    scaled = np.clip(np.rint(centred * _UNITS_PER_DEVIATION), -128, 127).astype(np.int8)
    inputs = scaled[:: len(scaled) // _INPUTS][:_INPUTS]
    name = f"the features of {_INPUTS} windows of {_WINDOW} samples of the recorded bearing {BEARING_FILE}"
    return BenchModel(SENSOR_MODEL, layers, inputs, name)


def convolutional_model(bearing: Path | None) -> BenchModel:
    """Convolutions over the samples of a window, drawn weights; on a recorded bearing or, without one, drawn inputs."""
    rng = np.random.default_rng(_SEED)
    layers = convolutional_layers(rng)
    if bearing is None:
        return _drawn_inputs(CONVOLUTIONAL_MODEL, layers, rng)
    samples = bearing_samples(bearing, CONVOLUTION_SAMPLES)
    scaled = np.clip(samples * _UNITS_PER_DEVIATION >> _COUNTS_BITS, -128, 127).astype(np.int8)
    inputs = scaled[:: len(scaled) // _INPUTS][:_INPUTS]
    name = f"{_INPUTS} windows of {CONVOLUTION_SAMPLES} samples of the recorded bearing {BEARING_FILE}"
    return BenchModel(CONVOLUTIONAL_MODEL, layers, inputs, name)


def _drawn_inputs(name: str, layers: list[Layer], rng: np.random.Generator) -> BenchModel:
    drawn = rng.integers(-128, 128, (_INPUTS, layers[0].inputs), np.int8)
    return BenchModel(name, layers, drawn, f"{_INPUTS} drawn inputs, seed {_SEED}")


def bearing_samples(path: Path, window: int) -> NDArray[np.int64]:
    """(windows, samples): counts of `BEARING_FILE`, 1024 to a healthy deviation."""
    recording = read_recording(path, sample_rate_hz=_BEARING_RATE_HZ, channels=(_BEARING_CHANNEL,))
    _, counts = profile_of(recording, _PROFILE_ROWS, "bearing", "bench/bearing")
    windows = len(counts) // window
    return np.clip(counts[: windows * window, 0], -32768, 32767).astype(np.int64).reshape(windows, window)


def _bearing_features(path: Path) -> NDArray[np.int64]:
    """(windows, features): level, crest, kurtosis and bands."""
    samples = bearing_samples(path, _WINDOW)
    bands = SENSOR_WIDTHS[0] - 3
    found: NDArray[np.int64] = arrays.fast_features(samples, tuple(band_edges(_WINDOW, bands)))
    return found
