"""Files that lie: the reader tells it in its own error, or gives layers that an image holds."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
from tflite_files import SAME, Part, Step, bias, file_of, weights

from shared.errors import TfliteError
from shared.model_image import LAYER_SHIFT_MAX, WIDTH_MAX
from shared.tflite.reader import parse_tflite

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tflite") is None, reason="tflite is not installed: pip install 'tocsin[dev]'"
)

#: Values that lengths, offsets and numbers of things go wrong with.
WORDS = np.array([0, 1, 2, 3, 4, 7, 255, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 4, (1 << 32) - 1], np.uint32)
FIELDS = {"Padding": SAME, "StrideW": 2, "StrideH": 1}


def dense_model():
    """One layer of each thing that a dense layer can have."""
    parts = [Part((1, 3)), weights(((1, -2, 3), (4, 5, -127))), bias((7, -8)), Part((1, 2))]
    return file_of(parts, [Step("FULLY_CONNECTED", (0, 1, 2), (3,))])


def mixed_model():
    """Every operator that is known but those of floats."""
    parts = [
        Part((1, 8, 2)),
        Part((1, 1, 8, 2)),
        weights(np.ones((3, 1, 3, 2)), scales=(0.5, 0.25, 0.125), zeros=(0, 0, 0)),
        Part((1, 1, 4, 3)),
        weights(np.ones((1, 1, 2, 3))),
        Part((1, 1, 2, 3)),
        Part((1, 6)),
        weights(np.ones((16, 6))),
        Part((1, 16)),
    ]
    steps = [
        Step("EXPAND_DIMS", (0,), (1,)),
        Step("CONV_2D", (1, 2, -1), (3,), FIELDS),
        Step("DEPTHWISE_CONV_2D", (3, 4), (5,), FIELDS),
        Step("RESHAPE", (5,), (6,)),
        Step("FULLY_CONNECTED", (6, 7), (8,)),
    ]
    return file_of(parts, steps)


def mutated(rng, whole, places):
    """One to three words of the file replaced or changed in one byte; one file in eight is cut short, too."""
    content = bytearray(whole)
    for place in rng.choice(places, int(rng.integers(1, 4))).tolist():
        if rng.random() < 0.5:
            content[place : place + 4] = rng.choice(WORDS).tobytes()
        else:
            content[place + int(rng.integers(4))] = int(rng.integers(256))
    if rng.random() < 0.125:
        del content[int(rng.integers(len(content))) :]
    return bytes(content)


def check(content):
    """Whether the file was taken; its layers are then such as an image holds."""
    try:
        model = parse_tflite(content, "a.tflite")
    except TfliteError:
        return False
    width = model.layers[0].inputs
    for layer in model.layers:
        assert layer.inputs == width
        width = layer.outputs
        assert 1 <= layer.inputs <= WIDTH_MAX
        assert 1 <= layer.outputs <= WIDTH_MAX
        assert len(layer.weights) == layer.rows * layer.columns
        assert len(layer.bias) == len(layer.multipliers) == len(layer.shifts) == layer.rows
        assert all(0 < multiplier < 1 << 31 for multiplier in layer.multipliers)
        assert all(1 <= shift <= LAYER_SHIFT_MAX for shift in layer.shifts)
        assert -128 <= layer.zero <= 127
        assert -128 <= layer.low <= 127
        assert layer.kind == 0 or (layer.pad < layer.taps <= 255 and 1 <= layer.stride <= 255)
    return True


@pytest.mark.parametrize(("make", "files"), [(dense_model, 66_000), (mixed_model, 30_000)])
def test_small_models(make, files):
    whole = make()
    assert check(whole)
    rng = np.random.default_rng(files)
    places = np.arange(0, len(whole) - 3, 4)
    taken = sum(check(mutated(rng, whole, places)) for _ in range(files))
    assert files // 1000 < taken < files // 2  # both ways are taken


def test_every_word_of_a_small_model():
    whole = mixed_model()
    taken = 0
    for place in range(0, len(whole) - 3, 4):
        for word in WORDS:
            taken += check(whole[:place] + word.tobytes() + whole[place + 4 :])
    assert taken > 0


def test_a_model_cut_short_anywhere():
    whole = mixed_model()
    assert not any(check(whole[:length]) for length in range(len(whole)))


def test_a_recorded_model():
    """The anomaly model of MLPerf Tiny: what describes it, not its weights, is changed."""
    folder = os.environ.get("TOCSIN_DATASETS")
    if not folder:
        pytest.skip("TOCSIN_DATASETS is not set: point it to the folder of the real recordings")
    whole = (Path(folder) / "mlperf_tiny_ad/ad01_int8.tflite").read_bytes()
    assert check(whole)
    # constants of at least 256 bytes are left alone: everything else is tables, lists and names
    model = parse_tflite(whole, "ad01")
    spared = np.zeros(len(whole), bool)
    for layer in model.layers:
        begin = whole.index(layer.weights)
        spared[begin : begin + len(layer.weights)] = True
    places = np.flatnonzero(~spared[: len(whole) - 3]) // 4 * 4
    rng = np.random.default_rng(3)
    taken = sum(check(mutated(rng, whole, places)) for _ in range(500))
    assert 2 < taken < 400
