"""Channels that stopped sending values: what no distance sees, since a missing value adds nothing to it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.judgement import NEVER

#: A channel is lost after so many spans of the alarm's evidence without a value, beyond what happened while healthy.
LOST_SPANS = 3
#: A channel that gave fewer values than this share of the healthy readings is never called lost.
LEAST_SHARE = 0.5


class Presence:
    """Which channels of a slow device are lost: without a value for longer than ever while the device was healthy.

    `limits`: readings without a value from which on a channel is lost, int64 (columns,); 0 = never.

    >>> presence = Presence.fit(np.ones((100, 2)), span=5)
    >>> gone = np.ones((20, 2))
    >>> gone[2:, 1] = np.nan
    >>> since = presence.run(np.arange(20), gone)
    >>> np.flatnonzero(since[:, 1] != NEVER).tolist(), since[-1, 1].tolist(), bool((since[:, 0] != NEVER).any())
    ([16, 17, 18, 19], 2, False)
    """

    def __init__(self, limits: NDArray[np.int64]) -> None:
        self.limits = limits
        self._runs = np.zeros(len(limits), np.int64)
        self._since = np.zeros(len(limits), np.int64)

    @classmethod
    def fit(cls, values: NDArray[np.float64], *, span: int) -> "Presence":
        """Limits from healthy values (n, columns) and the readings that an alarm's evidence spans."""
        missing = np.isnan(values)
        longest = np.zeros(missing.shape[1], np.int64)
        run = longest.copy()
        if missing.any():
            for row in missing:
                run = np.where(row, run + 1, 0)
                longest = np.maximum(longest, run)
        limits = 2 * longest + LOST_SPANS * span
        return cls(np.where(missing.mean(axis=0) <= 1.0 - LEAST_SHARE, limits, 0))

    def run(self, times_ns: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Since when each channel is lost, after each of m readings: int64 (m, columns), ns UTC, or `NEVER`."""
        missing = np.isnan(values)
        since = np.full(missing.shape, NEVER)
        if not missing.any():
            self._runs[:] = 0
            return since
        for index, row in enumerate(missing):
            self._since = np.where(row & (self._runs == 0), times_ns[index], self._since)
            self._runs = np.where(row, self._runs + 1, 0)
            since[index] = np.where((self.limits > 0) & (self._runs >= self.limits), self._since, NEVER)
        return since

    def fields(self) -> dict[str, Any]:
        """Everything that later readings depend on."""
        return {
            "lost limits": self.limits.tolist(),
            "lost runs": self._runs.tolist(),
            "lost since": self._since.tolist(),
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "Presence":
        """The presence whose `fields` these are; KeyError or ValueError when they do not fit together."""
        restored = cls(np.array(fields["lost limits"], np.int64))
        restored._runs = np.array(fields["lost runs"], np.int64)
        restored._since = np.array(fields["lost since"], np.int64)
        if not restored._runs.shape == restored._since.shape == restored.limits.shape:
            raise ValueError("the counts of missing values differ in number")
        return restored
