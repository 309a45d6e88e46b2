"""The gate's rules on models that are made by hand: no TensorFlow here."""

import numpy as np
import pytest

from cloud.training.faults import fast_faults, slow_faults
from cloud.training.gate import HeldBack, judge
from cloud.training.scalings import scaling_of
from shared.identity import MISSING
from shared.model_image import ImageContent, Layer

CHANNELS = 3
FEATURES = 4 * CHANNELS


def image(*, threshold: int = 3 * 4096 * FEATURES, weights: bytes | None = None, version: int = 1) -> ImageContent:
    """A model that reconstructs 0, so that the score is the distance from the healthy centre."""
    layer = Layer(
        FEATURES,
        FEATURES,
        bytes(FEATURES * FEATURES) if weights is None else weights,
        [0] * FEATURES,
        [1 << 30] * FEATURES,
        [31] * FEATURES,
        0,
        -128,
    )
    scalings = [scaling_of(0, 1024, 64), scaling_of(0, 256, 64), scaling_of(5085, 135, 64), scaling_of(0, 2360, 64)]
    return ImageContent(
        version, 0, 0, 16, 1, 10**10, bytes(8), 1000, [scaling_of(0, 1000, 64)] * CHANNELS, [], scalings * CHANNELS,
        [64] * FEATURES, [layer], 1 << 30, 30, 0, 1 << 30, 30, 0, threshold,
    )  # fmt: skip


@pytest.fixture
def held():
    draw = np.random.default_rng(7)
    counts = np.rint(draw.normal(0, 1000, (300, CHANNELS))).astype(np.int32)
    times = np.arange(300, dtype=np.int64) * 10**9
    return HeldBack(times_ns=times, starts=np.zeros(300, np.bool_), counts=counts)


def test_an_equal_candidate_is_accepted(held):
    verdict = judge(image(version=2), image(), held)
    assert verdict.accepted
    assert 0.2 < verdict.metrics["candidate"]["faults_seen"] < 1.0
    assert verdict.metrics["candidate"] == verdict.metrics["current"]


@pytest.mark.parametrize("factor", [100, 0.01])
def test_a_threshold_that_is_off_by_a_hundred_is_refused(held, factor):
    planted = image(threshold=int(image().threshold * factor))
    verdict = judge(planted, image(), held)
    assert not verdict.accepted
    assert ("sees" if factor > 1 else "flags") in verdict.reason
    assert not judge(planted, None, held).accepted


def test_shuffled_weights_are_refused(held):
    draw = np.random.default_rng(1)
    planted = image(weights=draw.integers(-127, 128, FEATURES * FEATURES).astype(np.int8).tobytes())
    verdict = judge(planted, image(), held)
    assert not verdict.accepted
    assert "healthy" in verdict.reason


def test_a_device_without_a_model_is_judged_by_limits(held):
    empty = image()
    empty.layers = []
    assert judge(image(), empty, held).accepted
    assert judge(image(), None, held).metrics["current"] is None


def test_feature_faults_decide_where_there_are_no_samples():
    draw = np.random.default_rng(2)
    features = np.rint(draw.normal(0, 64, (400, FEATURES))).astype(np.int16)
    held = HeldBack(features=features)
    assert judge(image(), image(), held).accepted
    assert not judge(image(threshold=image().threshold * 100), image(), held).accepted


def test_slow_faults_touch_one_channel_and_repeat():
    draw = np.random.default_rng(2)
    counts = np.rint(draw.normal(0, 50, (64, 2))).astype(np.int32)
    counts[3, 1] = MISSING
    first, second = (list(slow_faults(counts, 5)) for _ in range(2))
    assert {kind for kind, _ in first} == {"offset", "drift", "noise", "stuck"}
    for (kind, changed), (_, again) in zip(first, second, strict=True):
        assert (changed == again).all()
        assert (changed != counts).any(axis=0).sum() == 1, kind
        assert changed[3, 1] == MISSING


def test_fast_faults_stay_in_one_channel_and_in_int16():
    features = np.zeros((10, 14), np.int64)
    features[:, 0] = 32760
    cases = list(fast_faults(features, 7, 5))
    assert {kind for kind, _ in cases} == {"band", "impulses", "level"}
    for _, changed in cases:
        touched = np.flatnonzero((changed != features).any(axis=0)) // 7
        assert len(set(touched.tolist())) <= 1
        assert changed.max() <= 32767
