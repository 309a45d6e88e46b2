"""Whole devices with envelope bands: the twin, NumPy and C, by two compilers and sanitized, send the same bytes."""

import numpy as np
import pytest
from layer_images import dense, layered_image

from firmware.build import build_host, packaged_compiler
from firmware.errors import CompilerError
from shared.image_content import Scaling, feature_names
from shared.signal.definition import KIND_FAST, MISSING, band_edges

#: Window, hop, bands, envelope's first bin, bins and bands.
SHAPES = [
    (64, 40, 3, 1, 16, 8),
    (256, 256, 1, 40, 64, 5),
    (512, 700, 6, 128, 128, 64),
    (2048, 1024, 2, 511, 512, 16),
    (4096, 4096, 1, 1, 1024, 1),
]


def image_of(seed, window, hop, bands, first, bins, envelope_bands):
    """Two channels, a model of two dense layers."""
    rng = np.random.default_rng(seed)
    envelope = (first, bins, band_edges(bins, min(envelope_bands, bins // 4)))
    inputs = 2 * (3 + bands + len(envelope[2]) - 1)
    layers = [dense(rng, inputs, 9), dense(rng, 9, inputs)]
    how = {"kind": KIND_FAST, "window": window, "hop": hop, "bands": bands, "envelope": envelope}
    image = layered_image(seed, samples=False, layers=layers, **how)
    image.features = [Scaling(0, 1 << 13, 14)] * inputs  # a half: every feature fits
    return image


def counts_of(rng, rows):
    """A channel of knocks from faint to clipping, and one of rails with turns; some missing."""
    time = np.arange(rows)
    phase = time % int(rng.integers(20, 200))
    knocks = 10 ** rng.uniform(0.5, 5, 8).repeat(-(-rows // 8))[:rows] * np.exp(-phase / 12) * np.cos(1.1 * phase)
    rails = np.where(np.cumsum(rng.random(rows) < 0.02) % 2, 2**17, -(2**17))
    counts = np.stack([knocks + rng.normal(0, 3, rows), rails], axis=1).round().astype(np.int32)
    counts[rng.random(counts.shape) < 0.01] = MISSING
    return counts


@pytest.fixture(scope="module", params=["cc", "packaged", "sanitized"])
def program(request, bench, build_folder):
    """The name of a C program of the bench."""
    try:
        if request.param == "packaged":
            bench.programs["packaged"] = build_host(build_folder, compiler=packaged_compiler())
        elif request.param == "sanitized":
            bench.programs["sanitized"] = build_host(build_folder, sanitize=True)
    except CompilerError as error:
        pytest.skip(str(error))
    return request.param


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}-{shape[4]}")
def test_devices_with_envelope_bands_send_the_same(bench, same, program, shape):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        image = image_of(seed, *shape)
        rows = 3 * max(shape[:2]) + 50
        times, clips = np.arange(rows) * 10**6, np.zeros(rows, bool)
        clips[rows // 2] = True
        counts = counts_of(rng, rows)
        c = bench.c(image, times, counts, clips, program=program)
        twin = bench.twin(image, times, counts, clips, runs=333)
        same(twin, c)
        assert twin.messages == c.messages
        same(bench.numpy(image, times, counts, clips), c)
        per_channel = len(feature_names(image))
        envelopes = c.features.reshape(len(c.features), 2, per_channel)[:, :, 3 + shape[2] :]
        assert len(np.unique(envelopes)) > 2
        assert 0 < envelopes.max() < 32767
