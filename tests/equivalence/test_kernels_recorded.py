"""Windows of real recordings: every kernel on every core gives every byte of NumPy, the portable C and LiteRT."""

import functools
import importlib.util
import shutil

import numpy as np
import pytest
from batched_kernels import PortableLayers, batched_outputs

from firmware.bench.measure import expected
from firmware.bench.reference import (
    CONVOLUTION_SAMPLES,
    SENSOR_WIDTHS,
    anomaly_model,
    convolutional_layers,
    random_layers,
)
from firmware.build import find_compiler, packaged_compiler
from firmware.errors import CompilerError
from firmware.kernels.cores import CORES, core_named, kernel_named
from shared.recordings.profile import profile_of
from shared.recordings.reader import read_recording
from shared.signal import arrays
from shared.signal.definition import band_edges

PAIRS = [(core.name, kernel) for core in CORES.values() for kernel in core.kernels]
WINDOW, BANDS = 1024, SENSOR_WIDTHS[0] - 3
#: Path, healthy rows, samples per second.
RECORDINGS = {
    "healthy bearing": ("cwru48k/1797_Normal.npz", 20_000, 48_000.0),
    "damaged bearing": ("cwru48k/1797_IR_7_DE48.npz", 20_000, 48_000.0),
    "fan": ("fan_esp32/fan_0_low_0_weight", 10_000, 200.0),
}


def windows_of(path, healthy_rows, rate, length):
    """(windows, length) of the first channel, 1024 counts to a healthy deviation."""
    recording = read_recording(path, healthy_rows=healthy_rows, sample_rate_hz=rate)
    counts = np.clip(profile_of(recording, healthy_rows, "press-7", "acme/press-7")[1][:, 0], -32768, 32767)
    return counts[: len(counts) // length * length].astype(np.int64).reshape(-1, length)


@functools.cache
def recorded(folder):
    """Name -> layers and inputs (windows, width) int8: features of recordings, their samples, and MLPerf's clip."""
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


def test_the_recordings_differ_from_window_to_window(datasets):
    for name, (_, inputs, outputs) in recorded(datasets).items():
        assert len(inputs) > 75, name
        assert len(np.unique(outputs, axis=0)) > 0.9 * len(outputs), name


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("unicorn", "capstone", "ziglang", "elftools")),
    reason="unicorn, capstone, ziglang or pyelftools is not installed: pip install 'tocsin[firmware]'",
)
@pytest.mark.parametrize(("core_name", "kernel_name"), PAIRS)
def test_recorded_windows_on_a_core(core_name, kernel_name, datasets):
    core, kernel = core_named(core_name), kernel_named(kernel_name)
    if core.unicorn_name is None and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not on the path: apt install qemu-system-arm")
    for name, (layers, inputs, outputs) in recorded(datasets).items():
        np.testing.assert_array_equal(batched_outputs(core, kernel, layers, inputs), outputs, err_msg=name)


@pytest.mark.parametrize("find", [find_compiler, packaged_compiler], ids=["cc", "zig"])
def test_recorded_windows_in_portable_c(tmp_path, datasets, find):
    try:
        library = PortableLayers(find(), tmp_path)
    except CompilerError as error:
        pytest.skip(str(error))
    for name, (layers, inputs, outputs) in recorded(datasets).items():
        np.testing.assert_array_equal(library.outputs(layers, inputs), outputs, err_msg=name)


def test_the_recorded_clip_in_litert(datasets):
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed: pip install 'tocsin[train]'")
    from cloud.training.convert import interpreter_of

    _, inputs, outputs = recorded(datasets)["MLPerf Tiny"]
    interpreter = interpreter_of((datasets / "mlperf_tiny_ad" / "ad01_int8.tflite").read_bytes())
    source = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(source, inputs.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(source, inputs)
    interpreter.invoke()
    np.testing.assert_array_equal(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]), outputs)
