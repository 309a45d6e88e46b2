"""The C core in WebAssembly: features, outputs, scores, messages and layers alone have the twin's and NumPy's bytes."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from drawn_layers import drawn_chain
from image_borders import border_images, layer_border_images
from image_verdicts import ACCEPTED, assert_same, verdict_of
from layer_images import with_drawn_blocks
from wasm_core import build_layers, build_sensor, infer_in_wasm, node, run_sensor, verdicts_in_wasm

from firmware.bench.reference import SENSOR_WIDTHS, anomaly_model, random_layers
from firmware.c_program import sample_stream
from shared import model_image
from shared.messages import compact
from shared.model_image import Layer
from shared.quantized import arrays
from shared.recordings import profile_of
from shared.recordings.simulator import simulate

MISSING = -(2**31)


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """Name -> path of a built module."""
    node()
    folder = tmp_path_factory.mktemp("wasm")
    return {"sensor": build_sensor(folder), "layers": build_layers(folder)}


def in_wasm(modules, folder, image, times, counts, clips, *, boot=3, next_image=None, next_at=None):
    stream = sample_stream(image.kind, times, counts, np.flatnonzero(clips), next_at)
    sealed = [None if each is None else model_image.seal(model_image.encode(each)) for each in (image, next_image)]
    return run_sensor(
        modules["sensor"], folder, sealed[0], boot, stream, len(image.features), sealed[1], inputs=image.inputs
    )


def assert_equal(twin, messages, trace):
    for name in ("features", "outputs", "scores", "tops"):
        np.testing.assert_array_equal(getattr(trace, name), getattr(twin, name), err_msg=name)
    assert messages == twin.messages


@pytest.mark.parametrize(
    ("kind", "window", "bands", "rows"), [("process", 16, 0, 800), ("vibration", 256, 12, 256 * 300)]
)
def test_recordings(bench, modules, tmp_path, kind, window, bands, rows):
    recording = getattr(simulate(5, "outer_race", duration_s=900.0, onset_s=60.0), kind)
    _, counts = profile_of(recording, 20_000 if bands else 300, "press-7", "acme/press-7")
    counts, times = counts[:rows].copy(), recording.times_ns[:rows].copy()
    times[rows // 2 :] += 60_000_000_000  # a gap
    counts[rows // 3 : rows // 3 + 5] = MISSING
    clips = np.arange(len(counts)) == 0
    image = bench.images.fitted(
        counts,
        times,
        kind=1 if bands else 0,
        window=window,
        hop=window if bands else 1,
        bands=bands,
        gap_ns=5_000_000_000,
        starts=clips,
    )
    messages, trace = in_wasm(modules, tmp_path, image, times, counts, clips)
    judged = trace.scores != compact.NO_SCORE
    assert judged.sum() >= 299 if bands else judged.sum() > 700
    assert len(np.unique(trace.outputs)) > 20
    assert_equal(bench.twin(image, times, counts, clips, runs=1000), messages, trace)


@pytest.mark.parametrize("seed", range(6))
def test_random_samples(bench, modules, tmp_path, seed):
    rng = np.random.default_rng(seed)
    fast = seed % 2 == 1
    image = bench.images.random(
        seed,
        kind=int(fast),
        channels=3,
        window=64 if fast else 32,
        hop=(40, 64, 90)[seed // 2] if fast else 1,
        bands=7 if fast else 0,
        extreme=seed // 2 == 1,
        plain=seed // 2 == 2,
        samples=seed in (1, 2, 4),
        kinds=(None, "cw", "cwd", "wc", "", "d")[seed],
    )
    rows = 1500
    counts = rng.integers(-(2**31), 2**31, (rows, 3)) if seed < 4 else rng.normal(0, 1 << 14, (rows, 3))
    counts = counts.astype(np.int32)
    counts[rng.random((rows, 3)) < 0.05] = MISSING
    steps = rng.choice([0, 1, 10**6, 10**9, 6 * 10**9, -1], rows, p=[0.02, 0.2, 0.57, 0.2, 0.005, 0.005])
    times = 1_700_000_000_000_000_000 + np.cumsum(steps)
    clips = rng.random(rows) < 0.002
    messages, trace = in_wasm(modules, tmp_path, image, times, counts, clips, boot=2**63 - 1)
    assert (trace.scores != compact.NO_SCORE).any()
    assert_equal(bench.twin(image, times, counts, clips, runs=100, boot=2**63 - 1), messages, trace)


def test_a_new_image(bench, modules, tmp_path):
    rng = np.random.default_rng(9)
    old, new = (bench.images.random(version, version=version, window=8) for version in (4, 9))
    times, clips = np.arange(100) * 10**9, np.zeros(100, bool)
    counts = rng.integers(-(10**5), 10**5, (100, 3)).astype(np.int32)
    messages, trace = in_wasm(modules, tmp_path, old, times, counts, clips, next_image=new, next_at=41)
    assert_equal(bench.twin(old, times, counts, clips, next_image=new, next_at=41), messages, trace)


def damaged(rng, image):
    """Up to three bits of the body flipped, sealed again."""
    body = bytearray(image[: -model_image.TRAILER_BYTES])
    for _ in range(rng.integers(1, 4)):
        body[rng.integers(12, len(body))] ^= 1 << rng.integers(8)
    return bytes(body) + hashlib.sha256(body).digest() + image[-72:]


def test_verdicts_on_images(bench, modules):
    rng = np.random.default_rng(31)
    bases = [
        model_image.seal(model_image.encode(content))
        for content in (
            bench.images.random(1, channels=1, window=4, hidden=(2,)),
            bench.images.random(2, kind=1, channels=1, window=32, bands=2, hidden=(3,)),
            bench.images.random(3, channels=2, window=8, samples=True, kinds="cw"),
            with_drawn_blocks(bench.images.random(4, channels=1, window=8, samples=True, kinds="cd"), 3),
        )
    ]
    images = [image for image, _ in (*border_images().values(), *layer_border_images().values())]
    images += [damaged(rng, bases[number % 4]) for number in range(4000)] + [b"", bases[0][:150], bytes(200)]
    expected = [verdict_of(image) for image in images]
    assert 500 < expected.count(ACCEPTED) < 3500
    assert_same(images, expected, verdicts_in_wasm(modules["sensor"], images))


def forward(layers, x):
    for layer in layers:
        x = arrays.forward(layer, x)
    return x


def layer_of(weights, bias, multipliers, shifts, zero=0, low=-128):
    rows, columns = weights.shape
    values = [np.broadcast_to(each, rows).tolist() for each in (bias, multipliers, shifts)]
    return [Layer(columns, rows, weights.astype(np.int8).tobytes(), *values, zero, low)]


def railed(rng):
    """Weights, values and biases at their ends: accumulators at both ends of int32."""
    columns, reach = 3000, 128 * 128 * 3000
    weights = np.repeat([[-128], [-127], [127], [0]], columns, axis=1)
    inputs = np.concatenate([np.full((1, columns), end) for end in (-128, -127, 0, 127)])
    bias = np.array([(1 << 31) - 1 - reach, -(1 << 31) + reach] * 2)
    return layer_of(weights, bias, [(1 << 31) - 1, 1 << 30, 1, 12345], [62, 55, 1, 33]), inputs


def every_shift(rng):
    """Shifts from 1 to 62 with multipliers at both ends."""
    shifts = np.repeat(np.arange(1, 63), 4)
    weights = rng.integers(-128, 128, (len(shifts), 24))
    multipliers = np.tile([1, 3, 1 << 30, (1 << 31) - 1], 62)
    bias = rng.integers(-4000, 4000, len(shifts))
    return layer_of(weights, bias, multipliers, shifts, zero=-7, low=-90), rng.integers(-128, 128, (200, 24))


def mixed(rng, *, extreme=False):
    """Every kind behind every other, a convolution last."""
    layers = drawn_chain(np.random.default_rng(3), 120, 3, "cwcdwc", extreme=extreme)[:-1]
    return layers, rng.choice([-128, -1, 0, 127], (300, 120)) if extreme else rng.integers(-128, 128, (300, 120))


CASES = {
    "wide": lambda rng: (random_layers(rng, (12, 16, 1024)), rng.integers(-128, 128, (400, 12))),
    "sensor": lambda rng: (random_layers(rng, SENSOR_WIDTHS), rng.integers(-128, 128, (2000, 64))),
    "odd": lambda rng: (random_layers(rng, (33, 5, 1, 37, 66)), rng.integers(-128, 128, (500, 33))),
    "railed": railed,
    "shifts": every_shift,
    "mixed": mixed,
    "mixed ends": lambda rng: mixed(rng, extreme=True),
}


@pytest.mark.parametrize("name", CASES)
def test_layers_alone(modules, name):
    layers, inputs = CASES[name](np.random.default_rng(sorted(CASES).index(name)))
    wanted = forward(layers, inputs.astype(np.int64))
    outputs = infer_in_wasm(modules["layers"], layers, inputs.astype(np.int8))
    assert name in ("railed", "mixed ends") or len(np.unique(wanted)) > 20
    np.testing.assert_array_equal(outputs, wanted)


def test_layers_alone_on_recorded_windows(modules, datasets: Path):
    model, windows = anomaly_model(datasets / "mlperf_tiny_ad")
    outputs = infer_in_wasm(modules["layers"], model.layers, windows)
    np.testing.assert_array_equal(outputs, forward(model.layers, windows.astype(np.int64)))
