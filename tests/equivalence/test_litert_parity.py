"""Layers give every byte of LiteRT's reference kernels: random models, convolutions of Keras, and a trained model."""

import functools
import importlib.util
import itertools
import warnings

import numpy as np
import pytest

from cloud.training.autoencoder import Autoencoder
from cloud.training.convert import interpreter_of, quantize
from cloud.training.recipe import recipe_for
from cloud.training.train import train_image
from cloud.training.trainer import load_tensorflow
from shared.quantized import arrays
from shared.quantized.convolution import runnable
from shared.recordings.profile import profile_of
from shared.recordings.reader import read_recording
from shared.tflite.reader import parse_tflite

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
    ready = [runnable(layer) for layer in layers]
    return np.array([functools.reduce(lambda x, layer: layer.forward(x), ready, row) for row in rows.tolist()])


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


def converted(layers, shape, batch, rng):
    """A Keras model of these layers with drawn weights as int8; a `batch` of None leaves its size open."""
    tf = load_tensorflow()
    model = tf.keras.Sequential([tf.keras.Input(shape, batch_size=batch), *layers])
    model.set_weights([rng.normal(0, 0.3, each.shape) for each in model.get_weights()])

    def representative():
        for _ in range(40):
            yield [rng.normal(0, 2, (1, *shape)).astype(np.float32)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        return converter.convert()


@pytest.mark.parametrize(
    ("shape", "batch", "build"),
    [
        (
            (64, 3),
            None,
            lambda keras: [keras.Conv1D(8, 5, strides=2, padding="same", activation="relu"), keras.Conv1D(6, 3)],
        ),
        (
            (33, 2),
            None,
            lambda keras: [
                keras.Conv1D(7, 4, strides=3, padding="valid", activation="relu"),
                keras.DepthwiseConv1D(3, depth_multiplier=2, padding="same", activation="relu"),
                keras.Flatten(),
                keras.Dense(9, activation="relu"),
                keras.Dense(66),
            ],
        ),
        (
            (16, 5),
            1,
            lambda keras: [
                keras.DepthwiseConv1D(5, strides=2, padding="same"),
                keras.Conv1D(4, 1, activation="relu"),
                keras.Dense(3),
                keras.Reshape((24,)),
                keras.Dense(80),
            ],
        ),
        (
            (40,),
            1,
            lambda keras: [
                keras.Reshape((40, 1)),
                keras.Conv1D(3, 7, strides=1, padding="same", activation="relu6"),
                keras.Flatten(),
                keras.Dense(5, activation="relu"),
                keras.Dense(40),
            ],
        ),
    ],
)
def test_convolutions_of_keras(shape, batch, build):
    rng = np.random.default_rng(sum(shape))
    content = converted(build(load_tensorflow().keras.layers), shape, batch, rng)
    model = parse_tflite(content, "keras.tflite")
    assert any(layer.kind for layer in model.layers)
    width = model.layers[0].inputs
    inputs = np.concatenate(
        [
            rng.integers(-128, 128, (300, width)),
            np.clip(rng.normal(model.input_zero, 25, (300, width)).round(), -128, 127).astype(np.int64),
            np.full((1, width), -128),
            np.full((1, width), 127),
        ]
    )
    reference = litert(content, inputs.reshape(len(inputs), *shape)).reshape(len(inputs), -1)
    assert len(np.unique(reference)) > 50
    assert int((through_numpy(model.layers, inputs) != reference).sum()) == 0
    assert int((through_integers(model.layers, inputs[-60:]) != reference[-60:]).sum()) == 0


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
