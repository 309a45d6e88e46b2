"""Models of every kind of layer, of features and of samples: the twin, NumPy and C give the same bytes."""

import subprocess

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware.build import build_host, packaged_compiler
from firmware.c_program import messages_of, sample_stream
from firmware.errors import CompilerError
from firmware.micropython.device import Device
from shared import model_image
from shared.messages import compact
from shared.messages.codec import decode_data
from shared.messages.compact import data_oldest
from shared.signal import definition

SLOW, FAST = definition.KIND_SLOW, definition.KIND_FAST
KINDS = ("", "c", "w", "cw", "wc", "cd", "dc", "ccw", "cwdc", "cwcwd")
CHECKS = [HealthCheck.function_scoped_fixture]


@pytest.fixture(scope="module")
def sanitized(bench, build_folder):
    """The bench with a program that stops at the first undefined operation."""
    try:
        bench.programs["sanitized"] = build_host(build_folder, sanitize=True)
    except CompilerError as error:
        pytest.skip(f"this machine's compiler has no sanitizers: {error}")
    return bench


def recording(seed, rows, channels, *, wide=False):
    """Times, counts and clip starts: gaps, missing values, saturation."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(-(2**31), 2**31, (rows, channels)) if wide else rng.normal(0, 1 << 16, (rows, channels))
    counts = counts.astype(np.int32)
    counts[rng.random((rows, channels)) < 0.03] = definition.MISSING
    steps = rng.choice([0, 10**9, 6 * 10**9, -1], rows, p=[0.03, 0.95, 0.01, 0.01])
    return (1_700_000_000_000_000_000 + np.cumsum(steps)).astype(np.int64), counts, rng.random(rows) < 0.01


def compare(bench, same, image, given_samples, *, program="cc", twin=True):
    """The number of readings that were judged, and the different bytes in their outputs."""
    c = bench.c(image, *given_samples, program=program)
    same(bench.numpy(image, *given_samples), c)
    if twin:
        told = bench.twin(image, *given_samples, runs=50)
        same(told, c)
        assert told.messages == c.messages
    judged = c.scores != compact.NO_SCORE
    return int(judged.sum()), len(np.unique(c.outputs[judged]))


@settings(max_examples=40, deadline=None, suppress_health_check=CHECKS)
@given(
    seed=st.integers(0, 2**32 - 1),
    kinds=st.sampled_from(KINDS),
    channels=st.integers(1, 3),
    window=st.sampled_from([1, 2, 16, 64]),
    samples=st.booleans(),
    extreme=st.booleans(),
)
def test_slow_devices(bench, same, seed, kinds, channels, window, samples, extreme):
    window = window if samples else max(window, 4)
    image = bench.images.random(seed, channels=channels, window=window, samples=samples, kinds=kinds, extreme=extreme)
    compare(bench, same, image, recording(seed, 150, channels, wide=extreme))


@settings(max_examples=25, deadline=None, suppress_health_check=CHECKS)
@given(
    seed=st.integers(0, 2**32 - 1),
    kinds=st.sampled_from(KINDS),
    channels=st.integers(1, 3),
    window=st.sampled_from([32, 64, 128]),
    hop=st.sampled_from([20, 64, 150]),
    samples=st.booleans(),
    envelope=st.booleans(),
    extreme=st.booleans(),
)
def test_fast_devices(bench, same, seed, kinds, channels, window, hop, samples, envelope, extreme):
    image = bench.images.random(
        seed,
        kind=FAST,
        channels=channels,
        window=window,
        hop=hop,
        bands=3,
        samples=samples,
        kinds=kinds,
        extreme=extreme,
        envelope=(3, 16, [1, 4, 9]) if envelope and window > 32 else None,
    )
    times, counts, clips = recording(seed, window + 8 * hop, channels, wide=extreme)
    compare(bench, same, image, (times, counts, clips & (times % 3 == 0)))


@pytest.mark.parametrize(("kind", "kinds"), [(SLOW, "cwcd"), (SLOW, "wcc"), (SLOW, "cdw"), (FAST, "cwd"), (FAST, "cc")])
def test_many_outputs(bench, same, kind, kinds):
    fast = {"kind": FAST, "bands": 5, "hop": 64} if kind else {}
    image = bench.images.random(77, channels=16, window=64, samples=True, kinds=kinds, **fast)
    rows = 64 * 200 if kind else 263
    times, clips = np.arange(rows) * 10**6, np.zeros(rows, bool)
    counts = np.random.default_rng(3).normal(0, 1 << 16, (rows, 16)).astype(np.int32)
    judged, values = compare(bench, same, image, (times, counts, clips), twin=False)
    assert judged == 200
    assert judged * image.inputs > 200_000  # five of these are more than a million outputs
    assert values > 30


@pytest.mark.parametrize("seed", range(10))
def test_extremes_are_defined(sanitized, same, seed):
    fast = {"kind": FAST, "bands": 2, "hop": 40} if seed % 2 else {}
    image = sanitized.images.random(
        seed, channels=2, window=32, samples=seed % 5 > 0, kinds=KINDS[seed], extreme=True, **fast
    )
    rng = np.random.default_rng(seed)
    rails = np.array([-(2**31), -(2**31) + 1, -32769, -32768, -1, 0, 32767, 32768, 2**31 - 1])
    counts = rng.choice(rails, (300, 2)).astype(np.int32)
    times = rng.choice([-(2**63), 2**63 - 1, 0, 1], 300).astype(np.int64) if seed == 3 else np.arange(300) * 10**7
    compare(sanitized, same, image, (times, counts, rng.random(300) < 0.005), program="sanitized")


def test_the_packaged_compiler_gives_the_same(bench, same, build_folder):
    try:
        bench.programs["zig"] = build_host(build_folder, compiler=packaged_compiler())
    except CompilerError as error:
        pytest.skip(f"no compiler of the package index: {error}")
    for seed, kinds in enumerate(KINDS):
        fast = {"kind": FAST, "bands": 2, "hop": 40} if seed % 2 else {}
        image = bench.images.random(
            seed, channels=3, window=32, samples=seed % 3 > 0, kinds=kinds, extreme=seed > 6, **fast
        )
        given_samples = recording(seed, 400, 3, wide=seed > 6)
        same(bench.c(image, *given_samples, program="zig"), bench.c(image, *given_samples))


def test_a_window_of_one_row_is_told_by_its_channel(bench, same):
    image = bench.images.random(4, channels=9, window=1, samples=True, kinds="d")
    image.weights = [0, 0, 0, 0, 0, 200, 0, 0, 0]
    bench.images.finished(image, np.random.default_rng(1))
    given_samples = recording(1, 40, 9)
    compare(bench, same, image, given_samples)
    judged = bench.c(image, *given_samples)
    assert set(judged.tops.tolist()) <= {0, 4 * 5}
    assert 20 in judged.tops


def test_the_first_of_equally_distant_channels_is_the_top_one(bench, same):
    image = bench.images.random(8, channels=3, window=4, samples=True, kinds="")
    image.weights = [0] * 12
    image.golden_score = 0
    given_samples = np.arange(20) * 10**9, recording(1, 20, 3)[1], np.zeros(20, bool)
    compare(bench, same, image, given_samples)
    assert bench.c(image, *given_samples).tops.tolist() == [compact.NO_FEATURE] * 3 + [0] * 17


def test_a_clamp_of_a_sample_is_counted(bench):
    image = bench.images.random(
        9, kind=FAST, channels=1, window=32, hop=32, bands=1, samples=True, kinds="", plain=True
    )
    counts = np.full((64, 1), -32768, np.int32)
    counts[:8] = 32767
    times, clips = np.arange(64) * 10**6, np.zeros(64, bool)
    c, twin = bench.c(image, times, counts, clips), bench.twin(image, times, counts, clips)
    assert c.messages == twin.messages
    assert decode_data(c.messages[0]).clipped >= 8


def test_a_new_image_whose_model_reads_samples(bench, tmp_path):
    old = bench.images.random(1, version=4, channels=2, window=8, kinds="d")
    new = bench.images.random(2, version=9, channels=2, window=4, samples=True, kinds="cw")
    times, counts, clips = recording(5, 120, 2)
    messages = []
    device = Device("press-7", 3, old, lambda _, _readings, head, tail: messages.append(head + data_oldest(0) + tail))
    for row, time_ns in enumerate(times.tolist()):
        if row == 41:
            device.install(new)
        if clips[row]:
            device.end_stretch()
        device.push_row(time_ns, counts[row].tolist())
    device.close_message()
    for name, image in (("old", old), ("new", new)):
        (tmp_path / name).write_bytes(model_image.seal(model_image.encode(image)))
    stream = sample_stream(SLOW, times, counts, np.flatnonzero(clips), 41)
    command = [str(bench.programs["cc"]), str(tmp_path / "old"), "press-7", "3", "--next", str(tmp_path / "new")]
    done = subprocess.run(command, input=stream, capture_output=True, timeout=60, check=True)
    assert messages_of(done.stdout) == messages
    assert {decode_data(message).model_version for message in messages} == {4, 9}
