"""Recordings put together from arrays, where a protocol joins several files into one run of a machine."""

import numpy as np
from numpy.typing import NDArray

from shared.recordings import Recording

#: Where time begins for a recording without stamps: 2000-01-01T00:00:00Z.
EPOCH_NS = 946_684_800 * 10**9


def recording_of(
    values: NDArray[np.float64], step_seconds: float, healthy_rows: int, clip_starts: NDArray[np.int64] | None = None
) -> Recording:
    """Rows (n, k) that follow each other every `step_seconds`; channels are numbered, for nothing may hang on names."""
    step_ns = round(step_seconds * 1e9)
    return Recording(
        times_ns=EPOCH_NS + np.arange(len(values), dtype=np.int64) * step_ns,
        values=np.asarray(values, np.float64),
        names=tuple(f"column_{number}" for number in range(1, values.shape[1] + 1)),
        units=("",) * values.shape[1],
        sample_rate_hz=1.0 / step_seconds,
        clip_starts=np.zeros(1, np.int64) if clip_starts is None else clip_starts,
        healthy_rows=healthy_rows,
    )


def after(rows: int, first: int) -> NDArray[np.bool_]:
    """Bool (rows,): the rows from `first` on.

    >>> after(3, 1).tolist()
    [False, True, True]
    """
    return np.arange(rows) >= first


def settled(rows: int, starts: NDArray[np.int64], settle_rows: int) -> NDArray[np.bool_]:
    """Bool (rows,): all but the first `settle_rows` behind each of `starts`, where no window has closed yet.

    >>> settled(6, np.array([0, 4]), 1).tolist()
    [False, True, True, True, False, True]
    """
    index = np.arange(rows)
    return index - starts[np.searchsorted(starts, index, side="right") - 1] >= settle_rows
