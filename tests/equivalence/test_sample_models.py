"""Devices whose models have layers of every kind and read samples: the twin and NumPy give the same numbers."""

import numpy as np
import pytest
from layer_images import layered_image

from firmware.micropython.device import Device
from shared import model_image
from shared.errors import ImageError
from shared.messages import codec, compact
from shared.quantized import arrays as quantized
from shared.quantized.sample_arrays import sample_inputs
from shared.signal import arrays
from shared.signal.definition import KIND_FAST, KIND_SLOW, MISSING
from shared.signal.fast import fast_features
from shared.signal.spectrum import SpectrumPlan


def told(image, times, counts, *, run=97):
    """Data messages of the twin, and the device."""
    messages = []

    def take(_sequence, _readings, head, tail):
        messages.append(head + compact.data_oldest(0) + tail)

    device = Device("press-7", 3, image, take)
    if image.kind == KIND_SLOW:
        for time_ns, row in zip(times.tolist(), counts.tolist(), strict=True):
            device.push_row(time_ns, row)
    else:
        gap = int(np.flatnonzero(np.diff(times) > image.gap_ns)[0]) + 1
        for begin, end in ((0, gap), (gap, len(times))):
            for low in range(begin, end, run):
                part = slice(low, min(low + run, end))
                device.push_run(times[part].tolist(), counts[part].T.tolist())
    device.close_message()
    return [codec.decode_data(message) for message in messages], device


def recorded(rng, rows, channels, amplitude):
    """Times with a gap in the middle, and counts with missing ones and some far beyond int16 when scaled."""
    times = np.arange(rows, dtype=np.int64) * 1_000_000
    times[rows // 2 :] += 60_000_000_000
    counts = rng.integers(-amplitude, amplitude, (rows, channels)).astype(np.int32)
    counts[rng.random((rows, channels)) < 0.03] = MISSING
    counts[rng.random((rows, channels)) < 0.01] = 2**30
    counts[:3] = MISSING
    return times, counts


def by_numpy(image, times, counts):
    """Ends of the readings that have a score, their inputs, scores and tops."""
    starts = np.zeros(len(times), bool)
    starts[0] = True
    starts[1:] = np.diff(times) > image.gap_ns
    names = ("centre", "multiplier", "shift")
    scaling = [np.array([getattr(each, name) for each in image.channels]) for name in names]
    scaled = arrays.hold_missing(counts, arrays.clamp16(arrays.scale(counts, *scaling)), starts)
    order = np.arange(len(times))
    within = order - np.maximum.accumulate(np.where(starts, order, 0))
    hop = 1 if image.kind == KIND_SLOW else image.hop
    ends = order[(within >= image.window - 1) & ((within - image.window + 1) % hop == 0)]
    inputs = sample_inputs(image.kind, scaled, ends, image.window)
    return ends, scaled, inputs, *quantized.scores(image, inputs)


@pytest.mark.parametrize("rounding", [0, 1])
@pytest.mark.parametrize(
    ("kind", "channels", "window", "hop"),
    [
        (KIND_SLOW, 1, 1, 1),
        (KIND_SLOW, 3, 2, 1),
        (KIND_SLOW, 2, 16, 1),
        (KIND_SLOW, 5, 64, 1),
        (KIND_FAST, 1, 32, 32),
        (KIND_FAST, 3, 64, 24),
        (KIND_FAST, 2, 128, 200),
    ],
)
def test_models_of_samples_give_the_same_scores(kind, channels, window, hop, rounding):
    rng = np.random.default_rng(window)
    image = layered_image(
        window, kind=kind, channels=channels, window=window, hop=hop, bands=3 if kind else 0, rounding=rounding
    )
    image = model_image.read(model_image.seal(model_image.encode(image)))
    times, counts = recorded(rng, 300 if kind == KIND_SLOW else 1500, channels, 30_000)
    messages, device = told(image, times, counts)
    ends, scaled, inputs, scores, tops = by_numpy(image, times, counts)
    assert len(ends) > 5
    assert device.inputs == inputs[-1].tolist()
    twin_scores = np.concatenate([message.scores_q12 for message in messages])
    twin_tops = np.concatenate([message.tops for message in messages])
    if kind == KIND_SLOW:
        judged = np.zeros(len(times), bool)
        judged[ends] = True
        assert (twin_scores[~judged] == compact.NO_SCORE).all()
        assert (twin_tops[~judged] == compact.NO_FEATURE).all()
        twin_scores, twin_tops = twin_scores[judged], twin_tops[judged]
        assert np.concatenate([message.counts for message in messages]).tolist() == counts.tolist()
    else:
        plan = SpectrumPlan(window)
        last = scaled[ends[-1] - window + 1 : ends[-1] + 1].T.tolist()
        assert len(device.features) == channels * 6
        names = ("centre", "multiplier", "shift")
        scaling = [np.array([getattr(each, name) for each in image.features]) for name in names]
        raw = np.concatenate([fast_features(plan, column, image.edges) for column in last])
        assert device.features == arrays.clamp16(arrays.scale(raw, *scaling)).tolist()
        assert np.concatenate([message.features for message in messages])[-1].tolist() == device.features
    assert twin_scores.tolist() == scores.tolist()
    assert twin_tops.tolist() == tops.tolist()
    assert len(set(scores.tolist())) > 5
    assert set((twin_tops % (6 if kind else 4)).tolist()) == {0}


def test_samples_that_leave_int16_without_their_mean_are_counted():
    """31 of 32 at one end and one at the other: less the mean, that one is beyond int16; features stay in it."""
    image = layered_image(5, kind=KIND_FAST, channels=1, window=32, hop=32, bands=1)
    image.channels = [model_image.Scaling(0, 1 << 14, 14)]
    image.features = [model_image.Scaling(0, 1, 10)] * 4
    device = Device("press-7", 3, image, lambda *_: None)
    device.push_run(list(range(32)), [[32767] * 31 + [-32768]])
    assert device.clipped == 1
    assert device.inputs == [2048] * 31 + [-32768]


def test_features_of_an_envelope_stand_behind_the_bands():
    edges = [1, 3, 9]
    image = layered_image(
        6, kind=KIND_FAST, channels=1, window=128, hop=128, bands=2, samples=False, envelope=(9, 16, edges)
    )
    image = model_image.read(model_image.seal(model_image.encode(image)))
    assert image.envelope_edges == edges
    device = Device("press-7", 3, image, lambda *_: None)
    device.push_run(list(range(128)), [np.random.default_rng(1).integers(-9000, 9000, 128).tolist()])
    assert len(device.features) == image.inputs == 7
    assert device.inputs is device.features
    assert model_image.feature_names(image)[-3:] == ["band-1", "envelope-0", "envelope-1"]


def test_a_packed_image_changes_nothing_in_a_running_device():
    image, packed = layered_image(7), layered_image(8, version=2)
    packed.target = 3
    messages = []
    device = Device("press-7", 3, image, lambda *message: messages.append(message))
    device.push_row(0, [1, 2])
    with pytest.raises(ImageError, match="packed for another processor, mve"):
        device.install(packed)
    assert (device.image, messages) == (image, [])
    device.close_message()
    assert len(messages) == 1
