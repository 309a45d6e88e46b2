"""The dense layers give every byte of LiteRT's reference kernels, for random models and for a trained one."""

import functools
import importlib.util
import itertools

import numpy as np
import pytest

from cloud.training.autoencoder import Autoencoder
from cloud.training.convert import interpreter_of, quantize
from cloud.training.recipe import recipe_for
from cloud.training.train import train_image
from shared.quantized import arrays
from shared.quantized.integer import Dense
from shared.recordings.profile import profile_of
from shared.recordings.reader import read_recording

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None or importlib.util.find_spec("ai_edge_litert") is None,
    reason="TensorFlow or LiteRT is not installed: pip install 'tocsin[train]'",
)


def litert(tflite, inputs):
    """Outputs of LiteRT, reference kernels, for int8 inputs (rows, width)."""
    interpreter = interpreter_of(tflite)
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    outputs = []
    for row in inputs.astype(np.int8):
        interpreter.set_tensor(source, row[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(target)[0].copy())
    return np.array(outputs)


def through_numpy(layers, x):
    for layer in layers:
        x = arrays.forward(layer, x)
    return x


def through_integers(layers, rows):
    dense = [
        Dense(each.inputs, each.outputs, each.weights, each.bias, each.multipliers, each.shifts, each.zero, each.low)
        for each in layers
    ]
    return np.array([functools.reduce(lambda x, layer: layer.forward(x), dense, row) for row in rows.tolist()])


@pytest.mark.parametrize(
    ("widths", "gain"),
    [
        ((4, 4), 1.0),
        ((32, 16, 8, 16, 32), 0.5),
        ((19, 40, 3, 19), 8.0),
        ((208, 64, 32, 64, 208), 0.2),
        ((7, 1, 7), 0.01),
    ],
)
def test_random_models(widths, gain):
    rng = np.random.default_rng(sum(widths))
    pairs = list(itertools.pairwise(widths))
    autoencoder = Autoencoder(
        tuple((gain * rng.normal(size=pair)).astype(np.float32) for pair in pairs),
        tuple((gain * rng.normal(size=pair[1])).astype(np.float32) for pair in pairs),
    )
    quantized = quantize(autoencoder, rng.normal(0.0, 3.0, (200, widths[0])).astype(np.float32), 16.0)
    inputs = np.concatenate(
        [
            rng.integers(-128, 128, (600, widths[0])),
            np.clip(rng.normal(0, 20, (400, widths[0])).round(), -128, 127).astype(np.int64),
            np.full((1, widths[0]), -128),
            np.full((1, widths[0]), 127),
        ]
    )
    reference = litert(quantized.tflite, inputs)
    assert len(np.unique(reference)) > 10
    assert int((through_numpy(quantized.layers, inputs) != reference).sum()) == 0
    assert int((through_integers(quantized.layers, inputs[-300:]) != reference[-300:]).sum()) == 0


def test_a_trained_model_on_a_real_recording(bench, same, datasets):
    recording = read_recording(datasets / "skab/data/valve1/0.csv", healthy_rows=400, ignore=("anomaly", "changepoint"))
    profile, counts = profile_of(recording, 400, "press-7", "acme/north/hall/line-1/press-7")
    recipe = recipe_for(profile, 400, steps_ns=np.diff(recording.times_ns[:400]))
    starts = np.zeros(len(counts), bool)
    starts[0] = True
    trained = train_image(profile, recipe, recording.times_ns[:400], starts[:400], counts[:400], seed=1, version=1)
    image = trained.content

    clips = np.zeros(len(counts), bool)
    twin = bench.twin(image, recording.times_ns, counts, clips)
    c = bench.c(image, recording.times_ns, counts, clips)
    same(twin, c)
    assert twin.messages == c.messages
    same(bench.numpy(image, recording.times_ns, counts, clips), c)
    assert len(set(c.scores.tolist())) > 50

    judged = c.scores != 0xFFFFFFFF
    wide = arrays.requantize(c.features[judged].astype(np.int64), image.input_multiplier, image.input_shift)
    inputs = np.clip(wide + image.input_zero, -128, 127)
    assert int((litert(trained.tflite, inputs) != c.outputs[judged]).sum()) == 0
