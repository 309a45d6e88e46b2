"""`samples.py` for many windows at once, in NumPy: what a model that reads samples is given for a recording."""

import numpy as np
from numpy.typing import NDArray

from shared.signal.arrays import clamp16
from shared.signal.definition import KIND_SLOW

Integers = NDArray[np.int64]


def sample_inputs(kind: int, scaled: Integers, ends: Integers, window: int) -> Integers:
    """The model's inputs of each reading: int16 values as int64, (readings, window * channels), sample by sample.

    Parameters
    ----------
    kind
        `definition.KIND_SLOW` or `definition.KIND_FAST`.
    scaled
        Scaled samples of the recording, missing ones held: (rows, channels), int16 range.
    ends
        The row that closes each reading, at least `window` - 1: (readings). Its `window` rows are of one stretch.
    window
        Rows of a window, a power of two.

    >>> sample_inputs(KIND_SLOW, np.arange(6).reshape(3, 2), np.array([1, 2]), 2).tolist()
    [[0, 1, 2, 3], [2, 3, 4, 5]]
    """
    rows: Integers = scaled[ends[:, None] + np.arange(1 - window, 1)]
    if kind != KIND_SLOW:
        means = (rows.sum(axis=1) + (window >> 1)) // window
        rows = clamp16(rows - means[:, None])
    return rows.reshape(len(ends), window * scaled.shape[1])
