"""Recorded samples with what is known about them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.identity import FAST, FAST_FROM_HZ, SLOW

#: Where recordings without time stamps begin: 2000-01-01T00:00:00Z in UTC nanoseconds.
UNKNOWN_START_NS = 946_684_800_000_000_000


@dataclass(frozen=True, eq=False)
class Recording:
    """Samples of one asset, row by row, in the order in which they were written down.

    Attributes
    ----------
    times_ns
        int64, shape (rows,): UTC nanoseconds. Not necessarily growing: duplicate, reversed and gappy stamps survive.
    values
        float64, shape (rows, channels), physical units. NaN is a missing value; nothing is infinite.
    names, units
        One per channel; a unit is empty when unknown.
    sample_rate_hz
        One over the median step in time of the healthy part, or what the caller declared.
    clip_starts
        int64, growing: rows at which a clip begins. Holds row 0 whenever there is a row.
    healthy_rows
        How many of the first rows the caller declared healthy; None when nothing was declared.
    notes
        Plain sentences: what was taken, what was left out, and why.
    labels
        Columns that the caller named in `ignore`: never a channel, kept for summaries. float64, or text.
    """

    times_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    names: tuple[str, ...]
    units: tuple[str, ...]
    sample_rate_hz: float
    clip_starts: NDArray[np.int64]
    healthy_rows: int | None = None
    notes: tuple[str, ...] = ()
    labels: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of samples per channel."""
        return int(self.times_ns.shape[0])

    @property
    def kind(self) -> str:
        """'slow' below 50 Hz (every row is a reading), else 'fast' (a window is a reading)."""
        return SLOW if self.sample_rate_hz < FAST_FROM_HZ else FAST
