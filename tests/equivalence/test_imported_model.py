"""Imported models on the device: from the float values that a model was trained on to every byte that LiteRT gives."""

import importlib.util

import numpy as np
import pytest
from small_autoencoders import window_autoencoder

from cloud.training.convert import interpreter_of
from firmware.c_program import run_device, sample_stream
from firmware.importing.command import import_model
from firmware.importing.request import ImportRequest
from shared import model_image
from shared.messages import codec
from shared.quantized import arrays
from shared.quantized.sample_arrays import sample_inputs
from shared.quantized.scorer import Scorer
from shared.recordings.profile import to_counts
from shared.signal.arrays import clamp16, scale

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("tflite", "ai_edge_litert")),
    reason="tflite or LiteRT is not installed: pip install 'tocsin[dev,train]'",
)

RANDOM_ROWS = 300


def imported(folder, model, **asked):
    """Image and profile of an imported .tflite file."""
    request = ImportRequest(model, folder / "model.tcsn", provision=folder / "device", **asked)
    import_model(request, lambda _line: None)
    profile = codec.decode_birth((folder / "device/profile.cbor").read_bytes()).profile
    return request.out.read_bytes(), profile


def litert(content, inputs):
    """Outputs of LiteRT's reference kernels for int8 inputs (rows, width)."""
    interpreter = interpreter_of(content)
    source, target = (details[0] for details in (interpreter.get_input_details(), interpreter.get_output_details()))
    outputs = []
    for row in inputs.astype(np.int8):
        interpreter.set_tensor(source["index"], row.reshape(source["shape"]))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(target["index"]).ravel().copy())
    return np.array(outputs)


def int8_inputs(content, scaled, ends):
    """What the model is given for each reading, and the int8 that the device makes of it."""
    inputs = sample_inputs(content.kind, scaled, ends, content.window)
    wide = arrays.requantize(inputs, content.input_multiplier, content.input_shift) + content.input_zero
    return inputs, np.clip(wide, -128, 127)


def scaled_counts(content, counts):
    parts = (
        np.array([getattr(scaling, name) for scaling in content.channels], np.int64)
        for name in ("centre", "multiplier", "shift")
    )
    return clamp16(scale(counts, *parts))


def through_c(bench, image, kind, counts, rows_hz):
    """Outputs, scores and tops of the C program, one reading after the other."""
    times = (np.arange(len(counts)) * 1_000_000_000 // rows_hz).astype(np.int64)
    content = model_image.read(image)
    _, trace = run_device(
        bench.programs["cc"],
        image,
        "press-7",
        1,
        sample_stream(kind, times, counts, [0], None),
        features=len(content.features),
        inputs=content.inputs,
    )
    return trace


def test_the_anomaly_model_of_mlperf_tiny(bench, datasets, tmp_path):
    folder = datasets / "mlperf_tiny_ad"
    if not (folder / "ad01_int8.tflite").is_file():
        pytest.skip("mlperf_tiny_ad/ad01_int8.tflite is not in TOCSIN_DATASETS: add the anomaly model of MLPerf Tiny")
    image, profile = imported(tmp_path, folder / "ad01_int8.tflite", threshold=12.0)
    content = model_image.read(image)
    file = (folder / "ad01_int8.tflite").read_bytes()
    step, zero = np.float64(np.float32(0.3910152316093445)), 89

    frames = np.fromfile(folder / "normal_id_01_00000000_hist_librosa.bin", "<f4").reshape(-1, 128)
    windows = np.lib.stride_tricks.sliding_window_view(frames, 5, axis=0).transpose(0, 2, 1).reshape(-1, 640)
    rng = np.random.default_rng(9)
    drawn = np.concatenate(
        [rng.uniform(-90, 20, (RANDOM_ROWS // 2, 640)), rng.normal(-30, 12, (RANDOM_ROWS // 2, 640))]
    )
    values = np.concatenate([windows.astype(np.float64), drawn])
    counts = np.stack([to_counts(values[:, i], channel) for i, channel in enumerate(profile.channels)], axis=1)

    inputs, bytes_in = int8_inputs(content, scaled_counts(content, counts), np.arange(len(counts)))
    np.testing.assert_array_equal(bytes_in, np.clip(np.floor(values / step + 0.5) + zero, -128, 127))
    reference = litert(file, bytes_in)
    assert len(windows) == 196
    assert len(np.unique(reference)) > 100

    np.testing.assert_array_equal(arrays.infer(content, inputs), reference)
    trace = through_c(bench, image, 0, counts, 10)
    np.testing.assert_array_equal(trace.outputs, reference)
    scores, tops = arrays.scores(content, inputs)
    np.testing.assert_array_equal(trace.scores, scores)
    np.testing.assert_array_equal(trace.tops, tops)
    scorer = Scorer(content)
    for row in (0, 100, 195, 196, 495):
        assert scorer.score(inputs[row].tolist()) == (scores[row], tops[row])
        assert scorer.output == reference[row].tolist()

    rebuilt = (reference[:196].astype(np.float64) - 96) * 0.36449846625328064
    error = ((windows - rebuilt) ** 2).mean(axis=1)
    np.testing.assert_allclose((scores[:196] / 4096.0) ** 2 * 12.0, error, rtol=2e-3)


@pytest.mark.parametrize("rate", [4, 400])
def test_windows_through_convolutions(bench, tmp_path, rate):
    """A drawn model over 32 samples of two channels: row by row, and as windows of a signal without their mean."""
    file = window_autoencoder()
    (tmp_path / "drawn.tflite").write_bytes(file)
    asked = {"hop": 20} if rate >= 50 else {}
    image, _ = imported(tmp_path, tmp_path / "drawn.tflite", threshold=2.0, sample_rate_hz=float(rate), **asked)
    content = model_image.read(image)
    rng = np.random.default_rng(rate)
    counts = np.rint(rng.normal(300, 2500, (3000 if rate >= 50 else 400, 2))).astype(np.int32)
    ends = np.arange(content.window - 1, len(counts), content.hop)
    inputs, bytes_in = int8_inputs(content, scaled_counts(content, counts), ends)
    reference = litert(file, bytes_in)
    assert len(np.unique(reference)) > 60

    np.testing.assert_array_equal(arrays.infer(content, inputs), reference)
    trace = through_c(bench, image, content.kind, counts, rate)
    judged = trace.scores != 0xFFFFFFFF
    assert judged.sum() == len(ends)
    np.testing.assert_array_equal(trace.outputs[judged], reference)
    scores, tops = arrays.scores(content, inputs)
    np.testing.assert_array_equal(trace.scores[judged], scores)
    np.testing.assert_array_equal(trace.tops[judged], tops)
    scorer = Scorer(content)
    for row in range(0, len(ends), 9):
        assert scorer.score(inputs[row].tolist()) == (scores[row], tops[row])
        assert scorer.output == reference[row].tolist()
