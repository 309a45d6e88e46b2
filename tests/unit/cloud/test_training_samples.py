"""Models that read the samples of a window: one arithmetic from Keras to the device, and faults that show."""

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="install the extra 'train' to test training", exc_type=ImportError)

from cloud.errors import CloudError
from cloud.training.convolutional import ConvolutionalAutoencoder, ConvolutionalNetwork
from cloud.training.features import model_inputs, raw_features, reading_rows, scaled_counts, stretch_starts
from cloud.training.recipe import Recipe, recipe_for
from cloud.training.train import recipe_of, retrain_from_features, train_image
from cloud.training.trainer import load_tensorflow
from firmware.micropython.device import Device
from shared import model_image
from shared.identity import Channel, DeviceProfile
from shared.messages import compact
from shared.messages.codec import decode_data
from shared.quantized import arrays

PROFILE = DeviceProfile(
    "fan-1", "plant/fan-1", "fast", 800.0, (Channel("x", "g", 0.0, 1.0), Channel("y", "g", 0.0, 1.0))
)
ROWS = 32 * 220


def vibration(rows: int, seed: int, frequency: float = 0.0517) -> np.ndarray:
    """Two axes of one turning machine, off zero, with noise."""
    draw = np.random.default_rng(seed)
    turns = 2 * np.pi * (frequency * np.arange(rows) + draw.random())
    waves = np.stack([np.sin(turns) + 0.4 * np.sin(3 * turns), np.cos(turns)], axis=1)
    return np.rint(500 + 1000 * waves + 100 * draw.normal(size=(rows, 2))).astype(np.int32)


@pytest.fixture(scope="module")
def model():
    recipe = recipe_for(PROFILE, ROWS, window=32, hop=32, samples=True)
    times = np.arange(ROWS, dtype=np.int64) * 1_250_000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cloud.training.trainer.STEPS_MAX", 800)
        return train_image(PROFILE, recipe, times, np.zeros(ROWS, np.bool_), vibration(ROWS, 1), seed=1, version=2)


def inputs_of(content, counts):
    starts = stretch_starts(np.zeros(len(counts), np.int64), np.zeros(len(counts), np.bool_), 1)
    scaled = scaled_counts(counts, content.channels, starts)
    recipe = recipe_of(content)
    return model_inputs(recipe, scaled, raw_features(recipe, scaled, starts), content.features)


def test_the_image_reads_samples_and_still_tells_features(model):
    content = model_image.read(model_image.seal(model.unsigned))
    assert content.samples
    assert content.inputs == 64
    assert len(content.features) == 2 * recipe_of(content).features_per_channel()
    assert recipe_of(content).units == 1024
    assert model.metrics["macs"] == sum(layer.outputs * layer.columns for layer in content.layers)
    assert [layer.kind for layer in content.layers] == [1, 1, 0, 0]


def test_another_frequency_shows_and_int8_costs_nothing(model):
    healthy, faulty = (inputs_of(model.content, vibration(32 * 100, 2, at)) for at in (0.0517, 0.13))
    scores = [arrays.scores(model.content, inputs)[0] for inputs in (healthy, faulty)]
    assert np.mean(scores[0] >= 4096) <= 0.03
    assert np.mean(scores[1] >= 4096) > 0.9
    x = (healthy / 1024).astype(np.float32)
    told = arrays.dequantize_output(model.content, arrays.infer(model.content, healthy)) / 1024
    assert np.sqrt(np.mean((told - model.autoencoder.forward(x)) ** 2)) < 0.05


def test_the_twin_gives_the_scores_that_training_saw(model):
    content = model_image.read(model_image.seal(model.unsigned))
    counts = vibration(32 * 20, 3)
    encoded = []

    def take(_sequence, _readings, head, tail):
        encoded.append(head + compact.data_oldest(0) + tail)

    device = Device("fan-1", 1, content, take)
    device.push_run((np.arange(len(counts)) * 1_250_000).tolist(), counts.T.tolist())
    device.close_message()
    told = np.concatenate([decode_data(message).scores_q12 for message in encoded])
    assert told.tolist() == arrays.scores(content, inputs_of(content, counts))[0].tolist()


def test_what_keras_computes_is_what_the_arrays_compute():
    network = ConvolutionalNetwork(16, 3)
    draw = np.random.default_rng(4)
    tf = load_tensorflow()
    keras = tf.keras.Sequential([tf.keras.Input((48,)), *network.layers(tf.keras, None)])
    weights = [draw.normal(0, 0.5, weight.shape).astype("f4") for weight in keras.get_weights()]
    keras.set_weights(weights)
    x = draw.normal(size=(5, 48)).astype("f4")
    found = network.trained(weights, np.zeros(48, "f4"))
    assert isinstance(found, ConvolutionalAutoencoder)
    np.testing.assert_allclose(found.forward(x), keras(x).numpy(), atol=1e-4)
    np.testing.assert_allclose(found.graph(tf)(x[:1]).numpy(), keras(x[:1]).numpy(), atol=1e-4)


def test_a_slow_device_reads_its_rows():
    recipe = Recipe("slow", 4, 1, 0, 10, 1000, samples=True)
    starts = np.array([1, 0, 0, 0, 0, 1, 0, 0, 0], bool)
    assert reading_rows(recipe, starts).tolist() == [3, 4, 8]
    scaled = np.arange(18).reshape(9, 2)
    readings = raw_features(recipe, scaled, starts)
    assert readings.features.shape == (3, 0)
    assert model_inputs(recipe, scaled, readings, [])[1].tolist() == list(range(2, 10))


def test_what_cannot_be_is_refused(model):
    wide = DeviceProfile("a", "p/a", "slow", 1.0, tuple(Channel(f"c{i}", "", 0.0, 1.0) for i in range(300)))
    with pytest.raises(ValueError, match="at most 4096 samples, not 16 of 300 channels"):
        recipe_for(wide, 1000, samples=True)
    with pytest.raises(CloudError, match="reads samples, and it sends features"):
        retrain_from_features(model.content, np.zeros((100, 38), np.int16), seed=1, version=3)
