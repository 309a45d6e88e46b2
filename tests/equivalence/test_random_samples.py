"""The twin, NumPy and C give the same features, outputs, scores and messages for any samples, extreme ones included."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.messages import compact
from shared.messages.codec import decode_data
from shared.signal import definition

SLOW = definition.KIND_SLOW
FAST = definition.KIND_FAST
MISSING = definition.MISSING
NO_FEATURE = compact.NO_FEATURE


def samples(rng, rows, channels, flavour):
    """Counts, times and clip starts: gaps, reversals, equal stamps, missing values and saturation among them."""
    if flavour == "noise":
        counts = rng.normal(0, 1 << 16, (rows, channels)).astype(np.int64)
    elif flavour == "wide":
        counts = rng.integers(-(2**31) + 1, 2**31, (rows, channels))
    elif flavour == "rails":
        counts = rng.choice([-(2**31) + 1, 2**31 - 1, -32768, 32767, 0], (rows, channels))
    elif flavour == "whisper":
        counts = rng.integers(-4, 5, (rows, channels))
    elif flavour == "stuck":
        counts = np.repeat(rng.integers(-(2**31) + 1, 2**31, (1, channels)), rows, axis=0)
    else:  # missing
        counts = rng.normal(0, 1 << 16, (rows, channels)).astype(np.int64)
        counts[rng.random((rows, channels)) < 0.4] = MISSING
    if flavour != "noise":
        counts[rng.random((rows, channels)) < 0.02] = MISSING
    steps = rng.choice(
        [0, 1, 10**9, 4 * 10**9, 5 * 10**9, 5 * 10**9 + 1, -1, -(10**12)],
        rows,
        p=[0.02, 0.2, 0.7, 0.02, 0.02, 0.02, 0.01, 0.01],
    )
    times = 1_700_000_000_000_000_000 + np.cumsum(steps)
    clips = rng.random(rows) < 0.01
    return times.astype(np.int64), counts.astype(np.int32), clips


FLAVOURS = ("noise", "wide", "rails", "stuck", "missing", "whisper")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    flavour=st.sampled_from(FLAVOURS),
    channels=st.integers(1, 4),
    window=st.sampled_from([4, 8, 32, 256]),
    layers=st.booleans(),
    scalings=st.sampled_from(["usual", "extreme", "plain"]),
)
def test_slow_devices(bench, same, seed, flavour, channels, window, layers, scalings):
    rng = np.random.default_rng(seed)
    image = bench.images.random(
        seed, channels=channels, window=window, layers=layers, extreme=scalings == "extreme", plain=scalings == "plain"
    )
    times, counts, clips = samples(rng, 300, channels, flavour)
    if window == 256:
        times, clips = np.arange(300) * 10**9, np.zeros(300, bool)
    twin = bench.twin(image, times, counts, clips)
    c = bench.c(image, times, counts, clips)
    same(twin, c)
    assert twin.messages == c.messages
    same(bench.numpy(image, times, counts, clips), c)
    assert sum(len(decode_data(message)) for message in c.messages) == len(c.scores) == 300


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    flavour=st.sampled_from(FLAVOURS),
    channels=st.integers(1, 3),
    window=st.sampled_from([32, 64, 256]),
    hop=st.sampled_from([1, 13, 32, 64, 100, 256, 300]),
    bands=st.integers(1, 9),
    layers=st.booleans(),
    scalings=st.sampled_from(["usual", "extreme", "plain"]),
)
def test_fast_devices(bench, same, seed, flavour, channels, window, hop, bands, layers, scalings):
    rng = np.random.default_rng(seed)
    image = bench.images.random(
        seed,
        kind=FAST,
        channels=channels,
        window=window,
        hop=hop,
        bands=bands,
        layers=layers,
        extreme=scalings == "extreme",
        plain=scalings == "plain",
    )
    rows = window + 20 * min(hop, 64)
    times, counts, clips = samples(rng, rows, channels, flavour)
    twin = bench.twin(image, times, counts, clips, runs=int(rng.integers(1, 200)))
    c = bench.c(image, times, counts, clips)
    same(twin, c)
    assert twin.messages == c.messages
    same(bench.numpy(image, times, counts, clips), c)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_longest_window_of_a_fast_device(bench, same, flavour):
    rng = np.random.default_rng(11)
    image = bench.images.random(5, kind=FAST, channels=1, window=4096, hop=4000, bands=64)
    image.channels[0].multiplier, image.channels[0].shift = 1 << 20, 20
    _, counts, clips = samples(rng, 12_096, 1, flavour)
    counts[4000:8096:2] = 32767
    counts[4001:8096:2] = -32768
    times, clips = np.arange(len(counts)) * 10**6, np.zeros(len(counts), bool)
    c = bench.c(image, times, counts, clips)
    assert len(c.scores) == 3
    same(bench.numpy(image, times, counts, clips), c)
    same(bench.twin(image, times, counts, clips, runs=1000), c)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from([SLOW, FAST]), at=st.integers(0, 299))
def test_a_new_image_takes_effect_between_readings(bench, same, seed, kind, at):
    rng = np.random.default_rng(seed)
    fast = {"kind": FAST, "bands": 3}
    sizes = (
        [fast | {"window": 32, "hop": 20}, fast | {"window": 64, "hop": 90}]
        if kind == FAST
        else [{"window": 8}, {"window": 4}]
    )
    old = bench.images.random(seed, version=4, **sizes[0])
    new = bench.images.random(seed + 1, version=9, gap_ns=10**9, **sizes[1])
    times, counts, clips = samples(rng, 300, 3, "missing")
    twin = bench.twin(old, times, counts, clips, next_image=new, next_at=at)
    c = bench.c(old, times, counts, clips, next_image=new, next_at=at)
    same(twin, c)
    assert twin.messages == c.messages
    assert {decode_data(message).model_version for message in c.messages} <= {4, 9}


def test_a_message_closes_at_sixteen_readings_ten_seconds_a_gap_and_a_clip(bench):
    image = bench.images.random(1, channels=1, window=4)
    quick = np.arange(40) * 1_000_000
    seconds = quick[-1] + np.arange(1, 23) * 10**9
    gap = seconds[-1] + 60 * 10**9 + np.arange(3) * 10**9
    clip = gap[-1] + np.arange(1, 5) * 10**9
    times = np.concatenate([quick, seconds, gap, clip])
    clips = np.zeros(len(times), bool)
    clips[len(quick) + len(seconds) + len(gap)] = True
    counts = np.zeros((len(times), 1), np.int32)
    messages = [decode_data(message) for message in bench.c(image, times, counts, clips).messages]
    assert [len(message) for message in messages] == [16, 16, 16, 11, 3, 3, 4]
    assert [message.stretch for message in messages] == [0, 0, 0, 0, 0, 1, 2]
    assert [message.sequence for message in messages] == [0, 16, 32, 48, 59, 62, 65]


@pytest.mark.parametrize("seed", range(6))
def test_the_spectrum_of_a_whisper_shows_every_rounding(bench, same, seed):
    rng = np.random.default_rng(seed)
    image = bench.images.random(seed, kind=FAST, channels=1, window=256, hop=64, bands=64, plain=True)
    times, clips = np.arange(4096) * 10**6, np.zeros(4096, bool)
    counts = rng.integers(-3, 4, (4096, 1)).astype(np.int32)
    c = bench.c(image, times, counts, clips)
    same(bench.twin(image, times, counts, clips), c)
    same(bench.numpy(image, times, counts, clips), c)


def test_the_first_of_equally_distant_features_is_the_top_one(bench, same):
    image = bench.images.random(8, channels=2, window=4)
    image.weights = [0] * 8
    image.golden_score = 0
    times, clips = np.arange(20) * 10**9, np.zeros(20, bool)
    counts = np.random.default_rng(8).integers(-100_000, 100_000, (20, 2)).astype(np.int32)
    c = bench.c(image, times, counts, clips)
    same(bench.twin(image, times, counts, clips), c)
    same(bench.numpy(image, times, counts, clips), c)
    assert c.tops.tolist() == [NO_FEATURE] * 3 + [0] * 17


@pytest.mark.parametrize("boot", [0, 23, 24, 255, 256, 40_000, 65_535, 65_536, 2**32 - 1, 2**32, 2**63 - 1])
def test_numbers_of_every_length_are_encoded_alike(bench, boot):
    image = bench.images.random(2, channels=1, window=4)
    times, counts, clips = np.arange(5) - 2, np.arange(5, dtype=np.int32)[:, None], np.zeros(5, bool)
    assert (
        bench.c(image, times, counts, clips, boot=boot).messages
        == bench.twin(image, times, counts, clips, boot=boot).messages
    )


def test_a_thousand_channels_fill_a_message(bench, same):
    image = bench.images.random(4, channels=1024, window=4, hidden=(2,))
    times, clips = np.arange(20) * 10**6, np.zeros(20, bool)
    counts = np.random.default_rng(4).integers(-100_000, 100_000, (20, 1024)).astype(np.int32)
    twin, c = bench.twin(image, times, counts, clips), bench.c(image, times, counts, clips)
    same(twin, c)
    assert twin.messages == c.messages
    assert len(c.messages[0]) > 65_536
