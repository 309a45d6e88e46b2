"""What a device sends for a whole recording, computed at once: the numbers of the twin without its time.

`tests/equivalence/test_device_arrays.py` holds both equal; the reader of a message does not care how many readings it
holds.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cloud.training.features import raw_features, scaled_counts, scaled_features, stretch_starts
from cloud.training.train import recipe_of
from shared.messages import compact
from shared.messages.codec import Data
from shared.model_image import ImageContent
from shared.quantized.arrays import scores
from shared.quantized.sample_arrays import sample_inputs
from shared.signal.definition import KIND_SLOW
from tocsin.provisioning import Provisioned

#: Readings of one message at most; a real one holds sixteen.
MESSAGE_READINGS = 4096


def data_of(provisioned: Provisioned, border: int = 0) -> Iterator[Data]:
    """The readings of a device for its recording, in order, in messages of one stretch each; one begins at `border`."""
    content, source = provisioned.content, provisioned.source
    declared = np.zeros(len(source.times_ns), np.bool_)
    declared[sorted(source.clip_starts)] = True
    begins = stretch_starts(source.times_ns, declared, content.gap_ns)
    stretches = np.cumsum(begins) - 1
    scaled = scaled_counts(source.counts, content.channels, begins)
    raw = raw_features(recipe_of(content), scaled, begins)
    slow = content.kind == KIND_SLOW
    rows = np.arange(len(begins)) if slow else raw.rows
    features = scaled_features(raw.features, content.features) if content.features else raw.features
    q12, tops = _scores(content, scaled, features, raw.rows, rows)
    sequence = 0
    for first, end in _runs(stretches[rows], border):
        part = slice(first, end)
        yield Data(
            provisioned.profile.device,
            1,
            sequence,
            0,
            int(stretches[rows[first]]),
            content.version if content.layers else 0,
            0,
            source.times_ns[rows[part]],
            q12[part],
            tops[part],
            source.counts[rows[part]] if slow else None,
            None if slow else features[part].astype(np.int16),
        )
        sequence += end - first


def _scores(
    content: ImageContent,
    scaled: NDArray[np.int64],
    features: NDArray[np.int64],
    closed: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
    """Scores and tops of the readings at `rows`; only those at `closed` rows have a full window."""
    q12 = np.full(len(rows), compact.NO_SCORE, np.uint32)
    tops = np.full(len(rows), compact.NO_FEATURE, np.uint16)
    if content.layers and len(closed):
        inputs = sample_inputs(content.kind, scaled, closed, content.window) if content.samples else features
        places = np.searchsorted(rows, closed)
        q12[places], tops[places] = scores(content, inputs)
    return q12, tops


def _runs(stretches: NDArray[np.int64], border: int) -> Iterator[tuple[int, int]]:
    """First reading, and reading after the last, of each message."""
    inside = {border} if 0 < border < len(stretches) else set()
    borders = sorted({0, *(np.flatnonzero(np.diff(stretches)) + 1).tolist(), len(stretches)} | inside)
    for begin, end in itertools.pairwise(borders):
        for first in range(begin, end, MESSAGE_READINGS):
            yield first, min(end, first + MESSAGE_READINGS)
