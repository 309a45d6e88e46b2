"""Models that read samples: what they are given, how the score and the channel at fault come of it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_images import layered_image

from shared.errors import ImageError
from shared.quantized import arrays
from shared.quantized.sample_arrays import sample_inputs
from shared.quantized.samples import RowWindow, centred_inputs
from shared.quantized.scorer import Scorer
from shared.signal.definition import KIND_FAST, KIND_SLOW
from shared.signal.fast import fast_features
from shared.signal.spectrum import SpectrumPlan

int16s = st.integers(-32768, 32767)


@given(rows=st.lists(st.lists(int16s, min_size=3, max_size=3), min_size=1, max_size=40), log2=st.integers(0, 4))
def test_the_last_rows_stand_in_order(rows, log2):
    window = RowWindow(1 << log2, 3)
    for number, row in enumerate(rows, start=1):
        window.push(row)
        assert window.full == (number >= 1 << log2)
        if window.full:
            expected = [value for each in rows[number - (1 << log2) : number] for value in each]
            assert window.inputs() == expected
            given_rows = sample_inputs(KIND_SLOW, np.array(rows), np.array([number - 1]), 1 << log2)
            assert given_rows.tolist() == [expected]
    window.reset()
    assert not window.full


@settings(max_examples=60)
@given(st.data())
def test_samples_are_given_less_their_mean(data):
    samples = 1 << data.draw(st.integers(5, 7))
    ends = st.sampled_from([-32768, 32767]) if data.draw(st.booleans()) else int16s
    columns = [data.draw(st.lists(ends, min_size=samples, max_size=samples)) for _ in range(2)]
    inputs, clipped = centred_inputs(columns)
    expected = []
    for column in columns:
        mean = math.floor(sum(column) / samples + 0.5)
        expected.append([value - mean for value in column])
    limited = [[min(32767, max(-32768, value)) for value in column] for column in expected]
    assert [inputs[0::2], inputs[1::2]] == limited
    assert clipped == sum(abs(value + 0.5) > 32768 for column in expected for value in column)
    assert sample_inputs(KIND_FAST, np.array(columns).T, np.array([samples - 1]), samples).tolist() == [inputs]


def test_the_mean_is_the_one_that_levels_are_measured_from():
    """A constant one above its mean would show in the level."""
    column = [7] * 31 + [8]
    inputs, _ = centred_inputs([column])
    assert sum(value * value for value in inputs) == 1
    assert fast_features(SpectrumPlan(32), column, [1, 17])[0] == 256


@pytest.mark.parametrize("kind", [KIND_SLOW, KIND_FAST])
@pytest.mark.parametrize("seed", range(4))
def test_the_score_is_made_of_every_sample_and_names_a_channel(kind, seed):
    image = layered_image(seed, kind=kind, channels=3, window=32, hop=32, bands=2 if kind else 0)
    scorer = Scorer(image)
    rng = np.random.default_rng(seed)
    rows = rng.integers(-3000, 3000, (6, 96))
    for place in range(6):
        rows[place, place % 3 :: 3] *= 8
    scores, tops = arrays.scores(image, rows)
    outputs = arrays.infer(image, rows)
    for row, score, top, output in zip(rows.tolist(), scores, tops, outputs.tolist(), strict=True):
        assert scorer.score(row) == (score, top)
        assert scorer.output == output
        errors = [
            value - (((y - image.output_zero) * (1 << 30) + (1 << 23)) >> 24)
            for value, y in zip(row, output, strict=True)
        ]
        parts = [weight * error**2 for weight, error in zip(image.weights, errors, strict=True)]
        assert score == math.isqrt(((sum(parts) >> 6) << 24) // image.threshold)
        of_channels = [sum(parts[channel::3]) for channel in range(3)]
        assert top == of_channels.index(max(of_channels)) * (5 if kind else 4)
    assert len(set(tops.tolist())) == 3


def test_channels_equally_far_off_name_the_first():
    image = layered_image(1, channels=2, window=4)
    image.weights = [0] * 8
    assert Scorer(image).score([9] * 8)[1] == 0
    assert arrays.scores(image, np.full((1, 8), 9))[1].tolist() == [0]


def test_packed_images_are_refused_by_name():
    image = layered_image(1)
    image.target, image.version = 2, 9
    for refusing in (lambda: Scorer(image), lambda: arrays.infer(image, np.zeros((1, image.inputs), np.int64))):
        with pytest.raises(ImageError, match="version 9 is packed for another processor, dsp"):
            refusing()
