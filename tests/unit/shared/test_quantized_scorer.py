"""The score: what it is made of, its cap, its ties, and the golden vector."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import model_image
from shared.model_image import SUM_LIMIT, ImageContent, Layer, Scaling
from shared.quantized import arrays
from shared.quantized.scorer import Scorer


def image_of(weights, threshold, seed=0, output=(1 << 30, 28, 0)):
    """One identity-like layer over len(weights) features (a multiple of 4)."""
    features = len(weights)
    rng = np.random.default_rng(seed)
    layer = Layer(
        features,
        features,
        rng.integers(-128, 128, (features, features)).astype(np.int8).tobytes(),
        rng.integers(-1000, 1000, features).tolist(),
        [1 << 30] * features,
        [38] * features,
        3,
        -128,
    )
    return ImageContent(
        version=1,
        kind=0,
        bands=0,
        window=4,
        hop=1,
        gap_ns=1,
        profile_digest=bytes(8),
        sample_rate_millihertz=1000,
        channels=[Scaling(0, 1, 1)] * (features // 4),
        edges=[],
        features=[Scaling(0, 1, 1)] * features,
        weights=list(weights),
        layers=[layer],
        input_multiplier=1 << 30,
        input_shift=32,
        input_zero=-4,
        output_multiplier=output[0],
        output_shift=output[1],
        output_zero=output[2],
        threshold=threshold,
    )


@settings(max_examples=80)
@given(
    features=st.lists(st.integers(-32768, 32767), min_size=8, max_size=8),
    weights=st.lists(st.integers(0, 65535), min_size=8, max_size=8),
    threshold=st.one_of(st.integers(1, SUM_LIMIT - 1), st.integers(1, 5)),
    seed=st.integers(0, 1000),
)
def test_the_score_is_its_formula(features, weights, threshold, seed):
    image = image_of(weights, threshold, seed)
    scorer = Scorer(image)
    score, top = scorer.score(features)
    expected = [((y - image.output_zero) * image.output_multiplier + (1 << 27)) >> 28 for y in scorer.output]
    parts = [w * (f - e) ** 2 for w, f, e in zip(weights, features, expected, strict=True)]
    assert sum(parts) < 2**63
    total = min(sum(parts) >> 6, SUM_LIMIT - 1)
    assert score == math.isqrt((total << 24) // threshold) < 2**32 - 1
    assert top == parts.index(max(parts))
    rows = np.array([features, features[::-1]])
    scores, tops = arrays.scores(image, rows)
    assert (int(scores[0]), int(tops[0])) == (score, top)
    assert (int(scores[1]), int(tops[1])) == scorer.score(features[::-1])


def test_a_sum_at_the_threshold_scores_one():
    image = image_of([64] * 8, 1)
    features = [100] * 8
    sums, _ = arrays.score_sums(image, np.array([features]))
    for threshold, expected in ((int(sums[0]), 4096), (int(sums[0]) * 4, 2048)):
        image.threshold = threshold
        assert Scorer(image).score(features)[0] == expected


def test_the_largest_error_is_capped_not_wrapped():
    image = image_of([65535] * 4096, 1)
    image.channels = [Scaling(0, 1, 1)] * 1024
    features = [-32768] * 4096
    # every output far above: 255 steps of 2**8
    image.output_multiplier, image.output_shift, image.output_zero = (1 << 30), 22, -128
    scores, _ = arrays.scores(image, np.array([features]))
    assert int(scores[0]) == math.isqrt((SUM_LIMIT - 1) << 24)


def test_equal_distances_name_the_first():
    image = image_of([0] * 8, 1)
    assert Scorer(image).score([5, -5, 5, -5, 5, -5, 5, -5]) == (0, 0)


@pytest.mark.parametrize("field", ["score", "output", "weight", "bias"])
def test_the_golden_vector_notices_one_change(field):
    image = image_of([64] * 8, 1000)
    image.golden_features = [20, -300, 45, 0, 7, 99, -64, 128]
    scorer = Scorer(image)
    image.golden_score = scorer.score(image.golden_features)[0]
    image.golden_output = list(scorer.output)
    assert not Scorer(model_image.read(model_image.seal(model_image.encode(image)))).golden_fails()
    if field == "score":
        image.golden_score += 1
    elif field == "output":
        image.golden_output[7] ^= 1
    elif field == "weight":
        weights = bytearray(image.layers[0].weights)
        weights[9] ^= 0x40
        image.layers[0].weights = bytes(weights)
    else:
        image.layers[0].bias[2] += 5000
    assert Scorer(model_image.read(model_image.seal(model_image.encode(image)))).golden_fails()
