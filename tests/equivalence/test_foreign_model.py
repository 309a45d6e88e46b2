"""A model that others made: its layers from the .tflite file give LiteRT's bytes for recorded and random inputs."""

import copy
import functools
import importlib.util

import numpy as np
import pytest

from cloud.training.convert import interpreter_of
from firmware.bench.reference import anomaly_model
from shared.quantized import arrays
from shared.quantized.integer import Dense

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("tflite", "ai_edge_litert")),
    reason="tflite or LiteRT is not installed: pip install 'tocsin[dev,train]'",
)

RANDOM_INPUTS = 500


@pytest.fixture(scope="module")
def anomaly(datasets):
    """The int8 anomaly model of MLPerf Tiny: its file, what was read of it, the windows of its recorded clip."""
    folder = datasets / "mlperf_tiny_ad"
    if not (folder / "ad01_int8.tflite").is_file():
        pytest.skip("mlperf_tiny_ad/ad01_int8.tflite is not in TOCSIN_DATASETS: add the anomaly model of MLPerf Tiny")
    return (folder / "ad01_int8.tflite").read_bytes(), *anomaly_model(folder)


def litert(content, inputs):
    """Outputs (rows, width) of LiteRT's reference kernels for int8 inputs."""
    interpreter = interpreter_of(content)
    source, target = (
        details[0]["index"] for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )
    outputs = []
    for row in inputs:
        interpreter.set_tensor(source, row[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(target)[0].copy())
    return np.array(outputs)


def through_numpy(layers, inputs):
    return functools.reduce(lambda x, layer: arrays.forward(layer, x), layers, inputs.astype(np.int64))


def random_inputs(rng, zero):
    """Half from the whole range, half near the zero point as real inputs are, and both ends."""
    whole = rng.integers(-128, 128, (RANDOM_INPUTS // 2, 640))
    near = np.clip(np.rint(rng.normal(zero, 25, (RANDOM_INPUTS // 2 - 2, 640))), -128, 127)
    ends = np.repeat([[-128], [127]], 640, axis=1)
    return np.concatenate([whole, near, ends]).astype(np.int8)


def test_recorded_windows(anomaly):
    content, model, windows = anomaly
    reference = litert(content, windows)
    assert len(windows) > 100
    assert len(np.unique(reference)) > 50
    np.testing.assert_array_equal(through_numpy(model.layers, windows), reference)


def test_random_inputs(anomaly):
    content, model, _ = anomaly
    inputs = random_inputs(np.random.default_rng(12), model.input_zero)
    assert len(inputs) == RANDOM_INPUTS
    reference = litert(content, inputs)
    assert len(np.unique(reference)) > 100
    np.testing.assert_array_equal(through_numpy(model.layers, inputs), reference)


def test_plain_integers_give_the_same(anomaly):
    content, model, windows = anomaly
    inputs = np.concatenate([windows[::50], random_inputs(np.random.default_rng(13), model.input_zero)[-3:]])
    dense = [
        Dense(each.inputs, each.outputs, each.weights, each.bias, each.multipliers, each.shifts, each.zero, each.low)
        for each in model.layers
    ]
    given = [functools.reduce(lambda x, layer: layer.forward(x), dense, row) for row in inputs.tolist()]
    np.testing.assert_array_equal(given, litert(content, inputs))


def test_scales_and_zeros_are_those_that_litert_reads(anomaly):
    content, model, _ = anomaly
    interpreter = interpreter_of(content)
    assert interpreter.get_input_details()[0]["quantization"] == (np.float32(model.input_scale), model.input_zero)
    assert interpreter.get_output_details()[0]["quantization"] == (np.float32(model.output_scale), model.output_zero)


def test_a_changed_scale_shows(anomaly):
    content, model, windows = anomaly
    layers = copy.deepcopy(model.layers)
    layers[-1].multipliers = [multiplier + (1 << 20) for multiplier in layers[-1].multipliers]
    assert (through_numpy(layers, windows) != litert(content, windows)).any()
